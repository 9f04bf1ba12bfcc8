"""Every way in that is closed: one test for each refusal, each with its own code."""

import base64
import dataclasses
import json
import os

import httpx
import pytest

from tests.integration.api.conftest import START_S, World
from wallet.api.auth import (
    Admitted,
    BodyMismatch,
    KeyRevoked,
    NonceReplayed,
    Presented,
    TokenExpired,
    admit,
    enter,
    forget_nonces,
)
from wallet.api.keys import revoke_key
from wallet.api.permissions import PERMISSIONS, Scope
from wallet.api.tokens import Claims, body_hash, issue_token
from wallet.client import ApiError, Credentials


def claims_for(credentials: Credentials, uri: str, body: bytes = b"") -> Claims:
    return Claims(
        sub=credentials.key_id,
        uri=uri,
        nonce=os.urandom(16).hex(),
        iat=START_S,
        exp=START_S + 60,
        body_hash=body_hash(body),
    )


def ask(
    world: World, token: str | None, uri: str = "/v1/accounts", body: bytes = b""
) -> tuple[int, str]:
    """Status and error code of a request with this token."""
    headers = {"content-type": "application/json", "idempotency-key": "a-key-of-mine"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    method = "POST" if body else "GET"
    response = httpx.request(method, world.url + uri, headers=headers, content=body or None)
    content = response.json()
    assert response.headers["x-request-id"]
    if response.is_success:
        return response.status_code, ""
    assert content["error"]["request_id"] == response.headers["x-request-id"]
    return response.status_code, content["error"]["code"]


def test_a_good_token_gets_in_once(world: World) -> None:
    mine = world.credentials()
    token = issue_token(mine.private_key, claims_for(mine, "/v1/accounts"))
    assert ask(world, token) == (200, "")
    assert ask(world, token) == (401, "auth.nonce_replayed")


def test_without_a_token_nothing_is_said(world: World) -> None:
    assert ask(world, None) == (401, "auth.missing")
    response = httpx.get(world.url + "/v1/accounts", headers={"authorization": "Basic eDp5"})
    assert response.json()["error"]["code"] == "auth.missing"
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["x", "a.b.c", "....", "e30.e30.e30", "x" * 9000])
def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    assert ask(world, token) == (401, "auth.malformed")


def segment(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "EdDSA", "typ": "JWT", "crit": ["b64"], "b64": False},
        {"alg": "EdDSA", "kid": "../../key"},
        {"typ": "JWT"},
    ],
)
def test_only_eddsa_is_a_signature(world: World, header: dict[str, object]) -> None:
    mine = world.credentials()
    signed = issue_token(mine.private_key, claims_for(mine, "/v1/accounts"))
    payload, signature = signed.split(".")[1:]
    assert ask(world, f"{segment(header)}.{payload}.{signature}") == (401, "auth.malformed")


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "short"},
        {"nonce": "x" * 65},
        {"iat": "now"},
        {"iat": True},
        {"exp": -1},
        {"bodyHash": "00"},
        {"sub": 7},
        {"admin": True},
        {"uri": ""},
    ],
)
def test_claims_are_exactly_those_we_know(world: World, change: dict[str, object]) -> None:
    mine = world.credentials()
    head, payload, signature = issue_token(
        mine.private_key, claims_for(mine, "/v1/accounts")
    ).split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    token = f"{head}.{segment({**content, **change})}.{signature}"
    assert ask(world, token) == (401, "auth.malformed")


def test_an_unknown_key_is_refused(world: World) -> None:
    nobody = dataclasses.replace(world.credentials(), key_id="00000000-0000-4000-8000-000000000000")
    token = issue_token(nobody.private_key, claims_for(nobody, "/v1/accounts"))
    assert ask(world, token) == (401, "auth.unknown_key")


def test_another_keys_signature_is_refused(world: World) -> None:
    mine, other = world.credentials(), world.credentials()
    token = issue_token(other.private_key, claims_for(mine, "/v1/accounts"))
    assert ask(world, token) == (401, "auth.bad_signature")


def test_a_revoked_key_is_refused(world: World) -> None:
    mine = world.credentials()
    with world.services.db.write() as tx:
        revoke_key(tx, mine.key_id, START_S)
    token = issue_token(mine.private_key, claims_for(mine, "/v1/accounts"))
    assert ask(world, token) == (401, "auth.revoked_key")


@pytest.mark.parametrize(
    ("iat", "exp", "code"),
    [
        (START_S - 60, START_S, "auth.expired"),
        (START_S + 6, START_S + 66, "auth.not_yet_valid"),
        (START_S, START_S + 61, "auth.lifetime"),
        (START_S + 5, START_S + 5, "auth.lifetime"),
    ],
)
def test_a_token_lives_a_minute_at_most(world: World, iat: int, exp: int, code: str) -> None:
    mine = world.credentials()
    claims = dataclasses.replace(claims_for(mine, "/v1/accounts"), iat=iat, exp=exp)
    assert ask(world, issue_token(mine.private_key, claims)) == (401, code)


@pytest.mark.parametrize(
    ("signed", "sent"),
    [
        ("/v1/accounts", "/v1/accounts?limit=1"),
        ("/v1/accounts?limit=1", "/v1/accounts?limit=2"),
        ("/v1/deposits", "/v1/accounts"),
        ("/v1/accounts", "/v1/%61ccounts"),
    ],
)
def test_a_token_is_for_one_path_and_query(world: World, signed: str, sent: str) -> None:
    mine = world.credentials()
    token = issue_token(mine.private_key, claims_for(mine, signed))
    assert ask(world, token, sent) == (401, "auth.uri_mismatch")


def test_a_token_is_for_one_body(world: World) -> None:
    mine = world.credentials()
    signed, sent = b'{"external_id": "a"}', b'{"external_id": "b"}'
    token = issue_token(mine.private_key, claims_for(mine, "/v1/accounts", signed))
    assert ask(world, token, body=sent) == (401, "auth.body_mismatch")


def test_a_key_may_be_bound_to_addresses(world: World) -> None:
    assert world.client(ranges=("127.0.0.0/8", "10.0.0.0/8")).list_accounts().data == ()
    with pytest.raises(ApiError) as refused:
        world.client(ranges=("10.0.0.0/8",)).list_accounts()
    assert (refused.value.status, refused.value.code) == (403, "auth.address_refused")


def test_a_key_does_only_what_its_scopes_say(world: World) -> None:
    client = world.client(scopes=("accounts:read",))
    assert client.list_accounts().data == ()
    with pytest.raises(ApiError) as refused:
        client.create_account("user-1")
    assert (refused.value.status, refused.value.code) == (403, "auth.scope_missing")
    assert refused.value.details == {"scope": "accounts:write"}


def test_a_refused_request_is_not_parsed(world: World) -> None:
    mine = world.credentials(scopes=("accounts:read",))
    token = issue_token(mine.private_key, claims_for(mine, "/v1/accounts", b"{not json"))
    assert ask(world, token, body=b"{not json") == (403, "auth.scope_missing")


def test_spent_nonces_are_forgotten_only_when_their_token_is_dead(world: World) -> None:
    mine = world.credentials()
    token = issue_token(mine.private_key, claims_for(mine, "/v1/accounts"))
    assert ask(world, token) == (200, "")
    world.clock.time_s = START_S + 59
    forget_nonces(world.services.db, world.clock.now_s())
    assert ask(world, token) == (401, "auth.nonce_replayed")
    world.clock.time_s = START_S + 61
    forget_nonces(world.services.db, world.clock.now_s())
    assert ask(world, token) == (401, "auth.expired")


def test_every_scope_opens_some_route() -> None:
    assert set(Scope) == {scope for scope in PERMISSIONS.values() if scope is not None}


def admitted(world: World, mine: Credentials, body: bytes = b"{}") -> Admitted:
    """A request let in before its body was read."""
    token = issue_token(mine.private_key, claims_for(mine, "/v1/settlements", body))
    presented = Presented(
        authorization=f"Bearer {token}", uri="/v1/settlements", body=b"", peer="127.0.0.1"
    )
    return admit(world.services.db, world.clock, presented, Scope.SETTLEMENTS_WRITE)


def test_what_ends_while_a_large_body_is_read_is_seen(world: World) -> None:
    db, mine = world.services.db, world.credentials()
    first, second, third = (admitted(world, mine) for _ in range(3))
    assert enter(db, world.clock, first, b"{}").id == mine.key_id
    with pytest.raises(NonceReplayed):
        enter(db, world.clock, first, b"{}")
    with pytest.raises(BodyMismatch):
        enter(db, world.clock, second, b"[]")
    world.clock.time_s += 60
    with pytest.raises(TokenExpired):
        enter(db, world.clock, second, b"{}")
    world.clock.time_s -= 60
    with db.write() as tx:
        revoke_key(tx, mine.key_id, START_S)
    with pytest.raises(KeyRevoked):
        enter(db, world.clock, third, b"{}")


def test_who_asks_need_not_wait_for_who_writes(world: World) -> None:
    """SQLite has one writer whatever is written."""
    if world.services.db.dialect == "sqlite":
        return
    asked = admitted(world, world.credentials())
    with world.services.db.write():
        enter(world.services.db, world.clock, asked, b"{}")
