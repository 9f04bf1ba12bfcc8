"""A pile of shares as people bring them: some damaged, some twice, some of another backup.

Every share that is not used is named with the reason; the words themselves are never told.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shamir_mnemonic import MnemonicError, Share
from shamir_mnemonic.wordlist import WORDLIST

from signer.backup.assembly import Solution, missing, solve
from signer.backup.card import Card
from signer.backup.possession import share_key
from signer.backup.shares import BackupError, share_name

FILE_BYTES_MAX = 64 * 1024
"""No file of a pile is larger."""

SHARES_MAX = 512
"""A pile of more is no pile of one backup."""

WORDS_MIN = 20
"""The shortest share: of 128 bits."""

WORDS_MAX = 59
"""The longest: of a 512-bit seed."""

_LETTERS = 4
"""Four letters tell the words of SLIP-39 apart."""

_WORDS = {word[:_LETTERS]: word for word in WORDLIST}


class ShareDamaged(BackupError):
    """Words that are no share."""

    code = "backup.share_damaged"


class PileTooLarge(BackupError):
    """More shares than one backup can have."""

    code = "backup.pile_too_large"


class TooFewShares(BackupError):
    """No backup of the pile can be put together."""

    code = "backup.too_few_shares"


class SeveralBackups(BackupError):
    """More than one backup is complete, and nothing says which is meant."""

    code = "backup.several_backups"


class HeadersDisagree(BackupError):
    """Shares of one backup that say different things of it: without the card none is believed."""

    code = "backup.headers_disagree"


@dataclass(frozen=True, slots=True)
class Found:
    """One share of a pile: where it lay, and what is wrong with it if anything is."""

    place: str
    share: Share | None = field(repr=False)
    problem: str = ""

    @property
    def name(self) -> str:
        """Group and member, or nothing for words that are no share."""
        return share_name(self.share) if self.share is not None else ""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A backup put together: one of its shares, what they hold, and what became of each."""

    some: Share = field(repr=False)
    ciphertext: bytes = field(repr=False)
    report: tuple[Found, ...] = field(repr=False)


def read_share(text: str) -> Share:
    """One share from words in any case, numbered or cut to four letters. Raises ShareDamaged."""
    tokens = [re.sub(r"[^a-z]", "", token) for token in text.lower().split()]
    words = [token for token in tokens if token]
    if not WORDS_MIN <= len(words) <= WORDS_MAX:
        raise ShareDamaged(f"got {len(words)} words, expected {WORDS_MIN} to {WORDS_MAX}")
    for place, word in enumerate(words, start=1):
        if word[:_LETTERS] not in _WORDS:
            raise ShareDamaged(f"got word {place} that is not in the list of SLIP-39")
    whole = " ".join(_WORDS[word[:_LETTERS]] for word in words)
    try:
        return Share.from_mnemonic(whole)
    except MnemonicError as error:
        raise ShareDamaged(
            f"got {len(words)} words whose checksum is wrong, expected them as they were written"
        ) from error


def read_pile(files: Iterable[tuple[str, str]]) -> tuple[Found, ...]:
    """The shares in texts by name: one each, or one a line. Lines that start with # are notes."""
    found: list[Found] = []
    for name, text in files:
        lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
        one_a_line = any(len(line.split()) >= WORDS_MIN for line in lines)
        parts = lines if one_a_line else [" ".join(lines)]
        for number, part in enumerate(parts, start=1):
            place = f"{name} line {number}" if len(parts) > 1 else name
            if len(found) == SHARES_MAX:
                raise PileTooLarge(f"got more than {SHARES_MAX} shares, expected one backup's")
            try:
                found.append(Found(place, read_share(part)))
            except ShareDamaged as error:
                found.append(Found(place, None, str(error)))
    return tuple(found)


def assemble(pile: Sequence[Found], card: Card | None = None) -> Assembled:
    """The one backup that this pile completes; bad shares are found and left out.

    With a card its backup is meant, and each share is held against it. Raises TooFewShares,
    SeveralBackups, HeadersDisagree.
    """
    report = list(_without_copies(pile))
    if card is not None:
        report = [_held_against(card, one) for one in report]
    _check_headers(one.share for one in report if one.share is not None and not one.problem)
    sets: dict[tuple[Any, ...], list[Share]] = defaultdict(list)
    for one in report:
        if one.share is not None and not one.problem:
            sets[(*one.share.common_parameters(), len(one.share.value))].append(one.share)
    solutions = [solution for shares in sets.values() for solution in solve(shares)]
    if not solutions:
        raise TooFewShares(_complaint(report, sets.values()))
    if len(solutions) > 1:
        raise SeveralBackups(
            f"got shares that make {len(solutions)} different secrets, expected one: give the card"
        )
    told = tuple(_judged(one, solutions[0]) for one in report)
    return Assembled(next(iter(solutions[0].proved)), solutions[0].ciphertext, told)


def _judged(one: Found, solution: Solution) -> Found:
    """A share that was not proved and had no problem yet gets one, if it can be told."""
    if one.share is None or one.problem or one.share in solution.proved:
        return one
    if one.share in solution.spoiled:
        return replace(one, problem="contradicts the other shares: it was changed")
    proved = next(iter(solution.proved))
    if one.share.common_parameters() != proved.common_parameters():
        return replace(one, problem="belongs to another backup")
    return replace(one, problem="is of a group too small to be checked, and was not needed")


def _complaint(report: Iterable[Found], sets: Iterable[Sequence[Share]]) -> str:
    bad = [f"{one.place}: {one.problem}" for one in report if one.problem]
    lacking = [line for shares in sets for line in missing(shares)]
    return "; ".join((*lacking, *bad)) or "got no share, expected a quorum"


def _without_copies(pile: Sequence[Found]) -> Iterable[Found]:
    first: dict[Share, str] = {}
    for one in pile:
        if one.share is None or one.share not in first:
            if one.share is not None:
                first[one.share] = one.place
            yield one
        else:
            yield replace(one, problem=f"is the same share as {first[one.share]}")


def _check_headers(shares: Iterable[Share]) -> None:
    """Shares of one identifier name the same thresholds: a group of one has no digest to tell."""
    common: dict[int, object] = {}
    members: dict[tuple[int, int], int] = {}
    for share in shares:
        group = (share.identifier, share.group_index)
        header = share.common_parameters()
        if (
            common.setdefault(share.identifier, header) != header
            or members.setdefault(group, share.member_threshold) != share.member_threshold
        ):
            raise HeadersDisagree(
                f"got shares of backup {share.identifier} with different thresholds, expected the"
                " same: give the card"
            )


def _held_against(card: Card, one: Found) -> Found:
    if one.share is None or one.problem:
        return one
    if not card.covers(one.share):
        return replace(one, problem="belongs to another backup than the card")
    if card.share_keys.get(one.name) != share_key(one.share):
        return replace(one, problem=f"is not share {one.name} that the card names")
    return one
