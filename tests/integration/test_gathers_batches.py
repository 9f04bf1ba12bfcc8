"""Gathering by the sweeper: leave once, a batch for many, and the books from what really moved."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from chains.evm.addresses import checksum
from chains.evm.sweeper import sweeper_address
from chains.simulated.evm_state import Contracts
from signer.protocol import Kind, Purpose
from tests import evm_world
from tests.payments_world import ETH, World
from tests.sweeping_chain import SWEEPER, TREASURY, sweeping_keep
from wallet.addresses.issuing import Address
from wallet.gathers.books import REFUSED_PAUSE_S
from wallet.ledger import chart
from wallet.milestones import Milestone, pass_by
from wallet.payments import journal
from wallet.payments.journal import Payment
from wallet.payments.replacing.proving import Prover
from wallet.payments.states import PaymentStatus as P
from wallet.settings import TokenKind
from wallet.store.database import Database
from wallet.store.schema import batch_shares, events, payments

ETHER = 10**18
UNITS = 9_000_000


def a_world(database: Database, keep: object = None, milestone: Milestone = pass_by) -> World:
    made = sweeping_keep() if keep is None else keep
    return World(database, made, milestone, sweeper=checksum(SWEEPER))  # type: ignore[arg-type]


@pytest.fixture
def world(database: Database) -> World:
    return a_world(database)


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[World]:
    """A world on SQLite alone."""
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield a_world(database)
    database.close()


def contracts_of(world: World) -> Contracts:
    return world.keep.eth.history.contracts


def gather(world: World, passes: int = 8) -> None:
    """Passes of gathering, payments and blocks."""
    for _ in range(passes):
        world.scan()
        world.gatherer.run(ETH)
        world.desk.run(ETH)
        world.keep.eth.mine()
    world.scan()
    world.gatherer.run(ETH)
    world.desk.run(ETH)


def users(world: World, count: int, units: int = UNITS) -> list[Address]:
    return [world.deposit(world.account(f"u{n}"), "DUSD", units) for n in range(count)]


def all_payments(world: World, kind: Kind | None = None) -> list[Payment]:
    with world.database.read() as tx:
        rows = tx.execute(select(payments.c.id).order_by(payments.c.created_s, payments.c.id))
        found = [journal.get(tx, row.id) for row in rows]
    return [one for one in found if kind is None or one.request.kind is kind]


def of_kind(world: World, kind: Kind) -> list[P]:
    return [payment.status for payment in all_payments(world, kind)]


def more(world: World, addresses: list[Address], units: int = UNITS) -> None:
    for address in addresses:
        world.keep.eth.fund(address.target, "DUSD", units)
    world.confirm()


def test_many_are_gathered_by_one_transaction_without_gas_on_them(world: World) -> None:
    world.fund_hot_gas(ETHER)
    addresses = users(world, 5)

    gather(world)

    assert [P.COMPLETED] == of_kind(world, Kind.EVM_BATCH)
    assert [P.COMPLETED] * 5 == of_kind(world, Kind.EVM_AUTH)
    assert [] == of_kind(world, Kind.EVM_TX)
    assert world.books(chart.HOT, "DUSD") == 5 * UNITS
    assert world.books(chart.DEPOSIT, "DUSD") == 0
    assert [0] * 5 == [world.keep.eth.held(one.target, "ETH") for one in addresses]
    with world.database.read() as tx:
        proof = Prover(world.chains, world.assets, ask_chain=True).prove(tx)
    assert () == proof.violations
    (batch,) = all_payments(world, Kind.EVM_BATCH)
    assert (batch.units, batch.asset) == (5 * UNITS, "DUSD")
    assert world.books(chart.NETWORK_FEES, "ETH") == batch.fee_units
    world.check_books()


def test_a_delegated_address_is_not_asked_again(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    addresses = users(lite, 3)
    gather(lite)
    more(lite, addresses)

    gather(lite)

    assert [P.COMPLETED] * 2 == of_kind(lite, Kind.EVM_BATCH)
    assert 3 == len(of_kind(lite, Kind.EVM_AUTH))
    second = all_payments(lite, Kind.EVM_BATCH)[1]
    assert second.request.payload[0] == 2  # no authorisation, so an ordinary transaction
    assert lite.books(chart.HOT, "DUSD") == 6 * UNITS
    lite.check_books()


def test_one_new_address_alone_is_topped_up(lite: World) -> None:
    """By the forecast a first leave for one address costs more than its top-up."""
    lite.fund_hot_gas(ETHER)
    users(lite, 1)

    gather(lite)

    assert [] == of_kind(lite, Kind.EVM_AUTH)
    assert [P.COMPLETED] * 2 == of_kind(lite, Kind.EVM_TX)
    lite.check_books()


def test_ether_of_delegated_addresses_goes_by_batch_and_of_others_by_itself(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    addresses = users(lite, 5)
    gather(lite)
    for address in addresses:
        lite.keep.eth.fund(address.target, "ETH", ETHER)
    lite.deposit(lite.account("fresh"), "ETH", ETHER)
    lite.confirm()

    gather(lite)

    batches = all_payments(lite, Kind.EVM_BATCH)
    assert ["DUSD", "ETH"] == [batch.asset for batch in batches]
    assert batches[1].units == 5 * ETHER
    (plain,) = all_payments(lite, Kind.EVM_TX)
    assert (plain.purpose, plain.asset) == (Purpose.GATHER, "ETH")
    assert 0 == lite.books(chart.DEPOSIT, "ETH")
    lite.check_books()


def test_an_address_whose_transfer_failed_is_not_booked(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    addresses = users(lite, 3)
    lite.gatherer.run(ETH)
    contracts_of(lite).frozen.add(addresses[1].target)  # between the dry run and the block

    gather(lite, 5)

    assert lite.books(chart.HOT, "DUSD") == 2 * UNITS
    assert lite.books(chart.DEPOSIT, "DUSD") == UNITS
    with lite.database.read() as tx:
        shares = {
            row.address_id: row.arrived_units for row in tx.execute(select(batch_shares)).all()
        }
    assert shares[addresses[1].id] == 0 and sorted(shares.values()) == [0, UNITS, UNITS]
    lite.check_books()
    assert [] == of_kind(lite, Kind.EVM_TX)  # the dry run says no, so no gas is spent on it
    contracts_of(lite).frozen.clear()
    gather(lite)
    assert [P.COMPLETED] * 2 == of_kind(lite, Kind.EVM_TX)  # by itself, with gas of its own
    assert lite.books(chart.DEPOSIT, "DUSD") == 0
    assert 1 == len(of_kind(lite, Kind.EVM_BATCH))
    lite.check_books()


def test_what_a_token_keeps_is_an_expense(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    users(lite, 3)
    contracts_of(lite).token_fee["DUSD"] = 100
    lite.assets["DUSD"] = replace(lite.assets["DUSD"], token_kind=TokenKind.FEE_ON_TRANSFER)

    gather(lite)

    assert lite.books(chart.HOT, "DUSD") == 3 * (UNITS - 100)
    assert lite.books(chart.DEPOSIT, "DUSD") == 0
    assert lite.books(chart.KEPT_BY_TOKENS, "DUSD") == 300
    lite.check_books()


def test_logs_that_say_more_than_balances_raise_an_alert_and_are_not_booked(
    lite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lite.fund_hot_gas(ETHER)
    users(lite, 2)
    chain = lite.keep.eth
    honest = chain.token_moves
    monkeypatch.setattr(chain, "token_moves", lambda txid: (*honest(txid), *honest(txid)))

    gather(lite)

    assert lite.books(chart.HOT, "DUSD") == 2 * UNITS
    with lite.database.read() as tx:
        kinds = tx.execute(select(events.c.type).where(events.c.type == "alert.gather")).all()
    assert 2 == len(kinds)


def test_a_deposit_that_came_in_the_batchs_own_block_is_counted(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    addresses = users(lite, 2)
    lite.keep.eth.fund(addresses[0].target, "DUSD", 5)  # it waits, and is mined just before
    lite.gatherer.run(ETH)

    gather(lite)

    with lite.database.read() as tx:
        left = [row.left_units for row in tx.execute(select(batch_shares)).all()]
    assert sorted(left) == [UNITS, UNITS + 5]
    assert lite.keep.eth.held(TREASURY, "DUSD") == 2 * UNITS + 5
    lite.check_books()


def test_a_reverted_batch_costs_its_fee_and_delegates_all_the_same(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    users(lite, 3)
    lite.gatherer.run(ETH)
    contracts_of(lite).reverting.add(SWEEPER)
    gather(lite, 3)
    contracts_of(lite).reverting.clear()
    gather(lite, 2)
    assert [P.FAILED] == of_kind(lite, Kind.EVM_BATCH)  # not again at once
    lite.keep.clock.time_s += REFUSED_PAUSE_S

    gather(lite)

    assert [P.FAILED, P.COMPLETED] == of_kind(lite, Kind.EVM_BATCH)
    assert [P.COMPLETED] * 3 == of_kind(lite, Kind.EVM_AUTH)
    assert lite.books(chart.HOT, "DUSD") == 3 * UNITS
    lite.check_books()


def test_a_reorg_under_a_batch_is_looked_at_again(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    users(lite, 3)
    lite.gatherer.run(ETH)
    lite.desk.run(ETH)
    lite.keep.eth.mine()
    lite.scan()
    lite.desk.run(ETH)
    lite.gatherer.run(ETH)
    with lite.database.read() as tx:
        before = {row.block_hash for row in tx.execute(select(batch_shares)).all()}
    lite.keep.eth.reorg(1)

    gather(lite)

    with lite.database.read() as tx:
        after = {row.block_hash for row in tx.execute(select(batch_shares)).all()}
    assert 1 == len(before) == len(after) and before != after and None not in before
    assert [P.COMPLETED] == of_kind(lite, Kind.EVM_BATCH)
    assert lite.books(chart.HOT, "DUSD") == 3 * UNITS
    lite.check_books()


def test_a_hot_signer_that_refuses_leaves_the_leave_for_the_next_batch(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    users(lite, 3)
    lite.keep.signers["hot-a"].refuse = "fee.gas_limit"
    gather(lite, 3)
    assert [P.ABANDONED] == of_kind(lite, Kind.EVM_BATCH)
    lite.keep.signers["hot-a"].refuse = ""
    lite.keep.clock.time_s += REFUSED_PAUSE_S

    gather(lite)

    assert [P.ABANDONED, P.COMPLETED] == of_kind(lite, Kind.EVM_BATCH)
    assert 3 == len(of_kind(lite, Kind.EVM_AUTH))
    assert lite.books(chart.HOT, "DUSD") == 3 * UNITS


def test_a_deposit_signer_that_refuses_means_top_ups(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    users(lite, 2)
    lite.keep.signers["hot-b"].refuse = "delegation.no_sweeper"
    gather(lite, 2)
    lite.keep.signers["hot-b"].refuse = ""

    gather(lite, 10)

    assert [P.ABANDONED] * 2 == of_kind(lite, Kind.EVM_AUTH)
    assert [] == of_kind(lite, Kind.EVM_BATCH)
    assert lite.books(chart.HOT, "DUSD") == 2 * UNITS
    lite.check_books()


@pytest.mark.parametrize("sweeper", [checksum(sweeper_address(evm_world.CUSTOMER)), ""])
def test_a_sweeper_that_is_not_ours_or_missing_is_not_used(lite: World, sweeper: str) -> None:
    other = World(lite.database, lite.keep, sweeper=sweeper)
    other.fund_hot_gas(ETHER)
    users(other, 2)

    gather(other)

    assert [] == of_kind(other, Kind.EVM_AUTH)
    assert other.books(chart.HOT, "DUSD") == 2 * UNITS


def test_a_sweeper_that_is_not_deployed_is_not_used(lite: World) -> None:
    contracts_of(lite).sweepers.clear()
    lite.fund_hot_gas(ETHER)
    users(lite, 2)

    gather(lite)

    assert [] == of_kind(lite, Kind.EVM_AUTH)
    assert lite.books(chart.HOT, "DUSD") == 2 * UNITS


def test_batches_are_as_large_as_the_fees_cap_lets_them_be(lite: World) -> None:
    lite.fund_hot_gas(10 * ETHER)
    addresses = users(lite, 7)
    # One share is some 95,000 gas at most: three of them pass the cap of 0.01 ether.
    lite.keep.eth.max_fee_wei = 25 * 10**9

    gather(lite, 12)

    sizes = [len(batch.request.own) for batch in all_payments(lite, Kind.EVM_BATCH)]
    assert sum(sizes) == len(addresses) and max(sizes) < 7
    assert lite.books(chart.HOT, "DUSD") == 7 * UNITS
    lite.check_books()


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(
    "wanted",
    [
        "gather.authorization_built",
        "payment.signing",
        "payment.answered:hot-b",
        "payment.signed",
        "gather.batch_built",
        "payment.answered:hot-a",
        "payment.broadcast_started",
        "payment.broadcast_sent",
        "payment.confirming",
        "gather.batch_seen",
        "gather.batch_completed",
        "gather.delegated",
    ],
)
def test_killed_at_a_step_it_continues_and_moves_everything_once(lite: World, wanted: str) -> None:
    lite.fund_hot_gas(ETHER)
    addresses = users(lite, 3)

    def milestone(name: str) -> None:
        if name == wanted:
            raise Killed

    with pytest.raises(Killed):
        gather(a_world(lite.database, lite.keep, milestone))
    gather(lite, 12)

    assert lite.books(chart.HOT, "DUSD") == 3 * UNITS
    assert lite.books(chart.DEPOSIT, "DUSD") == 0
    assert [P.COMPLETED] * 3 == of_kind(lite, Kind.EVM_AUTH)
    assert {1} == {lite.keep.eth.nonce(address.target) for address in addresses}
    lite.check_books()
