"""Deposits wait by the sum that their account has at stake, by alarms, and by finality tags."""

from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select

from chains.errors import NodeUnavailable
from chains.types import BlockRef, FinalityTag
from tests.deposit_world import (
    RULES,
    Bench,
    FixedClock,
    ScriptedChain,
    make_bench,
    pay,
)
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.milestones import pass_by
from wallet.reorgs import ReorgAlarm
from wallet.store.database import Database
from wallet.store.schema import deposits, reorgs

ALARM = ReorgAlarm(depth=2, blocks=3, confirmations=5)


@dataclass
class TaggedChain(ScriptedChain):
    """A chain whose node knows safe and finalized blocks."""

    tags: dict[FinalityTag, BlockRef] = field(default_factory=dict)
    is_silent: bool = False

    def tagged(self, tag: FinalityTag) -> BlockRef:
        if self.is_silent or tag not in self.tags:
            raise NodeUnavailable("no such block")
        return self.tags[tag]


def _watch(
    database: Database,
    chain: ScriptedChain,
    *,
    safe_from: int = 0,
    finalized_from: int = 0,
    alarm: ReorgAlarm = ALARM,
) -> Bench:
    bench = make_bench(database, chain=chain)
    asset = replace(RULES.asset, safe_from=safe_from, finalized_from=finalized_from)
    rules = DepositRules(asset=asset)
    bench.watcher = Watcher(
        chain,  # type: ignore[arg-type]
        database,
        {"BTC": rules},
        0,
        FixedClock(),
        pass_by,
        alarm=alarm,
    )
    return bench


def _shown(bench: Bench) -> list[tuple[str, str, int]]:
    with bench.database.read() as tx:
        rows = tx.execute(select(deposits).order_by(deposits.c.units))
        return [(row.status, row.sub_status, row.confirmations_required) for row in rows]


@pytest.fixture
def bench(database: Database) -> Bench:
    return _watch(database, ScriptedChain())


def test_many_small_deposits_wait_as_long_as_a_large_one(bench: Bench) -> None:
    bench.chain.mine(*[pay(("deposit", 300_000 + n), nonce=n) for n in range(4)])
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 0
    assert {4} == {needed for _, _, needed in _shown(bench)}
    bench.chain.mine()
    bench.chain.mine()
    bench.follow()

    assert bench.owned() == 1_200_006


def test_what_comes_later_makes_the_earlier_wait_too_and_never_less(bench: Bench) -> None:
    bench.chain.mine(pay(("deposit", 50_000)))
    bench.follow()
    assert [("confirming", "", 2)] == _shown(bench)
    bench.chain.mine(pay(("deposit", 2_000_000), nonce=1))
    bench.follow()
    assert [("confirming", "", 4), ("confirming", "", 4)] == _shown(bench)
    assert "deposit.updated" in bench.event_types()
    bench.chain.drop(1)
    for _ in range(2):
        bench.chain.mine(salt="b")
    bench.follow()

    # The large one is gone, and still the small one waits: nobody plays the depth down.
    assert [("confirming", "", 4), ("orphaned", "", 4)] == _shown(bench)


def test_credited_deposits_count_until_they_are_final(bench: Bench) -> None:
    bench.chain.mine(pay(("deposit", 900_000)))
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 900_000
    bench.chain.mine(pay(("deposit", 200_000), nonce=1))
    bench.follow()
    assert ("confirming", "", 4) == _shown(bench)[0]
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 190_000), nonce=2))
    bench.follow()

    # Five blocks later the first is final, and the new one waits only for what is still open.
    assert ("confirming", "", 2) == _shown(bench)[0]


def test_a_deep_reorg_makes_all_wait_longer_until_its_alarm_ends(bench: Bench) -> None:
    for _ in range(5):
        bench.chain.mine()
    bench.follow()
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()
    assert bench.event_types().count("alert.reorg_alarm") == 1
    bench.chain.mine(pay(("deposit", 50_000)))
    bench.follow()
    assert [("confirming", "", 7)] == _shown(bench)
    bench.chain.mine()
    bench.follow()

    # The old tip was block 4, and the alarm lasts for three blocks beyond it.
    assert [("credited", "", 2)] == _shown(bench)


def test_during_an_alarm_deeper_deposits_are_not_final_yet(database: Database) -> None:
    bench = _watch(database, ScriptedChain(), alarm=replace(ALARM, blocks=50))
    for _ in range(5):
        bench.chain.mine()
    bench.follow()
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.chain.mine(pay(("deposit", 900_000)))
    for _ in range(6):
        bench.chain.mine()
    bench.follow()
    assert bench.owned() == 900_000
    bench.chain.mine(pay(("deposit", 200_000), nonce=1))
    bench.follow()

    # Eight deep, the first would be final without the alarm; both together ask for four and five.
    assert ("confirming", "", 9) == _shown(bench)[0]


def test_a_shallow_reorg_is_recorded_without_an_alarm(bench: Bench) -> None:
    for _ in range(5):
        bench.chain.mine()
    bench.follow()
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(pay(("deposit", 50_000)))
    bench.follow()

    assert [("confirming", "", 2)] == _shown(bench)
    assert "alert.reorg_alarm" not in bench.event_types()
    with bench.database.read() as tx:
        (row,) = tx.execute(select(reorgs)).all()
        assert (row.number, row.fork_height, row.tip_height) == (1, 3, 4)


@pytest.mark.parametrize("tag", FinalityTag)
def test_a_large_credit_waits_for_the_tag(database: Database, tag: FinalityTag) -> None:
    chain = TaggedChain()
    bench = _watch(
        database,
        chain,
        safe_from=60_000 if tag is FinalityTag.SAFE else 0,
        finalized_from=60_000 if tag is FinalityTag.FINALIZED else 0,
    )
    bench.chain.mine(pay(("deposit", 60_000)))
    bench.chain.mine()
    bench.chain.mine()
    bench.follow()
    assert [("confirming", str(tag), 2)] == _shown(bench)
    chain.tags[tag] = chain.blocks[0][0]
    chain.is_silent = True
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 0
    chain.is_silent = False
    bench.chain.mine()
    bench.follow()

    assert bench.owned() == 60_000


def test_a_small_credit_needs_no_tag(database: Database) -> None:
    bench = _watch(database, TaggedChain(), finalized_from=60_000)
    bench.chain.mine(pay(("deposit", 59_999)))
    bench.chain.mine()
    bench.follow()

    assert bench.owned() == 59_999


def test_a_tag_on_another_branch_proves_nothing(database: Database) -> None:
    chain = TaggedChain()
    bench = _watch(database, chain, finalized_from=1)
    bench.chain.mine(pay(("deposit", 60_000)))
    top = bench.chain.mine()
    chain.tags[FinalityTag.FINALIZED] = replace(top, hash="ab" * 32)
    bench.follow()

    assert [("confirming", "finalized", 2)] == _shown(bench)
