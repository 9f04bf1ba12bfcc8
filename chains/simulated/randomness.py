"""Numbers that look random and repeat exactly: SHA-256 over a seed and a counter."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class Seeded:
    """A generator that one text determines; never for secrets."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def blob(self, size: int) -> bytes:
        """The next `size` bytes."""
        data = b""
        while len(data) < size:
            data += hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()
            self._count += 1
        return data[:size]

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1; 16 bytes make its bias too small to see."""
        return int.from_bytes(self.blob(16), "big") % limit

    def between(self, least: int, most: int) -> int:
        """A number from `least` to `most`, both included."""
        return least + self.below(most - least + 1)

    def one_in(self, times: int) -> bool:
        """True once in so many times."""
        return self.below(times) == 0

    def pick(self, items: Sequence[_T]) -> _T:
        """One of them."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[_T, int]]) -> _T:
        """One of them, as often as its weight says."""
        return self.pick([item for item, weight in items for _ in range(weight)])

    def child(self, name: str) -> "Seeded":
        """Another generator, independent of how far this one has run."""
        return Seeded(f"{self._seed}/{name}")
