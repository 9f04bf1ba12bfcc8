"""Withdrawals and approvals over the API, on the real ledger and the real policy."""

import pytest

from signer.protocol import APPROVAL, Approval, digest, identity_sign
from tests.integration.api.conftest import PAYEE, STAFF_SEEDS, World
from wallet.client import ApiError, Client
from wallet.client.types import Account, Withdrawal


def approval_of(withdrawal: Withdrawal, name: str, now_s: int) -> Approval:
    body = Approval.body_of(name, bytes.fromhex(withdrawal.intent_digest), now_s)
    return Approval(body=body, sig=identity_sign(STAFF_SEEDS[name], digest(APPROVAL, body)))


@pytest.fixture
def funded(world: World) -> tuple[Client, Account]:
    """A client, and an account with 10 BTC."""
    client = world.client()
    account = client.create_account("user-1")
    world.fund(account.id, 10**9)
    return client, account


def ask(client: Client, account: Account, **changes: object) -> Withdrawal:
    asked: dict[str, object] = {
        "external_id": "payout-1",
        "account_id": account.id,
        "asset": "BTC",
        "address": PAYEE,
        "amount": "0.5",
        **changes,
    }
    return client.create_withdrawal(**asked)  # type: ignore[arg-type]


def test_a_payout_is_held_queued_and_found(funded: tuple[Client, Account]) -> None:
    client, account = funded
    asked = ask(client, account)
    assert (asked.status, asked.amount_units, asked.fee_units) == ("queued", 50_000_000, 500)
    assert client.withdrawal(asked.id) == client.withdrawal_of("payout-1") == asked
    assert client.list_withdrawals(status="queued").data == (asked,)
    (btc,) = client.balances(account.id).data
    assert (btc.total_units, btc.held_units) == (10**9, 50_000_500)
    types = [event.type for event in client.events().data]
    assert "withdrawal.queued" in types


def test_base_units_mean_the_same_as_decimals(funded: tuple[Client, Account]) -> None:
    client, account = funded
    asked = ask(client, account, amount=None, amount_units=50_000_000)
    assert asked.amount == "0.5"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": "10"}, 409, "withdrawal.insufficient_funds"),
        ({"amount": "0.00001"}, 422, "withdrawal.below_minimum"),
        ({"amount": "0.123456789"}, 422, "chain.codec"),
        ({"amount": "1e3"}, 422, "request.invalid"),
        ({"amount": "-1"}, 422, "request.invalid"),
        ({"amount": None}, 422, "withdrawal.amount_missing"),
        ({"amount_units": 5}, 422, "withdrawal.amount_missing"),
        ({"asset": "DOGE"}, 422, "asset.unknown"),
        ({"address": PAYEE[:-1] + "x"}, 422, "address.bad_checksum"),
        (
            {"address": "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"},
            422,
            "address.wrong_network",
        ),
        ({"address": "Bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"}, 422, "address.mixed_case"),
        ({"external_id": "with space"}, 422, "request.invalid"),
        ({"account_id": "00000000-0000-4000-8000-000000000000"}, 404, "account.not_found"),
    ],
)
def test_what_cannot_be_paid_is_refused_and_changes_nothing(
    funded: tuple[Client, Account], changes: dict[str, object], status: int, code: str
) -> None:
    client, account = funded
    before = client.health().last_event_seq
    with pytest.raises(ApiError) as refused:
        ask(client, account, **changes)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert client.list_withdrawals().data == ()
    assert client.health().last_event_seq == before
    assert client.balances(account.id).data[0].held_units == 0


def test_an_external_id_is_good_for_one_payout(funded: tuple[Client, Account]) -> None:
    client, account = funded
    asked = ask(client, account)
    with pytest.raises(ApiError) as refused:
        ask(client, account, amount="0.1")
    assert (refused.value.status, refused.value.code) == (409, "withdrawal.external_id_taken")
    assert refused.value.details == {"withdrawal_id": asked.id}


def test_a_cancelled_payout_gives_its_hold_back(funded: tuple[Client, Account]) -> None:
    client, account = funded
    asked = ask(client, account)
    assert client.cancel_withdrawal(asked.id, idempotency_key="cancel-1").status == "cancelled"
    assert client.cancel_withdrawal(asked.id, idempotency_key="cancel-1").status == "cancelled"
    assert client.balances(account.id).data[0].held_units == 0
    with pytest.raises(ApiError) as refused:
        client.cancel_withdrawal(asked.id)
    assert (refused.value.status, refused.value.code) == (409, "withdrawal.not_cancellable")


def test_a_large_payout_waits_for_two_people(world: World, funded: tuple[Client, Account]) -> None:
    client, account = funded
    asked = ask(client, account, amount="2")
    assert (asked.status, asked.approvals_required) == ("pending_approval", 2)
    now_s = world.clock.now_s()
    one = client.approve_withdrawal(asked.id, approval_of(asked, "alice", now_s))
    assert (one.status, one.approvals) == ("pending_approval", ("alice",))
    with pytest.raises(ApiError) as refused:
        client.approve_withdrawal(asked.id, approval_of(asked, "alice", now_s))
    assert refused.value.code == "approval.repeated"
    two = client.approve_withdrawal(asked.id, approval_of(asked, "bob", now_s))
    assert (two.status, two.approvals) == ("queued", ("alice", "bob"))


def test_an_approval_of_another_payout_is_refused(
    world: World, funded: tuple[Client, Account]
) -> None:
    client, account = funded
    asked = ask(client, account, amount="2")
    other = ask(client, account, amount="3", external_id="payout-2")
    with pytest.raises(ApiError) as refused:
        client.approve_withdrawal(asked.id, approval_of(other, "alice", world.clock.now_s()))
    assert refused.value.code == "approval.wrong_intent"
    with pytest.raises(ApiError) as refused:
        client.approve_withdrawal(asked.id, Approval(body=b"\xa0", sig=b"\x00" * 64))
    assert refused.value.code == "protocol.malformed"


def test_a_forged_approval_is_refused(world: World, funded: tuple[Client, Account]) -> None:
    client, account = funded
    asked = ask(client, account, amount="2")
    good = approval_of(asked, "alice", world.clock.now_s())
    with pytest.raises(ApiError) as refused:
        client.approve_withdrawal(asked.id, Approval(body=good.body, sig=b"\x05" * 64))
    assert refused.value.code == "approval.bad_signature"
    assert client.withdrawal(asked.id).approvals == ()


def test_an_answer_of_202_means_people_must_approve(
    world: World, funded: tuple[Client, Account]
) -> None:
    client, account = funded
    statuses = []
    hook = client._http.event_hooks
    client._http.event_hooks = {
        **hook,
        "response": [lambda response: statuses.append(response.status_code)],
    }
    ask(client, account, amount="0.5", external_id="payout-1")
    ask(client, account, amount="2", external_id="payout-2")
    assert statuses == [201, 202]
