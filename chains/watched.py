"""What scans look for, small enough for tens of millions of addresses in memory.

Scripts are kept as 64-bit fingerprints (8 bytes in a table at most 5/8 full: 13 to 26 bytes each).
The fingerprint is Python's own keyed hash, so nobody outside can aim at a collision; a hit may
still be false, about once in 2^40 lookups, and is confirmed against the database. A miss never is.
"""

from array import array
from collections.abc import Iterable, Iterator

from chains.types import OutPoint
from chains.utxo.transactions import outpoint_bytes

_CAPACITY_MIN = 1024
_FULL_EIGHTHS = 5


class WatchedScripts:
    """A set of targets that can be added to and asked, never listed."""

    __slots__ = ("_count", "_mask", "_table")

    def __init__(self, targets: Iterable[bytes] = ()) -> None:
        self._count = 0
        self._mask = _CAPACITY_MIN - 1
        self._table = _empty(_CAPACITY_MIN)
        self.update(targets)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, target: object) -> bool:
        fingerprint = hash(target) or 1
        table, mask = self._table, self._mask
        at = fingerprint & mask
        while entry := table[at]:
            if entry == fingerprint:
                return True
            at = at + 1 & mask
        return False

    def add(self, target: bytes) -> None:
        """Watch one more target; adding it again changes nothing."""
        if 8 * self._count >= _FULL_EIGHTHS * (self._mask + 1):
            self._grow()
        self._insert(hash(target) or 1)

    def update(self, targets: Iterable[bytes]) -> None:
        """Watch all of these."""
        for target in targets:
            self.add(target)

    @property
    def memory_bytes(self) -> int:
        """What the table takes."""
        return self._table.itemsize * len(self._table)

    def _insert(self, fingerprint: int) -> None:
        table, mask = self._table, self._mask
        at = fingerprint & mask
        while entry := table[at]:
            if entry == fingerprint:
                return
            at = at + 1 & mask
        table[at] = fingerprint
        self._count += 1

    def _grow(self) -> None:
        old = self._table
        self._mask = 2 * self._mask + 1
        self._table = _empty(self._mask + 1)
        self._count = 0
        for fingerprint in old:
            if fingerprint:
                self._insert(fingerprint)


class WatchedOutpoints:
    """Outputs of ours that are unspent: an exact set, asked by value or by the 36 bytes in a block.

    Scans are much faster over this than over a plain set of OutPoint.
    """

    __slots__ = ("_known",)

    def __init__(self, outpoints: Iterable[OutPoint] = ()) -> None:
        self._known = {outpoint_bytes(one.txid, one.vout) for one in outpoints}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, outpoint: object) -> bool:
        if not isinstance(outpoint, OutPoint):
            return False
        return outpoint_bytes(outpoint.txid, outpoint.vout) in self._known

    def __iter__(self) -> Iterator[OutPoint]:
        for raw in self._known:
            yield OutPoint(raw[31::-1].hex(), int.from_bytes(raw[32:], "little"))

    def add(self, outpoint: OutPoint) -> None:
        """Watch one more."""
        self._known.add(outpoint_bytes(outpoint.txid, outpoint.vout))

    def update(self, outpoints: Iterable[OutPoint]) -> None:
        """Watch all of these."""
        for outpoint in outpoints:
            self.add(outpoint)

    def discard(self, outpoint: OutPoint) -> None:
        """Stop watching one; unknown ones are no error."""
        self._known.discard(outpoint_bytes(outpoint.txid, outpoint.vout))

    def difference_update(self, outpoints: Iterable[OutPoint]) -> None:
        """Stop watching these."""
        for outpoint in outpoints:
            self.discard(outpoint)

    @property
    def raw(self) -> set[bytes]:
        """The 36-byte forms; read only."""
        return self._known


def _empty(capacity: int) -> "array[int]":
    return array("q", bytes(8 * capacity))
