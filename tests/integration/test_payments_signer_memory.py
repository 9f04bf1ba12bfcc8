"""The service relays what signers said of their logs, and stops at one that was put back."""

from dataclasses import replace
from pathlib import Path

import pytest

from signer.protocol import Purpose, SignerState
from signer.roster import Approver, Roster
from tests.fakes import FakeClock
from tests.integration.test_mirrors_rollback import BEN, CARO, Ground, post_more
from tests.integration.test_mirrors_rollback import Clock as RollbackClock
from tests.integration.test_payments_moves import answer, cold_btc, move
from tests.mirrors_world import NOW_S, image_of
from tests.payments_world import World
from wallet.addresses.issuing import Address
from wallet.events import read_events
from wallet.ledger.versions.heads import HeadSigner, latest_head
from wallet.ledger.versions.undone import undone_around
from wallet.payments import journal
from wallet.payments.journal import Payment, SignerForked
from wallet.payments.states import PaymentStatus as P
from wallet.signing.coordinator import Coordinator
from wallet.signing.errors import SignerRolledBack
from wallet.store.database import Database

KEYHOLDER = "keyholder-1"


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def alerts(world: World) -> list[str]:
    with world.database.read() as tx:
        return [e.body for e in read_events(tx, 0, 1000) if e.type == "alert.payment"]


def two_coins(world: World) -> Address:
    """Cold money for two refills at once; the hot address that they pay."""
    cold, hot = cold_btc(world)
    world.keep.btc.fund(cold.target, 7_000_000)
    world.confirm()
    return hot


def refill(world: World, hot: Address) -> Payment:
    return move(world, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)


def test_a_request_relays_the_latest_answer_of_each_signer(world: World) -> None:
    hot = two_coins(world)
    first = refill(world, hot)
    assert first.request.prev_state == ()
    world.keep.signers[KEYHOLDER].asked = 10
    answer(world, first.id, KEYHOLDER, "keyholder-2")
    world.work()
    second = refill(world, hot)

    states = {state.signer_id: state for state in second.request.prev_state}

    assert states[KEYHOLDER] == SignerState(signer_id=KEYHOLDER, counter=11, log_head=bytes(32))
    assert set(states) == {KEYHOLDER, "keyholder-2"}


def test_a_request_carries_the_ledgers_last_signed_head(world: World) -> None:
    hot = two_coins(world)
    assert refill(world, hot).request.ledger_head is None
    coordinator = Coordinator(b"\x07" * 32)
    clock = FakeClock(1_700_000_000)
    HeadSigner(world.database, clock, coordinator.public_key, coordinator.sign_head).step()
    with world.database.read() as tx:
        head = latest_head(tx)
    assert head is not None
    assert refill(world, hot).request.ledger_head == head


def test_a_request_carries_the_rollback_until_its_heights_are_passed_again(
    world: World, tmp_path: Path
) -> None:
    hot = two_coins(world)
    coordinator, clock = Coordinator(b"\x07" * 32), FakeClock(NOW_S)
    heads = HeadSigner(world.database, clock, coordinator.public_key, coordinator.sign_head)
    image_of(world.database, tmp_path / "t1.image")
    ground = Ground(world.database, tmp_path, RollbackClock())
    post_more(ground)
    heads.step()
    id = ground.approved()
    assert refill(world, hot).request.rollbacks == (), "asked for, and not done"
    done = ground.desk.carry_out(id, ground.archive)
    clock.time_s += 10
    heads.step()
    with world.database.read() as tx:
        head = latest_head(tx)
    assert head is not None and head.height == done.ends.after

    request = refill(world, hot).request

    (told,) = request.rollbacks
    assert request.ledger_head == head
    assert told.rollback.digest == done.digest
    roster = Roster([Approver(id=k.id, role="staff", key=k.public_key) for k in (BEN, CARO)])
    names = roster.verified([told.rollback], told.approvals, told.rollback.expires_s)
    assert names == {done.digest: {"ben", "caro"}}
    with world.database.read() as tx:
        assert len(undone_around(tx, replace(head, height=done.ends.to))) == 1
        assert undone_around(tx, replace(head, height=done.ends.to + 1)) == ()
        assert undone_around(tx, replace(head, height=done.ends.after - 1)) == ()
        assert undone_around(tx, None) == ()


def test_an_answer_from_behind_what_was_relayed_is_refused_with_an_alert(world: World) -> None:
    hot = two_coins(world)
    signer = world.keep.signers[KEYHOLDER]
    signer.asked = 10
    first = refill(world, hot)
    answer(world, first.id, KEYHOLDER, "keyholder-2")
    world.work()
    second = refill(world, hot)
    file = world.desk.export(second.id)
    signer.asked = 10  # its disk was put back to where it had been

    with pytest.raises(SignerRolledBack, match="got counter 11"):
        world.desk.attach(second.id, signer.answer(file))

    with world.database.read() as tx:
        assert journal.answers(tx, second.id) == {}
    assert "signing.rolled_back" in alerts(world)[0]
    assert world.desk.get(second.id).sub_status == "signing.rolled_back"


def test_two_answers_in_one_place_of_a_log_are_refused_with_an_alert(world: World) -> None:
    """Both requests were made before either answer came, so neither relays the other."""
    hot = two_coins(world)
    signer = world.keep.signers[KEYHOLDER]
    first, second = refill(world, hot), refill(world, hot)
    files = [world.desk.export(payment.id) for payment in (first, second)]
    world.desk.attach(first.id, signer.answer(files[0]))
    signer.asked -= 1

    with pytest.raises(SignerForked, match="two answers of keyholder-1"):
        world.desk.attach(second.id, signer.answer(files[1]))

    with world.database.read() as tx:
        assert journal.answers(tx, second.id) == {}
    assert "payment.signer_forked" in alerts(world)[0]


def test_files_may_come_back_in_any_order(world: World) -> None:
    hot = two_coins(world)
    signer = world.keep.signers[KEYHOLDER]
    first, second = refill(world, hot), refill(world, hot)
    made = [signer.answer(world.desk.export(payment.id)) for payment in (first, second)]

    world.desk.attach(second.id, made[1])
    world.desk.attach(first.id, made[0])

    assert not alerts(world)


def test_a_hot_signer_that_was_put_back_stops_the_payment_with_an_alert(world: World) -> None:
    world.deposit(world.account("alice"), "BTC", 5_000_000)
    hot_a = world.keep.signers["hot-a"]
    hot_a.asked = 10
    cold, _ = cold_btc(world)
    first = move(world, Purpose.SWEEP, "BTC", "bitcoin-hot", cold, 1_000_000)
    world.work()
    world.deposit(world.account("bob"), "BTC", 5_000_000)
    second = move(world, Purpose.SWEEP, "BTC", "bitcoin-hot", cold, 1_000_000)
    hot_a.asked = 5

    world.work()

    assert world.desk.get(first.id).status is not P.SIGNING
    assert world.desk.get(second.id).status is P.SIGNING
    assert any("signing.rolled_back" in body for body in alerts(world))
    with world.database.read() as tx:
        assert "hot-a" not in journal.answers(tx, second.id)


def test_two_hot_answers_in_one_place_stop_the_payment_with_an_alert(world: World) -> None:
    world.deposit(world.account("alice"), "BTC", 5_000_000)
    world.deposit(world.account("bob"), "BTC", 5_000_000)
    cold, _ = cold_btc(world)
    first = move(world, Purpose.SWEEP, "BTC", "bitcoin-hot", cold, 1_000_000)
    second = move(world, Purpose.SWEEP, "BTC", "bitcoin-hot", cold, 1_000_000)
    world.desk.advance(first.id)
    world.keep.signers["hot-a"].asked -= 1

    world.desk.advance(second.id)

    assert world.desk.get(second.id).status is P.SIGNING
    assert any("payment.signer_forked" in body for body in alerts(world))
