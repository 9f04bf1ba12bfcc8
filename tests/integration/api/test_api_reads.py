"""Deposits, treasury requests and events as the API shows them; and the shape of every error."""

import json
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from chains.errors import InvariantError, NodeUnavailable
from signer.protocol import APPROVAL, Approval, Intent, Payee, Purpose, digest, identity_sign
from tests.integration.api.conftest import NETWORK, PAYEE, STAFF_SEEDS, START_S, World
from tests.integration.api.test_api_auth import claims_for
from wallet import pauses
from wallet.api.route import BODY_BYTES_MAX
from wallet.api.tokens import issue_token
from wallet.client import ApiError, Client
from wallet.client.types import Address
from wallet.deposits.scanned.stops import GAP, set_stop
from wallet.events import append_event, event_hash
from wallet.ledger import chart
from wallet.ledger.posting import post_batch, single
from wallet.store.errors import StoreBusy
from wallet.store.schema import blocks, deposits, treasury_requests

TXID = "ab" * 32


def put_deposit(world: World, address: Address, position: str, units: int, status: str) -> str:
    deposit_id = str(uuid4())
    row = {
        "id": deposit_id,
        "account_id": address.account_id,
        "address_id": address.id,
        "network": NETWORK,
        "asset": "BTC",
        "txid": TXID,
        "position": position,
        "units": units,
        "evidence": "output",
        "status": status,
        "sub_status": "",
        "height": 98,
        "block_hash": "cd" * 32,
        "confirmations_required": 3,
        "seen_s": START_S,
        "since_s": START_S,
    }
    with world.services.db.write() as tx:
        tx.execute(insert(deposits).values(row))
    return deposit_id


def put_block(world: World, height: int) -> None:
    with world.services.db.write() as tx:
        row = {"network": NETWORK, "height": height, "hash": "00" * 32, "parent": "00" * 32}
        tx.execute(insert(blocks).values(row | {"time_s": START_S, "scanned_s": START_S}))


def test_deposits_show_amount_evidence_and_confirmations(world: World) -> None:
    client = world.client()
    account = client.create_account("user-1")
    address = client.create_address(account.id, NETWORK)
    first = put_deposit(world, address, "out:0", 150_000_000, "confirming")
    second = put_deposit(world, address, "out:1", 10, "below_minimum")
    put_block(world, 99)
    found = client.deposit(first)
    assert (found.amount, found.amount_units, found.evidence) == ("1.5", 150_000_000, "output")
    assert (found.confirmations, found.confirmations_required) == (2, 3)
    assert found.address == address.address
    assert {deposit.id for deposit in client.list_deposits(txid=TXID).data} == {first, second}
    assert [d.id for d in client.list_deposits(status="below_minimum").data] == [second]
    assert client.list_deposits(asset="LTC").data == ()
    (btc,) = client.balances(account.id).data
    assert (btc.incoming_units, btc.total_units) == (150_000_000, 0)


def test_health_is_ok_when_the_scan_follows(world: World) -> None:
    put_block(world, 99)
    health = world.client().health()
    assert (health.status, health.networks[0].lag_blocks) == ("ok", 1)
    world.chain.height = 104
    world.clock.time_s += 10
    health = world.client().health()
    assert (health.status, health.networks[0].status) == ("degraded", "behind")


def test_a_health_question_is_not_a_question_to_the_node_each_time(world: World) -> None:
    client = world.client()
    assert client.health().networks[0].node_height == 100
    world.chain.height = 101
    assert client.health().networks[0].node_height == 100
    world.clock.time_s += 2
    assert client.health().networks[0].node_height == 101


def put_treasury_request(world: World) -> Intent:
    intent = Intent(
        intent_id=str(uuid4()),
        purpose=Purpose.REFILL,
        network=NETWORK,
        asset="BTC",
        source="bitcoin-cold",
        payees=(Payee(address=PAYEE, units=5 * 10**8),),
        fee_units_max=10_000,
        requester="treasury:automatic",
        created_s=START_S,
        expires_s=START_S + 3600,
    )
    row = {
        "id": intent.intent_id,
        "purpose": "refill",
        "network": NETWORK,
        "asset": "BTC",
        "units": 5 * 10**8,
        "status": "requested",
        "sub_status": "",
        "intent": intent.encode(),
        "intent_digest": intent.digest,
        "approvals_required": 2,
        "requester": intent.requester,
        "created_s": START_S,
        "updated_s": START_S,
        "since_s": START_S,
        "expires_s": START_S + 3600,
    }
    with world.services.db.write() as tx:
        tx.execute(insert(treasury_requests).values(row))
    return intent


def approve(client: Client, intent: Intent, name: str) -> str:
    body = Approval.body_of(name, intent.digest, START_S)
    signature = identity_sign(STAFF_SEEDS[name], digest(APPROVAL, body))
    approval = Approval(body=body, sig=signature)
    return client.approve_treasury_request(intent.intent_id, approval).status


def test_staff_approve_what_the_intent_says(world: World) -> None:
    client = world.client()
    intent = put_treasury_request(world)
    shown = client.treasury_request(intent.intent_id)
    assert Intent.decode(bytes.fromhex(shown.intent)) == intent
    assert client.list_treasury_requests(status="requested").data == (shown,)
    assert approve(client, intent, "alice") == "requested"
    assert approve(client, intent, "bob") == "approved"
    assert client.treasury_request(intent.intent_id).approvals == ("alice", "bob")


def test_events_come_in_order_and_prove_that_none_is_missing(world: World) -> None:
    with world.services.db.write() as tx:
        for number in range(5):
            append_event(tx, "deposit.seen", f"d{number}", {"amount_units": str(number)}, START_S)
    client = world.client()
    first = client.events(limit=2)
    rest = client.events(after=first.next_after)
    assert [event.seq for event in first.data + rest.data] == [1, 2, 3, 4, 5]
    assert client.events(after=5).next_after == 5
    previous = b"\x00" * 32
    for event in first.data + rest.data:
        body = json.dumps(event.body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = event_hash(
            previous,
            seq=event.seq,
            created_s=event.created_s,
            type=event.type,
            subject=event.subject,
            body=body,
        )
        assert previous.hex() == event.hash


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client, nothing: client.account(nothing), "account.not_found"),
        (lambda client, nothing: client.account_of("nobody"), "account.not_found"),
        (lambda client, nothing: client.address(nothing), "address.not_found"),
        (lambda client, nothing: client.balances(nothing), "account.not_found"),
        (lambda client, nothing: client.deposit(nothing), "deposit.not_found"),
        (lambda client, nothing: client.withdrawal(nothing), "withdrawal.not_found"),
        (lambda client, nothing: client.withdrawal_of("nothing"), "withdrawal.not_found"),
        (lambda client, nothing: client.cancel_withdrawal(nothing), "withdrawal.not_found"),
        (lambda client, nothing: client.treasury_request(nothing), "treasury.not_found"),
        (lambda client, nothing: client.webhook(nothing), "webhook.not_found"),
        (lambda client, nothing: client.webhook_secret(nothing), "webhook.not_found"),
        (lambda client, nothing: client.pause_webhook(nothing), "webhook.not_found"),
        (lambda client, nothing: client.webhook_deliveries(nothing), "webhook.not_found"),
    ],
)
def test_what_does_not_exist_says_so(world: World, ask: object, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        ask(world.client(), str(uuid4()))  # type: ignore[operator]
    assert (refused.value.status, refused.value.code) == (404, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{not json", 422, "request.invalid"),
        (b"\xff\xff", 400, "request.malformed"),
        (b"[" * 30_000, 422, "request.too_deep"),
        (b'{"external_id": "\\"' + b"[" * 99 + b'"}', 422, "request.invalid"),
        (b'{"external_id": ' + b"9" * 5_000 + b"}", 400, "request.malformed"),
        (b'{"external_id": 5}', 422, "request.invalid"),
        (b'{"external_id": "a", "\\ud800": 1}', 422, "request.invalid"),
        (b'{"external_id": "\\ud800"}', 422, "request.invalid"),
        (b'{"external_id": "a\\u0000"}', 422, "request.invalid"),
        (b'{"external_id": NaN}', 422, "request.invalid"),
        (b"null", 422, "request.invalid"),
        (b"x" * (BODY_BYTES_MAX + 1), 413, "request.too_large"),
    ],
)
def test_no_body_breaks_the_server(world: World, body: bytes, status: int, code: str) -> None:
    mine = world.credentials()
    response = httpx.post(
        world.url + "/v1/accounts",
        content=body,
        headers={
            "authorization": "Bearer "
            + issue_token(mine.private_key, claims_for(mine, "/v1/accounts", body)),
            "content-type": "application/json",
            "idempotency-key": "a-key-of-mine",
        },
    )
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_unknown_paths_and_methods_have_the_same_error_shape(world: World) -> None:
    for method, path, status, code in [
        ("GET", "/v1/nothing", 404, "request.no_such_route"),
        ("GET", "/", 404, "request.no_such_route"),
        ("DELETE", "/v1/accounts", 405, "request.method_not_allowed"),
        ("GET", "/v1/accounts/", 404, "request.no_such_route"),
    ]:
        response = httpx.request(method, world.url + path)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("a secret"), 500, "internal"),
        (InvariantError("a secret"), 500, "internal"),
        (NodeUnavailable("http://user:a secret@node"), 503, "node.unavailable"),
        (StoreBusy("try again"), 503, "store.busy"),
        (OperationalError("a secret", {}, Exception()), 503, "service.unavailable"),
    ],
)
def test_what_fails_on_our_side_says_so_and_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def fail(text: str) -> None:
        raise error

    client = world.client()
    account = client.create_account("user-1")
    monkeypatch.setattr(world.chain, "destination", fail)
    with pytest.raises(ApiError) as refused:
        client.create_withdrawal(
            external_id="p", account_id=account.id, asset="BTC", address=PAYEE, amount="1"
        )
    assert (refused.value.status, refused.value.code) == (status, code)
    assert "secret" not in str(refused.value)
    assert client.list_withdrawals().data == ()


def test_paused_withdrawals_show_beside_the_asset_and_in_health(world: World) -> None:
    put_block(world, 99)
    client = world.client()
    assert not client.assets()[0].withdrawals_paused
    assert client.health().networks[0].withdrawals_paused == ()
    with world.services.db.write() as tx:
        pauses.pause(tx, pauses.Scope.ASSET, "BTC", "node looks odd", "anna", 1)
    (btc,) = [asset for asset in client.assets() if asset.asset == "BTC"]

    assert btc.withdrawals_paused
    assert btc.withdrawals_paused_reasons == ("node looks odd",)
    assert client.health().networks[0].withdrawals_paused == ("BTC",)


def test_a_scan_that_stands_still_shows_in_health(world: World) -> None:
    put_block(world, 99)
    with world.services.db.write() as tx:
        set_stop(tx, NETWORK, GAP, "blocks_missing 5-7", 1)
    health = world.client().health()

    assert (health.status, health.networks[0].status) == ("degraded", "stopped")


def test_health_estimates_when_a_scan_will_have_caught_up(world: World) -> None:
    for height in range(80, 91):
        put_block(world, height)
    world.clock.time_s += 20
    (network,) = world.client().health().networks

    assert (network.lag_blocks, network.estimate_s) == (10, 20)


def test_what_a_user_owes_after_a_reversal_shows_in_the_balance(world: World) -> None:
    client = world.client()
    account = client.create_account("debtor")
    with world.services.db.write() as tx:
        owed = single(chart.receivable(account.id), chart.HOT, "BTC", 4_000)
        post_batch(tx, "reversed", [owed], 1)
    (btc,) = client.balances(account.id).data

    assert (btc.owed, btc.owed_units, btc.total_units) == ("0.00004", 4_000, 0)


def test_runway_and_quarantine_are_readable(world: World) -> None:
    client = world.client()
    (btc,) = client.runways()

    assert (btc.asset, btc.hours, btc.is_low) == ("BTC", None, False)
    assert client.quarantined_coins() == ()
