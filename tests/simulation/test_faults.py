"""After a random history without a break, each fault is found, typed and weighed, and nothing else.

`SIMULATION_SEED` is the first seed of the histories, as of the schedules.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.payments_world import ETH
from tests.reconciling import reporter
from tests.simulation import schedule
from tests.simulation.faults import FAULTS, Fault
from tests.simulation.founding import Founded, prepare
from tests.simulation.life import Life
from tests.simulation.test_schedules import FIRST_SEED
from wallet.pauses import Scope, active
from wallet.reconciliation.breaks import open_breaks
from wallet.reconciliation.idle import IdleCheck
from wallet.reconciliation.states import PAUSING, BreakCode

STEPS = 12


@pytest.fixture(scope="module")
def prepared() -> Iterator[Founded]:
    with schedule.folder() as place:
        yield prepare(Path(place))


def test_every_kind_of_break_has_its_fault() -> None:
    # A token that moves by itself is tested where such tokens are, in test_token_deposits.
    assert {fault.code for fault in FAULTS} == set(BreakCode) - {BreakCode.BALANCE_DRIFT}


@pytest.mark.parametrize(
    ("number", "fault"),
    list(enumerate(FAULTS)),
    ids=[fault.name.replace(" ", "-") for fault in FAULTS],
)
def test_a_fault_is_found_and_typed(prepared: Founded, number: int, fault: Fault) -> None:
    with schedule.folder() as place:
        life = Life(prepared, Path(place), reconciles=True)
        schedule.live(life, FIRST_SEED + number, STEPS)
        assert found(life) == []
        assert paused(life) == set()
        units = fault.act(life)
        look(life)

        assert found(life) == [(fault.code, fault.asset, units)]
        assert paused(life) == ({fault.asset} if fault.code in PAUSING else set())
        # Looked at again it is the same one break, and a person's pause to lift.
        look(life)
        assert len(found(life)) == 1
        life.close()


def look(life: Life) -> None:
    """The jobs of the reconciliation; the scan has to be there first."""
    life.world.scan()
    for one in life.reconcilers.values():
        one.run()
    check = IdleCheck(life.eth, life.database, life.keep.clock)
    assert list(check.round())


def found(life: Life) -> list[tuple[BreakCode, str, int]]:
    with life.database.read() as tx:
        return [
            (one.code, one.asset, one.units)
            for network in life.world.chains
            for one in open_breaks(tx, network)
        ]


def paused(life: Life) -> set[str]:
    with life.database.read() as tx:
        return {asset for asset in life.world.assets if active(tx, Scope.ASSET, asset)}


def test_books_differ_by_what_a_thief_took(prepared: Founded) -> None:
    with schedule.folder() as place:
        life = Life(prepared, Path(place), reconciles=True)
        schedule.live(life, FIRST_SEED, STEPS)
        units = next(f for f in FAULTS if f.name == "a stolen key").act(life)
        look(life)
        report = reporter(life.eth, life.database, life.keep.clock).report()

        assert {row.asset: row.difference for row in report.rows} == {"ETH": units, "DUSD": 0}
        assert report.network == ETH and not report.is_right
        life.close()
