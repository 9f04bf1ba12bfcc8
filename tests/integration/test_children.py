"""A child pays for a stuck parent that nothing can replace any more; both are booked once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.types import Relative
from chains.utxo.transactions import Transaction, TxInput, TxOutput, parse
from signer.protocol import Purpose
from tests.integration.test_freed_nonces import check_proof
from tests.integration.test_replacements import (
    AFTER,
    Killed,
    alerts,
    check_paid_once,
    payment_of,
    stuck,
    versions_of,
    world_of,
)
from tests.payments_world import BTC, ETH, World
from wallet.payments import journal
from wallet.payments.journal import Payment
from wallet.payments.replacing.building import FeeAtCap, NotReplaceable, NotStuck
from wallet.payments.replacing.parents import (
    FAMILY_MAX,
    FAMILY_VBYTES_MAX,
    TooManyAncestors,
    TooManyDescendants,
    check_family,
)
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


def build_on(world: World, parent: Payment, count: int) -> None:
    """Waiting transactions of the payee, one behind the other."""
    outputs = parse(parent.raw or b"").outputs
    vout = next(n for n, one in enumerate(outputs) if one.sats == parent.units)
    txid, sats = parent.txid or "", parent.units
    for _ in range(count):
        spend = TxInput(txid=txid, vout=vout, witness=(b"\x01",))
        sats -= 200
        made = Transaction(inputs=(spend,), outputs=(TxOutput(sats=sats, script=b"\x51"),))
        world.keep.btc.history.take(made)
        txid, vout = made.txid, 0


def test_a_child_is_made_while_nodes_would_take_one_more(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    build_on(world, payment_of(world, asked), FAMILY_MAX - 2)

    assert world.desk.parents.pay_for(payment_of(world, asked).id).purpose is Purpose.RESHAPE


def test_a_child_that_nodes_would_refuse_is_not_made_and_people_are_told(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    world.keep.clock.time_s += DEADLINE_S
    build_on(world, payment_of(world, asked), FAMILY_MAX - 1)
    for _ in range(AFTER + 3):
        world.work()
        world.keep.btc.mine()

    assert [] == children(world)
    (told,) = [one for one in alerts(world) if "held:" in one]
    assert TooManyDescendants.code in told
    world.keep.btc.history.floor = 0
    world.settle()
    check_paid_once(world, asked)


def relatives(count: int, vsize: int = 200, descendants: int = 1) -> list[Relative]:
    return [
        Relative(
            txid=f"{n:064x}",
            vsize=vsize,
            parents=(),
            descendants=descendants,
            descendant_vsize=descendants * vsize,
        )
        for n in range(count)
    ]


def test_what_nodes_take_in_a_row_and_behind_one() -> None:
    check_family([], 150)
    check_family(relatives(FAMILY_MAX - 1), 150)
    check_family(relatives(1, vsize=FAMILY_VBYTES_MAX - 150), 150)
    check_family(relatives(1, descendants=FAMILY_MAX - 1), 150)
    for family in (relatives(FAMILY_MAX), relatives(2, vsize=FAMILY_VBYTES_MAX // 2)):
        with pytest.raises(TooManyAncestors):
            check_family(family, 150)
    many = relatives(1, descendants=FAMILY_MAX)
    large = relatives(2, descendants=4, vsize=FAMILY_VBYTES_MAX // 4)
    for family in (many, large):
        with pytest.raises(TooManyDescendants):
            check_family(family, 150)


def test_an_accounts_payment_has_no_child(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    with pytest.raises(NotReplaceable, match="of a hot vault's coins"):
        world.desk.parents.pay_for(payment_of(world, asked).id)


def test_a_child_above_the_cap_is_not_made(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    world.keep.btc.feerate = 100_000
    with pytest.raises(FeeAtCap):
        world.desk.parents.pay_for(payment_of(world, asked).id)
    assert [] == children(world)


def test_change_that_does_not_carry_a_childs_fee_makes_none(lite: Database) -> None:
    world, asked = stuck(lite, BTC, 4_991_000)
    world.keep.btc.feerate = 26_000
    with pytest.raises(NotReplaceable, match="of change"):
        world.desk.parents.pay_for(payment_of(world, asked).id)
    assert [] == children(world)
