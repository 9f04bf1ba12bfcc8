"""What a node may answer, and what we make of it: shapes, refusals, lost answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from chains.errors import (
    BroadcastUnknown,
    InvariantError,
    NodeError,
    NodeRejected,
    NodeUnavailable,
    UnexpectedAnswer,
)
from chains.types import BlockRef, BroadcastOutcome, Family, TxState
from chains.utxo import addresses, blocks, chain
from chains.utxo.chain import UtxoChain
from chains.utxo.node import Refusal, UtxoNode
from chains.utxo.params import BUILTIN
from chains.utxo.transactions import Reader, Transaction, TxInput, TxOutput, read

TX = Transaction(
    inputs=(TxInput(txid="11" * 32, vout=0, witness=(b"\x01",)),),
    outputs=(TxOutput(sats=5, script=b"\x51"),),
)
ADDRESS = addresses.encode(BUILTIN["litecoin-regtest"], b"\x00\x14" + bytes(20))
INFO = {"chain": "main", "blocks": 413567, "headers": 413567, "bestblockhash": "00" * 32}
NOT_THERE = (-5, "No such mempool or blockchain transaction. Use gettransaction for wallet ones.")

Answers = dict[str, Any]


class FakeNode:
    """Answers from a table: a value, an error (code, words), or a function of the parameters."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append(body["method"])
        answer = self.answers[body["method"]]
        if callable(answer):
            answer = answer(*body["params"])
        if isinstance(answer, httpx.Response):
            return answer
        if isinstance(answer, Exception):
            raise answer
        result, error = answer, None
        if isinstance(answer, tuple):
            result, error = None, {"code": answer[0], "message": answer[1]}
        return httpx.Response(200, json={"id": body["id"], "result": result, "error": error})


def _node(answers: Answers, url: str = "http://node") -> UtxoNode:
    return UtxoNode(url, transport=httpx.MockTransport(FakeNode(answers)))


def _chain(answers: Answers, network: str = "bitcoin") -> UtxoChain:
    return UtxoChain(BUILTIN[network], _node(answers), feerate_min=1000)


def entry(*parents: str, **changes: object) -> dict[str, object]:
    fields = {"vsize": 200, "descendantcount": 2, "descendantsize": 500, "depends": list(parents)}
    return {**fields, **changes}


def test_what_a_waiting_transaction_builds_on_is_followed() -> None:
    first, second, third = "11" * 32, "22" * 32, "33" * 32
    entries = {first: entry(second, third), second: entry(third), third: entry(descendantcount=0)}
    found = _chain({"getmempoolentry": lambda txid: entries[txid]}).relatives(first)

    assert {first, second, third} == {one.txid for one in found} and 3 == len(found)
    assert {1, 2} == {one.descendants for one in found}
    assert () == tuple(_chain({"getmempoolentry": NOT_THERE}).relatives(first))


def test_endless_ancestors_are_not_followed() -> None:
    def next_one(txid: str) -> dict[str, object]:
        return entry(f"{int(txid, 16) + 1:064x}")

    found = _chain({"getmempoolentry": next_one}).relatives("00" * 32)
    assert chain.RELATIVES_MAX == len(found)


@pytest.mark.parametrize(
    "odd",
    [
        [],
        entry(vsize=None),
        entry(descendantcount="2"),
        entry(descendantsize=None),
        entry(depends=None),
        entry("not a hash"),
    ],
)
def test_a_place_in_the_pool_of_another_shape_is_loud(odd: object) -> None:
    with pytest.raises(UnexpectedAnswer):
        _chain({"getmempoolentry": odd}).relatives("00" * 32)
    with pytest.raises(NodeRejected):
        _chain({"getmempoolentry": (-1, "Out of luck")}).relatives("00" * 32)


def _broadcast_answers(answer: object, mempool: object = NOT_THERE) -> Answers:
    return {
        "getmempoolentry": mempool,
        "getrawtransaction": NOT_THERE,
        "gettxout": None,
        "sendrawtransaction": answer,
    }


@pytest.fixture
def block(vectors: Path) -> bytes:
    """A real block."""
    return vectors.joinpath("btc_mainnet_block_413567.raw").read_bytes()


def _block_answers(raw: bytes) -> tuple[Answers, BlockRef]:
    header = blocks.parse_header(BUILTIN["bitcoin"], raw)
    ref = header.ref(413567)

    def of_header(_hash: str, verbose: bool) -> object:
        return {"height": 413567, "confirmations": 1} if verbose else raw[:80].hex()

    answers: Answers = {
        "getblockchaininfo": {**INFO, "bestblockhash": header.hash},
        "getblockhash": header.hash,
        "getblockheader": of_header,
        "getblock": raw.hex(),
    }
    return answers, ref


def test_tip_and_block_at(block: bytes) -> None:
    answers, ref = _block_answers(block)
    one = _chain(answers)

    assert ref == one.tip() == one.block_at(413567)
    assert block == one.block_bytes(ref.hash)


@pytest.mark.parametrize(
    "change", [{"initialblockdownload": True}, {"headers": 413567 + chain.HEADERS_AHEAD_MAX + 1}]
)
def test_syncing_node_is_unavailable(block: bytes, change: Answers) -> None:
    answers, _ = _block_answers(block)
    answers["getblockchaininfo"].update(change)
    with pytest.raises(NodeUnavailable, match="syncing"):
        _chain(answers).tip()


def test_node_of_another_chain_is_refused(block: bytes) -> None:
    answers, _ = _block_answers(block)
    answers["getblockchaininfo"]["chain"] = "test"
    with pytest.raises(UnexpectedAnswer, match="'test'"):
        _chain(answers).tip()


def test_header_of_another_block_is_refused(block: bytes) -> None:
    answers, _ = _block_answers(block)
    answers["getblockhash"] = "00" * 32
    with pytest.raises(UnexpectedAnswer):
        _chain(answers).block_at(413567)


@pytest.mark.parametrize(
    "info",
    [
        {**INFO, "surprise": 1},
        {name: value for name, value in INFO.items() if name != "headers"},
        {**INFO, "blocks": "413567"},
        {**INFO, "blocks": True},
        {**INFO, "bestblockhash": "zz"},
        [],
        None,
    ],
)
def test_unknown_shapes_are_loud(info: object) -> None:
    with pytest.raises(UnexpectedAnswer):
        _chain({"getblockchaininfo": info}).tip()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.ConnectError("refused"), NodeUnavailable),
        (httpx.ReadTimeout("slow"), NodeUnavailable),
        (httpx.Response(503), NodeUnavailable),
        ((-28, "Loading block index..."), NodeUnavailable),
        (httpx.Response(401), NodeError),
        (httpx.Response(200, content=b"<html>"), UnexpectedAnswer),
        (httpx.Response(200, json=[1]), UnexpectedAnswer),
        (httpx.Response(200, json={"id": 7, "result": 1, "error": None}), UnexpectedAnswer),
        (httpx.Response(200, json={"id": 1, "error": None}), UnexpectedAnswer),
        (httpx.Response(200, json={"id": 1, "error": "no"}), UnexpectedAnswer),
        ((-32601, "Method not found"), NodeRejected),
    ],
)
def test_every_failure_is_typed(answer: object, error: type[NodeError]) -> None:
    with pytest.raises(error) as caught:
        _node({"getblockhash": answer}).block_hash(1)

    assert type(caught.value) in (error, Refusal)


def test_credentials_are_sent_but_never_shown() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        raise httpx.ConnectError("refused by http://name:secret@node")

    node = UtxoNode("http://name:secret@node", transport=httpx.MockTransport(answer))
    with pytest.raises(NodeUnavailable) as caught:
        node.block_hash(1)

    assert seen[0].startswith("Basic ")
    assert "secret" not in f"{caught.value}{node!r}{caught.value.__cause__}"


def test_huge_answers_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chains.utxo.node.ANSWER_BYTES_MAX", 10)
    with pytest.raises(UnexpectedAnswer, match="too many"):
        _node({"getblockhash": "00" * 32}).block_hash(1)


# Fees.


@pytest.mark.parametrize(
    ("answer", "feerate"),
    [
        ('{"feerate": 0.00012345, "blocks": 3}', 12345),
        ('{"feerate": 0.00000001, "blocks": 3}', 1000),
        ('{"feerate": 1, "blocks": 3}', 100_000_000),
        ('{"errors": ["Insufficient data or no feerate found"], "blocks": 3}', 1000),
        ('{"fee": -1, "blocks": 3}', 1000),
        ('{"feerate": -1, "blocks": 3}', 1000),
    ],
)
def test_feerate(answer: str, feerate: int) -> None:
    text = f'{{"id": 1, "error": null, "result": {answer}}}'

    assert feerate == _chain({"estimatesmartfee": httpx.Response(200, text=text)}).feerate_units()


@pytest.mark.parametrize("feerate", ["1e-5", "true", "[]", "0.123456789"])
def test_feerates_that_are_no_amount_are_loud(feerate: str) -> None:
    text = f'{{"id": 1, "error": null, "result": {{"feerate": {feerate}, "blocks": 3}}}}'
    with pytest.raises(UnexpectedAnswer):
        _chain({"estimatesmartfee": httpx.Response(200, text=text)}).feerate_units()


# Broadcast.


def _becomes_visible() -> Callable[[str], object]:
    """A mempool that shows the transaction from the third look on."""
    looks: list[str] = []

    def look(txid: str) -> object:
        looks.append(txid)
        return {} if len(looks) >= 3 else NOT_THERE

    return look


def test_broadcast_is_accepted_when_the_node_shows_it() -> None:
    answer = _chain(_broadcast_answers(TX.txid, _becomes_visible())).broadcast(TX.serialize())

    assert (BroadcastOutcome.ACCEPTED, TX.txid) == (answer.outcome, answer.txid)


def test_broadcast_that_the_node_never_shows_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PRESENCE_CHECKS", 3)
    with pytest.raises(BroadcastUnknown):
        _chain(_broadcast_answers(TX.txid)).broadcast(TX.serialize())


def test_known_transaction_is_not_sent_again() -> None:
    fake = FakeNode(_broadcast_answers(TX.txid, {}))
    node = UtxoNode("http://node", transport=httpx.MockTransport(fake))
    answer = UtxoChain(BUILTIN["bitcoin"], node, feerate_min=1).broadcast(TX.serialize())

    assert BroadcastOutcome.ALREADY_KNOWN == answer.outcome
    assert "sendrawtransaction" not in fake.asked


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(502),
        httpx.Response(200, content=b"<html>"),
        "22" * 32,
        None,
        7,
    ],
)
def test_lost_or_unclear_answer_is_unknown(answer: object) -> None:
    with pytest.raises(BroadcastUnknown):
        _chain(_broadcast_answers(answer)).broadcast(TX.serialize())


def test_node_lost_after_sending_is_unknown() -> None:
    looks: list[str] = []

    def look(txid: str) -> object:
        looks.append(txid)
        return NOT_THERE if len(looks) == 1 else httpx.ReadTimeout("slow")

    with pytest.raises(BroadcastUnknown, match="lost the node"):
        _chain(_broadcast_answers(TX.txid, look)).broadcast(TX.serialize())


def test_no_node_before_sending_is_unavailable() -> None:
    with pytest.raises(NodeUnavailable):
        _chain(_broadcast_answers(TX.txid, httpx.ConnectError("refused"))).broadcast(TX.serialize())


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (-26, "txn-mempool-conflict", "conflict"),
        (-25, "bad-txns-inputs-missingorspent", "inputs_missing_or_spent"),
        (-25, "Missing inputs", "inputs_missing_or_spent"),
        (-26, "insufficient fee, rejecting replacement", "replacement_fee"),
        (-26, "min relay fee not met, 1 < 141", "fee_too_low"),
        (-26, "mempool min fee not met", "fee_too_low"),
        (-25, "Fee exceeds maximum configured by user (maxfeerate)", "fee_too_high"),
        (-26, "dust", "dust"),
        (-26, "too-long-mempool-chain, too many unconfirmed ancestors", "too_many_unconfirmed"),
        (-26, "mandatory-script-verify-flag-failed (Signature must be zero)", "bad_signature"),
        (-26, "non-final", "not_final"),
        (-26, "bad-txns-in-belowout", "invalid"),
        (-22, "TX decode failed", "malformed"),
        (-26, "something new", "other"),
    ],
)
def test_rejections_by_reason(code: int, words: str, reason: str) -> None:
    answer = _chain(_broadcast_answers((code, words))).broadcast(TX.serialize())

    assert (BroadcastOutcome.REJECTED, reason, words) == (
        answer.outcome,
        answer.reason,
        answer.detail,
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-27, "Transaction already in block chain"),
        (-27, "Transaction outputs already in utxo set"),
        (-26, "txn-already-known"),
        (-26, "txn-already-in-mempool"),
    ],
)
def test_already_known_is_no_rejection(code: int, words: str) -> None:
    answer = _chain(_broadcast_answers((code, words))).broadcast(TX.serialize())

    assert BroadcastOutcome.ALREADY_KNOWN == answer.outcome


# Sightings.


def _mined_txid(raw: bytes) -> str:
    """The txid of the block's coinbase."""
    reader = Reader(raw)
    reader.at = blocks.HEADER_BYTES
    reader.compact()
    return read(reader).txid


def _sighting_answers(raw: bytes, **more: object) -> tuple[Answers, BlockRef]:
    answers, ref = _block_answers(raw)
    answers.update(
        {"getmempoolentry": NOT_THERE, "getrawtransaction": NOT_THERE, "gettxout": None, **more}
    )
    return answers, ref


def test_mined_is_found_by_an_unspent_output(block: bytes) -> None:
    answers, ref = _sighting_answers(block)
    answers["gettxout"] = lambda _txid, vout, _mempool: (
        {"bestblock": ref.hash, "confirmations": 1, "value": 1, "coinbase": True}
        if vout == 1
        else None
    )
    found = _chain(answers).sighting(_mined_txid(block))

    assert (TxState.MINED, ref) == (found.state, found.block)


def test_mined_is_found_by_the_nodes_index(block: bytes) -> None:
    answers, ref = _sighting_answers(block)
    answers["getrawtransaction"] = {"blockhash": ref.hash, "anything": 1}
    found = _chain(answers).sighting(_mined_txid(block))

    assert (TxState.MINED, ref) == (found.state, found.block)


def test_mined_is_found_at_a_hinted_height(block: bytes) -> None:
    answers, ref = _sighting_answers(block)
    one = _chain(answers)

    assert ref == one.sighting(_mined_txid(block), hint_height=413567).block
    assert TxState.UNKNOWN is one.sighting(_mined_txid(block)).state


def test_node_that_names_a_block_without_the_transaction_is_not_believed(block: bytes) -> None:
    answers, ref = _sighting_answers(block)
    answers["getrawtransaction"] = {"blockhash": ref.hash}

    assert TxState.UNKNOWN is _chain(answers).sighting("77" * 32).state


def test_block_that_left_the_best_chain_holds_nothing(block: bytes) -> None:
    answers, ref = _sighting_answers(block)
    answers["getrawtransaction"] = {"blockhash": ref.hash}
    answers["getblockheader"] = {"height": 413567, "confirmations": -1}

    assert TxState.UNKNOWN is _chain(answers).sighting(_mined_txid(block)).state


def test_height_above_the_tip_holds_nothing(block: bytes) -> None:
    answers, _ = _sighting_answers(block, getblockhash=(-8, "Block height out of range"))

    assert TxState.UNKNOWN is _chain(answers).sighting("77" * 32, hint_height=9).state


def test_other_errors_are_not_taken_for_unknown(block: bytes) -> None:
    for method in ("getmempoolentry", "getrawtransaction"):
        answers, _ = _sighting_answers(block, **{method: (-1, "Out of luck")})
        with pytest.raises(NodeRejected):
            _chain(answers).sighting("77" * 32)


def test_odd_outputs_are_loud(block: bytes) -> None:
    answers, _ = _sighting_answers(block, gettxout={"bestblock": "00" * 32, "surprise": 1})
    with pytest.raises(UnexpectedAnswer):
        _chain(answers).sighting("77" * 32)


# The port's other questions.


def test_deployments_may_name_network_and_asset() -> None:
    one = UtxoChain(
        BUILTIN["litecoin-regtest"],
        _node({}),
        feerate_min=1,
        network="litecoind-regtest",
        asset="LTC2",
    )

    assert ("litecoind-regtest", "LTC2", 8) == (
        one.network,
        one.assets[0].code,
        one.assets[0].decimals,
    )
    assert "litecoind-regtest" == one.destination(ADDRESS).network
    assert Family.UTXO is one.family


def test_utxo_chains_have_no_balances() -> None:
    with pytest.raises(InvariantError):
        _chain({}).balance_units(b"", "BTC", BlockRef(height=0, hash="", parent="", time_s=0))
