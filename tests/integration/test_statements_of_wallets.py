"""Worked examples: what hot, deposit and cold wallets' statements say of payments and sweeps."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select, update

from chains.errors import NodeRejected
from chains.types import BlockRef
from signer.protocol import Approval, Intent, Payee, Purpose
from tests.payments_world import BTC, CUSTOMER, ETH, World, outside_address
from tests.reconciling import reporter
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.milestones import pass_by
from wallet.reconciliation.breaks import open_breaks
from wallet.reconciliation.idle import IdleCheck
from wallet.reconciliation.listing import Span, balances_over, statements_in
from wallet.reconciliation.reconciler import Reconciler
from wallet.reconciliation.statements import Statement
from wallet.store.database import Database
from wallet.store.schema import payment_versions, payments

ETHER = 10**18


@pytest.fixture
def world(tmp_path: Path) -> World:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    return World(database)


def statements(world: World, network: str, wallet: str, asset: str) -> Sequence[Statement]:
    world.check_statements()
    with world.database.read() as tx:
        found = statements_in(tx, network, Span(wallet=wallet))
    return [one for one in found if one.asset == asset]


def columns(one: Statement) -> tuple[int, ...]:
    """Opening, deposits, withdrawals, fees, moves, closing."""
    assert (one.kept, one.unexplained) == (0, 0)
    return one.opening, one.deposits, one.withdrawals, one.fees, one.moves, one.closing


def test_a_withdrawal_of_coins_with_its_fee_and_change(world: World) -> None:
    withdrawn(world)
    world.settle()

    first, second = statements(world, BTC, "bitcoin-hot", "BTC")
    fee = second.fees
    assert fee > 0
    assert columns(first) == (0, 1_000_000, 0, 0, 0, 1_000_000)
    assert columns(second) == (1_000_000, 0, 300_000, fee, 0, 700_000 - fee)
    with world.database.read() as tx:
        (both,) = balances_over(tx, BTC, Span())
    assert columns(both) == (0, 1_000_000, 300_000, fee, 0, 700_000 - fee)


def test_a_withdrawal_of_ether_leaves_the_hot_account_alone(world: World) -> None:
    alice = world.account("alice")
    world.fund_hot_gas(2 * ETHER)
    world.deposit(alice, "ETH", ETHER)
    world.withdraw(alice, "ETH", CUSTOMER, ETHER // 4, "w-1")
    world.settle()

    (brought,) = statements(world, ETH, "ethereum-deposit", "ETH")
    first, second = statements(world, ETH, "ethereum-hot", "ETH")
    assert columns(brought) == (0, ETHER, 0, 0, 0, ETHER)
    assert columns(first) == (0, 2 * ETHER, 0, 0, 0, 2 * ETHER)
    rest = 2 * ETHER - ETHER // 4 - second.fees
    assert second.fees > 0
    assert columns(second) == (2 * ETHER, 0, ETHER // 4, second.fees, 0, rest)


def test_what_is_gathered_moves_from_the_users_wallet_to_the_hot_one(world: World) -> None:
    alice = world.account("alice")
    world.fund_hot_gas(ETHER)
    world.deposit(alice, "DUSD", 5_000_000)
    for _ in range(8):
        world.gatherer.run(ETH)
        world.settle(1)

    (_, left) = statements(world, ETH, "ethereum-deposit", "DUSD")
    (came,) = statements(world, ETH, "ethereum-hot", "DUSD")
    assert columns(left) == (5_000_000, 0, 0, 0, -5_000_000, 0)
    assert columns(came) == (0, 0, 0, 0, 5_000_000, 5_000_000)


def test_a_sweep_moves_from_hot_to_cold_and_hot_pays_for_it(world: World) -> None:
    alice = world.account("alice")
    world.deposit(alice, "BTC", 90_000_000)
    cold = world.own_address(BTC, "bitcoin-cold", AddressPurpose.COLD)
    now_s = world.keep.clock.now_s()
    intent = Intent(
        intent_id=world.keep.ids(),
        purpose=Purpose.SWEEP,
        network=BTC,
        asset="BTC",
        source="bitcoin-hot",
        payees=(Payee(address=cold.address, units=40_000_000),),
        fee_units_max=world.networks[BTC].fee_units_max,
        requester="treasury:automatic",
        created_s=now_s,
        expires_s=now_s + 3_600,
    )
    approvals = [
        Approval(body=Approval.body_of(name, intent.digest, now_s), sig=b"verified elsewhere")
        for name in ("ann", "ben")
    ]
    world.moves.build_move(intent, approvals, lambda _tx, _payment_id: None)
    world.settle()

    hot = statements(world, BTC, "bitcoin-hot", "BTC")[-1]
    (in_cold,) = statements(world, BTC, "bitcoin-cold", "BTC")
    fee = hot.fees
    assert columns(hot) == (90_000_000, 0, 0, fee, -40_000_000, 50_000_000 - fee)
    assert columns(in_cold) == (0, 0, 0, 0, 40_000_000, 40_000_000)


def test_a_node_without_the_old_state_leaves_an_account_unchecked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fund_hot_gas(ETHER)
    told = world.keep.eth.balance_units

    def pruned(target: bytes, asset: str, at: BlockRef) -> int:
        raise NodeRejected("missing trie node")

    clock = world.keep.clock
    monkeypatch.setattr(world.keep.eth, "balance_units", pruned)
    without = reporter(world.keep.eth, world.database, clock).report()
    assert (without.rows[1].chain, without.coverage.value["ETH"].done) == (ETHER, 0)
    assert without.coverage.wallets.done < without.coverage.wallets.of
    monkeypatch.setattr(world.keep.eth, "balance_units", told)
    whole = reporter(world.keep.eth, world.database, clock).report()
    assert whole.coverage.value["ETH"].ppm == 1_000_000
    assert whole.coverage.wallets.done == whole.coverage.wallets.of
    assert whole.is_right


def test_idle_accounts_have_their_turn_round_and_round(world: World) -> None:
    alice = world.account("alice")
    world.fund_hot_gas(ETHER)
    addresses = [world.address(alice, ETH) for _ in range(45)]
    clock = world.keep.clock
    Reconciler(world.keep.eth, world.database, clock, pass_by).run()
    check = IdleCheck(world.keep.eth, world.database, clock)
    for address in addresses:
        world.keep.eth.history.state.add(address.target, "ETH", 3)

    found = [check.run() for _ in range(4)]
    assert (sum(found), max(found) <= 20) == (45, True)
    assert [check.run() for _ in range(3)] == [0, 0, 0], "each is told of once"


def test_an_amount_that_was_changed_after_the_payment_is_another(world: World) -> None:
    withdrawn(world)
    world.settle()
    with world.database.write() as tx:
        tx.execute(update(payments).values(units=250_000))
    Reconciler(world.keep.btc, world.database, world.keep.clock, pass_by).run()
    with world.database.read() as tx:
        (one,) = open_breaks(tx, BTC)
    assert (str(one.code), one.units) == ("other_amount", -50_000)
    assert one.subject, "it names the payment"


def withdrawn(world: World) -> None:
    """A withdrawal of coins that is asked for."""
    alice = world.account("alice")
    world.deposit(alice, "BTC", 1_000_000)
    world.withdraw(alice, "BTC", outside_address(1), 300_000, "w-1")


def look(world: World) -> list[tuple[str, int]]:
    """The reconciliation's job, and what is open after it."""
    Reconciler(world.keep.btc, world.database, world.keep.clock, pass_by).run()
    with world.database.read() as tx:
        return [(str(one.code), one.units) for one in open_breaks(tx, BTC)]


@pytest.mark.parametrize(
    ("column", "wrong", "code"),
    [
        ("fee_units", 1, "unbooked_fee"),
        ("units", 1, "other_amount"),
        ("status", "failed", "denied_payment"),
    ],
)
def test_a_record_that_is_put_right_heals_its_break(
    world: World, column: str, wrong: object, code: str
) -> None:
    withdrawn(world)
    world.settle()
    with world.database.write() as tx:
        right = tx.execute(select(payments.c[column])).scalar_one()
        tx.execute(update(payments).values({column: wrong}))
    assert [found for found, _ in look(world)] == [code]
    assert [found for found, _ in look(world)] == [code], "it stays as long as it is wrong"
    with world.database.write() as tx:
        tx.execute(update(payments).values({column: right}))
    assert look(world) == []


def test_a_mined_payment_whose_record_is_gone_is_a_foreign_spend(world: World) -> None:
    withdrawn(world)
    world.work()
    world.keep.btc.mine()
    world.scan()
    assert look(world) == []
    with world.database.write() as tx:
        tx.execute(update(payment_versions).values(txid=None))
    ((code, units),) = look(world)
    assert (code, units < -300_000) == ("foreign_spend", True)


def test_a_lost_payment_is_under_way_until_a_block_has_it_again(world: World) -> None:
    withdrawn(world)
    world.settle()
    world.check_statements()
    chain = world.keep.btc
    chain.reorg(7)
    world.scan()
    report = reporter(chain, world.database, world.keep.clock).report()
    assert {"lost payment", "lost fee"} <= {item.what for item in report.rows[0].items}
    assert (report.rows[0].difference, report.breaks) == (0, ())
    chain.mine(2)
    world.settle()
    world.check_statements()
