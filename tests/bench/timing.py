"""What a bench measures: the same work by us and by a peer, best of several rounds.

Processor time, not the clock on the wall: other programs on the machine must not count.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """One piece of work: nanoseconds for one unit of it, or what it costs in satoshi.

    `aim` is the most ours may take, `aim_ratio` the most times the peer's; None without an aim.
    """

    work: str
    ours: int
    peer: str
    theirs: int
    aim: int | None = None
    aim_ratio: float | None = None
    unit: str = "ns"
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times the peer's ours takes: below 1 we are faster or cheaper."""
        return self.ours / self.theirs

    @property
    def reached(self) -> bool | None:
        """Whether the aim is met; None without one."""
        checks = []
        if self.aim is not None:
            checks.append(self.ours <= self.aim)
        if self.aim_ratio is not None:
            checks.append(self.ratio <= self.aim_ratio)
        return all(checks) if checks else None


def best_ns(work: Callable[[], object], *, rounds: int, units: int = 1) -> int:
    """The fastest of `rounds` runs, divided by the `units` of work in one run."""
    times = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            start = time.process_time_ns()
            work()
            times.append(time.process_time_ns() - start)
    finally:
        gc.enable()
    return max(1, min(times) // units)
