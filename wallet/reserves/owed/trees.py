"""Trees as files: built once, then any path is read with a few seeks and no database.

One tree an asset. What a neighbour's leaf shows is then one share of one asset, never what else its
owner has; an asset added later changes no other tree; a proof is as long as the assets one holds.
A file is the leaves in the order of their identities (32 bytes and 16 of units each), then every
level from the leaves' nodes up to the root, each node 32 bytes of hash and 16 of units.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from wallet.reserves.errors import AccountTwice, NotIncluded, SumTooLarge
from wallet.reserves.owed.leaves import LEAVES_MIN, SHARES, Shares
from wallet.reserves.verifier.failures import Failed
from wallet.reserves.verifier.tree import (
    IDENTITY_BYTES,
    UNITS_BYTES,
    Leaf,
    Node,
    identity,
    leaf_node,
    parent,
)

RECORD = IDENTITY_BYTES + UNITS_BYTES
"""Bytes of a leaf and of a node."""


def write_tree(
    path: Path,
    asset: str,
    shares: Shares,
    balances: Iterable[tuple[str, int]],
) -> tuple[int, Node]:
    """The tree of (account, units): its depth and root. Raises SumTooLarge or AccountTwice."""
    leaves: list[bytes] = []
    for account, units in balances:
        for share in shares.of(asset, account, units):
            try:
                leaves.append(share.identity + share.units.to_bytes(UNITS_BYTES, "big"))
            except OverflowError as error:
                raise SumTooLarge(f"got {units} {asset}, expected below 2^128") from error
    depth = (max(len(leaves), LEAVES_MIN) - 1).bit_length()
    nothing = bytes(UNITS_BYTES)
    leaves += [shares.empty(asset, n) + nothing for n in range((1 << depth) - len(leaves))]
    # Identities are as good as random: their order scatters shares among those of nobody.
    leaves.sort()
    if any(one[:IDENTITY_BYTES] == two[:IDENTITY_BYTES] for one, two in pairwise(leaves)):
        raise AccountTwice(f"got an account twice in {asset}, expected its sum once")
    with path.open("xb") as file, path.open("rb") as written:
        path.chmod(0o600)
        file.writelines(leaves)
        try:
            root = _write_levels(file, written, asset, leaves)
        except Failed as error:
            raise SumTooLarge(f"got more {asset} than 2^128 in all") from error
    return depth, root


def _write_levels(file: BinaryIO, written: BinaryIO, asset: str, leaves: list[bytes]) -> Node:
    """Each level is made from the one below, read back from the file: none is held in memory."""
    for one in leaves:
        _write(file, leaf_node(asset, one[:IDENTITY_BYTES], _units(one)))
    written.seek(len(leaves) * RECORD)
    size = len(leaves)
    while size > 1:
        file.flush()
        for _ in range(size >> 1):
            _write(file, parent(_read(written), _read(written)))
        size >>= 1
    file.flush()
    return _read(written)


def _write(file: BinaryIO, node: Node) -> None:
    file.write(node.hash + node.units.to_bytes(UNITS_BYTES, "big"))


def _read(file: BinaryIO) -> Node:
    record = file.read(RECORD)
    return Node(record[:IDENTITY_BYTES], _units(record))


def _units(record: bytes) -> int:
    return int.from_bytes(record[IDENTITY_BYTES:], "big")


class TreeFile:
    """A tree as written; proofs are read from it."""

    def __init__(self, path: Path, asset: str, depth: int, shares: Shares) -> None:
        self._path, self._asset, self._depth, self._shares = path, asset, depth, shares

    def leaves_of(self, account: str) -> tuple[Leaf, ...]:
        """An account's leaves with their paths. Raises NotIncluded."""
        with self._path.open("rb") as file:
            found = []
            for number in range(SHARES):
                salt = self._shares.salt(self._asset, account, number)
                found.append(self._leaf(file, account, number, salt))
        return tuple(found)

    def _leaf(self, file: BinaryIO, account: str, number: int, salt: bytes) -> Leaf:
        who = identity(salt, self._asset, account, number)
        place = self._place(file, who)
        units = _units(_record(file, place))
        path, start, size, at = [], 1 << self._depth, 1 << self._depth, place
        for _ in range(self._depth):
            record = _record(file, start + (at ^ 1))
            path.append(Node(record[:IDENTITY_BYTES], _units(record)))
            start, size, at = start + size, size >> 1, at >> 1
        return Leaf(number, salt, units, place, tuple(path))

    def _place(self, file: BinaryIO, who: bytes) -> int:
        """Where a leaf lies, by halving."""
        low, high = 0, 1 << self._depth
        while low < high:
            middle = low + high >> 1
            if _record(file, middle)[:IDENTITY_BYTES] < who:
                low = middle + 1
            else:
                high = middle
        if low == 1 << self._depth or _record(file, low)[:IDENTITY_BYTES] != who:
            raise NotIncluded(f"got an account without {self._asset} at this height")
        return low


def _record(file: BinaryIO, number: int) -> bytes:
    file.seek(number * RECORD)
    return file.read(RECORD)
