"""A node's JSON into values, strictly: a field that is missing or strange stops the scan.

Hashes of blocks are kept without 0x (they are only compared); txids carry it, as nodes print them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import CodecError, UnexpectedAnswer
from chains.evm.erc20 import decode_number
from chains.evm.hashing import keccak256
from chains.evm.lies import WrongReceipts
from chains.types import BlockRef

_QUANTITY = re.compile(r"0x[0-9a-f]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_BLOOM_BYTES = 256
_GWEI = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a block says of one transaction. `to` is None when it creates a contract."""

    txid: str
    sender: bytes
    to: bytes | None
    value_wei: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Money that validators' withdrawals (EIP-4895) credit without any transaction."""

    index: int
    to: bytes
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block with its transactions."""

    ref: BlockRef
    logs_bloom: bytes
    base_fee_wei: int
    transactions: tuple[Transaction, ...]
    withdrawals: tuple[Withdrawal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """An event that a contract told."""

    contract: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a transaction. `fee_wei` is all that the sender paid for it."""

    txid: str
    block_hash: str
    succeeded: bool
    fee_wei: int
    logs: tuple[Log, ...]


def quantity(value: Any, what: str) -> int:
    """A hex number as nodes write it. Raises UnexpectedAnswer."""
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise UnexpectedAnswer(f"got {what} {str(value)[:40]!r}, expected a hex number")
    return int(value, 16)


def data_bytes(value: Any, what: str, size: int | None = None) -> bytes:
    """Hex bytes as nodes write them, of `size` if given. Raises UnexpectedAnswer."""
    if not isinstance(value, str) or _DATA.fullmatch(value) is None:
        raise UnexpectedAnswer(f"got {what} {str(value)[:40]!r}, expected hex bytes")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise UnexpectedAnswer(f"got {what} of {len(data)} bytes, expected {size}")
    return data


def one_number(answer: Any, what: str) -> int:
    """The single word that a contract answers with, as a number. Raises UnexpectedAnswer."""
    try:
        return decode_number(data_bytes(answer, f"answer of {what}"))
    except CodecError as error:
        raise UnexpectedAnswer(f"{what}: {error}") from error


def address(value: Any, what: str) -> bytes:
    """20 address bytes. Raises UnexpectedAnswer."""
    return data_bytes(value, what, 20)


def txid(value: Any) -> str:
    """A txid, lower-case, with 0x. Raises UnexpectedAnswer."""
    return "0x" + data_bytes(value, "txid", 32).hex()


def block_ref(answer: Any) -> BlockRef:
    """The block that an answer describes. Raises UnexpectedAnswer."""
    return BlockRef(
        height=quantity(field(answer, "number"), "block number"),
        hash=data_bytes(field(answer, "hash"), "block hash", 32).hex(),
        parent=data_bytes(field(answer, "parentHash"), "parent hash", 32).hex(),
        time_s=quantity(field(answer, "timestamp"), "timestamp"),
    )


def block(answer: Any) -> Block:
    """A block with full transactions. Raises UnexpectedAnswer."""
    transactions = items(field(answer, "transactions"), "transactions")
    base_fee = answer.get("baseFeePerGas", "0x0")
    return Block(
        ref=block_ref(answer),
        logs_bloom=data_bytes(field(answer, "logsBloom"), "logs bloom", _BLOOM_BYTES),
        base_fee_wei=quantity(base_fee, "base fee"),
        transactions=tuple(
            _transaction(item, position) for position, item in enumerate(transactions)
        ),
        withdrawals=tuple(
            _withdrawal(item) for item in items(answer.get("withdrawals") or [], "withdrawals")
        ),
    )


def receipt(answer: Any) -> Receipt:
    """One receipt. Raises UnexpectedAnswer."""
    status = quantity(field(answer, "status"), "status")
    if status not in (0, 1):
        raise UnexpectedAnswer(f"got receipt status {status}, expected 0 or 1")
    gas = quantity(field(answer, "gasUsed"), "gas used")
    price = quantity(field(answer, "effectiveGasPrice"), "effective gas price")
    return Receipt(
        txid=txid(field(answer, "transactionHash")),
        block_hash=data_bytes(field(answer, "blockHash"), "block hash", 32).hex(),
        succeeded=status == 1,
        # A rollup charges for its parent chain's space too.
        fee_wei=gas * price + quantity(answer.get("l1Fee") or "0x0", "l1 fee"),
        logs=tuple(_log(item) for item in items(field(answer, "logs"), "logs")),
    )


def receipts_of(answer: Any, whole: Block) -> tuple[Receipt, ...]:
    """All receipts of a block, in its order.

    Raises WrongReceipts when one is missing or foreign, or when the logs are not those that the
    block's bloom filter was made of.
    """
    found = tuple(receipt(item) for item in items(answer, "receipts"))
    if [entry.txid for entry in found] != [entry.txid for entry in whole.transactions]:
        raise WrongReceipts(
            f"got {len(found)} receipts, expected those of {len(whole.transactions)} transactions"
        )
    if any(entry.block_hash != whole.ref.hash for entry in found):
        raise WrongReceipts("got a receipt of another block")
    if bloom_of([log for entry in found for log in entry.logs]) != whole.logs_bloom:
        raise WrongReceipts("got logs that do not make the block's bloom filter")
    return found


def bloom_of(logs: Sequence[Log]) -> bytes:
    """The 2048-bit filter of these logs (Yellow Paper 4.3.1)."""
    bits = 0
    for entry in {part for log in logs for part in (log.contract, *log.topics)}:
        digest = keccak256(entry)
        for start in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[start : start + 2], "big") & 0x7FF)
    return bits.to_bytes(_BLOOM_BYTES, "big")


def field(answer: Any, name: str) -> Any:
    """A field that must be there. Raises UnexpectedAnswer."""
    if not isinstance(answer, dict) or name not in answer:
        raise UnexpectedAnswer(f"got an answer without {name}")
    return answer[name]


def items(value: Any, what: str) -> list[Any]:
    """A list. Raises UnexpectedAnswer."""
    if not isinstance(value, list):
        raise UnexpectedAnswer(f"got {what} that are not a list")
    return value


def _transaction(answer: Any, position: int) -> Transaction:
    if quantity(field(answer, "transactionIndex"), "transaction index") != position:
        raise UnexpectedAnswer("got transactions out of order")
    to = field(answer, "to")
    return Transaction(
        txid=txid(field(answer, "hash")),
        sender=address(field(answer, "from"), "sender"),
        to=None if to is None else address(to, "payee"),
        value_wei=quantity(field(answer, "value"), "value"),
        data=data_bytes(field(answer, "input"), "calldata"),
    )


def _withdrawal(answer: Any) -> Withdrawal:
    return Withdrawal(
        index=quantity(field(answer, "index"), "withdrawal index"),
        to=address(field(answer, "address"), "withdrawal address"),
        units=quantity(field(answer, "amount"), "withdrawal amount") * _GWEI,
    )


def _log(answer: Any) -> Log:
    if answer.get("removed") is True:
        raise UnexpectedAnswer("got a log that a reorg removed")
    return Log(
        contract=address(field(answer, "address"), "log address"),
        topics=tuple(
            data_bytes(topic, "topic", 32) for topic in items(field(answer, "topics"), "topics")
        ),
        data=data_bytes(field(answer, "data"), "log data"),
    )
