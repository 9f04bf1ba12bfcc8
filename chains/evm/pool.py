"""What waits in an EVM node's pool and would pay us: plain transfers of ether and listed tokens.

A call's data promises nothing, so this is for display only; the block's logs decide.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from chains.errors import CodecError, UnexpectedAnswer
from chains.evm import blocks as read
from chains.evm.erc20 import decode_transfer
from chains.evm.node import MethodMissing
from chains.types import Evidence, Inflow, PendingTx, Pool

Ask = Callable[..., Any]
"""A question to the node: (method, *params)."""

TRANSACTIONS_MAX = 100_000
"""More than any pool that is worth looking through; beyond it the answer is not believed."""


def look(ask: Ask, watched: Container[bytes], native: str, tokens: Mapping[bytes, str]) -> Pool:
    """The node's pool now, or its pending block where it does not show its pool.

    `tokens` maps contracts to asset codes. Raises NodeError.
    """
    waiting = list(_waiting(ask))
    if len(waiting) > TRANSACTIONS_MAX:
        raise UnexpectedAnswer(f"got {len(waiting)} waiting, expected up to {TRANSACTIONS_MAX}")
    read_all = [_read(answer, watched, native, tokens) for answer in waiting]
    return Pool(
        txids=frozenset(tx.txid for tx in read_all),
        found=tuple(tx for tx in read_all if tx.inflows),
    )


def _waiting(ask: Ask) -> Iterator[Any]:
    try:
        answer = ask("txpool_content")
    except MethodMissing:
        block = ask("eth_getBlockByNumber", "pending", True)
        yield from [] if block is None else read.items(read.field(block, "transactions"), "pool")
        return
    for part in ("pending", "queued"):
        for by_nonce in _table(read.field(answer, part)).values():
            yield from _table(by_nonce).values()


def _read(
    answer: Any, watched: Container[bytes], native: str, tokens: Mapping[bytes, str]
) -> PendingTx:
    txid = read.txid(read.field(answer, "hash"))
    sender = read.address(read.field(answer, "from"), "sender")
    nonce = read.quantity(read.field(answer, "nonce"), "nonce")
    payee = read.field(answer, "to")
    to = None if payee is None else read.address(payee, "payee")
    value = read.quantity(read.field(answer, "value"), "value")
    inflows = []
    if to is not None and to in watched and value:
        inflows.append(_inflow(txid, "tx", native, to, value))
    if to is not None and to in tokens:
        data = read.data_bytes(read.field(answer, "input"), "calldata")
        inflows += _token_inflow(txid, data, tokens[to], watched)
    return PendingTx(txid=txid, inflows=tuple(inflows), conflicts=(f"0x{sender.hex()}:{nonce}",))


def _token_inflow(
    txid: str, data: bytes, asset: str, watched: Container[bytes]
) -> Iterator[Inflow]:
    try:
        to, units = decode_transfer(data)
    except CodecError:
        return
    if to in watched and units:
        yield _inflow(txid, "log:0", asset, to, units)


def _inflow(txid: str, position: str, asset: str, target: bytes, units: int) -> Inflow:
    return Inflow(
        txid=txid,
        position=position,
        asset=asset,
        target=target,
        units=units,
        evidence=Evidence.MEMPOOL,
    )


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnexpectedAnswer("txpool_content: got another shape, expected an object")
    return value
