"""The JSON-RPC client: every failure is a typed error, and nothing is read without limits."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import BroadcastUnknown, NodeUnavailable, UnexpectedAnswer
from chains.evm import deep_json, node
from chains.evm.broadcasting import send
from chains.evm.node import EvmNode, MethodMissing, RpcRefused
from chains.evm.transactions import txid_of
from chains.types import BroadcastOutcome, TxSighting, TxState

RAW = b"\x02\xc0"


def node_saying(answer: httpx.Response | Exception) -> EvmNode:
    def reply(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return EvmNode("http://node/secret", transport=httpx.MockTransport(reply))


def result(value: object) -> httpx.Response:
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": value})


def error(code: object, words: object = "") -> httpx.Response:
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": words}}
    return httpx.Response(200, json=body)


def test_a_call_carries_method_and_parameters() -> None:
    seen: list[object] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        return httpx.Response(200, json={"id": len(seen), "result": "0x1"})

    client = EvmNode("http://node", transport=httpx.MockTransport(reply))

    assert ["0x1", "0x1"] == [client.call("a", 1, "x"), client.call("b")]
    assert [
        {"jsonrpc": "2.0", "id": 1, "method": "a", "params": [1, "x"]},
        {"jsonrpc": "2.0", "id": 2, "method": "b", "params": []},
    ] == seen


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.ConnectError("secret"), NodeUnavailable),
        (httpx.ReadTimeout("secret"), NodeUnavailable),
        (httpx.RemoteProtocolError("secret"), NodeUnavailable),
        (httpx.Response(503, text="secret"), NodeUnavailable),
        (httpx.Response(429), NodeUnavailable),
        (httpx.Response(401), UnexpectedAnswer),
        (httpx.Response(200, text="<html>secret"), UnexpectedAnswer),
        (httpx.Response(200, content=b"\xff\xfe"), UnexpectedAnswer),
        (httpx.Response(200, json=[]), UnexpectedAnswer),
        (httpx.Response(200, json={"id": 2, "result": 1}), UnexpectedAnswer),
        (httpx.Response(200, json={"id": 1}), UnexpectedAnswer),
        (httpx.Response(200, json={"id": 1, "error": "no"}), UnexpectedAnswer),
        (error("x"), UnexpectedAnswer),
        (error(-32601, "no such method"), MethodMissing),
        (error(-32004), MethodMissing),
        (error(3, "execution reverted"), RpcRefused),
        (httpx.Response(500, json={"id": 1, "error": {"code": -32000}}), RpcRefused),
    ],
)
def test_every_failure_has_its_type(
    answer: httpx.Response | Exception, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        node_saying(answer).call("eth_x")

    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)


def test_an_endless_answer_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "ANSWER_BYTES_MAX", 10)

    with pytest.raises(UnexpectedAnswer):
        node_saying(result("x" * 100)).call("eth_x")


def looking(state: TxState | Exception) -> object:
    def look(txid: str) -> TxSighting:
        if isinstance(state, Exception):
            raise state
        return TxSighting(txid=txid, state=state)

    return look


@pytest.mark.parametrize(
    ("answer", "state", "outcome", "reason"),
    [
        (result(txid_of(RAW)), TxState.UNKNOWN, BroadcastOutcome.ACCEPTED, ""),
        (error(-32000, "already known"), TxState.UNKNOWN, BroadcastOutcome.ALREADY_KNOWN, ""),
        (error(-32000, "nonce too low"), TxState.MINED, BroadcastOutcome.ALREADY_KNOWN, ""),
        (
            error(-32000, "nonce too low: next nonce 5, tx nonce 4"),
            TxState.UNKNOWN,
            BroadcastOutcome.REJECTED,
            "nonce_too_low",
        ),
        (
            error(-32000, "replacement transaction underpriced"),
            TxState.MEMPOOL,
            BroadcastOutcome.ALREADY_KNOWN,
            "",
        ),
        (
            error(-32000, "insufficient funds for gas * price + value"),
            TxState.UNKNOWN,
            BroadcastOutcome.REJECTED,
            "insufficient_funds",
        ),
    ],
)
def test_a_broadcast_has_a_definite_answer(
    answer: httpx.Response, state: TxState, outcome: BroadcastOutcome, reason: str
) -> None:
    got = send(node_saying(answer), RAW, looking(state))  # type: ignore[arg-type]

    assert (outcome, reason, txid_of(RAW)) == (got.outcome, got.reason, got.txid)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (httpx.ReadTimeout("x"), TxState.UNKNOWN),
        (httpx.Response(502), TxState.UNKNOWN),
        (result("0x" + "12" * 32), TxState.UNKNOWN),
        (result(None), TxState.UNKNOWN),
        (error(-32603, "internal error"), TxState.UNKNOWN),
        (error(-32000, "unknown transaction trouble"), TxState.UNKNOWN),
        (error(-32601, "no such method"), TxState.UNKNOWN),
        (error(-32000, "nonce too low"), NodeUnavailable("gone")),
    ],
)
def test_anything_else_is_unknown(
    answer: httpx.Response | Exception, state: TxState | Exception
) -> None:
    with pytest.raises(BroadcastUnknown):
        send(node_saying(answer), RAW, looking(state))  # type: ignore[arg-type]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values, st.sampled_from([None, 1]))
def test_deep_json_is_json(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)

    assert value == deep_json._loads_deep(text)
    assert value == deep_json.loads(text)


def give_up(text: str, **options: object) -> object:
    """What json.loads does at Python's own limit; test tools raise that limit."""
    if text.startswith(("{", "[")):
        raise RecursionError
    return json.JSONDecoder().decode(text)


def test_depth_that_stops_the_standard_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"calls":[' * 1024 + "7" + "]}" * 1024
    monkeypatch.setattr(json, "loads", give_up)

    value, depth = deep_json.loads(text), 0
    while value != 7:
        value, depth = value["calls"][0], depth + 1

    assert 1024 == depth


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "{",
        '{"a"}',
        '{"a":1',
        "[1,]",
        "[1 2]",
        "1 2",
        "{1:2}",
        "nul",
        "[}",
        '{"a":1]',
        '"a',
    ],
)
def test_broken_json_is_refused(text: str) -> None:
    for parse in (deep_json.loads, deep_json._loads_deep):
        with pytest.raises(ValueError, match=r".*"):
            parse(text)


def test_endless_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="deeper"):
        deep_json._loads_deep("[" * 10_000 + "]" * 10_000)
