"""Putting shares of one backup together when some of them may be wrong.

A threshold of two or more carries a digest, so a wrong share is found by trying other quorums. A
group of one share has none: only the card can tell a wrong one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

from shamir_mnemonic import Share

from signer.backup.shares import SharesDoNotCombine, combined


@dataclass(frozen=True, slots=True)
class Solution:
    """What a set of shares holds, the shares that prove it, and those that contradict it."""

    ciphertext: bytes = field(repr=False)
    proved: frozenset[Share] = field(repr=False)
    spoiled: frozenset[Share] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A group's value and the shares that agree on it."""

    value: bytes = field(repr=False)
    members: frozenset[Share] = field(repr=False)


def solve(shares: Sequence[Share]) -> Iterator[Solution]:
    """Every way in which shares with the same common parameters come to a result; mostly one."""
    threshold = shares[0].group_threshold
    pieces = _pieces(shares)
    told: set[bytes] = set()
    for indices in combinations(sorted(pieces), threshold):
        for chosen in product(*(pieces[index] for index in indices)):
            points = {index: piece.value for index, piece in zip(indices, chosen, strict=True)}
            ciphertext = _combined(points, threshold)
            if ciphertext is None or ciphertext in told:
                continue
            told.add(ciphertext)
            proved = _agreeing(pieces, points, ciphertext, threshold)
            seen = {share.group_index for share in proved}
            spoiled = frozenset(share for share in shares if share.group_index in seen) - proved
            yield Solution(ciphertext, proved, spoiled)


def missing(shares: Sequence[Share]) -> tuple[str, ...]:
    """What each group of an incomplete set has and needs, in words."""
    groups: dict[tuple[int, int], set[int]] = defaultdict(set)
    for share in shares:
        groups[(share.group_index, share.member_threshold)].add(share.index)
    lines = [
        f"group {group + 1} has {len(members)} of {needed} shares"
        for (group, needed), members in sorted(groups.items())
    ]
    return (*lines, f"{shares[0].group_threshold} of {shares[0].group_count} groups are needed")


def _pieces(shares: Sequence[Share]) -> Mapping[int, tuple[_Piece, ...]]:
    """The values that each group can have, by group index."""
    groups: dict[tuple[int, int], list[Share]] = defaultdict(list)
    for share in shares:
        groups[(share.group_index, share.member_threshold)].append(share)
    pieces: dict[int, tuple[_Piece, ...]] = {}
    for (index, threshold), members in groups.items():
        found = _group_pieces(members, threshold)
        if found:
            pieces[index] = (*pieces.get(index, ()), *found)
    return pieces


def _group_pieces(members: Sequence[Share], threshold: int) -> tuple[_Piece, ...]:
    if threshold == 1:
        return tuple(_Piece(share.value, frozenset([share])) for share in members)
    for quorum in combinations(members, threshold):
        points = {share.index: share.value for share in quorum}
        value = _combined(points, threshold)
        if value is not None:
            agreeing = [share for share in members if _fits(share, quorum, value)]
            return (_Piece(value, frozenset(agreeing)),)
    return ()


def _fits(share: Share, quorum: Sequence[Share], value: bytes) -> bool:
    """Whether a share takes the place of another in a good quorum."""
    if share in quorum:
        return True
    others = [one for one in quorum if one.index != share.index][: len(quorum) - 1]
    points = {one.index: one.value for one in (*others, share)}
    return _combined(points, len(quorum)) == value


def _agreeing(
    pieces: Mapping[int, Sequence[_Piece]],
    points: Mapping[int, bytes],
    ciphertext: bytes,
    threshold: int,
) -> frozenset[Share]:
    """The members of every group that fits the result."""
    members: set[Share] = set()
    for index, group in pieces.items():
        others = [one for one in points if one != index][: threshold - 1]
        for piece in group:
            tried = {**{one: points[one] for one in others}, index: piece.value}
            if _combined(tried, threshold) == ciphertext:
                members |= piece.members
    return frozenset(members)


def _combined(points: Mapping[int, bytes], threshold: int) -> bytes | None:
    if len(points) != threshold:
        return None
    try:
        return combined(points, threshold)
    except SharesDoNotCombine:
        return None
