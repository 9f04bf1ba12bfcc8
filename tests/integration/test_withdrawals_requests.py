"""Taking withdrawals in: hold, row and event together, or a refusal that changes nothing."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import func, insert, select

from chains.errors import AddressError, BadChecksum, WrongNetwork
from signer.protocol import Approval
from tests import evm_world
from tests.payments_world import BTC, World, outside_address
from wallet.addresses.accounts import AccountNotFound
from wallet.addresses.issuing import Purpose
from wallet.errors import WalletError
from wallet.events import read_events, verify_chain
from wallet.ledger.errors import InsufficientFunds
from wallet.store.database import Database
from wallet.store.schema import approvals, withdrawals
from wallet.withdrawals.errors import (
    BelowMinimum,
    ExternalIdTaken,
    MalformedOrder,
    NotCancellable,
    UnknownAsset,
    WithdrawalNotFound,
)
from wallet.withdrawals.records import Withdrawal, by_external_id, listed
from wallet.withdrawals.requests import DEADLINE_S
from wallet.withdrawals.states import ForbiddenArrow
from wallet.withdrawals.states import WithdrawalStatus as W

LARGE = 200_000_000
"""From here on the policy wants two approvals."""


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def user(world: World) -> str:
    user = world.account("alice")
    world.deposit(user, "BTC", 1_000_000)
    return user


def rows(world: World) -> int:
    with world.database.read() as tx:
        return tx.execute(select(func.count()).select_from(withdrawals)).scalar_one()


def event_types(world: World, subject: str) -> list[str]:
    with world.database.read() as tx:
        verify_chain(tx)
        return [e.type for e in read_events(tx, 0, 1000) if e.subject == subject]


def approve(world: World, withdrawal: Withdrawal, name: str) -> Withdrawal:
    body = Approval.body_of(name, withdrawal.intent_digest, 1)
    with world.database.write() as tx:
        tx.execute(
            insert(approvals).values(
                intent_digest=withdrawal.intent_digest,
                approver=name,
                body=body,
                sig=b"verified elsewhere",
                received_s=1,
            )
        )
        return world.withdrawals.approved(tx, withdrawal.id)


def test_a_withdrawal_holds_amount_and_fee(world: World, user: str) -> None:
    asked = world.withdraw(user, "BTC", outside_address(1), 300_000, "w-1")
    assert (asked.status, asked.fee_units) == (W.QUEUED, 500)
    assert world.available(user, "BTC") == 1_000_000 - 300_500
    assert event_types(world, asked.id) == [
        "withdrawal.submitted",
        "withdrawal.screening",
        "withdrawal.queued",
    ]


def test_the_intent_is_fixed_at_submission(world: World, user: str) -> None:
    asked = world.withdraw(user, "BTC", outside_address(1), 300_000, "w-1")
    assert asked.intent.digest == asked.intent_digest
    assert asked.intent.total_units == 300_000
    assert asked.intent.expires_s == asked.deadline_s == asked.created_s + DEADLINE_S


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"asset": "DOGE"}, UnknownAsset),
        ({"units": 9_999}, BelowMinimum),
        ({"units": 0}, BelowMinimum),
        ({"units": -5}, BelowMinimum),
        ({"units": 999_501}, InsufficientFunds),
        ({"external_id": ""}, MalformedOrder),
        ({"external_id": "x" * 129}, MalformedOrder),
        ({"external_id": "a\nb"}, MalformedOrder),
        ({"account_id": "nobody"}, AccountNotFound),
        ({"address": "bcrt1qnope"}, AddressError),
        ({"address": outside_address(1)[:-1] + "q"}, BadChecksum),
        ({"address": "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"}, WrongNetwork),
    ],
)
def test_a_refusal_changes_nothing(
    world: World, user: str, change: dict[str, object], error: type[Exception]
) -> None:
    order: dict[str, object] = {
        "account_id": user,
        "asset": "BTC",
        "address": outside_address(1),
        "units": 50_000,
        "external_id": "w-1",
    }
    with pytest.raises(error):
        world.withdraw(**{**order, **change})  # type: ignore[arg-type]
    assert rows(world) == 0
    assert world.available(user, "BTC") == 1_000_000


def test_an_external_id_names_one_withdrawal_for_ever(world: World, user: str) -> None:
    first = world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1")
    with world.database.write() as tx:
        world.withdrawals.cancel(tx, first.id)
    with pytest.raises(ExternalIdTaken) as caught:
        world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1")
    assert caught.value.details == {"withdrawal_id": first.id}
    with world.database.read() as tx:
        assert by_external_id(tx, "w-1").id == first.id


def test_a_denial_by_policy_is_a_rejected_withdrawal_without_a_hold(
    world: World, user: str
) -> None:
    hot = world.own_address(BTC, "bitcoin-hot", Purpose.HOT)
    asked = world.withdraw(user, "BTC", hot.address, 50_000, "w-1")
    assert (asked.status, asked.sub_status) == (W.REJECTED, "destinations.owner")
    assert world.available(user, "BTC") == 1_000_000


def test_an_ether_address_is_no_payee_of_bitcoin(world: World, user: str) -> None:
    with pytest.raises(AddressError):
        world.withdraw(user, "BTC", evm_world.HOT_KEY.address(), 50_000, "w-1")


def test_cancelling_gives_the_money_back(world: World, user: str) -> None:
    asked = world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1")
    with world.database.write() as tx:
        cancelled = world.withdrawals.cancel(tx, asked.id)
    assert (cancelled.status, cancelled.sub_status) == (W.CANCELLED, "by_exchange")
    assert world.available(user, "BTC") == 1_000_000
    world.settle()
    assert world.keep.btc.sent == []


def test_signing_ends_the_time_to_cancel(world: World, user: str) -> None:
    asked = world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1")
    world.payer.pay_queued(BTC)
    with pytest.raises(NotCancellable) as caught, world.database.write() as tx:
        world.withdrawals.cancel(tx, asked.id)
    assert caught.value.details == {"status": "signing"}


def test_cancelling_twice_is_refused(world: World, user: str) -> None:
    asked = world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1")
    with world.database.write() as tx:
        world.withdrawals.cancel(tx, asked.id)
    with pytest.raises(NotCancellable), world.database.write() as tx:
        world.withdrawals.cancel(tx, asked.id)
    assert world.available(user, "BTC") == 1_000_000


def test_nobody_is_not_found(world: World) -> None:
    with pytest.raises(WithdrawalNotFound), world.database.write() as tx:
        world.withdrawals.cancel(tx, "nobody")


def test_a_large_withdrawal_waits_for_two_people(world: World, user: str) -> None:
    world.deposit(user, "BTC", 3 * LARGE)
    asked = world.withdraw(user, "BTC", outside_address(1), LARGE, "w-1")
    assert (asked.status, asked.approvals_required) == (W.PENDING_APPROVAL, 2)
    assert approve(world, asked, "ann").status is W.PENDING_APPROVAL
    assert approve(world, asked, "ben").status is W.QUEUED
    world.settle()
    assert world.read(asked.id).status is W.COMPLETED


def test_the_requester_does_not_count_as_an_approver(world: World, user: str) -> None:
    world.deposit(user, "BTC", 3 * LARGE)
    asked = world.withdraw(user, "BTC", outside_address(1), LARGE, "w-1")
    approve(world, asked, "ann")
    assert approve(world, asked, "api-key-1").status is W.PENDING_APPROVAL


def test_a_person_rejects_and_the_money_is_free(world: World, user: str) -> None:
    world.deposit(user, "BTC", 3 * LARGE)
    asked = world.withdraw(user, "BTC", outside_address(1), LARGE, "w-1")
    with world.database.write() as tx:
        rejected = world.withdrawals.reject(tx, asked.id, "not our user")
    assert (rejected.status, rejected.sub_status) == (W.REJECTED, "not our user")
    assert world.available(user, "BTC") == 1_000_000 + 3 * LARGE


def test_only_what_waits_for_a_person_is_rejected_by_one(world: World, user: str) -> None:
    asked = world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1")
    with pytest.raises(ForbiddenArrow), world.database.write() as tx:
        world.withdrawals.reject(tx, asked.id, "no")


Prepare = Callable[[World, str], Withdrawal]


def a_queued(world: World, user: str) -> Withdrawal:
    return world.withdraw(user, "BTC", outside_address(1), 50_000, "w-1")


def a_pending(world: World, user: str) -> Withdrawal:
    world.deposit(user, "BTC", 3 * LARGE)
    return world.withdraw(user, "BTC", outside_address(1), LARGE, "w-1")


def a_blocked(world: World, user: str) -> Withdrawal:
    asked = a_queued(world, user)
    world.keep.signers["hot-a"].refuse = "policy.denied"
    world.work()
    assert world.read(asked.id).status is W.BLOCKED
    return asked


@pytest.mark.parametrize(
    ("prepare", "end"),
    [(a_queued, W.FAILED), (a_pending, W.CANCELLED), (a_blocked, W.FAILED)],
)
def test_every_waiting_state_ends_at_its_deadline(
    world: World, user: str, prepare: Prepare, end: W
) -> None:
    asked = prepare(world, user)
    free = world.available(user, "BTC")
    world.keep.clock.time_s = asked.deadline_s - 1
    assert world.withdrawals.expire(world.database) == 0
    world.keep.clock.time_s = asked.deadline_s
    assert world.withdrawals.expire(world.database) == 1
    ended = world.read(asked.id)
    assert (ended.status, ended.sub_status) == (end, "expired")
    assert world.available(user, "BTC") == free + asked.total_units
    assert world.withdrawals.expire(world.database) == 0


def test_what_is_being_signed_does_not_expire(world: World, user: str) -> None:
    asked = a_queued(world, user)
    world.payer.pay_queued(BTC)
    world.keep.clock.time_s = asked.deadline_s + 1
    assert world.withdrawals.expire(world.database) == 0
    assert world.read(asked.id).status is W.SIGNING


def test_events_carry_units_as_text_and_the_state(world: World, user: str) -> None:
    asked = a_queued(world, user)
    with world.database.read() as tx:
        bodies = [json.loads(e.body) for e in read_events(tx, 0, 1000) if e.subject == asked.id]
    assert bodies[-1]["amount_units"] == "50000"
    assert [body["status"] for body in bodies] == ["submitted", "screening", "queued"]


def test_withdrawals_are_listed_newest_first_in_pages(world: World, user: str) -> None:
    asked = []
    for number in range(5):
        world.keep.clock.time_s += 1
        asked.append(world.withdraw(user, "BTC", outside_address(1), 20_000, f"w-{number}"))
    with world.database.read() as tx:
        first = listed(tx, limit=3, account_id=user)
        rest = listed(tx, limit=3, before=(first[-1].created_s, first[-1].id))
        queued = listed(tx, limit=9, status=W.QUEUED, asset="BTC")
    assert [w.id for w in (*first, *rest)] == [w.id for w in reversed(asked)]
    assert len(queued) == 5


def test_every_refusal_has_a_code_of_its_own() -> None:
    errors: list[type[WalletError]] = [
        UnknownAsset,
        BelowMinimum,
        ExternalIdTaken,
        MalformedOrder,
        NotCancellable,
        WithdrawalNotFound,
        ForbiddenArrow,
    ]
    assert len({error.code for error in errors}) == len(errors)
