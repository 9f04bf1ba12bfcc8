"""Merkle-Patricia tries (Yellow Paper, appendix D): what a block names its contents and state by.

Roots are made of all values, and single values are looked up in the nodes of a proof; nothing is
stored.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from chains.errors import CodecError
from chains.evm import rlp
from chains.evm.hashing import keccak256

EMPTY_ROOT = keccak256(rlp.encode(b""))
"""The root of a trie that holds nothing."""

_Node: TypeAlias = bytes | list["_Node"]
_Pairs: TypeAlias = Sequence[tuple[tuple[int, ...], bytes]]


def ordered_root(values: Sequence[bytes]) -> bytes:
    """The root over values by their place, as blocks keep transactions, receipts, withdrawals."""
    return root({rlp.encode(rlp.encode_int(at)): value for at, value in enumerate(values)})


def root(items: Mapping[bytes, bytes]) -> bytes:
    """The root over keys and their values, none of them empty."""
    if not items:
        return EMPTY_ROOT
    pairs = sorted((_nibbles(key), value) for key, value in items.items())
    return keccak256(rlp.encode(_node(pairs, 0)))


def look_up(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """The value of a key, or None when the trie has none, from the nodes on the way to it.

    Raises CodecError unless the nodes, and no others, lead from the root to the answer.
    """
    if not nodes and root == EMPTY_ROOT:
        return None
    rest: tuple[int, ...] | None = _nibbles(key)
    waiting = list(nodes)
    found: rlp.Item = root
    while rest is not None and found:
        if isinstance(found, bytes):
            if not waiting or keccak256(waiting[0]) != found:
                raise CodecError("got a proof whose nodes do not follow from the root")
            found = rlp.decode(waiting.pop(0))
        found, rest = _step(found, rest)
    if waiting or isinstance(found, list):
        raise CodecError("got a proof that does not end in its answer")
    return found or None


def _step(node: rlp.Item, path: tuple[int, ...]) -> tuple[rlp.Item, tuple[int, ...] | None]:
    """What a node has for a path: the next node and the rest of the path, or a value and None."""
    if not isinstance(node, list) or len(node) not in (2, 17):
        raise CodecError("got a trie node of another shape")
    if len(node) == 17:
        return (node[path[0]], path[1:]) if path else (node[16], None)
    if not isinstance(node[0], bytes) or not node[0]:
        raise CodecError("got a trie node without a path")
    packed = _nibbles(node[0])
    is_leaf, part = packed[0] >= 2, packed[1 if packed[0] % 2 else 2 :]
    if is_leaf:
        return (node[1] if part == path else b""), None
    if path[: len(part)] != part:
        return b"", None
    return node[1], path[len(part) :]


def _node(pairs: _Pairs, depth: int) -> _Node:
    """The node of keys that are the same up to `depth`, in order."""
    first, last = pairs[0][0], pairs[-1][0]
    if len(pairs) == 1:
        return [_packed(first[depth:], leaf=True), pairs[0][1]]
    same = depth
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    if same > depth:
        return [_packed(first[depth:same], leaf=False), _reference(pairs, same)]
    branch: list[_Node] = [b""] * 17
    if len(first) == depth:
        branch[16] = pairs[0][1]
        pairs = pairs[1:]
    for nibble in range(16):
        below = [pair for pair in pairs if pair[0][depth] == nibble]
        if below:
            branch[nibble] = _reference(below, depth + 1)
    return branch


def _reference(pairs: _Pairs, depth: int) -> _Node:
    """A node as its parent holds it: itself if that is short, else its hash."""
    node = _node(pairs, depth)
    encoded = rlp.encode(node)
    return node if len(encoded) < 32 else keccak256(encoded)


def _packed(nibbles: Sequence[int], *, leaf: bool) -> bytes:
    """Nibbles as bytes with the kind of node and their parity in front (appendix C)."""
    odd = len(nibbles) % 2
    flag = 2 * leaf + odd
    padded = (flag, *nibbles) if odd else (flag, 0, *nibbles)
    return bytes(16 * high + low for high, low in zip(padded[::2], padded[1::2], strict=True))


def _nibbles(key: bytes) -> tuple[int, ...]:
    return tuple(nibble for byte in key for nibble in (byte >> 4, byte & 15))
