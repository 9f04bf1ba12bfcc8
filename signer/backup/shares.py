"""SLIP-39 shares of a seed, made and combined through the library's functions only.

The library draws from a hook of its own; here it draws from the caller's source, conditioned and
checked at every draw as a new seed is: a stuck generator would put the seed into every share.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from shamir_mnemonic import EncryptedMasterSecret, MnemonicError, Share, recover_ems, shamir
from shamir_mnemonic.shamir import ShareGroup

from signer.entropy import RandomBytes, new_secret
from signer.errors import SignerError

SHARES_MAX = 16
"""Groups in a set, and shares in a group."""

EXPONENT = 4
"""What we write: 10,000 * 2^4 rounds of PBKDF2 against guessing a passphrase from a quorum."""

PASSPHRASE_BYTES_MAX = 256
"""Longer input is a mistake."""

_Item = TypeVar("_Item")


class BackupError(SignerError):
    """A backup that cannot be made or used."""

    code = "backup.unusable"


class SchemeInvalid(BackupError):
    """Groups and thresholds that SLIP-39 does not allow."""

    code = "backup.scheme_invalid"


class SeedUnfit(BackupError):
    """A seed that SLIP-39 cannot hold: it takes an even number of bytes, 16 or more."""

    code = "backup.seed_unfit"


class PassphraseUnfit(BackupError):
    """A backup passphrase other software could not type: SLIP-39 allows printable ASCII only."""

    code = "backup.passphrase_unfit"


class SharesDoNotCombine(BackupError):
    """Shares whose digest does not come out: at least one was changed."""

    code = "backup.shares_do_not_combine"


@dataclass(frozen=True, slots=True)
class Scheme:
    """How many groups are needed, and of each group how many members. Raises SchemeInvalid."""

    group_threshold: int
    groups: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not 1 <= self.group_threshold <= len(self.groups) <= SHARES_MAX:
            raise SchemeInvalid(
                f"got {self.group_threshold} of {len(self.groups)} groups, expected 1 to"
                f" {SHARES_MAX} groups and no more needed than there are"
            )
        for threshold, count in self.groups:
            if not 1 <= threshold <= count <= SHARES_MAX:
                raise SchemeInvalid(f"got a group {threshold}of{count}, expected at most 16 shares")
            if threshold == 1 and count > 1:
                raise SchemeInvalid(f"got a group 1of{count}, expected 1of1 or 2 or more needed")

    @classmethod
    def parse(cls, groups: Sequence[str], group_threshold: int) -> "Scheme":
        """From texts like `2of3`."""
        found = [re.fullmatch(r"(\d{1,2})of(\d{1,2})", text) for text in groups]
        if not all(found):
            raise SchemeInvalid(f"got groups {list(groups)}, expected texts like 2of3")
        pairs = tuple((int(match[1]), int(match[2])) for match in found if match)
        return cls(group_threshold, pairs)


def share_name(share: Share) -> str:
    """Group and member as people count them: `2-1` is the first share of the second group."""
    return f"{share.group_index + 1}-{share.index + 1}"


def split(
    seed: bytes, scheme: Scheme, passphrase: bytes, random: RandomBytes
) -> tuple[tuple[Share, ...], ...]:
    """The shares of a seed by group, each already tried in a recovery. Raises BackupError."""
    if len(seed) < 16 or len(seed) % 2:
        raise SeedUnfit(f"got a seed of {len(seed)} bytes, expected an even number from 16")
    identifier = int.from_bytes(new_secret(random, 2, "slip39 id"), "big") >> 1
    sealed = EncryptedMasterSecret.from_master_secret(
        seed,
        checked_passphrase(passphrase),
        identifier,
        extendable=True,
        iteration_exponent=EXPONENT,
    )
    with _drawing_from(lambda size: new_secret(random, size, "slip39 share")):
        groups = shamir.split_ems(scheme.group_threshold, scheme.groups, sealed)
    made = tuple(tuple(group) for group in groups)
    _try_every_share(made, scheme, sealed.ciphertext)
    if opened(made[0][0], sealed.ciphertext, passphrase) != seed:
        raise BackupError("got another seed back from fresh shares: this machine must not be used")
    return made


def opened(some: Share, ciphertext: bytes, passphrase: bytes) -> bytes:
    """The seed out of what a set of shares holds; `some` is any of them.

    A wrong passphrase gives another seed without a word: hold it against the card.
    """
    sealed = EncryptedMasterSecret(
        some.identifier, some.extendable, some.iteration_exponent, ciphertext
    )
    return bytes(sealed.decrypt(checked_passphrase(passphrase)))


def combined(points: Mapping[int, bytes], threshold: int) -> bytes:
    """The value shared by exactly `threshold` points, its digest checked by the library.

    Members give a group's value, and groups the sealed seed, by the same rule.
    Raises SharesDoNotCombine.
    """
    group = ShareGroup()
    for index, value in points.items():
        group.add(Share(0, True, 0, 0, 1, 1, index, threshold, value))
    try:
        return bytes(recover_ems({0: group}).ciphertext)
    except MnemonicError as error:
        raise SharesDoNotCombine(f"got {len(points)} shares that do not fit together") from error


def checked_passphrase(passphrase: bytes) -> bytes:
    """The passphrase, or PassphraseUnfit."""
    if len(passphrase) > PASSPHRASE_BYTES_MAX or not all(32 <= byte <= 126 for byte in passphrase):
        raise PassphraseUnfit("got a passphrase that is not printable ASCII of 256 bytes at most")
    return passphrase


@contextmanager
def _drawing_from(random: RandomBytes) -> Iterator[None]:
    kept = shamir.RANDOM_BYTES
    shamir.RANDOM_BYTES = random
    try:
        yield
    finally:
        shamir.RANDOM_BYTES = kept


def _try_every_share(made: Sequence[Sequence[Share]], scheme: Scheme, ciphertext: bytes) -> None:
    """Recover with every share and every group once, from their words as a custodian would."""
    values: list[bytes] = []
    for (threshold, _), group in zip(scheme.groups, made, strict=True):
        again = [Share.from_mnemonic(share.mnemonic()) for share in group]
        tried = {
            combined({share.index: share.value for share in some}, threshold)
            for some in _windows(again, threshold)
        }
        values.append(tried.pop())
        if tried:
            raise BackupError("got fresh shares that disagree: this machine must not be used")
    for some in _windows(list(enumerate(values)), scheme.group_threshold):
        if combined(dict(some), scheme.group_threshold) != ciphertext:
            raise BackupError("got fresh groups that disagree: this machine must not be used")


def _windows(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """As many stretches as items, going round, so that each item is in one."""
    for start in range(len(items)):
        yield [items[(start + step) % len(items)] for step in range(size)]
