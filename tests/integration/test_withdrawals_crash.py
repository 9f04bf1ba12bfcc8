"""Killed at every persisted step, restarted from the database: nothing lost, nothing twice."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import evm_world
from tests.fakes import Fault, SignerFault
from tests.integration import killed_child
from tests.payments_world import BTC, CUSTOMER, ETH, Keep, World, outside_address
from wallet.store.database import Database
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.requests import WithdrawalOrder
from wallet.withdrawals.states import WithdrawalStatus as W

COMMON = [
    "payment.built",
    "payment.signing",
    "payment.answered:hot-a",
    "payment.signed",
    "payment.broadcast_started",
    "payment.broadcast_sent",
    "payment.broadcast",
    "payment.confirming",
    "payment.completed",
]
IN_ORDER = [*COMMON[:3], "payment.answered:hot-b", *COMMON[3:]]


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    """SQLite alone, for the many combinations; the steps themselves run on both engines."""
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield database
    database.close()


class Killed(BaseException):
    """The process is gone; nothing in it runs any more."""


def kill_once(wanted: str) -> Callable[[str], None]:
    def milestone(name: str) -> None:
        if name == wanted:
            raise Killed

    return milestone


def begin(database: Database, network: str) -> tuple[Keep, list[Withdrawal]]:
    """A user with money and withdrawals that wait to be paid."""
    world = World(database)
    user = world.account("alice")
    if network == BTC:
        world.deposit(user, "BTC", 5_000_000)
        asked = [
            world.withdraw(user, "BTC", outside_address(i), 100_000, f"w-{i}") for i in range(3)
        ]
    else:
        world.fund_hot_gas()
        world.deposit(user, "ETH", 10**18)
        asked = [world.withdraw(user, "ETH", CUSTOMER, 10**16, "w-0")]
    return world.keep, asked


def live_until_killed(database: Database, keep: Keep, milestone: str) -> bool:
    """One life of the service; True if it was killed on the way."""
    try:
        World(database, keep, kill_once(milestone)).settle(4)
    except Killed:
        return True
    return False


def check_paid_once(database: Database, keep: Keep, asked: list[Withdrawal]) -> None:
    world = World(database, keep)
    world.settle(5)
    assert {world.read(w.id).status for w in asked} == {W.COMPLETED}
    if asked[0].network == BTC:
        assert len(keep.btc.sent) == 1
        for withdrawal in asked:
            assert keep.btc.paid_units(withdrawal.target) == withdrawal.units
    else:
        assert len(keep.eth.sent) == 1
        assert keep.eth.held(evm_world.CUSTOMER, "ETH") == sum(w.units for w in asked)
    world.check_books()


@pytest.mark.parametrize("milestone", IN_ORDER)
def test_a_batch_killed_at_a_step_is_paid_once(database: Database, milestone: str) -> None:
    keep, asked = begin(database, BTC)
    assert live_until_killed(database, keep, milestone)
    check_paid_once(database, keep, asked)


@pytest.mark.parametrize("milestone", COMMON)
def test_an_ether_payment_killed_at_a_step_is_paid_once(database: Database, milestone: str) -> None:
    keep, asked = begin(database, ETH)
    assert live_until_killed(database, keep, milestone)
    check_paid_once(database, keep, asked)


@pytest.mark.parametrize("milestone", IN_ORDER)
def test_killed_at_a_step_with_an_answer_lost_after_broadcast(
    lite: Database, milestone: str
) -> None:
    keep, asked = begin(lite, BTC)
    keep.btc.faults.append(Fault.LOST_AFTER)
    live_until_killed(lite, keep, milestone)
    check_paid_once(lite, keep, asked)


@pytest.mark.parametrize(
    "milestone", ["payment.broadcast_started", "payment.broadcast_sent", "payment.broadcast"]
)
def test_killed_at_a_step_with_a_broadcast_that_never_arrived(
    lite: Database, milestone: str
) -> None:
    keep, asked = begin(lite, BTC)
    keep.btc.faults.append(Fault.LOST_BEFORE)
    live_until_killed(lite, keep, milestone)
    check_paid_once(lite, keep, asked)


@pytest.mark.parametrize(
    "milestone",
    ["payment.signing", "payment.answered:hot-a", "payment.answered:hot-b", "payment.signed"],
)
@pytest.mark.parametrize("signer", ["hot-a", "hot-b"])
def test_killed_at_a_step_with_a_lost_signature(
    lite: Database, milestone: str, signer: str
) -> None:
    keep, asked = begin(lite, BTC)
    keep.signers[signer].faults.append(SignerFault.SILENT_AFTER)
    live_until_killed(lite, keep, milestone)
    check_paid_once(lite, keep, asked)
    assert keep.signers[signer].asked <= 2


def test_killed_at_every_step_one_after_the_other(lite: Database) -> None:
    keep, asked = begin(lite, BTC)
    # The sent bytes are then found in the mempool, so their answer is never recorded.
    steps = [milestone for milestone in IN_ORDER if milestone != "payment.broadcast"]
    assert all(live_until_killed(lite, keep, milestone) for milestone in steps)
    check_paid_once(lite, keep, asked)


@pytest.mark.parametrize("network", [BTC, ETH])
def test_killed_before_the_answer_of_a_signer_is_read(lite: Database, network: str) -> None:
    """The signer has signed and logged; its answer is recalled, nothing is signed again."""
    keep, asked = begin(lite, network)
    keep.signers["hot-a"].faults.append(SignerFault.SILENT_AFTER)
    World(lite, keep).work()
    check_paid_once(lite, keep, asked)
    assert keep.signers["hot-a"].asked == 1


def test_a_withdrawal_held_but_not_answered_is_there_after_a_restart(database: Database) -> None:
    keep, asked = begin(database, BTC)
    assert World(database, keep).read(asked[0].id).status is W.QUEUED
    check_paid_once(database, keep, asked)


def test_a_submission_cut_before_its_commit_leaves_nothing(database: Database) -> None:
    world = World(database)
    user = world.account("alice")
    world.deposit(user, "BTC", 1_000_000)
    order = WithdrawalOrder(
        external_id="w-1",
        account_id=user,
        asset="BTC",
        address=outside_address(1),
        units=50_000,
        requester="api-key-1",
    )

    def submit_and_die() -> None:
        with database.write() as tx:
            world.withdrawals.submit(tx, order)
            raise Killed

    with pytest.raises(Killed):
        submit_and_die()
    assert world.available(user, "BTC") == 1_000_000
    assert world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1").status is W.QUEUED


@pytest.mark.parametrize(
    "milestone", ["payment.answered:hot-a", "payment.signed", "payment.broadcast_sent"]
)
def test_sigkill_of_a_real_process(tmp_path: Path, milestone: str) -> None:
    """The same with a process of its own and SIGKILL, on a database file."""
    url = f"sqlite:///{tmp_path / 'wallet.sqlite'}"
    database = Database.open(url)
    database.migrate()
    keep = Keep()
    withdrawal = killed_child.begin(World(database, keep))
    database.close()
    command = [sys.executable, "-m", killed_child.__name__, url, str(tmp_path), milestone]
    done = subprocess.run(command, check=False, capture_output=True, timeout=280)
    assert done.returncode == -9, done.stderr.decode()
    database = Database.open(url)
    keep = killed_child.after_death(tmp_path)
    world = World(database, keep)
    world.settle(5)
    paid = world.read(withdrawal.id)
    assert paid.status is W.COMPLETED
    assert keep.btc.paid_units(paid.target) == paid.units
    assert len(set(keep.btc.sent)) == 1
    world.check_books()
    database.close()
