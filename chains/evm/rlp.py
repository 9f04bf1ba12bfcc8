"""Recursive length prefix: the one byte form of an EVM transaction.

Only canonical bytes are read, so that decode(encode(x)) and encode(decode(b)) are both identities:
a signer must never show one transaction and sign another reading of the same bytes.
"""

from collections.abc import Sequence
from typing import TypeAlias

from chains.errors import CodecError

Item: TypeAlias = bytes | list["Item"]

DEPTH_MAX = 4
"""No transaction nests deeper (an access list needs three)."""

_SHORT_MAX = 55
"""Longest payload whose length fits in the prefix byte."""


def encode(item: bytes | Sequence[object]) -> bytes:
    """Canonical bytes of a byte string or a nested sequence of byte strings."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(0x80, len(item)) + item
    body = b"".join(encode(part) for part in item)  # type: ignore[arg-type]
    return _prefix(0xC0, len(body)) + body


def encode_int(value: int) -> bytes:
    """A number as RLP wants it: big-endian without leading zeros, zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(data: bytes) -> Item:
    """Parse canonical bytes. Raises CodecError on any other form, or on bytes left over."""
    item, end = _decode_at(data, 0, DEPTH_MAX)
    if end != len(data):
        raise CodecError(f"got {len(data) - end} bytes after the RLP item, expected none")
    return item


def decode_int(item: Item, bits_max: int) -> int:
    """A number of at most `bits_max` bits. Raises CodecError on a list or leading zeros."""
    if not isinstance(item, bytes):
        raise CodecError("got an RLP list, expected a number")
    if item[:1] == b"\x00":
        raise CodecError("got a number with leading zeros, expected its shortest form")
    value = int.from_bytes(item, "big")
    if value.bit_length() > bits_max:
        raise CodecError(f"got a number of {value.bit_length()} bits, expected at most {bits_max}")
    return value


def _prefix(offset: int, size: int) -> bytes:
    if size <= _SHORT_MAX:
        return bytes([offset + size])
    length = encode_int(size)
    return bytes([offset + _SHORT_MAX + len(length)]) + length


def _decode_at(data: bytes, start: int, depth: int) -> tuple[Item, int]:
    if start >= len(data):
        raise CodecError("got RLP that ends early")
    lead = data[start]
    if lead < 0x80:
        return data[start : start + 1], start + 1
    is_list = lead >= 0xC0
    body, end = _span(data, start, lead - (0xC0 if is_list else 0x80))
    if is_list:
        return _decode_list(data, body, end, depth), end
    text = data[body:end]
    if len(text) == 1 and text[0] < 0x80:
        raise CodecError("got a small byte with a length, expected the byte itself")
    return text, end


def _span(data: bytes, start: int, size: int) -> tuple[int, int]:
    """Where the payload of the item at `start` begins and ends."""
    body = start + 1
    if size > _SHORT_MAX:
        width = size - _SHORT_MAX
        length = data[body : body + width]
        if len(length) != width or length[0] == 0:
            raise CodecError("got an RLP length that is cut short or has leading zeros")
        size = int.from_bytes(length, "big")
        if size <= _SHORT_MAX:
            raise CodecError("got a short RLP item in long form")
        body += width
    if body + size > len(data):
        raise CodecError("got RLP that ends early")
    return body, body + size


def _decode_list(data: bytes, start: int, end: int, depth: int) -> list[Item]:
    if depth == 0:
        raise CodecError(f"got RLP nested deeper than {DEPTH_MAX}")
    items: list[Item] = []
    while start < end:
        item, start = _decode_at(data, start, depth - 1)
        items.append(item)
    if start != end:
        raise CodecError("got an RLP item that reaches past its list")
    return items
