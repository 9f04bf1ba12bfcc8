"""The API's own description turned against it: signed nonsense breaks and changes nothing."""

from collections import Counter
from typing import Any
from uuid import uuid4

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import func, literal, select, union_all

from chains.types import BlockRef, BlockScan, Evidence, Inflow
from signer.hosted import HostedKey, OpenedHostedKey, address_of, hosted_network, prove
from signer.protocol import dump
from tests.hosted_world import PUBLIC_KEY, SECRET, coin, script_of
from tests.integration.api.conftest import NETWORK, PAYEE, World
from tests.integration.api.test_api_auth import claims_for
from wallet.api.permissions import PERMISSIONS
from wallet.api.tokens import issue_token
from wallet.client import Credentials
from wallet.hosted_keys.coins import record_scan
from wallet.hosted_keys.totp import STEP_S, code_at
from wallet.store.schema import api_nonces, events, metadata

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 8
"""Requests for each route and kind of nonsense."""


def rows(world: World) -> list[tuple[str, int]]:
    """How many rows each table has, spent nonces aside, and the one event of a refusal."""
    tables = [table for table in metadata.sorted_tables if table is not api_nonces]
    counts = [select(literal(t.name), func.count()).select_from(t) for t in tables]
    counts[tables.index(events)] = counts[tables.index(events)].where(
        events.c.type != "hosted_key.locked"
    )
    with world.services.db.read() as tx:
        return sorted((row[0], row[1]) for row in tx.execute(union_all(*counts)))


def known_ids(world: World) -> dict[str, Any]:
    """Things that exist, so that nonsense around them gets further in."""
    client = world.client()
    account = client.create_account("user-1")
    world.fund(account.id, 10**12)
    address = client.create_address(account.id, NETWORK)
    withdrawal = client.create_withdrawal(
        external_id="payout-1", account_id=account.id, asset="BTC", address=PAYEE, amount="2"
    )
    key_id, payment_id = a_hosted_payment(world, account.id)
    payee = client.create_account("user-2")
    escrow = client.exchange.hold(
        external_id="trade-1",
        asset="BTC",
        payer_id=account.id,
        payee_id=payee.id,
        amount_units=10**6,
        deadline_s=world.clock.now_s() + 3600,
    )
    gateway = world.client()
    gateway.registered.open_gateway("zurich", "Zurich", gateway.transport._credentials.key_id)
    return {
        "gateway": "zurich",
        "gateway_id": "zurich",
        "account_id": account.id,
        "payer_id": account.id,
        "payee_id": payee.id,
        "escrow_id": escrow.id,
        "key_id": key_id,
        "payment_id": payment_id,
        "address_id": address.id,
        "withdrawal_id": withdrawal.id,
        "webhook_id": client.create_webhook("https://exchange.example/").id,
        "network": NETWORK,
        "asset": "BTC",
        "address": PAYEE,
    }


def a_hosted_payment(world: World, account_id: str) -> tuple[str, str]:
    """A hosted key with a payment prepared."""
    key = HostedKey(kid=str(uuid4()), network=NETWORK, public_key=PUBLIC_KEY, version=1)
    blob, seed, hosted = (
        dump({"format": "HK1", "rest": bytes(48)}),
        b"\x05" * 20,
        world.client().hosted,
    )
    address = address_of(hosted_network(NETWORK), PUBLIC_KEY)
    hosted.create(
        key_id=key.kid,
        account_id=account_id,
        network=NETWORK,
        public_key=PUBLIC_KEY,
        address=address,
        blob=blob,
        proof=prove(OpenedHostedKey(key, SECRET), key, blob),
        totp_secret=seed,
        totp_code=code_at(seed, world.clock.now_s() // STEP_S),
    )
    scan = BlockScan(
        ref=BlockRef(height=7, hash="77" * 32, parent="66" * 32, time_s=0),
        inflows=(
            Inflow(
                txid=coin(PUBLIC_KEY, 10**12).outpoint.txid,
                position="out:0",
                asset="BTC",
                target=script_of(address),
                units=10**12,
                evidence=Evidence.OUTPUT,
                raw_tx=coin(PUBLIC_KEY, 10**12).raw_tx,
            ),
        ),
        spends=(),
    )
    with world.services.db.write() as tx:
        record_scan(tx, NETWORK, scan)
    prepared = hosted.prepare(key.kid, asset="BTC", address=PAYEE, amount_units=10**6)
    return key.kid, prepared.id


def send(world: World, mine: Credentials, case: Case[Any]) -> requests.Response:
    """Send a generated request with a token that is good for it."""
    asked = requests.Request(**case.as_transport_kwargs(base_url=world.url)).prepare()
    body = asked.body or b""
    raw = body if isinstance(body, bytes) else str(body).encode()
    asked.headers["Authorization"] = "Bearer " + issue_token(
        mine.private_key, claims_for(mine, asked.path_url, raw)
    )
    with requests.Session() as session:
        session.trust_env = False
        return session.send(asked, timeout=30)


def aim(case: Case[Any], known: dict[str, Any]) -> None:
    """Put things that exist in place of generated names."""
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            part.update({name: known[name] for name in part if name in known})


def attack(
    world: World, operation: APIOperation[Any, Any, Any, Any], known: dict[str, Any]
) -> Counter[int]:
    """Send EXAMPLES requests; how many answers were 2xx, how many 4xx."""
    mine = world.credentials()
    answers: Counter[int] = Counter()
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, aimed=st.booleans())
    def run(case: Case[Any], aimed: bool) -> None:
        if aimed:
            aim(case, known)
        before = rows(world)
        response = send(world, mine, case)
        refused_as = response.json().get("error", {}).get("code", "")
        assert not refused_as.startswith("auth."), "the attack must get past the door"
        answers[response.status_code // 100] += 1
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            assert rows(world) == before
            assert set(response.json()["error"]) == {"code", "message", "details", "request_id"}

    run()
    return answers


def test_nothing_generated_from_the_description_breaks_the_api(world: World) -> None:
    schema = schemathesis.openapi.from_url(f"{world.url}/v1/openapi.json")
    known = known_ids(world)
    seen = set()
    answers: Counter[int] = Counter()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), "the description must be readable"
        operation = result.ok()
        seen.add(operation.definition.raw["operationId"])
        answers += attack(world, operation, known)
    assert seen == set(PERMISSIONS)
    assert min(answers[2], answers[4]) > len(seen), "both sides of the door were tried"


def test_no_path_answers_two_methods_to_an_empty_body(world: World) -> None:
    """A token does not name the method: it must not turn a question into a change."""
    schema = schemathesis.openapi.from_url(f"{world.url}/v1/openapi.json")
    without_body: dict[str, list[str]] = {}
    for path, methods in schema.raw_schema["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                without_body.setdefault(path, []).append(method)
    assert {len(methods) for methods in without_body.values()} == {1}
