"""/v1/settlements: thousands of transfers in one call, JSON or MessagePack."""

import json
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from tests.integration.api.conftest import World
from tests.integration.api.test_api_auth import claims_for
from wallet.api.route import BODY_BYTES_MAX
from wallet.api.tokens import issue_token
from wallet.client import ApiError, Client, Credentials
from wallet.settlements.wire import JSON, MSGPACK, SettlementOrder, TransferOrder

PATH = "/v1/settlements"
MANY = 10_000


@pytest.fixture
def client(world: World) -> Client:
    return world.client()


@pytest.fixture
def pair(world: World, client: Client) -> tuple[str, str]:
    """Ann with 1,000,000 units in spot, and Bob."""
    ann, bob = (client.create_account(name).id for name in ("ann", "bob"))
    world.fund(ann, 1_000_000)
    return ann, bob


def pay(pair: tuple[str, str], units: int, id: str = "") -> TransferOrder:
    return TransferOrder(
        id=id or str(uuid4()),
        debit_account_id=pair[0],
        credit_account_id=pair[1],
        credit_sub_account="margin",
        asset="BTC",
        units=str(units),
    )


def margin_units(client: Client, account_id: str) -> int:
    return sum(part.available_units for part in client.balances(account_id).sub_accounts)


def send(
    world: World, mine: Credentials, body: bytes, media_type: str, signed: bytes | None = None
) -> httpx.Response:
    """A request as any client makes it."""
    claims = claims_for(mine, PATH, body if signed is None else signed)
    headers = {
        "Authorization": "Bearer " + issue_token(mine.private_key, claims),
        "Content-Type": media_type,
    }
    with httpx.Client(base_url=world.url, trust_env=False, timeout=60) as http:
        return http.post(PATH, content=body, headers=headers)


def test_posted_once_and_read_again(client: Client, pair: tuple[str, str]) -> None:
    asked = [pay(pair, 600_000), pay(pair, 600_000), pay(pair, 400_000)]
    done = client.exchange.settle(external_id="s-1", transfers=asked)
    assert done.results == ("ok", "insufficient_funds", "ok")
    assert (done.status, done.posted_count, done.repeated) == ("partly_posted", 2, False)
    assert (done.height > 0, len(bytes.fromhex(done.state_hash))) == (True, 32)
    assert margin_units(client, pair[1]) == 1_000_000
    again = client.exchange.settle(external_id="s-1", transfers=asked)
    assert (again.repeated, again.height, again.state_hash) == (True, done.height, done.state_hash)
    assert again.results == ("exists", "refused_before", "exists")
    found = client.exchange.settlement_of("s-1")
    assert (found.height, found.state_hash) == (done.height, done.state_hash)
    assert margin_units(client, pair[1]) == 1_000_000


def test_money_that_came_another_way_is_seen_at_once(
    world: World, client: Client, pair: tuple[str, str]
) -> None:
    """A deposit is credited between two settlements; the second one spends it."""
    assert client.exchange.settle(external_id="s-1", transfers=[pay(pair, 1_000_000)]).height
    second = [pay(pair, 5)]
    refused = client.exchange.settle(external_id="s-2", transfers=second)
    assert refused.results == ("insufficient_funds",)
    world.fund(pair[0], 5)
    assert client.exchange.settle(external_id="s-2", transfers=second).results == ("ok",)


def test_all_or_nothing(client: Client, pair: tuple[str, str]) -> None:
    asked = [pay(pair, 600_000), pay(pair, 600_000)]
    refused = client.exchange.settle(external_id="s-1", transfers=asked, mode="atomic")
    assert (refused.status, refused.height) == ("refused", 0)
    assert refused.results == ("linked_failed", "insufficient_funds")
    assert margin_units(client, pair[1]) == 0


@pytest.mark.parametrize("media_type", [JSON, JSON + "; charset=utf-8", MSGPACK])
def test_it_answers_in_the_encoding_it_is_asked_in(
    world: World, pair: tuple[str, str], media_type: str
) -> None:
    order = SettlementOrder(external_id="s-1", mode="atomic", transfers=[pay(pair, 5)])
    packed = media_type == MSGPACK
    body = msgspec.msgpack.encode(order) if packed else msgspec.json.encode(order)
    answer = send(world, world.credentials(), body, media_type)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(MSGPACK if packed else JSON)
    found = msgspec.msgpack.decode(answer.content) if packed else answer.json()
    assert found["results"] == ["ok"]


def test_thousands_in_one_call(world: World, client: Client, pair: tuple[str, str]) -> None:
    ids = [str(UUID(int=n + 1)) for n in range(MANY)]
    asked = [pay(pair, 1, id) for id in ids]
    order = SettlementOrder(external_id="s-1", mode="best_effort", transfers=asked)
    body = msgspec.json.encode(order)
    assert len(body) > 20 * BODY_BYTES_MAX
    answer = send(world, world.credentials(("settlements:write",)), body, JSON)
    assert (answer.status_code, answer.json()["posted_count"]) == (200, MANY)
    assert margin_units(client, pair[1]) == MANY


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"mode": "most"}, 422, "settlement.malformed"),
        ({"transfers": []}, 422, "settlement.malformed"),
    ],
)
def test_a_body_that_is_no_settlement_is_refused(
    world: World, pair: tuple[str, str], change: dict[str, object], status: int, code: str
) -> None:
    order = {"external_id": "s", "mode": "atomic", "transfers": [msgspec.to_builtins(pay(pair, 1))]}
    answer = send(world, world.credentials(), json.dumps(order | change).encode(), JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_another_encoding_is_refused(world: World) -> None:
    answer = send(world, world.credentials(), b"x", "text/plain")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "settlement.media_type")


def test_an_external_id_names_one_settlement(client: Client, pair: tuple[str, str]) -> None:
    client.exchange.settle(external_id="s-1", transfers=[pay(pair, 1)])
    with pytest.raises(ApiError) as refused:
        client.exchange.settle(external_id="s-1", transfers=[pay(pair, 1)])
    assert (refused.value.status, refused.value.code) == (409, "settlement.external_id_taken")
    with pytest.raises(ApiError) as refused:
        client.exchange.settlement_of("s-2")
    assert (refused.value.status, refused.value.code) == (404, "settlement.not_found")


def test_only_a_key_with_the_scope_settles(world: World, pair: tuple[str, str]) -> None:
    other = world.client(("transfers:write", "settlements:read")).exchange
    with pytest.raises(ApiError) as refused:
        other.settle(external_id="s-1", transfers=[pay(pair, 1)])
    assert refused.value.code == "auth.scope_missing"


def test_the_body_is_signed(world: World, pair: tuple[str, str]) -> None:
    order = SettlementOrder(external_id="s", mode="atomic", transfers=[pay(pair, 1)])
    body = msgspec.json.encode(order)
    answer = send(world, world.credentials(), body.replace(b'"1"', b'"9"'), JSON, signed=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "auth.body_mismatch")


@pytest.mark.parametrize(
    ("scopes", "ranges", "code"),
    [
        (None, (), "auth.unknown_key"),
        (("accounts:read",), (), "auth.scope_missing"),
        (("all",), ("10.0.0.0/8",), "auth.address_refused"),
    ],
)
def test_nobody_else_makes_us_hold_megabytes(
    world: World, scopes: tuple[str, ...] | None, ranges: tuple[str, ...], code: str
) -> None:
    """The answer comes before the body is sent: half of it is enough to be refused."""
    mine = Credentials(url=world.url, key_id=str(uuid4()), private_key=b"\x01" * 32)
    if scopes is not None:
        mine = world.credentials(scopes, ranges)
    body = b" " * 1_000_000
    token = issue_token(mine.private_key, claims_for(mine, PATH, body))
    found = refused_before_the_body(world, token, len(body))
    assert found == code


def refused_before_the_body(world: World, token: str, length: int) -> str:
    """The error's code, with only the head of a request sent."""
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(world.url)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {JSON}\r\nContent-Length: {length}\r\n\r\n"
    )
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=60) as line:
        line.sendall(head.encode())
        got = b""
        while b'"request_id"' not in got:
            part = line.recv(65536)
            assert part, got
            got += part
    return str(json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"])


def test_the_description_shows_both_encodings(world: World) -> None:
    described = httpx.get(world.url + "/v1/openapi.json", trust_env=False).json()
    content = described["paths"][PATH]["post"]["requestBody"]["content"]
    assert set(content) == {JSON, MSGPACK}
    items = content[JSON]["schema"]["properties"]["transfers"]["items"]
    assert set(items["properties"]) >= {"id", "kind", "debit_account_id", "units", "linked"}
