"""Bytes read from front to back, as Bitcoin's formats are."""

from .failures import Failed


class Bytes:
    """A cursor over bytes; whatever ends too early or leaves something fails with one code."""

    def __init__(self, data: bytes, code: str) -> None:
        self._data, self._at, self._code = data, 0, code

    def take(self, size: int) -> bytes:
        """The next bytes."""
        end = self._at + size
        if end > len(self._data):
            raise Failed(self._code, "got bytes that end too early")
        taken, self._at = self._data[self._at : end], end
        return taken

    def compact(self) -> int:
        """A number in Bitcoin's compact form."""
        first = self.take(1)[0]
        if first < 0xFD:
            return first
        return int.from_bytes(self.take((2, 4, 8)[first - 0xFD]), "little")

    def blob(self) -> bytes:
        """Bytes behind their length."""
        return self.take(self.compact())

    def pairs(self) -> dict[bytes, bytes]:
        """One map of a PSBT (BIP-174), each key once."""
        found: dict[bytes, bytes] = {}
        while key := self.blob():
            if key in found:
                raise Failed(self._code, "got a key twice")
            found[key] = self.blob()
        return found

    def done(self) -> None:
        """Nothing follows."""
        if self._at != len(self._data):
            raise Failed(self._code, "got bytes behind the end")
