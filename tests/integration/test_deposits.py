"""Deposits from scanned blocks: credited once at their depth, undone by reorgs, never lost."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chains.types import OutPoint
from signer.protocol import Purpose
from tests.deposit_world import NETWORK, USER, Bench, ScriptedChain, make_bench, pay
from wallet import pauses
from wallet.deposits.recording import is_deposit
from wallet.deposits.states import ARROWS, DepositStatus, ForbiddenArrow, check_arrow
from wallet.deposits.watcher import Seen
from wallet.ledger import chart
from wallet.ledger.balances import asset_totals, off_balance
from wallet.ledger.posting import post_batch, single
from wallet.store.database import Database
from wallet.store.schema import utxos


@pytest.fixture
def bench(database: Database) -> Bench:
    return make_bench(database)


def test_credit_comes_once_at_the_depth_the_amount_asks_for(bench: Bench) -> None:
    small, large = pay(("deposit", 50_000)), pay(("deposit", 2_000_000), nonce=1)
    bench.chain.mine()
    bench.chain.mine(small)
    bench.follow()
    assert bench.owned() == 0
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 50_000
    bench.chain.mine(large)
    bench.chain.mine()
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 50_000
    bench.chain.mine()
    bench.follow()

    assert bench.owned() == 2_050_000
    assert bench.owned(chart.HOT) == 2_050_000
    assert bench.event_types().count("deposit.credited") == 2


def test_several_outputs_of_one_transaction_are_several_deposits(bench: Bench) -> None:
    bench.chain.mine(pay(("deposit", 5_000), ("deposit", 6_000), ("deposit", 5_000)))
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", 5_000), ("credited", 6_000), ("credited", 5_000)]
    assert bench.owned() == 16_000


def test_below_minimum_stays_visible_and_in_the_books_but_not_with_the_user(bench: Bench) -> None:
    bench.chain.mine(pay(("deposit", 999)))
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("below_minimum", 999)]
    assert bench.owned() == 0
    assert bench.owned(chart.UNALLOCATED) == bench.owned(chart.HOT) == 999


def test_money_sent_to_our_own_address_from_outside_is_the_houses(bench: Bench) -> None:
    bench.chain.mine(pay(("hot", 70)))
    bench.chain.mine()
    bench.follow()

    assert bench.owned(chart.HOUSE) == bench.owned(chart.HOT) == 70


def test_reorg_before_credit_orphans_and_a_new_block_brings_it_back(bench: Bench) -> None:
    payment = pay(("deposit", 5_000))
    bench.chain.mine()
    bench.chain.mine(payment)
    bench.follow()
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(salt="b")

    assert Seen.REORGANISED in bench.follow()
    assert bench.rows() == [("orphaned", 5_000)]
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    assert bench.rows() == [("credited", 5_000)]
    assert bench.owned() == 5_000


def test_reorg_after_credit_reverses_and_credits_again_in_the_new_block(bench: Bench) -> None:
    payment = pay(("deposit", 5_000))
    bench.chain.mine()
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 5_000
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()
    assert bench.rows() == [("reversed", 5_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 0
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", 5_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 5_000


def test_a_reorg_and_back_to_the_very_same_blocks_credits_again(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 5_000)))
    bench.chain.mine()
    first = list(bench.chain.blocks)
    bench.follow()
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()
    assert bench.owned() == 0
    bench.chain.blocks[:] = first
    for _ in range(2):
        bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", 5_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 5_000


def test_a_deposit_that_goes_twice_is_taken_back_twice(bench: Bench) -> None:
    bench.chain.mine()
    for salt in ("b", "c"):
        bench.chain.mine(pay(("deposit", 5_000)))
        bench.chain.mine()
        bench.follow()
        assert bench.owned() == bench.owned(chart.HOT) == 5_000
        bench.chain.drop(2)
        for _ in range(3):
            bench.chain.mine(salt=salt)
        bench.follow()
        assert bench.owned() == bench.owned(chart.HOT) == 0


def test_reversal_of_money_already_spent_is_owed_by_the_user_and_alarms(bench: Bench) -> None:
    payment = pay(("deposit", 5_000))
    bench.chain.mine()
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    with bench.database.write() as tx:
        spent = single(chart.user(USER), chart.HOT, "BTC", 4_000)
        post_batch(tx, "spent", [spent], 1)
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()

    assert bench.owned() == 0
    assert bench.owned(chart.receivable(USER)) == 4_000
    assert bench.owned(chart.HOUSE) == 0
    assert "alert.reversal_not_covered" in bench.event_types()
    assert "alert.deposit_reversed" in bench.event_types()
    balanced(bench)

    bench.chain.mine(pay(("deposit", 2_000), nonce=7))
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 2_000  # other money pays no debt unasked
    assert bench.owned(chart.receivable(USER)) == 4_000
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 2_000 + 1_000
    assert bench.owned(chart.receivable(USER)) == 0
    assert bench.owned(chart.HOT) == 7_000 - 4_000
    balanced(bench)


def balanced(bench: Bench) -> None:
    with bench.database.read() as tx:
        assert off_balance(asset_totals(tx)) == []


def test_a_reversal_pauses_withdrawals_of_the_asset_once_until_a_person_decides(
    bench: Bench,
) -> None:
    one, two = pay(("deposit", 5_000)), pay(("deposit", 6_000), nonce=1)
    bench.chain.mine()
    bench.chain.mine(one, two)
    bench.chain.mine()
    bench.follow()
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()
    bench.chain.mine(one, two)
    bench.chain.mine()
    bench.follow()

    assert bench.owned() == 11_000
    assert bench.event_types().count("withdrawals.paused") == 1
    with bench.database.read() as tx:
        (held,) = pauses.holding(tx, NETWORK, "BTC")
        assert (held.scope, held.subject) == (pauses.Scope.ASSET, "BTC")
        assert held.paused_by == "wallet:deposits"
        assert "above 0" in held.reason


def test_a_reorg_before_credit_pauses_nothing(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 5_000)))
    bench.follow()
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(salt="b")
    bench.follow()

    assert bench.rows() == [("orphaned", 5_000)]
    with bench.database.read() as tx:
        assert pauses.holding(tx, NETWORK, "BTC") == []


def test_conflicting_spend_after_a_reorg_marks_the_deposit_replaced(bench: Bench) -> None:
    lost, winner = pay(("deposit", 5_000)), pay(("deposit", 4_000))
    bench.chain.mine()
    bench.chain.mine(lost)
    bench.follow()
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(winner)
    bench.follow()

    assert sorted(bench.rows()) == [("confirming", 4_000), ("replaced", 5_000)]


def test_reorg_gives_a_spent_output_back(bench: Bench) -> None:
    funding = pay(("hot", 9_000))
    spending = pay(("hot", 8_000), spends=funding.txid)
    bench.chain.mine(funding)
    bench.chain.mine(spending)
    bench.follow()
    with bench.database.read() as tx:
        spent = select(utxos.c.spent_txid).where(utxos.c.txid == funding.txid)
        assert tx.execute(spent).scalar_one() == spending.txid
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(salt="b")
    bench.follow()

    with bench.database.read() as tx:
        assert tx.execute(spent).scalar_one() is None


def test_a_lagging_node_is_waited_for_not_rolled_back(bench: Bench) -> None:
    for _ in range(3):
        bench.chain.mine()
    bench.follow()
    late = bench.chain.blocks.pop()

    assert bench.watcher.step().seen is Seen.SAME
    bench.chain.blocks.append(late)
    assert bench.watcher.step() == replace(bench.watcher.step(), seen=Seen.SAME, height=2)


class _Killed(BaseException):
    """Stands for a power cut: nothing catches it."""


@pytest.mark.parametrize(
    "moment", ["block.recording", "block.recorded", "reorg.undoing", "reorg.undone"]
)
def test_killed_at_each_persisted_step_nothing_is_lost_or_twice(
    database: Database, moment: str
) -> None:
    def die(name: str) -> None:
        if name == moment:
            raise _Killed

    payment = pay(("deposit", 5_000))
    chain = ScriptedChain()
    chain.mine()
    chain.mine(payment)
    chain.mine()
    if moment.startswith("reorg"):
        make_bench(database, chain=chain).follow()
        chain.drop(2)
        chain.mine(salt="b")
        chain.mine(payment, salt="b")
        chain.mine(salt="b")
    with pytest.raises(_Killed):
        make_bench(database, die, chain).follow()
    restarted = make_bench(database, chain=chain)
    restarted.follow()

    assert restarted.rows() == [("credited", 5_000)]
    assert restarted.owned() == restarted.owned(chart.HOT) == 5_000
    restarted.event_types()


@pytest.mark.parametrize(("old", "new"), list(product(DepositStatus, DepositStatus)))
def test_every_arrow_is_allowed_and_every_other_forbidden(
    old: DepositStatus, new: DepositStatus
) -> None:
    if new in ARROWS[old]:
        check_arrow(old, new)
    else:
        with pytest.raises(ForbiddenArrow):
            check_arrow(old, new)


@pytest.mark.parametrize(
    ("own", "address", "expected"),
    [
        (None, "deposit", True),
        (None, "hot", True),
        (Purpose.WITHDRAWAL, "deposit", True),
        (Purpose.WITHDRAWAL, "change", False),
        (Purpose.TOP_UP, "deposit", False),
        (Purpose.SWEEP, "cold", False),
    ],
)
def test_our_own_money_moving_is_no_deposit(
    own: Purpose | None, address: str, expected: bool
) -> None:
    assert is_deposit(own, address) is expected


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_history_of_blocks_and_reorgs_ends_with_books_equal_to_the_chain(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('db') / 'w.sqlite'}")
    database.migrate()
    bench = make_bench(database)
    pool = [pay(("deposit", 1_000 + n), nonce=n) for n in range(6)]
    for salt in range(data.draw(st.integers(2, 7))):
        if len(bench.chain.blocks) > 1 and data.draw(st.booleans()):
            bench.chain.drop(data.draw(st.integers(1, len(bench.chain.blocks) - 1)))
        for _ in range(data.draw(st.integers(1, 3))):
            mined = {tx.txid for _, txs in bench.chain.blocks for tx in txs}
            free = [tx for tx in pool if tx.txid not in mined]
            bench.chain.mine(
                *data.draw(
                    st.lists(st.sampled_from(free), unique_by=lambda t: t.txid)
                    if free
                    else st.just([])
                ),
                salt=str(salt),
            )
        bench.follow()
    bench.chain.mine(salt="end")
    bench.chain.mine(salt="end")
    for _ in range(3):
        bench.follow()
    mined_units = sum(o.sats for _, txs in bench.chain.blocks for tx in txs for o in tx.outputs)

    assert bench.owned() == bench.owned(chart.HOT) == mined_units
    with database.read() as tx:
        rows = tx.execute(select(utxos.c.txid, utxos.c.vout).where(utxos.c.height.is_not(None)))
        assert {OutPoint(*row) for row in rows} == {
            OutPoint(tx.txid, 0) for _, txs in bench.chain.blocks for tx in txs
        }
    database.close()
