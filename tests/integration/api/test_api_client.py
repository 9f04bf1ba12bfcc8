"""The client: what it makes of answers, of none, and of its own credentials."""

import json
from itertools import chain
from pathlib import Path

import httpx
import pytest

from tests.integration.api.conftest import SetClock, World
from wallet.client import (
    ApiError,
    Client,
    Credentials,
    NoAnswer,
    UnexpectedAnswer,
    connect,
    load_credentials,
    write_credentials,
)
from wallet.client.decoding import decode
from wallet.client.errors import CredentialsBad
from wallet.client.exchange import ExchangeCalls
from wallet.client.hosted import HostedKeyCalls
from wallet.client.ledger import LedgerCalls
from wallet.client.registered import RegisteredAssetCalls
from wallet.client.transport import Transport
from wallet.client.types import Account, Page

MINE = Credentials(url="http://127.0.0.1:1", key_id="k", private_key=b"\x01" * 32)


def client_over(handler: httpx.MockTransport) -> Client:
    http = httpx.Client(base_url="http://api.example", transport=handler)
    return Client(http, Transport(http, MINE, SetClock(), lambda count: b"\x02" * count))


def test_credentials_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    write_credentials(path, MINE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_credentials(path) == MINE
    assert MINE.private_key.hex() not in repr(MINE)
    with pytest.raises(CredentialsBad):
        write_credentials(path, MINE)
    path.chmod(0o640)
    with pytest.raises(CredentialsBad):
        load_credentials(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"url": "x", "key_id": "k", "private_key": "zz"}),
        json.dumps({"url": "x", "key_id": "k", "private_key": "00"}),
        json.dumps({"url": "x", "key_id": "k", "private_key": 5}),
        json.dumps({"url": "x", "key_id": "k", "private_key": "00" * 32, "more": 1}),
    ],
)
def test_another_file_is_no_credentials(tmp_path: Path, content: str) -> None:
    path = tmp_path / "credentials.json"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(CredentialsBad):
        load_credentials(path)


def test_no_answer_carries_the_key_for_the_next_try(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    write_credentials(path, MINE)
    with connect(path) as client, pytest.raises(NoAnswer) as lost:
        client.create_account("user-1", idempotency_key="my-own-key")
    assert lost.value.idempotency_key == "my-own-key"


def test_a_lost_answer_is_had_by_asking_again(world: World) -> None:
    """The server acts, the line dies, the client repeats: one account, the same answer."""
    client = world.client()
    real = client._http._transport

    class Lossy(httpx.BaseTransport):
        lost = False

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = real.handle_request(request)
            if not Lossy.lost:
                Lossy.lost = True
                raise httpx.ReadError("the line died")
            return response

    client._http._transport = Lossy()
    with pytest.raises(NoAnswer) as lost:
        client.create_account("user-1")
    account = client.create_account("user-1", idempotency_key=lost.value.idempotency_key)
    assert client.list_accounts().data == (account,)


def test_another_server_is_not_believed() -> None:
    for status, content in [(200, "<html>"), (502, "<html>"), (400, "{}"), (200, "[]")]:
        handler = httpx.MockTransport(lambda _, s=status, c=content: httpx.Response(s, text=c))
        with pytest.raises(UnexpectedAnswer):
            client_over(handler).account("00000000-0000-4000-8000-000000000000")


def test_an_id_cannot_become_another_route() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        error = {"code": "x", "message": "x", "details": {}, "request_id": "x"}
        return httpx.Response(404, json={"error": error})

    with pytest.raises(ApiError):
        client_over(httpx.MockTransport(answer)).account("../webhooks?x=1")
    assert asked == [b"/v1/accounts/..%2Fwebhooks%3Fx%3D1"]


def test_answers_become_records_and_newer_fields_are_ignored() -> None:
    item = {"id": "1", "external_id": "u", "created_s": 5, "colour": "blue"}
    page = decode(Page[Account], {"data": [item], "next_cursor": None, "more": 1})
    assert page.data == (Account(id="1", external_id="u", created_s=5),)
    for broken in [{}, {**item, "id": 5}, {**item, "created_s": "x"}, {**item, "created_s": True}]:
        with pytest.raises(UnexpectedAnswer):
            decode(Account, broken)


def test_the_client_has_a_method_for_every_route(world: World) -> None:
    """Each client method calls one route; together they are all of them.

    Only registering an asset has a method for each of its two types.
    """
    paths = httpx.get(world.url + "/v1/openapi.json").json()["paths"]
    routes = sum(len(methods) for methods in paths.values())
    parts = {
        "hosted": HostedKeyCalls,
        "ledger": LedgerCalls,
        "exchange": ExchangeCalls,
        "registered": RegisteredAssetCalls,
    }
    names = [*(set(vars(Client)) - {"close", *parts}), *chain(*map(vars, parts.values()))]
    methods = [name for name in names if not name.startswith("_")]
    methods.remove("register_physical")
    assert len(methods) == routes
