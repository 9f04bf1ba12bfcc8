"""The Merkle-sum tree of one asset's liabilities: how leaves and nodes are hashed, and paths.

    identity = HMAC-SHA256(salt, "glaytos/reserves/leaf/v1" || asset || account || share)
    leaf     = SHA-256(0x00 || SHA-256(asset) || identity || units)
    node     = SHA-256(0x01 || left units || right units || left hash || right hash)

Units are 16 bytes, big endian. Attacks that this meets:

- *Sums not bound* (Maxwell's tree as first published, where a node hashed only the sum of both
  children): a node hashes each child's own sum, so neither can be lowered afterwards.
- *Negative sums*: units are unsigned by form; no bytes mean less than nothing.
- *Overflow*: every sum is checked to stay below 2^128; nothing wraps around.
- *One leaf for two users*: the leaf is made of the account's id, which each user knows as theirs.
- *A node taken for a leaf, or a leaf for a node*: different first bytes, and a path must have
  exactly the depth that the publication states.
- *One leaf counted twice*: the leaves of one proof must lie at different places.
- *A leaf of another asset's tree*: the asset is part of every leaf.

What a path shows of others: the hash and sum of one neighbouring share, and sums of ever larger
groups. Each account is cut into shares at random, which lie at random places among empty ones.
"""

import hmac
from dataclasses import dataclass
from typing import NamedTuple

from .failures import Failed
from .hashes import sha256

UNITS_BYTES = 16
UNITS_END = 1 << 8 * UNITS_BYTES
"""No sum reaches this: 3.4 * 10^38 base units."""

DEPTH_MAX = 40
"""A million million leaves."""

IDENTITY_BYTES = 32
SALT_BYTES = 32


class Node(NamedTuple):
    """A hash and the sum below it."""

    hash: bytes
    units: int


@dataclass(frozen=True)
class Leaf:
    """One share of an account, as its owner is shown it: where it lies and the way to the root."""

    share: int
    salt: bytes
    units: int
    place: int
    path: tuple[Node, ...]


def identity(salt: bytes, asset: str, account: str, share: int) -> bytes:
    """Whose share it is, readable only for those who know the salt."""
    names = asset.encode(), account.encode()
    told = b"".join(len(name).to_bytes(2, "big") + name for name in names)
    message = b"glaytos/reserves/leaf/v1" + told + share.to_bytes(2, "big")
    return hmac.digest(salt, message, "sha256")


def leaf_node(asset: str, who: bytes, units: int) -> Node:
    """The lowest node over a share."""
    asset_tag = sha256(asset.encode())
    return Node(sha256(b"\x00" + asset_tag + who + units_bytes(units)), units)


def parent(left: Node, right: Node) -> Node:
    """The node over two: it binds both sums, not only their total."""
    sums = units_bytes(left.units) + units_bytes(right.units)
    total = left.units + right.units
    units_bytes(total)
    return Node(sha256(b"\x01" + sums + left.hash + right.hash), total)


def units_bytes(units: int) -> bytes:
    """A sum as it is hashed. Raises Failed (path.sum) outside 0 to 2^128."""
    if not 0 <= units < UNITS_END:
        raise Failed("path.sum", f"got a sum of {units}, expected 0 to 2^128")
    return units.to_bytes(UNITS_BYTES, "big")


def root_of(leaf: Leaf, asset: str, account: str, depth: int) -> Node:
    """The root that a leaf's path leads to. Raises Failed."""
    if len(leaf.path) != depth:
        raise Failed("path.depth", f"got a path of {len(leaf.path)} steps, expected {depth}")
    if not 0 <= leaf.place < 1 << depth:
        raise Failed("path.place", f"got place {leaf.place}, expected below {1 << depth}")
    if not 0 <= leaf.share < 1 << 16:
        raise Failed("path.share", f"got share {leaf.share}, expected two bytes")
    if len(leaf.salt) != SALT_BYTES or any(len(node.hash) != 32 for node in leaf.path):
        raise Failed("path.bytes", "got a salt or a hash that is not 32 bytes")
    found = leaf_node(asset, identity(leaf.salt, asset, account, leaf.share), leaf.units)
    place = leaf.place
    for sibling in leaf.path:
        found = parent(sibling, found) if place & 1 else parent(found, sibling)
        place >>= 1
    return found
