"""A reader of the little deterministic CBOR that URs hold: no recursion, nothing but what is asked.

Definite lengths and shortest forms only (RFC 8949 section 4.2). A general decoder would make dates,
patterns and other objects out of tags that a stranger chose.
"""

from signer.transports.errors import CborMalformed

_UINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = 0, 2, 3, 4, 5, 6
_FALSE, _TRUE = 0xF4, 0xF5
_LONG_HEADS = {24: 1, 25: 2, 26: 4, 27: 8}


class Reader:
    """Reads one item after the other; every method raises CborMalformed on anything else."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def uint(self, most: int) -> int:
        """A number from 0 to `most`."""
        return self._head(_UINT, most)

    def blob(self, most: int) -> bytes:
        """At most `most` bytes."""
        return self._take(self._head(_BYTES, most))

    def text(self, most: int) -> str:
        """A text of at most `most` bytes."""
        try:
            return self._take(self._head(_TEXT, most)).decode()
        except UnicodeDecodeError as error:
            raise CborMalformed("got a text that is not UTF-8") from error

    def array(self, most: int) -> int:
        """The number of items that follow."""
        return self._head(_ARRAY, most)

    def map(self, most: int) -> int:
        """The number of pairs that follow."""
        return self._head(_MAP, most)

    def tag(self, *expected: int) -> None:
        """One of the expected tags."""
        got = self._head(_TAG, max(expected))
        if got not in expected:
            raise CborMalformed(f"got tag {got}, expected one of {expected}")

    def boolean(self) -> bool:
        """True or false."""
        got = self._take(1)[0]
        if got not in (_FALSE, _TRUE):
            raise CborMalformed(f"got the byte {got:#04x}, expected true or false")
        return got == _TRUE

    def done(self) -> None:
        """Nothing follows."""
        if self._at != len(self._data):
            raise CborMalformed(f"got {len(self._data) - self._at} bytes behind the end")

    def _head(self, major: int, most: int) -> int:
        first = self._take(1)[0]
        if first >> 5 != major:
            raise CborMalformed(f"got an item of kind {first >> 5}, expected {major}")
        value = first & 31
        if value in _LONG_HEADS:
            size = _LONG_HEADS[value]
            value = int.from_bytes(self._take(size), "big")
            shortest = 24 if size == 1 else 1 << 4 * size
            if value < shortest:
                raise CborMalformed(f"got {value} in {size} bytes, expected the shortest form")
        elif value > max(_LONG_HEADS):
            raise CborMalformed("got an item of indefinite length")
        if value > most:
            raise CborMalformed(f"got {value}, expected at most {most}")
        return value

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise CborMalformed("got an item that ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken
