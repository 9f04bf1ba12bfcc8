"""A factor that a quorum of SLIP-39 shares gives back: 32 random bytes, no wallet seed.

The shares are made and combined by the library's API alone. They hold no money by themselves: they
open key files. A digest inside SLIP-39 notices shares that do not belong together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shamir_mnemonic.constants import MAX_SHARE_COUNT
from shamir_mnemonic.shamir import (
    EncryptedMasterSecret,
    decode_mnemonics,
    recover_ems,
    split_ems,
)
from shamir_mnemonic.utils import MnemonicError

from signer.entropy import RandomBytes
from signer.keystore.errors import FactorsUnsound, KdfOutOfRange, QuorumMissing, WrongPassphrase
from signer.keystore.factors import MATERIAL_BYTES
from signer.protocol.wire import Fields

ITERATION_EXPONENT = 1
"""20,000 rounds of PBKDF2, the library's own choice; the material needs no stretching."""

ITERATION_EXPONENT_MAX = 4
"""Shares that ask for more work than 160,000 rounds are refused before it is done."""

SHARES_MAX = 64
"""More shares than this are not looked at."""


class Slip39Factor:
    """Opens with shares; with `threshold` and `count` it makes them and hands them to `give`.

    The shares are given away before any key file that needs them is written, so that a kill in
    between leaves shares of nothing, never files without shares.
    """

    kind = "slip39"
    alone = True

    def __init__(
        self,
        mnemonics: Sequence[str] = (),
        threshold: int = 0,
        count: int = 0,
        give: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self._mnemonics = tuple(" ".join(text.split()) for text in mnemonics)
        self._threshold = threshold
        self._count = count
        self._give = give

    def make(self, random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """The set's number, and material whose shares were given. Raises FactorsUnsound."""
        if self._give is None or not 2 <= self._threshold <= self._count <= MAX_SHARE_COUNT:
            raise FactorsUnsound(
                f"got {self._threshold} of {self._count} shares, expected 2 <= k <= n <="
                f" {MAX_SHARE_COUNT} and a folder for them"
            )
        material = random(MATERIAL_BYTES)
        number = int.from_bytes(random(2), "big") & 0x7FFF
        secret = EncryptedMasterSecret.from_master_secret(
            material, b"", number, extendable=True, iteration_exponent=ITERATION_EXPONENT
        )
        (shares,) = split_ems(1, [(self._threshold, self._count)], secret)
        words = [share.mnemonic() for share in shares]
        if any(
            _combined(some) != (number, material)
            for some in (words[: self._threshold], words[-self._threshold :])
        ):
            raise FactorsUnsound("got shares that do not give the key back, expected them to")
        self._give(words)
        return {"set": number, "threshold": self._threshold, "count": self._count}, material

    def open(self, stored: Fields) -> bytes:
        """The material, from at least the threshold of shares. Raises QuorumMissing."""
        number, threshold = stored.units("set"), stored.units("threshold")
        stored.units("count")
        if len(set(self._mnemonics)) < threshold:
            raise QuorumMissing(
                f"got {len(set(self._mnemonics))} shares, expected {threshold} of set {number}"
            )
        found, material = _combined(self._mnemonics)
        if found != number:
            raise WrongPassphrase(f"got shares of set {found}, expected set {number}")
        return material


def _combined(mnemonics: Sequence[str]) -> tuple[int, bytes]:
    """The set's number and the material. Raises WrongPassphrase; never names a word of a share."""
    if len(mnemonics) > SHARES_MAX:
        raise WrongPassphrase(f"got {len(mnemonics)} shares, expected at most {SHARES_MAX}")
    try:
        groups = decode_mnemonics(mnemonics)
        secret = recover_ems({at: group.get_minimal_group() for at, group in groups.items()})
    except (MnemonicError, ValueError):
        # The library's message quotes words of a share, so it goes no further.
        raise WrongPassphrase(
            "got shares that are damaged, too few or not of one set, expected a quorum"
        ) from None
    if secret.iteration_exponent > ITERATION_EXPONENT_MAX:
        raise KdfOutOfRange(
            f"got shares of iteration exponent {secret.iteration_exponent}, expected at most"
            f" {ITERATION_EXPONENT_MAX}"
        )
    return secret.identifier, secret.decrypt(b"")
