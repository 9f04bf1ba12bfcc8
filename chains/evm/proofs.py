"""A block proves itself: its hash is its header's, its roots are its contents'.

What a node says of transactions, receipts and withdrawals is encoded again as the chain does it
(EIP-2718 to 7702) and must give the roots in the header, and the header the hash that was asked
for. A node that lies about any of them needs another hash, and the next block names its parent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import UnexpectedAnswer
from chains.evm import rlp, trie
from chains.evm.blocks import address, bloom_of, data_bytes, field, items, quantity, receipt
from chains.evm.hashing import keccak256
from chains.evm.lies import WrongContents, WrongCosts, WrongHeader, WrongReceipts

_HEADER_DATA = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
)
_HEADER_NUMBERS = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
_HEADER_LATER: tuple[tuple[str, int], ...] = (
    ("baseFeePerGas", 0),
    ("withdrawalsRoot", 32),
    ("blobGasUsed", 0),
    ("excessBlobGas", 0),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),
)
"""Fields that forks added, in their order; 0 marks a number. Each one needs all before it."""

_DYNAMIC = 2
"""Transactions from this type on name a highest price instead of the price."""

_Fields = list[Any]
_NUMBERS_BEFORE_PAYEE: Mapping[int, tuple[str, ...]] = {
    0: ("nonce", "gasPrice", "gas"),
    1: ("chainId", "nonce", "gasPrice", "gas"),
    2: ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas"),
    3: ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas"),
    4: ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas"),
}


def check_header(answer: Any, block_hash: str) -> None:
    """Raise WrongHeader unless the header's own hash is `block_hash` (hex without 0x)."""
    header: _Fields = [_data(answer, name, size) for name, size in _HEADER_DATA]
    header += [_number(answer, name) for name in _HEADER_NUMBERS]
    header += [_data(answer, "extraData"), _data(answer, "mixHash", 32), _data(answer, "nonce", 8)]
    for name, size in _HEADER_LATER:
        if answer.get(name) is None:
            break
        header.append(_data(answer, name, size) if size else _number(answer, name))
    found = keccak256(rlp.encode(header)).hex()
    if found != block_hash:
        raise WrongHeader(f"got a header of hash {found}, expected {block_hash}")


def state_root(answer: Any) -> bytes:
    """What a header names the state of all accounts by."""
    return _data(answer, "stateRoot", 32)


def check_contents(answer: Any) -> None:
    """Raise WrongContents unless transactions and withdrawals give the header's roots."""
    encoded = [_transaction(item) for item in items(field(answer, "transactions"), "transactions")]
    for item, raw in zip(answer["transactions"], encoded, strict=True):
        if keccak256(raw) != _data(item, "hash", 32):
            raise WrongContents("got a transaction that is not what its hash names")
    _check_root(answer, "transactionsRoot", encoded, WrongContents)
    if answer.get("withdrawalsRoot") is not None:
        given = items(answer.get("withdrawals") or [], "withdrawals")
        _check_root(answer, "withdrawalsRoot", [_withdrawal(item) for item in given], WrongContents)


def check_receipts(block_answer: Any, receipts_answer: Any) -> None:
    """Raise WrongReceipts unless the receipts give the root in the block's header."""
    encoded = [_receipt(item) for item in items(receipts_answer, "receipts")]
    _check_root(block_answer, "receiptsRoot", encoded, WrongReceipts)


def check_costs(block_answer: Any, receipts_answer: Any) -> None:
    """Raise WrongCosts unless gas and prices follow from what the roots cover.

    Receipts carry both, but only the gas used so far is part of the receipts' root.
    """
    base = quantity(block_answer.get("baseFeePerGas") or "0x0", "base fee")
    before = 0
    for item, told in zip(block_answer["transactions"], receipts_answer, strict=True):
        so_far = quantity(field(told, "cumulativeGasUsed"), "cumulative gas")
        used = quantity(field(told, "gasUsed"), "gas used")
        if so_far - before != used:
            raise WrongCosts(f"got {used} gas used, expected {so_far - before}")
        before = so_far
        paid = quantity(field(told, "effectiveGasPrice"), "effective gas price")
        if paid != _price(item, base):
            raise WrongCosts(f"got a gas price of {paid}, expected {_price(item, base)}")


def _price(item: Any, base: int) -> int:
    """Wei for a unit of gas (EIP-1559)."""
    if quantity(item.get("type") or "0x0", "transaction type") < _DYNAMIC:
        return quantity(field(item, "gasPrice"), "gas price")
    tip = quantity(field(item, "maxPriorityFeePerGas"), "priority fee")
    return min(quantity(field(item, "maxFeePerGas"), "max fee"), base + tip)


def _check_root(
    answer: Any, name: str, values: Sequence[bytes], lie: type[UnexpectedAnswer]
) -> None:
    if trie.ordered_root(values) != _data(answer, name, 32):
        raise lie(f"got {len(values)} entries that do not make the {name}")


def _transaction(item: Any) -> bytes:
    """The bytes of a transaction as its block holds them, up to EIP-7702."""
    kind = quantity(item.get("type") or "0x0", "transaction type")
    if kind not in _NUMBERS_BEFORE_PAYEE:
        raise UnexpectedAnswer(f"got a transaction of type {kind}, expected 0 to 4")
    body: _Fields = [_number(item, name) for name in _NUMBERS_BEFORE_PAYEE[kind]]
    to = field(item, "to")
    body += [b"" if to is None else address(to, "payee"), _number(item, "value")]
    body.append(_data(item, "input"))
    if kind == 0:
        return rlp.encode([*body, *(_number(item, name) for name in ("v", "r", "s"))])
    body.append(_access_list(item))
    if kind == 3:
        body.append(_number(item, "maxFeePerBlobGas"))
        hashes = items(field(item, "blobVersionedHashes"), "blob hashes")
        body.append([data_bytes(entry, "blob hash", 32) for entry in hashes])
    if kind == 4:
        body.append(_authorizations(item))
    return bytes([kind]) + rlp.encode([*body, *_signature(item)])


def _access_list(item: Any) -> _Fields:
    entries = items(field(item, "accessList"), "access list")
    return [
        [
            address(field(entry, "address"), "access list address"),
            [
                data_bytes(key, "storage key", 32)
                for key in items(field(entry, "storageKeys"), "storage keys")
            ],
        ]
        for entry in entries
    ]


def _authorizations(item: Any) -> _Fields:
    entries = items(field(item, "authorizationList"), "authorisations")
    return [
        [
            _number(entry, "chainId"),
            address(field(entry, "address"), "delegate"),
            _number(entry, "nonce"),
            *_signature(entry),
        ]
        for entry in entries
    ]


def _signature(item: Any) -> _Fields:
    parity = "yParity" if item.get("yParity") is not None else "v"
    return [_number(item, name) for name in (parity, "r", "s")]


def _withdrawal(item: Any) -> bytes:
    return rlp.encode(
        [
            _number(item, "index"),
            _number(item, "validatorIndex"),
            address(field(item, "address"), "withdrawal address"),
            _number(item, "amount"),
        ]
    )


def _receipt(item: Any) -> bytes:
    """The bytes of a receipt as its block holds them (EIP-658, EIP-2718)."""
    kind = quantity(item.get("type") or "0x0", "receipt type")
    if kind not in _NUMBERS_BEFORE_PAYEE:
        raise UnexpectedAnswer(f"got a receipt of type {kind}, expected 0 to 4")
    told = receipt(item)
    body = rlp.encode(
        [
            rlp.encode_int(int(told.succeeded)),
            _number(item, "cumulativeGasUsed"),
            bloom_of(told.logs),
            [[log.contract, list(log.topics), log.data] for log in told.logs],
        ]
    )
    return bytes([kind]) + body if kind else body


def _data(answer: Any, name: str, size: int | None = None) -> bytes:
    return data_bytes(field(answer, name), name, size)


def _number(answer: Any, name: str) -> bytes:
    return rlp.encode_int(quantity(field(answer, name), name))
