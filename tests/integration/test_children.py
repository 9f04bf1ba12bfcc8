"""A child pays for a stuck parent that nothing can replace any more; both are booked once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.utxo.transactions import parse
from signer.protocol import Purpose
from tests.integration.test_freed_nonces import check_proof
from tests.integration.test_replacements import (
    AFTER,
    Killed,
    check_paid_once,
    payment_of,
    stuck,
    versions_of,
    world_of,
)
from tests.payments_world import BTC, World
from wallet.payments import journal
from wallet.payments.journal import Payment
from wallet.payments.replacing.building import NotStuck
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.withdrawals.requests import DEADLINE_S


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield database
    database.close()


def children(world: World) -> list[Payment]:
    with world.database.read() as tx:
        rows = [journal.get(tx, row.id) for row in world.payment_rows()]  # type: ignore[attr-defined]
    return [one for one in rows if one.purpose is Purpose.RESHAPE]


@pytest.mark.parametrize("step", ["", "payment.built", "payment.signed", "payment.broadcast_sent"])
def test_an_expired_payment_is_paid_for_by_a_child(lite: Database, step: str) -> None:
    world, asked = stuck(lite, BTC)
    world.keep.clock.time_s += DEADLINE_S
    if step:
        with pytest.raises(Killed):
            world_of(lite, world.keep, kill_at=step).settle(AFTER + 3)
        world = world_of(lite, world.keep)
    world.settle(AFTER + 6)

    assert len(versions_of(world, asked)) == 1
    (child,) = children(world)
    parent = payment_of(world, asked)
    assert parse(child.raw or b"").inputs[0].txid == parent.txid
    assert (parent.status, child.status) == (P.COMPLETED, P.COMPLETED)
    check_paid_once(world, asked)
    check_proof(world)


def test_a_payment_with_a_child_is_not_replaced_too(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    world.desk.parents.pay_for(payment_of(world, asked).id)
    with pytest.raises(NotStuck):
        world.desk.parents.pay_for(payment_of(world, asked).id)
    with pytest.raises(NotStuck):
        world.desk.bumper.bump(payment_of(world, asked).id)


def test_a_child_ends_with_the_version_that_it_spends(lite: Database) -> None:
    """An older version of the parent is mined: the child's coin never comes to be."""
    world, asked = stuck(lite, BTC)
    old = payment_of(world, asked)
    world.keep.btc.history.floor = 10**6
    world.desk.bumper.bump(old.id)
    world.work()
    assert payment_of(world, asked).version == 2
    child = world.desk.parents.pay_for(old.id)
    world.work()
    history = world.keep.btc.history
    history.mempool.clear()
    history.floor = 0
    history.take(parse(old.raw or b""))
    world.settle(5)

    assert payment_of(world, asked).txid == old.txid
    assert world.desk.get(child.id).status is P.FAILED
    check_paid_once(world, asked)
    check_proof(world)
