"""A schedule: a seed makes the steps, the steps make a life, and at its end all must be well."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chains.simulated.randomness import Seeded
from tests.simulation import invariants
from tests.simulation.founding import CHAIN_OF, Founded
from tests.simulation.life import Life, random_of
from tests.simulation.rules import RULES, cold_payments, sign_offline
from wallet.withdrawals.states import WithdrawalStatus

QUIET_ROUNDS = 60
"""Passes of work after all faults stopped; what is not final then is stuck."""

RECONCILED_EVERY = 16
"""One schedule of so many writes statements too: they take a third of its time again."""

MEMORY = Path("/dev/shm")
"""A folder in memory where there is one: a simulated power cut loses no page."""


@dataclass
class Report:
    """What a schedule saw."""

    seed: int
    steps: list[str] = field(default_factory=list)
    failure: str = ""
    deaths: int = 0
    troubles: int = 0
    withdrawals: int = 0
    completed: int = 0
    milestones: set[str] = field(default_factory=set)


def folder() -> tempfile.TemporaryDirectory[str]:
    """A place for databases."""
    return tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


def run(
    prepared: Founded,
    seed: int,
    steps: int,
    *,
    skip: frozenset[int] = frozenset(),
    tell: Callable[[str], None] = lambda _line: None,
) -> Report:
    """Run one schedule; `skip` leaves steps out, which is how a failing one is made short."""
    report = Report(seed=seed)
    with folder() as place:
        life = Life(prepared, Path(place), reconciles=seed % RECONCILED_EVERY == 0)
        try:
            for number in range(steps):
                if number not in skip:
                    _step(life, random_of(seed, number), number, report, tell)
            quieten(life, tell)
            invariants.check_step(life)
            invariants.check_quiet(life)
        except Exception as error:  # every way to fail is a finding of this seed
            report.failure = f"{type(error).__name__}: {error}"
            if tell.__name__ == "explain":
                raise
        finally:
            _sum_up(life, report)
            life.close()
    return report


def live(life: Life, seed: int, steps: int) -> None:
    """A history in which everything is well at the end."""
    report = Report(seed=seed)
    for number in range(steps):
        _step(life, random_of(seed, number), number, report, lambda _line: None)
    quieten(life)


def shorten(prepared: Founded, seed: int, steps: int) -> frozenset[int]:
    """Steps that a failing schedule does not need to fail in the same way."""
    kind = run(prepared, seed, steps).failure.split(":")[0]
    skip: frozenset[int] = frozenset()
    for number in range(steps):
        if run(prepared, seed, steps, skip=skip | {number}).failure.startswith(kind):
            skip |= {number}
    return skip


def _step(
    life: Life, random: Seeded, number: int, report: Report, tell: Callable[[str], None]
) -> None:
    rule = random.weighted(RULES)
    tell(f"{number:3} {rule.__name__}")
    what = rule(life, random)
    report.steps.append(f"{number:3} {rule.__name__}: {what}")
    tell(f"    {what}")
    invariants.check_step(life)


def quieten(life: Life, tell: Callable[[str], None] = lambda _line: None) -> None:
    """Faults stop; work and blocks go on until nothing is open."""
    life.mend()
    for round_number in range(QUIET_ROUNDS):
        for payment_id in cold_payments(life):
            sign_offline(life, payment_id)
        for asset in CHAIN_OF:
            life.resume(asset)
        life.work()
        life.btc.mine(2)
        life.eth.mine(2)
        life.keep.clock.time_s += 120
        _release(life)
        left = _left(life)
        if round_number > 1 and not left:
            break
    tell(f"quiet after {round_number} rounds")
    assert not left, f"stuck after {QUIET_ROUNDS} rounds: {left}"
    life.work()  # which may begin a gather, and no withdrawal again
    assert not invariants.unfinished(life)


def _release(life: Life) -> None:
    """Staff put blocked withdrawals back: what blocked them is over."""
    for withdrawal in invariants.unfinished(life):
        if withdrawal.status is WithdrawalStatus.BLOCKED:
            with life.database.write() as tx:
                life.world.withdrawals.release(tx, withdrawal.id)


def _left(life: Life) -> list[str]:
    """What has not ended."""
    orders = [f"{w.external_id} {w.status} {w.sub_status}" for w in invariants.unfinished(life)]
    waiting = [*life.btc.history.mempool, *life.eth.history.mempool]
    open_deposits = [f"{count} deposits"] if (count := life.open_deposits()) else []
    return [*orders, *life.open_payments(), *open_deposits, *waiting]


def _sum_up(life: Life, report: Report) -> None:
    report.deaths, report.troubles = life.deaths, life.troubles
    report.milestones = life.milestones
    report.withdrawals = len(life.asked)
    report.completed = report.withdrawals - len(invariants.unfinished(life))
