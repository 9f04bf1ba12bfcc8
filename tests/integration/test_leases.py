"""Two processes on one database: one works a role, and one that was stopped can do no more harm."""

from collections.abc import Callable

import pytest

from tests.fakes import FakeClock
from tests.payments_world import BTC, Keep, World, outside_address
from wallet.leases import LEASE_S, LeaseLost, Leases
from wallet.payments.context import role_of
from wallet.store.database import Database
from wallet.withdrawals.states import WithdrawalStatus as W

ROLE = role_of(BTC)
Reopen = Callable[[], Database]


def test_one_of_two_gets_a_role(database: Database, reopen: Reopen) -> None:
    clock = FakeClock()
    first, second = Leases(database, clock, "first"), Leases(reopen(), clock, "second")

    assert first.take(ROLE)
    assert not second.take(ROLE)
    assert second.take("treasury")


def test_a_holder_keeps_its_role_by_renewing(database: Database) -> None:
    clock = FakeClock()
    first, second = Leases(database, clock, "first"), Leases(database, clock, "second")
    for _ in range(5):
        assert first.take(ROLE)
        clock.time_s += LEASE_S - 1
        assert not second.take(ROLE)


def test_a_silent_holder_is_followed_and_then_shut_out(database: Database, reopen: Reopen) -> None:
    clock = FakeClock()
    first, second = Leases(database, clock, "first"), Leases(reopen(), clock, "second")
    assert first.take(ROLE)
    clock.time_s += LEASE_S

    assert second.take(ROLE)
    with database.write() as tx, pytest.raises(LeaseLost):
        first.check(tx, ROLE)
    with database.write() as tx:
        second.check(tx, ROLE)
    assert not first.take(ROLE)


def test_a_token_only_grows(database: Database) -> None:
    """Whoever held a role before stays shut out, also when it comes back as the third."""
    clock = FakeClock()
    first, second = Leases(database, clock, "first"), Leases(database, clock, "second")
    for leases in (first, second):
        assert leases.take(ROLE)
        clock.time_s += LEASE_S
    stale = dict(first._tokens)
    assert first.take(ROLE)

    assert [1, 3] == [stale[ROLE], first._tokens[ROLE]]
    with database.write() as tx:
        first.check(tx, ROLE)


def test_an_orderly_stop_lets_another_follow_at_once(database: Database) -> None:
    clock = FakeClock()
    first, second = Leases(database, clock, "first"), Leases(database, clock, "second")
    assert first.take(ROLE)
    first.release()

    assert second.take(ROLE)
    first.release()
    with database.write() as tx:
        second.check(tx, ROLE)
    assert not Leases(database, clock, "third").take(ROLE)


def test_a_command_without_a_role_is_not_fenced(database: Database) -> None:
    clock = FakeClock()
    assert Leases(database, clock, "worker").take(ROLE)
    with database.write() as tx:
        Leases(database, clock, "staff").check(tx, ROLE)


class Stopped(BaseException):
    """The process stands still here, and goes on later."""


def test_a_stopped_and_revived_worker_changes_no_payment(database: Database) -> None:
    """It was stopped with signed bytes in its hands; the other one has paid meanwhile."""
    keep = Keep()
    clock = keep.clock
    old, new = Leases(database, clock, "old"), Leases(database, clock, "new")
    world = World(database, keep, fence=old.check)
    user = world.account("alice")
    world.deposit(user, "BTC", 1_000_000)
    asked = world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    assert old.take(ROLE)
    world.payer.pay_queued(BTC)
    clock.time_s += LEASE_S
    assert new.take(ROLE)
    other = World(database, keep, fence=new.check)
    other.desk.run(BTC)
    (before,) = other.payment_rows()

    with pytest.raises(LeaseLost):
        world.desk.run(BTC)
    assert [before] == other.payment_rows()
    world.withdraw(user, "BTC", outside_address(2), 100_000, "w-2")
    with pytest.raises(LeaseLost):
        world.payer.pay_queued(BTC)
    assert [before] == other.payment_rows()

    other.settle(4)
    assert other.read(asked.id).status is W.COMPLETED
    assert len(keep.btc.sent) == 2
    other.check_books()
