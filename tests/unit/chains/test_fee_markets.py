"""What nodes and blocks say about fees, read without trusting that any of them answers."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from chains.errors import CodecError, NodeUnavailable
from chains.evm.fee_market import EvmFeeMarket, grown
from chains.evm.node import EvmNode
from chains.feerates import FeeReport
from chains.types import BlockRef
from chains.utxo import block_prices
from chains.utxo.block_prices import block_price_sats, subsidy_sats
from chains.utxo.blocks import WrongBlock
from chains.utxo.fee_market import MEMPOOL_TXS_MAX, UtxoFeeMarket, Waiting, price_of_place
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN
from chains.utxo.scripts import sha256d
from chains.utxo.transactions import Transaction, TxInput, TxOutput

REGTEST = BUILTIN["bitcoin-regtest"]
Answers = Mapping[str, Any]


def transport(answers: Answers) -> httpx.MockTransport:
    """A node that answers by method; an exception stands for silence."""

    def handle(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        result = answers.get(asked["method"])
        if result is None:
            error = {"code": -32601, "message": "Method not found"}
            return httpx.Response(200, json={"id": asked["id"], "result": None, "error": error})
        return httpx.Response(200, json={"id": asked["id"], "result": result, "error": None})

    return httpx.MockTransport(handle)


def utxo_report(answers: Answers, **others: Answers) -> FeeReport:
    nodes = {"node": UtxoNode("http://node", transport=transport(answers))}
    nodes |= {
        name: UtxoNode("http://other", transport=transport(more)) for name, more in others.items()
    }
    market = UtxoFeeMarket(REGTEST, nodes)
    try:
        return market.report(2)
    finally:
        market.close()


def said(report: FeeReport) -> dict[str, int | None]:
    return {q.source: None if q.feerate is None else q.feerate.amount for q in report.quotes}


CALM = {
    "estimatesmartfee": {"feerate": "0.00012000", "blocks": 2},
    "getmempoolinfo": {"size": 3, "bytes": 900, "mempoolminfee": "0.00001000"},
}


def full(**changes: object) -> Answers:
    """A mempool of 3 million vbytes: the dearest third, the next, the cheapest."""
    fees = ("0.30000000", "0.20000000", "0.10000000")
    entries = {
        f"{n:064x}": {"vsize": 1_000_000, "fees": {"base": fee}} for n, fee in enumerate(fees)
    }
    info = {"size": 3, "bytes": 3_000_000, "mempoolminfee": "0.00001000"} | changes
    return CALM | {"getmempoolinfo": info, "getrawmempool": entries}


def test_estimate_and_empty_mempool_are_two_sources() -> None:
    report = utxo_report(CALM)

    assert said(report) == {"node.estimate": 12_000, "node.mempool": 1_000}
    assert report.relay_floor.amount == 1_000


def test_a_full_mempool_is_priced_at_the_target_depth() -> None:
    assert said(utxo_report(full()))["node.mempool"] == 20_001


def test_old_names_of_a_mempool_entry_are_read() -> None:
    answers = dict(full())
    answers["getrawmempool"] = {"aa": {"size": 2_500_000, "fee": "0.50000000"}}

    assert said(utxo_report(answers))["node.mempool"] == 20_001


def test_a_huge_mempool_is_not_read_whole() -> None:
    report = utxo_report(full(size=MEMPOOL_TXS_MAX + 1))

    assert said(report)["node.mempool"] is None
    assert "too many" in report.quotes[1].why


@pytest.mark.parametrize(
    ("method", "answer", "source"),
    [
        ("estimatesmartfee", {"feerate": "-1"}, "node.estimate"),
        ("estimatesmartfee", {"errors": ["Insufficient data"]}, "node.estimate"),
        ("estimatesmartfee", {"feerate": "1e-5"}, "node.estimate"),
        ("estimatesmartfee", ["?"], "node.estimate"),
        ("getmempoolinfo", {"size": "3"}, "node.mempool"),
        ("getmempoolinfo", ["?"], "node.mempool"),
    ],
)
def test_a_source_that_says_nothing_usable_is_named(
    method: str, answer: object, source: str
) -> None:
    report = utxo_report(CALM | {method: answer})

    (quote,) = [q for q in report.quotes if q.source == source]
    assert quote.feerate is None
    assert quote.why


@pytest.mark.parametrize("entry", [{"fee": "0.1"}, {"vsize": 0, "fee": "0.1"}, ["?"]])
def test_a_strange_mempool_entry_silences_its_source(entry: object) -> None:
    report = utxo_report(dict(full()) | {"getrawmempool": {"aa": entry}})

    assert said(report)["node.mempool"] is None


def test_a_second_node_has_its_own_voice() -> None:
    other = CALM | {"estimatesmartfee": {"feerate": "0.00015000"}}

    assert said(utxo_report(CALM, second=other))["second.estimate"] == 15_000


def test_a_dead_node_leaves_the_other() -> None:
    report = utxo_report({}, second=CALM)

    assert said(report) == {
        "node.estimate": None,
        "node.mempool": None,
        "second.estimate": 12_000,
        "second.mempool": 1_000,
    }
    assert report.relay_floor.amount == 0


def test_place_price_beats_the_last_that_fits() -> None:
    waiting = [Waiting(fee_sats=fee, vbytes=100) for fee in (500, 100, 300)]

    assert [price_of_place(waiting, room) for room in (100, 200, 300, 301)] == [
        5_001,
        3_001,
        1_001,
        0,
    ]


def a_block(fees: int, payloads: int, bits: int = 0x207FFFFF) -> tuple[bytes, str]:
    """A regtest block at height 151 with large transactions; its work is done here."""
    coinbase = Transaction(
        inputs=(TxInput(txid="00" * 32, vout=0xFFFFFFFF, script_sig=b"\x01\x97"),),
        outputs=(TxOutput(sats=25 * 10**8 + fees, script=b"\x51"),),
    )
    big = [
        Transaction(
            inputs=(TxInput(txid=f"{n:064x}", vout=0),),
            outputs=(TxOutput(sats=1, script=b"\x6a" * 99_949),),
        )
        for n in range(1, payloads + 1)
    ]
    body = bytes([1 + payloads]) + b"".join(tx.serialize() for tx in (coinbase, *big))
    for nonce in range(100):
        header = b"\x00\x00\x00\x20" + bytes(64) + bytes(4) + bits.to_bytes(4, "little")
        header += nonce.to_bytes(4, "little")
        if sha256d(header)[::-1].hex() < "7fffff":
            return header + body, sha256d(header)[::-1].hex()
    raise AssertionError("no work found")


def test_a_full_block_costs_its_fees_over_its_vbytes() -> None:
    raw, name = a_block(fees=2_000_000, payloads=10)

    assert block_price_sats(REGTEST, raw, 151, name) == 2_000_000 * 1000 // 1_000_130


def test_a_block_with_room_shows_that_the_least_was_enough() -> None:
    raw, name = a_block(fees=2_000_000, payloads=2)

    assert block_price_sats(REGTEST, raw, 151, name) == 0


def test_a_block_of_another_hash_is_not_priced() -> None:
    raw, _ = a_block(fees=0, payloads=1)

    with pytest.raises(WrongBlock):
        block_price_sats(REGTEST, raw, 151, "00" * 32)


def test_a_coinbase_below_the_subsidy_has_no_price() -> None:
    raw, name = a_block(fees=-1, payloads=10)

    with pytest.raises(CodecError, match="below the subsidy"):
        block_price_sats(REGTEST, raw, 151, name)


def test_subsidies_halve_until_nothing_is_left() -> None:
    main = BUILTIN["bitcoin"]

    assert [subsidy_sats(main, h) for h in (0, 209_999, 210_000, 840_000, 210_000 * 64)] == [
        5_000_000_000,
        5_000_000_000,
        2_500_000_000,
        312_500_000,
        0,
    ]
    assert block_prices.FULL_VBYTES_MIN < block_prices.BLOCK_VBYTES_MAX


def evm_market(*nodes: Answers) -> EvmFeeMarket:
    names = ("node", "second")
    return EvmFeeMarket(
        {
            name: EvmNode("http://node", transport=transport(answers))
            for name, answers in zip(names, nodes, strict=False)
        }
    )


GAS = {
    "eth_maxPriorityFeePerGas": hex(2 * 10**9),
    "eth_feeHistory": {
        "baseFeePerGas": [hex(90), hex(80)],
        "reward": [[hex(30)], ["0x0"], [hex(10)], [hex(20)]],
    },
}


def test_evm_tips_are_suggested_and_paid_ones() -> None:
    report = evm_market(GAS).report(1)

    assert said(report) == {"node.suggested": 2 * 10**9, "node.history": 20}
    assert report.base.amount == 80


def test_the_base_fee_grows_an_eighth_a_block_until_the_target() -> None:
    assert evm_market(GAS).report(3).base.amount == 80 + 10 + 11
    assert grown(1, 2) == 3  # EIP-1559 grows by at least one


def test_the_higher_base_fee_of_two_nodes_counts() -> None:
    higher = GAS | {"eth_feeHistory": {"baseFeePerGas": [hex(160)], "reward": []}}

    report = evm_market(GAS, higher).report(1)

    assert report.base.amount == 160
    assert said(report)["second.history"] is None


@pytest.mark.parametrize(
    "history",
    [{"baseFeePerGas": [], "reward": []}, {"baseFeePerGas": "0x1", "reward": []}, {"reward": []}],
)
def test_without_a_base_fee_there_is_no_report(history: object) -> None:
    with pytest.raises(NodeUnavailable):
        evm_market(GAS | {"eth_feeHistory": history}).report(1)


@pytest.mark.parametrize("rewards", [None, [[]], ["0x1"], [["0xzz"]]])
def test_strange_rewards_silence_their_source(rewards: object) -> None:
    history = {"baseFeePerGas": ["0x5"], "reward": rewards}

    assert said(evm_market(GAS | {"eth_feeHistory": history}).report(1))["node.history"] is None


def test_evm_blocks_have_no_price_of_their_own() -> None:
    ref = BlockRef(height=1, hash="00" * 32, parent="00" * 32, time_s=0)

    assert evm_market(GAS).block_price(ref) is None


def test_closing_closes_every_node() -> None:
    closed: list[str] = []

    def noted(name: str) -> Callable[[], None]:
        return lambda: closed.append(name)

    market = evm_market(GAS, GAS)
    for name, node in market._nodes.items():
        node.close = noted(name)  # type: ignore[method-assign]
    market.close()

    assert closed == ["node", "second"]
