"""Run schedules by hand: `python -m tests.simulation --schedules 20000`, or one seed with `-v`."""

import argparse
import gc
import sys
import time
from collections import Counter
from pathlib import Path

from tests.simulation.founding import prepare
from tests.simulation.schedule import Report, folder, run, shorten

TOLD_EVERY = 20
"""Schedules between two lines of the count: what was run stays told if the process is killed."""


class Count:
    """What was seen so far, as a statement about a range of seeds."""

    def __init__(self, first_seed: int) -> None:
        self.first_seed = first_seed
        self.schedules = 0
        self.failed: list[int] = []
        self._sums: Counter[str] = Counter()
        self._milestones: set[str] = set()

    def add(self, report: Report) -> None:
        """One schedule more."""
        self.schedules += 1
        self._milestones |= report.milestones
        self._sums.update(
            steps=len(report.steps),
            deaths=report.deaths,
            troubles=report.troubles,
            withdrawals=report.withdrawals,
        )
        if report.failure:
            self.failed.append(report.seed)

    def __str__(self) -> str:
        seeds = f"seeds {self.first_seed}..{self.first_seed + self.schedules - 1}"
        failed = f"{len(self.failed)} failed {self.failed or ''}".strip()
        sums = ", ".join(f"{number} {name}" for name, number in self._sums.items())
        kinds = f"killed or passed at {len(self._milestones)} kinds of milestones"
        return (
            f"{seeds}: {self.schedules} schedules, {failed}, {sums}, {kinds}, "
            f"{int(time.process_time())} s of processor"
        )


def explain(line: str) -> None:
    """Tell what happens while it happens."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """The exit code is the number of failing schedules, 100 at most."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first schedule's seed")
    parser.add_argument("--schedules", type=int, default=500, help="how many, seed by seed")
    parser.add_argument("--steps", type=int, default=50, help="steps of each schedule")
    parser.add_argument("--shorten", action="store_true", help="find the steps a failure needs")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every step")
    given = parser.parse_args()
    count = Count(given.seed)
    with folder() as place:
        founded = prepare(Path(place))
        # Looking for garbage once after each schedule is enough, and never in what stays.
        gc.freeze()
        gc.disable()
        for seed in range(given.seed, given.seed + given.schedules):
            skip = shorten(founded, seed, given.steps) if given.shorten else frozenset()
            tell = {"tell": explain} if given.verbose else {}
            report = run(founded, seed, given.steps, skip=skip, **tell)
            gc.collect()
            count.add(report)
            if report.failure:
                explain(f"SEED {seed}: {report.failure}")
            if count.schedules % TOLD_EVERY == 0:
                explain(str(count))
    explain(f"ended: {count}")
    return min(len(count.failed), 100)


if __name__ == "__main__":
    sys.exit(main())
