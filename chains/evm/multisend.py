"""MultiSendCallOnly: several calls of a Safe in one transaction, packed one after the other.

An item is operation (1 byte), payee (20), value (32), length of data (32), data. Nothing is
skipped and nothing may be left over, so there is only one reading of the bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm import abi
from chains.evm.addresses import ADDRESS_BYTES

MULTI_SEND = bytes.fromhex("8d80ff0a")
"""multiSend(bytes)."""

ITEMS_MAX = 100
"""More payments than a person can read in one request; checked while parsing."""

_HEAD_BYTES = 1 + ADDRESS_BYTES + 2 * abi.WORD


class MultiSendCalldata(CodecError):
    """A call that is not exactly multiSend(bytes)."""

    code = "multisend.calldata"


class MultiSendPacking(CodecError):
    """Packed items that end early or leave bytes over."""

    code = "multisend.packing"


class MultiSendItems(CodecError):
    """No item, or too many to be read by a person."""

    code = "multisend.items"


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiSendItem:
    """One call; `operation` 0 is a call, and the contract refuses anything else."""

    to: bytes
    value_wei: int
    data: bytes = b""
    operation: int = 0

    def encode(self) -> bytes:
        """The packed form."""
        head = bytes([self.operation]) + self.to + abi.word(self.value_wei)
        return head + abi.word(len(self.data)) + self.data


def multisend_calldata(items: Sequence[MultiSendItem]) -> bytes:
    """multiSend(items) as calldata."""
    packed = b"".join(item.encode() for item in items)
    return MULTI_SEND + abi.word(abi.WORD) + abi.tail(packed)


def decode_multisend(data: bytes) -> tuple[MultiSendItem, ...]:
    """The items of a multiSend call. Raises CodecError by its reason."""
    if abi.selector(data) != MULTI_SEND:
        raise MultiSendCalldata(f"got call {data[:4].hex()}, expected multiSend")
    try:
        packed = abi.read_tail(data[4:], 0)
    except CodecError as error:
        raise MultiSendCalldata(str(error)) from error
    if MULTI_SEND + abi.word(abi.WORD) + abi.tail(packed) != data:
        raise MultiSendCalldata("got a multiSend call that is not in canonical form")
    return _items(packed)


def _items(packed: bytes) -> tuple[MultiSendItem, ...]:
    items: list[MultiSendItem] = []
    start = 0
    while start < len(packed):
        if len(items) == ITEMS_MAX:
            raise MultiSendItems(f"got more than {ITEMS_MAX} items")
        body = start + _HEAD_BYTES
        if body > len(packed):
            raise MultiSendPacking(f"got {len(packed) - start} bytes, expected an item or the end")
        size = int.from_bytes(packed[body - abi.WORD : body], "big")
        if size > len(packed) - body:
            raise MultiSendPacking(f"got an item of {size} bytes that reaches past the end")
        value = packed[start + 1 + ADDRESS_BYTES : body - abi.WORD]
        items.append(
            MultiSendItem(
                operation=packed[start],
                to=packed[start + 1 : start + 1 + ADDRESS_BYTES],
                value_wei=int.from_bytes(value, "big"),
                data=packed[body : body + size],
            )
        )
        start = body + size
    if not items:
        raise MultiSendItems("got no item, expected at least one")
    return tuple(items)
