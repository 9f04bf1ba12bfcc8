"""Key-encryption keys: the port that every provider fits, and the one from a passphrase."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from argon2.low_level import Type, hash_secret_raw

from signer.entropy import RandomBytes
from signer.keystore.aead import seal, unseal
from signer.keystore.errors import KdfOutOfRange, KeystoreError
from signer.protocol.wire import Fields

KDF_MEMORY_KIB_MIN = 64 * 1024
"""Argon2id floor of RFC 9106's second choice: 64 MiB."""

KDF_MEMORY_KIB_MAX = 4 * 1024 * 1024
"""A file that asks for more is an attack on the machine that reads it."""

SALT_BYTES = 16
"""RFC 9106, section 3.1."""


class Kek(Protocol):
    """Wraps and unwraps data keys; the names and numbers it needs travel in the file."""

    def wrap(self, data_key: bytes, aad: bytes, random: RandomBytes) -> Mapping[str, Any]:
        """Fields to store, "kek" naming the kind."""
        ...

    def unwrap(self, fields: Fields, aad: bytes) -> bytes:
        """The data key. Raises KeystoreError."""
        ...


Unlock = Callable[[], Kek]
"""Asks a person for what opens the keys; called only after they have seen what will be signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KdfCost:
    """Argon2id parameters (RFC 9106). Raises KdfOutOfRange outside the bounds."""

    time: int = 3
    lanes: int = 4
    memory_kib: int = KDF_MEMORY_KIB_MIN

    def __post_init__(self) -> None:
        if not (
            3 <= self.time <= 16
            and 1 <= self.lanes <= 16
            and KDF_MEMORY_KIB_MIN <= self.memory_kib <= KDF_MEMORY_KIB_MAX
        ):
            raise KdfOutOfRange(
                f"got Argon2 t={self.time} p={self.lanes} m={self.memory_kib} KiB, expected t 3-16,"
                f" p 1-16, m {KDF_MEMORY_KIB_MIN}-{KDF_MEMORY_KIB_MAX} KiB"
            )


class Stretched:
    """A passphrase and the Argon2id keys made of it; each salt and cost is computed once."""

    def __init__(
        self, passphrase: bytes, salt: bytes | None = None, cost: KdfCost | None = None
    ) -> None:
        if not passphrase:
            raise KeystoreError("got an empty passphrase, expected one")
        self._passphrase = passphrase
        self._salt = salt
        self._cost = cost
        self._derived: dict[tuple[bytes, int, int, int], bytes] = {}

    def fresh(self, random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """What to store, and the 32-byte key; the same salt for every file of a home."""
        if self._salt is None:
            self._salt = random(SALT_BYTES)
        if self._cost is None:
            self._cost = KdfCost()
        stored = {
            "salt": self._salt,
            "t": self._cost.time,
            "p": self._cost.lanes,
            "m_kib": self._cost.memory_kib,
        }
        return stored, self._key(self._salt, self._cost)

    def again(self, fields: Fields) -> bytes:
        """The key that goes with stored fields. Raises KdfOutOfRange before any work."""
        salt = fields.blob("salt")
        cost = KdfCost(
            time=fields.units("t"), lanes=fields.units("p"), memory_kib=fields.units("m_kib")
        )
        if len(salt) != SALT_BYTES:
            raise KeystoreError(f"got a salt of {len(salt)} bytes, expected {SALT_BYTES}")
        if self._salt is None and self._cost is None:
            # What is written next to this file shares its salt: one derivation opens both.
            self._salt, self._cost = salt, cost
        return self._key(salt, cost)

    def _key(self, salt: bytes, cost: KdfCost) -> bytes:
        place = (salt, cost.time, cost.lanes, cost.memory_kib)
        if place not in self._derived:
            self._derived[place] = hash_secret_raw(
                secret=self._passphrase,
                salt=salt,
                time_cost=cost.time,
                memory_cost=cost.memory_kib,
                parallelism=cost.lanes,
                hash_len=32,
                type=Type.ID,
            )
        return self._derived[place]


class PassphraseKek:
    """A KEK from one passphrase (Argon2id)."""

    kind = "argon2id"

    def __init__(
        self, passphrase: bytes, salt: bytes | None = None, cost: KdfCost | None = None
    ) -> None:
        self.stretched = Stretched(passphrase, salt, cost)

    def wrap(self, data_key: bytes, aad: bytes, random: RandomBytes) -> Mapping[str, Any]:
        """Fields to store."""
        stored, key = self.stretched.fresh(random)
        iv = random(12)
        wrapped = seal(key, iv, data_key, aad)
        return {"kek": self.kind, **stored, "wrap_iv": iv, "wrapped": wrapped}

    def unwrap(self, fields: Fields, aad: bytes) -> bytes:
        """The data key. Raises WrongPassphrase, KdfOutOfRange."""
        kind = fields.text("kek")
        if kind != self.kind:
            raise KeystoreError(
                f"got a key file under {kind[:40]!r}, expected one under a passphrase: it wants"
                " the unlock file that names its factors"
            )
        key = self.stretched.again(fields)
        return unseal(key, fields.blob("wrap_iv"), fields.blob("wrapped"), aad)
