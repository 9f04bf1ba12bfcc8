"""A reorganisation deeper than what was final: the same bytes come back, at their block's fee."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.integration.test_withdrawals_paying import a_batch, an_ether, payment_of, states
from tests.payments_world import BTC, World
from wallet.events import read_events
from wallet.ledger import chart
from wallet.payments.journal import Payment
from wallet.store.database import Database
from wallet.store.schema import payments
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus as W


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield World(database)
    database.close()


def paid(world: World, asset: str) -> tuple[Withdrawal, Payment]:
    """A withdrawal that is final, with the deposit behind it far below."""
    asked = a_batch(world, 1)[0] if asset == "BTC" else an_ether(world)
    world.confirm(8)
    world.settle(6)
    assert states(world, [asked]) == {(W.COMPLETED, "")}
    return asked, payment_of(world, asked)


def take_away(world: World, payment: Payment, *, keep: bool) -> None:
    """Every block from the payment's own on is replaced."""
    chain = world.keep.btc if payment.network == BTC else world.keep.eth
    assert payment.height is not None
    chain.reorg(chain.blocks[-1].ref.height - payment.height + 1, keep=keep)


def told(world: World, prefix: str) -> list[str]:
    with world.database.read() as tx:
        return [event.type for event in read_events(tx, 0, 1000) if prefix in event.type]


def is_lost(world: World, payment: Payment) -> bool:
    with world.database.read() as tx:
        row = tx.execute(select(payments).where(payments.c.id == payment.id)).one()
    return row.lost_s is not None and row.height is None


@pytest.mark.parametrize("asset", ["BTC", "ETH"])
def test_the_same_bytes_are_sent_again_and_people_are_told_once(lite: World, asset: str) -> None:
    asked, payment = paid(lite, asset)
    take_away(lite, payment, keep=False)
    lite.scan()
    assert is_lost(lite, payment)
    for _ in range(4):
        lite.keep.clock.time_s += 300
        lite.settle(1)
    found = lite.desk.get(payment.id)
    assert not is_lost(lite, payment)
    assert (found.txid, found.raw, states(lite, [asked])) == (
        payment.txid,
        payment.raw,
        {(W.COMPLETED, "")},
    )
    assert told(lite, "payment_lost") == ["alert.payment_lost"]
    assert told(lite, "found_again") == ["payment.found_again"]
    lite.check_books()


@pytest.mark.parametrize("base_fee_wei", [1_500_000_000, 500_000_000], ids=["dearer", "cheaper"])
def test_the_fee_is_what_the_block_that_has_it_now_took(lite: World, base_fee_wei: int) -> None:
    history = lite.keep.eth.history
    history.base_fee_wei = 1_000_000_000
    _, payment = paid(lite, "ETH")
    booked = lite.books(chart.NETWORK_FEES, "ETH")
    history.base_fee_wei = base_fee_wei
    take_away(lite, payment, keep=True)
    lite.settle(2)
    assert not is_lost(lite, payment)
    rise = lite.books(chart.NETWORK_FEES, "ETH") - booked
    assert rise == 21_000 * (base_fee_wei - 1_000_000_000)
    lite.check_books()


def test_killed_when_it_was_found_the_difference_is_booked_once(lite: World) -> None:
    history = lite.keep.eth.history
    history.base_fee_wei = 1_000_000_000
    _, payment = paid(lite, "ETH")
    booked = lite.books(chart.NETWORK_FEES, "ETH")
    history.base_fee_wei = 1_500_000_000
    take_away(lite, payment, keep=True)

    def die(moment: str) -> None:
        if moment == "payment.found_again":
            raise KeyboardInterrupt(moment)

    with pytest.raises(KeyboardInterrupt, match="found_again"):
        World(lite.database, lite.keep, milestone=die).settle(2)
    again = World(lite.database, lite.keep)
    again.settle(2)
    assert again.books(chart.NETWORK_FEES, "ETH") - booked == 21_000 * 500_000_000
    again.check_books()


def test_one_that_had_failed_is_not_sent_again(lite: World) -> None:
    """Its money was given back: should its bytes be mined after all, people hear of it."""
    asked, payment = paid(lite, "ETH")
    with lite.database.write() as tx:
        tx.execute(payments.update().where(payments.c.id == payment.id).values(status="failed"))
    take_away(lite, payment, keep=False)
    sent = list(lite.keep.eth.sent)
    for _ in range(4):
        lite.keep.clock.time_s += 300
        lite.settle(1)
    assert lite.keep.eth.sent == sent
    assert is_lost(lite, payment)
    assert asked.units and json.dumps(told(lite, "payment_lost")) == '["alert.payment_lost"]'
