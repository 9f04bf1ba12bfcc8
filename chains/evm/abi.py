"""The small part of the contract ABI that we use: 32-byte words and one dynamic byte string.

Reading is strict: padding must be zero and offsets must be the canonical ones, so bytes that a
contract would read in a second way never pass.
"""

from collections.abc import Iterator

from chains.errors import CodecError

WORD = 32


def word(value: int) -> bytes:
    """An unsigned number as one word."""
    return value.to_bytes(WORD, "big")


def address_word(address: bytes) -> bytes:
    """A 20-byte address as one word."""
    return address.rjust(WORD, b"\x00")


def tail(data: bytes) -> bytes:
    """A dynamic byte string: its length, then its bytes padded to whole words."""
    return word(len(data)) + data + bytes(-len(data) % WORD)


def selector(data: bytes) -> bytes:
    """The first four bytes of calldata, which name the function."""
    return data[:4]


def address_like(data: bytes) -> Iterator[bytes]:
    """The 20 bytes of every whole word that is padded as an address is."""
    for start in range(0, len(data) - WORD + 1, WORD):
        part = data[start : start + WORD]
        if not any(part[:12]):
            yield part[12:]


def read_word(data: bytes, index: int) -> bytes:
    """The word at `index`. Raises CodecError past the end."""
    part = data[index * WORD : (index + 1) * WORD]
    if len(part) != WORD:
        raise CodecError("got ABI data that ends early")
    return part


def read_int(data: bytes, index: int) -> int:
    """The word at `index` as a number."""
    return int.from_bytes(read_word(data, index), "big")


def read_address(data: bytes, index: int) -> bytes:
    """The word at `index` as a 20-byte address. Raises CodecError unless padded with zeros."""
    part = read_word(data, index)
    if part[:12] != bytes(12):
        raise CodecError("got an address word with dirty padding")
    return part[12:]


def read_tail(data: bytes, index: int) -> bytes:
    """The dynamic byte string whose offset stands in the word at `index`."""
    offset = read_int(data, index)
    if offset % WORD or offset + WORD > len(data):
        raise CodecError("got an ABI offset outside the data")
    size = int.from_bytes(data[offset : offset + WORD], "big")
    start = offset + WORD
    if size > len(data) - start:
        raise CodecError("got an ABI length outside the data")
    return data[start : start + size]
