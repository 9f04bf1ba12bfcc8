"""A reader of the little deterministic CBOR that messages hold: numbers, bytes, texts, lists, maps.

Definite lengths and shortest forms only (RFC 8949 section 4.2). A general decoder would make dates,
patterns, large floats and references out of tags that a stranger chose, before anybody looks.
"""

from enum import IntEnum
from typing import Any


class Major(IntEnum):
    """The kinds of items that are read (RFC 8949 section 3.1)."""

    UINT = 0
    BYTES = 2
    TEXT = 3
    ARRAY = 4
    MAP = 5
    TAG = 6


_FALSE, _TRUE = 0xF4, 0xF5
_LONG_HEADS = {24: 1, 25: 2, 26: 4, 27: 8}

_BIGNUM_TAG = 2
_BIGNUM_BYTES_MIN, _BIGNUM_BYTES_MAX = 9, 32
"""Of 8 bytes or fewer a number has a shorter form; of more than 32 no number of ours has need."""

VALUES_MAX = 1 << 17
"""Plain values in one message; an empty list of one byte takes sixty in memory."""


class Reader:
    """Reads one item after the other; raises `malformed` on anything else than what is asked."""

    def __init__(self, data: bytes, malformed: type[Exception]) -> None:
        self._data = data
        self._at = 0
        self._malformed = malformed
        self._values_left = VALUES_MAX

    def uint(self, most: int) -> int:
        """A number from 0 to `most`."""
        return self._head(Major.UINT, most)

    def blob(self, most: int) -> bytes:
        """At most `most` bytes."""
        return self._take(self._head(Major.BYTES, most))

    def text(self, most: int) -> str:
        """A text of at most `most` bytes."""
        try:
            return self._take(self._head(Major.TEXT, most)).decode()
        except UnicodeDecodeError as error:
            raise self._malformed("got a text that is not UTF-8") from error

    def array(self, most: int) -> int:
        """The number of items that follow."""
        return self._head(Major.ARRAY, most)

    def map(self, most: int) -> int:
        """The number of pairs that follow."""
        return self._head(Major.MAP, most)

    def tag(self, *expected: int) -> None:
        """One of the expected tags."""
        got = self._head(Major.TAG, max(expected))
        if got not in expected:
            raise self._malformed(f"got tag {got}, expected one of {expected}")

    def boolean(self) -> bool:
        """True or false."""
        got = self._take(1)[0]
        if got not in (_FALSE, _TRUE):
            raise self._malformed(f"got the byte {got:#04x}, expected true or false")
        return got == _TRUE

    def value(self, depth_max: int) -> Any:
        """A number below 2^256, a text, bytes, a list, or a map by texts, nested `depth_max` deep.

        Every item takes at least one byte, so no count may exceed the bytes that are left.
        """
        if depth_max == 0:
            raise self._malformed("got values nested too deep")
        if self._values_left == 0:
            raise self._malformed(f"got more than {VALUES_MAX} values")
        self._values_left -= 1
        left = len(self._data) - self._at
        match self._kind():
            case Major.UINT:
                return self.uint(2**64 - 1)
            case Major.BYTES:
                return self.blob(left)
            case Major.TEXT:
                return self.text(left)
            case Major.ARRAY:
                return [self.value(depth_max - 1) for _ in range(self.array(left))]
            case Major.MAP:
                return self._table(self.map(left), depth_max - 1)
            case Major.TAG:
                return self._bignum()
            case other:
                raise self._malformed(f"got an item of kind {other}, expected a plain value")

    def done(self) -> None:
        """Nothing follows."""
        if self._at != len(self._data):
            raise self._malformed(f"got {len(self._data) - self._at} bytes behind the end")

    def _table(self, count: int, depth_max: int) -> dict[str, Any]:
        """Keys once each, in the order of their encoded bytes: the shorter first."""
        found: dict[str, Any] = {}
        last = (-1, b"")
        for _ in range(count):
            name = self.text(len(self._data))
            encoded = name.encode()
            if last >= (len(encoded), encoded):
                raise self._malformed(f"got the key {name[:40]!r} twice or out of order")
            last = (len(encoded), encoded)
            found[name] = self.value(depth_max)
        return found

    def _bignum(self) -> int:
        self.tag(_BIGNUM_TAG)
        digits = self.blob(_BIGNUM_BYTES_MAX)
        if len(digits) < _BIGNUM_BYTES_MIN or digits[0] == 0:
            raise self._malformed("got a large number that is not in its shortest form")
        return int.from_bytes(digits, "big")

    def _kind(self) -> int:
        """The kind of the next item."""
        if self._at == len(self._data):
            raise self._malformed("got an item that ends too early")
        return self._data[self._at] >> 5

    def _head(self, kind: Major, most: int) -> int:
        first = self._take(1)[0]
        if first >> 5 != kind:
            raise self._malformed(f"got an item of kind {first >> 5}, expected {kind:d}")
        value = first & 31
        if value in _LONG_HEADS:
            size = _LONG_HEADS[value]
            value = int.from_bytes(self._take(size), "big")
            shortest = 24 if size == 1 else 1 << 4 * size
            if value < shortest:
                raise self._malformed(f"got {value} in {size} bytes, expected the shortest form")
        elif value > max(_LONG_HEADS):
            raise self._malformed("got an item of indefinite length")
        if value > most:
            raise self._malformed(f"got {value}, expected at most {most}")
        return value

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise self._malformed("got an item that ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken
