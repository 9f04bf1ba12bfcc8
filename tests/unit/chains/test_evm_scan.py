"""Scanning: what counts as money, what never does, and answers that are not believed."""

from typing import Any

import pytest

from chains.errors import UnexpectedAnswer
from chains.evm import blocks, scan, traces
from chains.evm.erc20 import TRANSFER_TOPIC
from chains.evm.hashing import keccak256
from chains.types import Evidence

BLOCK = "0x" + "b1" * 32
OURS = b"\x0a" * 20
OTHER = b"\x0b" * 20
TOKEN = b"\x0c" * 20
FOREIGN = b"\x0d" * 20
WATCHED = frozenset({OURS})
EMPTY_BLOOM = "0x" + "00" * 256


def tid(number: int) -> str:
    return "0x" + bytes([number]).hex() * 32


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def a_transaction(number: int, **changes: object) -> dict[str, Any]:
    fields = {
        "hash": tid(number),
        "transactionIndex": hex(number),
        "from": hexed(OTHER),
        "to": hexed(OURS),
        "value": "0x5",
        "input": "0x",
    }
    return {**fields, **changes}


def a_log(units: int = 9, to: bytes = OURS, contract: bytes = TOKEN) -> dict[str, Any]:
    words = [TRANSFER_TOPIC, OTHER.rjust(32, b"\0"), to.rjust(32, b"\0")]
    return {
        "address": hexed(contract),
        "topics": [hexed(word) for word in words],
        "data": hexed(units.to_bytes(32, "big")),
    }


def a_receipt(number: int, *logs: dict[str, Any], **changes: object) -> dict[str, Any]:
    fields = {
        "transactionHash": tid(number),
        "blockHash": BLOCK,
        "status": "0x1",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x2",
        "logs": list(logs),
    }
    return {**fields, **changes}


def a_block(*transactions: dict[str, Any], bloom: str = EMPTY_BLOOM, **changes: object) -> Any:
    fields = {
        "number": "0x7",
        "hash": BLOCK,
        "parentHash": "0x" + "b0" * 32,
        "timestamp": "0x64",
        "logsBloom": bloom,
        "baseFeePerGas": "0x1",
        "transactions": list(transactions),
    }
    return {**fields, **changes}


def bloom_for(*logs: dict[str, Any]) -> str:
    return hexed(blocks.bloom_of([blocks._log(log) for log in logs]))


def read(
    block: dict[str, Any], *receipts: dict[str, Any]
) -> tuple[blocks.Block, tuple[blocks.Receipt, ...]]:
    whole = blocks.block(block)
    return whole, blocks.receipts_of(list(receipts), whole)


def test_two_logs_of_one_transaction_are_two_inflows() -> None:
    logs = (a_log(9), a_log(3, OTHER), a_log(4), a_log(5, contract=FOREIGN), a_log(0))
    _, receipts = read(a_block(a_transaction(0), bloom=bloom_for(*logs)), a_receipt(0, *logs))

    found = list(scan.token_inflows(receipts, WATCHED, {TOKEN: "DUSD"}))

    assert [("log:0", 9), ("log:2", 4)] == [(inflow.position, inflow.units) for inflow in found]
    assert {("DUSD", Evidence.LOG, tid(0))} == {(i.asset, i.evidence, i.txid) for i in found}


def test_a_failed_transaction_moves_nothing() -> None:
    whole, receipts = read(
        a_block(a_transaction(0), bloom=bloom_for(a_log())), a_receipt(0, a_log(), status="0x0")
    )
    inside = traces.InternalTransfer(txid=tid(0), path=(0,), sender=OTHER, to=OURS, units=1)

    assert [] == list(scan.token_inflows(receipts, WATCHED, {TOKEN: "DUSD"}))
    assert [] == list(scan.direct_inflows(whole, receipts, WATCHED, "ETH"))
    assert [] == list(scan.internal_inflows([inside], receipts, WATCHED, "ETH"))


def test_a_malformed_transfer_of_a_listed_token_is_named_and_the_others_are_found() -> None:
    log, good = a_log(), a_log()
    log["topics"] = log["topics"][:2]
    _, receipts = read(
        a_block(a_transaction(0), bloom=bloom_for(log, good)), a_receipt(0, log, good)
    )

    (inflow,) = scan.token_inflows(receipts, WATCHED, {TOKEN: "DUSD"})
    (named,) = scan.unreadable_logs(receipts, {TOKEN: "DUSD"})
    assert ("log:1", "DUSD") == (inflow.position, inflow.asset)
    assert ("log:0", "DUSD", inflow.txid) == (named.position, named.asset, named.txid)
    assert 1 == len(list(scan.token_moves(receipts[0], {TOKEN: "DUSD"})))
    assert [] == list(scan.unreadable_logs(receipts, {FOREIGN: "DUSD"}))


def test_transactions_and_validators_withdrawals_pay() -> None:
    withdrawals = [
        {"index": "0x2a", "validatorIndex": "0x1", "address": hexed(OURS), "amount": "0x3"},
        {"index": "0x2b", "validatorIndex": "0x1", "address": hexed(OTHER), "amount": "0x3"},
    ]
    transactions = [
        a_transaction(0),
        a_transaction(1, to=None),
        a_transaction(2, to=hexed(OTHER)),
        a_transaction(3, value="0x0"),
    ]
    whole, receipts = read(
        a_block(*transactions, withdrawals=withdrawals), *(a_receipt(n) for n in range(4))
    )

    found = list(scan.direct_inflows(whole, receipts, WATCHED, "ETH"))

    assert [
        (tid(0), "tx", 5, Evidence.TRANSACTION),
        (BLOCK, "withdrawal:42", 3 * 10**9, Evidence.BEACON_WITHDRAWAL),
    ] == [(i.txid, i.position, i.units, i.evidence) for i in found]


@pytest.mark.parametrize(
    "receipts",
    [
        [],
        [a_receipt(0), a_receipt(1)],
        [a_receipt(1)],
        [a_receipt(0, blockHash="0x" + "b2" * 32)],
        [a_receipt(0)],  # the log that the bloom filter tells of is missing
        [a_receipt(0, a_log(10**6, OTHER))],
        [a_receipt(0, {**a_log(), "removed": True})],
        [a_receipt(0, a_log(), status="0x2")],
        [{k: v for k, v in a_receipt(0, a_log()).items() if k != "status"}],
        [a_receipt(0, a_log(), gasUsed=5)],
        "receipts",
    ],
)
def test_receipts_that_are_not_the_blocks(receipts: Any) -> None:
    whole = blocks.block(a_block(a_transaction(0), bloom=bloom_for(a_log())))
    blocks.receipts_of([a_receipt(0, a_log())], whole)

    with pytest.raises(UnexpectedAnswer):
        blocks.receipts_of(receipts, whole)


@pytest.mark.parametrize(
    "block",
    [
        a_block(a_transaction(1)),
        a_block(a_transaction(0, value="5")),
        a_block(a_transaction(0, value="0x" + "f" * 65)),
        a_block(a_transaction(0, to="0x12")),
        a_block(number=None),
        a_block(hash="0x12"),
        a_block(logsBloom="0x"),
        a_block(transactions="none"),
        {},
        [],
        None,
    ],
)
def test_blocks_of_another_shape_are_refused(block: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        blocks.block(block)


def test_the_bloom_filter_is_that_of_the_yellow_paper() -> None:
    # go-ethereum core/types/bloom9_test.go: the hash of the filter over "testtest" and others is
    # not published as a log, so the three bits are taken from the definition instead.
    digest = keccak256(TOKEN)
    bits = {int.from_bytes(digest[i : i + 2], "big") % 2048 for i in (0, 2, 4)}
    bloom = blocks.bloom_of([blocks.Log(contract=TOKEN, topics=(), data=b"")])

    assert bits == {n for n in range(2048) if bloom[255 - n // 8] >> (n % 8) & 1}


def frame(kind: str = "CALL", value: int = 5, to: bytes = OURS, **changes: Any) -> Any:
    return {"type": kind, "value": hex(value), "to": hexed(to), "from": hexed(OTHER), **changes}


def nested(*frames: Any, **changes: Any) -> list[Any]:
    return [{"txHash": tid(0), "result": frame(calls=list(frames), **changes)}]


def moves(answer: Any) -> list[tuple[tuple[int, ...], int]]:
    whole = blocks.block(a_block(a_transaction(0)))
    return sorted((m.path, m.units) for m in traces.from_call_tracer(answer, whole) if m.to == OURS)


def test_only_frames_that_move_value_count() -> None:
    answer = nested(
        frame("CALL", 1),
        frame("DELEGATECALL", 2),
        frame("STATICCALL", 0),
        frame("CALLCODE", 4),
        frame("CREATE", 5),
        frame("SELFDESTRUCT", 6),
        frame("CALL", 0, calls=[frame("CALL", 7)]),
    )

    assert [((0,), 1), ((4,), 5), ((5,), 6), ((6, 0), 7)] == moves(answer)


def test_nothing_under_a_reverted_frame_happened() -> None:
    inner = frame("CALL", 7, calls=[frame("CALL", 8)])

    assert [] == moves(nested(frame("CALL", 1, error="execution reverted", calls=[inner])))
    assert [] == moves(nested(inner, error="out of gas"))


def test_frames_nest_as_deep_as_calls() -> None:
    deep = frame("CALL", 3)
    for _ in range(1023):
        deep = frame("DELEGATECALL", 0, calls=[deep])

    assert [((0,) * 1024, 3)] == moves(nested(deep))


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [{"txHash": tid(1), "result": frame()}],
        [{"txHash": tid(0), "error": "tracing failed"}],
        nested(frame("TELEPORT")),
        nested({"value": "0x1"}),
        nested(frame(value=1, to=b"\x01")),
        None,
    ],
)
def test_traces_of_another_shape_are_refused(answer: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        moves(answer)


def flat(path: list[int], kind: str = "call", **changes: object) -> dict[str, Any]:
    action = {"callType": "call", "to": hexed(OURS), "value": "0x5", "from": hexed(OTHER)}
    return {
        "type": kind,
        "action": {**action, **changes.pop("action", {})},  # type: ignore[dict-item]
        "traceAddress": path,
        "blockHash": BLOCK,
        "transactionHash": tid(0),
        "result": {},
        **changes,
    }


def flat_moves(*entries: Any) -> list[tuple[tuple[int, ...], int]]:
    whole = blocks.block(a_block(a_transaction(0)))
    found = traces.from_trace_block(list(entries), whole)
    return sorted((move.path, move.units) for move in found if move.to == OURS)


def test_flat_traces_say_the_same() -> None:
    destroyed = {"address": hexed(OTHER), "refundAddress": hexed(OURS), "balance": "0x6"}

    assert [((0,), 5), ((3,), 6), ((4,), 5)] == flat_moves(
        flat([]),
        flat([0]),
        flat([1], action={"callType": "delegatecall"}),
        flat([2], error="Reverted"),
        flat([2, 0]),
        flat([2, 0, 1]),
        flat([3], "suicide", action=destroyed),
        flat([4], "create", result={"address": hexed(OURS)}),
        flat([5], action={"value": "0x0"}),
        {"type": "reward", "action": {}},
    )


def test_a_failed_transaction_in_flat_traces_moves_nothing() -> None:
    assert [] == flat_moves(flat([], error="Reverted"), flat([0]))


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [flat([], blockHash="0x" + "b2" * 32)],
        [flat([], transactionHash=tid(1))],
        [flat([], "teleport")],
        [flat([]), flat([0], action={"callType": "teleport"})],
        [flat(["0"])],  # type: ignore[list-item]
    ],
)
def test_flat_traces_of_another_shape_are_refused(entries: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        flat_moves(*entries)


def test_a_balance_is_explained_by_what_the_block_shows() -> None:
    withdrawals = [{"index": "0x1", "address": hexed(OURS), "amount": "0x1"}]
    spend = {"from": hexed(OURS), "to": hexed(OTHER), "value": "0x64"}
    whole, receipts = read(
        a_block(
            a_transaction(0),
            a_transaction(1, **spend),
            a_transaction(2, **spend),
            a_transaction(3),
            withdrawals=withdrawals,
        ),
        a_receipt(0),
        a_receipt(1, l1Fee="0x7"),
        a_receipt(2, status="0x0"),
        a_receipt(3, status="0x0"),
    )
    fees = 2 * 21_000 * 2 + 7
    after = 10**9 + 5 - 100 - fees + 10**6

    assert 0 == scan.unexplained_wei(whole, receipts, OURS, 10**6, after)
    assert 12 == scan.unexplained_wei(whole, receipts, OURS, 10**6, after + 12)
    with pytest.raises(UnexpectedAnswer):
        scan.unexplained_wei(whole, receipts, OURS, 10**6, after - 1)


def test_a_delta_is_named_by_its_block() -> None:
    inflow = scan.delta_inflow(blocks.block(a_block()), OURS, 12, "ETH")

    assert (BLOCK, f"delta:{OURS.hex()}", 12) == (inflow.txid, inflow.position, inflow.units)
