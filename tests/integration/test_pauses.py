"""Paused withdrawals: taken in and held, but neither built nor signed nor sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from signer.protocol import Purpose
from tests.integration.test_treasury_journeys import Treasury
from tests.integration.test_withdrawals_paying import a_batch, a_token, an_ether
from tests.payments_world import BTC, ETH, World
from wallet import pauses
from wallet.events import read_events
from wallet.pauses import BadReason, NotPaused, Paused, Scope
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.store.schema import payments
from wallet.withdrawals.states import WithdrawalStatus as W


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    yield World(database)
    database.close()


def pause(world: World, subject: str = "BTC", scope: Scope = Scope.ASSET) -> None:
    with world.database.write() as tx:
        pauses.pause(tx, scope, subject, "something is wrong", "anna", 1)


def resume(world: World, subject: str = "BTC", scope: Scope = Scope.ASSET) -> None:
    with world.database.write() as tx:
        pauses.resume(tx, scope, subject, "ben", 2)


def payment_states(world: World) -> list[tuple[str, str]]:
    with world.database.read() as tx:
        rows = tx.execute(select(payments.c.status, payments.c.sub_status))
        return [(row.status, row.sub_status) for row in rows]


def test_nothing_is_built_while_the_asset_is_paused(world: World) -> None:
    pause(world)
    asked = a_batch(world)
    world.settle()
    assert {(w.status, w.sub_status) for w in map(world.read, (a.id for a in asked))} == {
        (W.QUEUED, "payment.paused")
    }
    assert payment_states(world) == []
    resume(world)
    world.settle()

    assert {world.read(a.id).status for a in asked} == {W.COMPLETED}
    world.check_books()


def test_a_paused_network_holds_all_its_assets_back_and_an_asset_only_itself(world: World) -> None:
    token, ether = a_token(world), an_ether(world)
    pause(world, "ETH")
    world.settle()
    assert (world.read(token.id).status, world.read(ether.id).status) == (W.COMPLETED, W.QUEUED)
    resume(world, "ETH")
    pause(world, ETH, Scope.NETWORK)
    second = world.withdraw(token.account_id, "DUSD", token.address, 10_000, "d-2")
    world.settle()
    assert {world.read(ether.id).status, world.read(second.id).status} == {W.QUEUED}
    resume(world, ETH, Scope.NETWORK)
    world.settle()

    assert {world.read(ether.id).status, world.read(second.id).status} == {W.COMPLETED}


def test_paused_between_queue_and_building_nothing_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = a_batch(world, 1)
    quote = world.desk.utxo.quote

    def pausing(network: str) -> object:
        pause(world)
        return quote(network)

    monkeypatch.setattr(world.desk.utxo, "quote", pausing)
    world.payer.pay_queued(BTC)

    assert payment_states(world) == []
    assert world.read(asked[0].id).sub_status == "payment.paused"


def test_paused_after_building_no_signer_is_asked(world: World) -> None:
    a_batch(world)
    world.scan()
    world.payer.pay_queued(BTC)
    pause(world)
    world.desk.run(BTC)
    assert payment_states(world) == [(P.BUILT, "payment.paused")]
    resume(world)
    world.desk.run(BTC)

    assert payment_states(world)[0][0] == P.BROADCAST


def test_paused_while_signing_no_further_signer_is_asked(world: World) -> None:
    a_batch(world)
    world.scan()
    world.payer.pay_queued(BTC)
    with world.database.read() as tx:
        payment_id = tx.execute(select(payments.c.id)).scalar_one()
    world.desk.step(payment_id)
    pause(world)
    world.desk.run(BTC)
    assert payment_states(world) == [(P.SIGNING, "payment.paused")]
    resume(world)
    world.desk.run(BTC)

    assert payment_states(world)[0][0] == P.BROADCAST


def test_paused_after_signing_nothing_is_sent(world: World) -> None:
    a_batch(world)
    world.scan()
    world.payer.pay_queued(BTC)
    with world.database.read() as tx:
        payment_id = tx.execute(select(payments.c.id)).scalar_one()
    world.desk.step(payment_id)
    world.desk.step(payment_id)
    pause(world)
    world.desk.run(BTC)
    assert payment_states(world) == [(P.SIGNED, "payment.paused")]
    assert world.keep.btc.sent == []
    resume(world)
    world.settle()

    assert payment_states(world)[0][0] == P.COMPLETED


def test_what_was_broadcast_is_followed_to_its_end(world: World) -> None:
    asked = a_batch(world)
    world.work()
    pause(world)
    world.settle()

    assert {world.read(a.id).status for a in asked} == {W.COMPLETED}


def test_one_reason_of_one_hand_is_one_pause_and_each_is_told(world: World) -> None:
    pause(world)
    pause(world)
    with world.database.write() as tx:
        pauses.pause(tx, Scope.ASSET, "BTC", "another reason", "anna", 3)
        with pytest.raises(Paused) as caught:
            pauses.require_none(tx, Purpose.WITHDRAWAL, BTC, "BTC")
        pauses.require_none(tx, Purpose.GATHER, BTC, "BTC")
        pauses.require_none(tx, Purpose.WITHDRAWAL, ETH, "ETH")
        lifted = pauses.resume(tx, Scope.ASSET, "BTC", "ben", 4)
        with pytest.raises(NotPaused):
            pauses.resume(tx, Scope.ASSET, "BTC", "ben", 5)
        types = [event.type for event in read_events(tx, 0, 1000)]

    assert caught.value.details == {"reasons": ["something is wrong", "another reason"]}
    assert len(lifted) == 2
    assert types == ["withdrawals.paused"] * 2 + ["withdrawals.resumed"] * 2


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "two\nlines"])
def test_a_reason_that_nobody_can_read_is_refused(world: World, reason: str) -> None:
    with world.database.write() as tx, pytest.raises(BadReason):
        pauses.pause(tx, Scope.ASSET, "BTC", reason, "anna", 1)


def test_treasury_asks_for_nothing_and_exports_nothing_while_paused(world: World) -> None:
    treasury = Treasury.make(world.database, world.keep)
    treasury.fund_cold("BTC", 500_000_000)
    treasury.bounds("BTC", 10_000_000, 20_000_000, 30_000_000)
    pause(world)
    assert treasury.movements.step().made == ()
    resume(world)
    (request_id,) = treasury.movements.step().made
    for name in ("anna", "ben"):
        treasury.approve(request_id, name)
    treasury.movements.step()
    pause(world)
    with pytest.raises(Paused):
        treasury.staff.export(request_id)
    resume(world)

    assert treasury.staff.export(request_id).data
