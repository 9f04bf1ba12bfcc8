"""Gathering EVM deposits: by balance, above a minimum, with gas topped up where it is missing."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from signer.protocol import Purpose
from tests import evm_world
from tests.payments_world import CUSTOMER, ETH, World
from wallet.gathers.books import REFUSED_PAUSE_S
from wallet.ledger import chart
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.store.schema import deposits, payments

ETHER = 10**18


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[World]:
    """A world on SQLite alone."""
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield World(database)
    database.close()


def gather(world: World, passes: int = 8) -> None:
    """Passes of gathering, payments and blocks."""
    for _ in range(passes):
        world.scan()
        world.gatherer.run(ETH)
        world.desk.run(ETH)
        world.keep.eth.mine()
    world.scan()
    world.desk.run(ETH)


def made(world: World) -> list[tuple[str, str, int, P]]:
    with world.database.read() as tx:
        rows = tx.execute(select(payments).order_by(payments.c.created_s, payments.c.id))
        return [(row.purpose, row.asset, row.units, P(row.status)) for row in rows]


def test_ether_is_gathered_less_its_own_fee(world: World) -> None:
    hot = world.fund_hot_gas(ETHER)
    address = world.deposit(world.account("alice"), "ETH", ETHER)
    gather(world)
    fee = 21_000 * world.keep.eth.max_fee_wei
    assert made(world) == [(Purpose.GATHER, "ETH", ETHER - fee, P.COMPLETED)]
    assert world.keep.eth.held(address.target, "ETH") == 0
    assert world.keep.eth.held(hot.target, "ETH") == 2 * ETHER - fee
    assert world.books(chart.DEPOSIT, "ETH") == 0
    assert world.books(chart.NETWORK_FEES, "ETH") == fee
    world.check_books()


def test_tokens_wait_for_their_gas_to_be_final(world: World) -> None:
    hot = world.fund_hot_gas(ETHER)
    address = world.deposit(world.account("alice"), "DUSD", 9_000_000)
    world.gatherer.run(ETH)
    assert [row[:2] for row in made(world)] == [(Purpose.TOP_UP, "ETH")]
    world.desk.run(ETH)
    world.keep.eth.mine()
    world.scan()
    world.desk.run(ETH)
    world.gatherer.run(ETH)
    assert len(made(world)) == 1  # mined, but one block is not final
    gather(world)
    assert [row[:2] for row in made(world)] == [(Purpose.TOP_UP, "ETH"), (Purpose.GATHER, "DUSD")]
    assert {row[3] for row in made(world)} == {P.COMPLETED}
    assert world.keep.eth.held(hot.target, "DUSD") == 9_000_000
    assert world.keep.eth.held(address.target, "DUSD") == 0
    left = world.keep.eth.held(address.target, "ETH")
    assert left > 0
    assert world.books(chart.DEPOSIT, "ETH") == left  # the leftover gas is on the books
    world.check_books()


@pytest.mark.parametrize("scanned", [True, False])
def test_a_deposit_that_a_reorg_may_take_pays_no_gas(lite: World, scanned: bool) -> None:
    """A gather signed on it would wait for ever if it went: nobody would top up a busy address."""
    lite.fund_hot_gas(ETHER)
    address = lite.deposit(lite.account("alice"), "DUSD", 9_000_000)
    lite.keep.eth.fund(address.target, "ETH", ETHER)
    lite.keep.eth.mine()  # one block deep, two are asked for
    if scanned:
        lite.scan()
    lite.gatherer.run(ETH)
    assert [row[:2] for row in made(lite)] == [(Purpose.TOP_UP, "ETH")]
    lite.keep.eth.reorg(1, keep=False)
    gather(lite)
    assert [row[0] for row in made(lite)] == [Purpose.TOP_UP, Purpose.GATHER]
    assert {row[3] for row in made(lite)} == {P.COMPLETED}
    assert lite.keep.eth.held(address.target, "DUSD") == 0
    lite.check_books()


def test_a_deposit_on_the_books_pays_gas(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    address = lite.deposit(lite.account("alice"), "DUSD", 9_000_000)
    lite.keep.eth.fund(address.target, "ETH", ETHER)
    lite.confirm()
    lite.gatherer.run(ETH)
    assert [row[:2] for row in made(lite)] == [(Purpose.GATHER, "DUSD")]


def test_what_of_an_address_is_final(lite: World) -> None:
    """What is not scanned yet, not deep enough, or spent since the scan is not."""
    lite.fund_hot_gas(ETHER)
    address = lite.address(lite.account("alice"), ETH)
    final = partial(lite.desk.evm.final_native_units, ETH, address.address)
    lite.keep.eth.fund(address.target, "ETH", ETHER)
    assert final() == 0
    lite.keep.eth.mine()
    assert final() == 0
    lite.scan()
    assert final() == 0
    lite.confirm()
    assert final() == ETHER
    lite.gatherer.run(ETH)
    lite.desk.run(ETH)
    assert final() == ETHER
    lite.keep.eth.mine()
    assert final() == 0


def test_a_top_up_is_not_somebodys_deposit(world: World) -> None:
    world.fund_hot_gas(ETHER)
    user = world.account("alice")
    world.deposit(user, "DUSD", 9_000_000)
    gather(world)
    with world.database.read() as tx:
        found = tx.execute(select(deposits.c.asset).where(deposits.c.account_id == user))
        assert found.scalars().all() == ["DUSD"]
    assert world.available(user, "ETH") == 0


def test_below_the_minimum_stays_until_it_is_enough(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    user = lite.account("alice")
    address = lite.deposit(user, "DUSD", 600_000)
    gather(lite, 3)
    assert made(lite) == []
    lite.keep.eth.fund(address.target, "DUSD", 600_000)
    lite.confirm()
    gather(lite)
    assert made(lite)[-1] == (Purpose.GATHER, "DUSD", 1_200_000, P.COMPLETED)
    lite.check_books()


def test_several_deposits_of_one_address_are_one_gather(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    address = lite.deposit(lite.account("alice"), "ETH", ETHER)
    lite.keep.eth.fund(address.target, "ETH", ETHER)
    lite.confirm()
    gather(lite)
    fee = 21_000 * lite.keep.eth.max_fee_wei
    assert made(lite) == [(Purpose.GATHER, "ETH", 2 * ETHER - fee, P.COMPLETED)]


def test_a_deposit_that_is_not_credited_yet_is_left(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    address = lite.deposit(lite.account("alice"), "ETH", ETHER)
    lite.keep.eth.fund(address.target, "ETH", ETHER)
    lite.keep.eth.mine()  # one block deep, two are asked for
    lite.scan()
    lite.gatherer.run(ETH)
    fee = 21_000 * lite.keep.eth.max_fee_wei
    assert [row[2] for row in made(lite)] == [ETHER - fee]


def test_gathering_twice_in_a_row_builds_once(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    lite.deposit(lite.account("alice"), "ETH", ETHER)
    assert [lite.gatherer.run(ETH) for _ in range(3)] == [1, 0, 0]


def test_a_refused_payment_is_not_tried_again_at_once(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    lite.deposit(lite.account("alice"), "DUSD", 9_000_000)
    lite.keep.signers["hot-a"].refuse = "own.mismatch"
    gather(lite)
    assert [row[0] for row in made(lite)] == [Purpose.TOP_UP]
    lite.keep.signers["hot-a"].refuse = ""
    lite.keep.clock.time_s += REFUSED_PAUSE_S
    gather(lite)
    assert lite.books(chart.HOT, "DUSD") == 9_000_000


def test_many_addresses_are_gathered_side_by_side(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    for number in range(4):
        lite.deposit(lite.account(f"user-{number}"), "DUSD", 2_000_000 + number)
    gather(lite, 10)
    rows = made(lite)
    assert sum(row[0] == Purpose.TOP_UP for row in rows) == 4
    assert lite.books(chart.HOT, "DUSD") == 4 * 2_000_000 + 6
    assert lite.books(chart.DEPOSIT, "DUSD") == 0
    lite.check_books()


def test_a_price_that_rose_needs_a_second_top_up(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    lite.deposit(lite.account("alice"), "DUSD", 9_000_000)
    lite.gatherer.run(ETH)
    lite.keep.eth.max_fee_wei *= 3
    gather(lite, 12)
    purposes = [row[0] for row in made(lite)]
    assert purposes == [Purpose.TOP_UP, Purpose.TOP_UP, Purpose.GATHER]
    assert {row[3] for row in made(lite)} == {P.COMPLETED}
    lite.check_books()


def test_no_gas_on_the_hot_account_builds_nothing(lite: World) -> None:
    lite.deposit(lite.account("alice"), "DUSD", 9_000_000)
    gather(lite, 2)
    assert made(lite) == []


def test_gathered_money_pays_withdrawals(lite: World) -> None:
    lite.fund_hot_gas(10**17)
    user = lite.account("alice")
    lite.deposit(user, "ETH", ETHER)
    asked = lite.withdraw(user, "ETH", CUSTOMER, 5 * 10**17, "e-1")
    lite.work()
    assert lite.read(asked.id).sub_status == "payment.funds_missing"
    gather(lite)
    lite.settle()
    assert lite.read(asked.id).status == "completed"
    assert lite.keep.eth.held(evm_world.CUSTOMER, "ETH") == 5 * 10**17
    lite.check_books()


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(
    "wanted",
    [
        "payment.built",
        "payment.signing",
        "payment.answered:hot-a",
        "payment.answered:hot-b",
        "payment.signed",
        "payment.broadcast_started",
        "payment.broadcast_sent",
        "payment.completed",
    ],
)
def test_the_top_up_saga_killed_at_a_step_continues(lite: World, wanted: str) -> None:
    lite.fund_hot_gas(ETHER)
    lite.deposit(lite.account("alice"), "DUSD", 9_000_000)

    def milestone(name: str) -> None:
        if name == wanted:
            raise Killed

    # Once in the top-up and again in the gather; each of the two has a signer of its own.
    for _ in range(1 if ":" in wanted else 2):
        with pytest.raises(Killed):
            gather(World(lite.database, lite.keep, milestone))
    gather(lite, 10)
    assert [row[:2] for row in made(lite)] == [(Purpose.TOP_UP, "ETH"), (Purpose.GATHER, "DUSD")]
    assert lite.books(chart.HOT, "DUSD") == 9_000_000
    assert len(lite.keep.eth.sent) == 2
    lite.check_books()


def test_what_only_waits_in_a_pool_does_not_lessen_what_is_gathered(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    address = lite.deposit(lite.account("alice"), "ETH", ETHER)
    with lite.database.write() as tx:
        row = tx.execute(select(deposits).where(deposits.c.address_id == address.id))
        waiting = dict(row.mappings().one()) | {
            "id": "waiting",
            "txid": "0x" + "ee" * 32,
            "status": "seen",
            "evidence": "mempool",
            "height": None,
            "block_hash": None,
        }
        tx.execute(deposits.insert().values(**waiting))
    lite.gatherer.run(ETH)

    fee = 21_000 * lite.keep.eth.max_fee_wei
    assert [row[2] for row in made(lite)] == [ETHER - fee]
