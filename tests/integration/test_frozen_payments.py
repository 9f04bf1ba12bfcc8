"""A frozen account's withdrawals wait in the queue; what was built for it goes to its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.integration.test_withdrawals_paying import a_batch, a_token, an_ether
from tests.payments_world import BTC, World, outside_address
from wallet.addresses.accounts import account_id_of
from wallet.assets.freezing import frozen_among
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.terms.stated import Change, state_frozen
from wallet.store.database import Database
from wallet.store.schema import payments
from wallet.withdrawals.states import WithdrawalStatus as W


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    yield World(database)
    database.close()


def freeze(world: World, account_id: str, asset: str, frozen: bool = True) -> None:
    change = Change(changed_by="anna", reason="why", since_height=0, since_s=1)
    with world.database.write() as tx:
        state_frozen(tx, chart.user(account_id), asset, frozen, change)


def built(world: World) -> int:
    with world.database.read() as tx:
        return len(tx.execute(select(payments.c.id)).all())


def test_the_withdrawal_of_a_frozen_account_waits_and_all_others_are_paid(world: World) -> None:
    others = a_batch(world)
    dan = world.account("dan")
    world.deposit(dan, "BTC", 500_000)
    stopped = world.withdraw(dan, "BTC", outside_address(9), 100_000, "w-dan")
    freeze(world, dan, "BTC")
    with world.database.read() as tx:
        accounts = {(one.account_id, "BTC") for one in (*others, stopped)}
        assert frozen_among(tx, accounts) == {(dan, "BTC")}
    world.settle()
    waits = world.read(stopped.id)
    assert (waits.status, waits.sub_status) == (W.QUEUED, "payment.account_frozen")
    assert {world.read(one.id).status for one in others} == {W.COMPLETED}
    freeze(world, stopped.account_id, "BTC", frozen=False)
    world.settle()

    assert world.read(stopped.id).status is W.COMPLETED
    world.check_books()


def test_a_freeze_in_one_asset_lets_the_other_go(world: World) -> None:
    token, ether = a_token(world), an_ether(world)
    freeze(world, ether.account_id, "ETH")
    freeze(world, token.account_id, "BTC")
    world.settle()

    assert (world.read(token.id).status, world.read(ether.id).status) == (W.COMPLETED, W.QUEUED)


def test_frozen_between_queue_and_building_nothing_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = a_batch(world, 1)
    quote = world.desk.utxo.quote

    def freezing(network: str) -> object:
        freeze(world, asked[0].account_id, "BTC")
        monkeypatch.setattr(world.desk.utxo, "quote", quote)
        return quote(network)

    monkeypatch.setattr(world.desk.utxo, "quote", freezing)
    world.scan()
    world.payer.pay_queued(BTC)

    assert built(world) == 0
    assert world.read(asked[0].id).sub_status == "payment.account_frozen"


def test_what_was_built_before_the_freeze_is_paid_and_booked(world: World) -> None:
    """Its bytes pay others too, and soon nobody can call them back: the promise is kept."""
    asked = a_batch(world)
    world.scan()
    world.payer.pay_queued(BTC)
    freeze(world, asked[0].account_id, "BTC")
    world.settle()

    assert {world.read(one.id).status for one in asked} == {W.COMPLETED}
    world.check_books()


def test_what_a_chain_brings_a_frozen_account_is_booked_and_stays(world: World) -> None:
    """A block holds many users' deposits: one frozen account must not stop the others' scan."""
    eve = world.account("eve")
    freeze(world, eve, "BTC")
    world.deposit(eve, "BTC", 500_000)
    world.deposit(world.account("fay"), "BTC", 300_000)

    with world.database.read() as tx:
        assert balance(tx, chart.user(eve), "BTC").available == 500_000
        assert balance(tx, chart.user(account_id_of("fay")), "BTC").available == 300_000
    world.check_books()
