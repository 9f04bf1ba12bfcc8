"""The card of a backup: public facts kept with every share, by which a recovery is judged.

SLIP-39 answers a wrong passphrase with another wallet; the check value and fingerprint here say so.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embit import bip39
from shamir_mnemonic import Share

from chains.nesting import check_nesting
from signer.backup.shares import BackupError, Scheme
from signer.derive import master

CARD_BYTES_MAX = 1024 * 1024
"""No card is larger; checked before parsing."""

FORMAT = "SLIP-39"


class CardInvalid(BackupError):
    """A file that is no backup card."""

    code = "backup.card_invalid"


class WrongSeed(BackupError):
    """Shares that came together to another seed: mostly a wrong passphrase."""

    code = "backup.wrong_seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultCopy:
    """A registered vault: without its policy the keys alone may not find the coins (BIP-388)."""

    name: str
    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What may be known of a backup; `share_keys` maps names like 1-2 to public keys."""

    signer_id: str
    created_s: int
    identifier: int
    extendable: bool
    exponent: int
    scheme: Scheme
    seed_bytes: int
    passphrase: bool
    fingerprint: str
    check_value: str
    share_keys: Mapping[str, bytes]
    vaults: tuple[VaultCopy, ...] = ()

    @property
    def id(self) -> str:
        """16 hex digits that name this card."""
        return hashlib.sha256(b"hk/card/v1" + self.encode()).hexdigest()[:16]

    def covers(self, share: Share) -> bool:
        """Whether a share's header is that of this backup."""
        if share.group_index >= len(self.scheme.groups):
            return False
        threshold, count = self.scheme.groups[share.group_index]
        return (
            (share.identifier, share.extendable, share.iteration_exponent)
            == (self.identifier, self.extendable, self.exponent)
            and (share.group_threshold, share.group_count)
            == (self.scheme.group_threshold, len(self.scheme.groups))
            and share.member_threshold == threshold
            and share.index < count
            and len(share.value) == self.seed_bytes
        )

    def check(self, seed: bytes) -> None:
        """Raise WrongSeed unless this is the seed that was backed up."""
        same = hmac.compare_digest(check_value(seed), self.check_value)
        if not same or master(seed).fingerprint.hex() != self.fingerprint:
            raise WrongSeed(
                "got another seed than was backed up, expected check value"
                f" {self.check_value}: is the backup passphrase right?"
            )

    def check_types(self) -> None:
        """Raise TypeError for a value of another type than this card is declared with."""
        vaults = [text for copy in self.vaults for text in (copy.name, copy.role, copy.text)]
        texts = (self.signer_id, self.fingerprint, self.check_value, *vaults)
        numbers = (self.created_s, self.identifier, self.exponent, self.seed_bytes)
        flags = (self.extendable, self.passphrase)
        for kind, values in ((str, texts), (int, numbers), (bool, flags)):
            if not all(type(value) is kind for value in values):
                raise TypeError(kind)

    def encode(self) -> bytes:
        """The card as a JSON file."""
        values = {
            "format": FORMAT,
            "version": 1,
            "signer_id": self.signer_id,
            "created_s": self.created_s,
            "identifier": self.identifier,
            "extendable": self.extendable,
            "iteration_exponent": self.exponent,
            "group_threshold": self.scheme.group_threshold,
            "groups": [f"{threshold}of{count}" for threshold, count in self.scheme.groups],
            "seed_bytes": self.seed_bytes,
            "passphrase": self.passphrase,
            "fingerprint": self.fingerprint,
            "check_value": self.check_value,
            "check_words": list(check_words(self.check_value)),
            "share_keys": {name: key.hex() for name, key in sorted(self.share_keys.items())},
            "vaults": [
                {"name": vault.name, "role": vault.role, "text": vault.text}
                for vault in self.vaults
            ],
        }
        return json.dumps(values, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Card":
        """Parse a card, which must be exactly as it was written. Raises CardInvalid."""
        if len(data) > CARD_BYTES_MAX:
            raise CardInvalid(f"got a card of {len(data)} bytes, expected at most 1 MiB")
        try:
            check_nesting(data)
            values: dict[str, Any] = json.loads(data)
            card = cls(
                signer_id=values["signer_id"],
                created_s=values["created_s"],
                identifier=values["identifier"],
                extendable=values["extendable"],
                exponent=values["iteration_exponent"],
                scheme=Scheme.parse(values["groups"], values["group_threshold"]),
                seed_bytes=values["seed_bytes"],
                passphrase=values["passphrase"],
                fingerprint=values["fingerprint"],
                check_value=values["check_value"],
                share_keys={name: bytes.fromhex(key) for name, key in values["share_keys"].items()},
                vaults=tuple(VaultCopy(**vault) for vault in values["vaults"]),
            )
            card.check_types()
            again = card.encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CardInvalid("got a file that is no backup card") from error
        if again != data:
            raise CardInvalid("got a backup card that was changed by hand or another program")
        return card


def check_value(seed: bytes) -> str:
    """The key check value: HMAC-SHA256(seed, "kcv"), 4 bytes in hexadecimal."""
    return hmac.digest(seed, b"kcv", "sha256")[:4].hex()


def check_words(value: str) -> tuple[str, str, str]:
    """The check value as three words of the BIP-39 list, to be read aloud. Raises CardInvalid."""
    try:
        number = int.from_bytes(bytes.fromhex(value), "big")
    except ValueError as error:
        raise CardInvalid(f"got check value {value[:16]!r}, expected 8 hex digits") from error
    if len(value) != 8:
        raise CardInvalid(f"got check value {value[:16]!r}, expected 8 hex digits")
    words = bip39.WORDLIST
    return words[number >> 22], words[number >> 11 & 2047], words[number & 2047]


def seed_facts(seed: bytes) -> dict[str, object]:
    """What may be told of a seed: master fingerprint, check value, and its words."""
    value = check_value(seed)
    return {
        "fingerprint": master(seed).fingerprint.hex(),
        "check_value": value,
        "check_words": " ".join(check_words(value)),
    }
