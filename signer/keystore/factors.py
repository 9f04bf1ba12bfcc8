"""A KEK from one or more factors at once: all of them, or nothing opens.

Each factor gives 32 secret bytes ("material"); the KEK is HKDF-SHA256 over all of them in order.
Nothing in the file tells whether one material is right by itself, so passphrases that stand beside
a token or a second person cannot be guessed one at a time. What is stored for each factor goes into
the derivation too: a changed name, salt or share number gives another KEK, and the file stays shut.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from signer.entropy import RandomBytes, hkdf
from signer.errors import ProtocolError
from signer.keystore.aead import seal, unseal
from signer.keystore.errors import (
    FactorMissing,
    FactorsUnsound,
    FactorUnexpected,
    KeystoreError,
    WrongPassphrase,
)
from signer.keystore.kek import KdfCost, Stretched
from signer.protocol import dump
from signer.protocol.wire import Fields

FACTORS_MAX = 8
"""More factors than this are a mistake, not more security."""

MATERIAL_BYTES = 32
"""What each factor gives."""

KEY_FILE_BYTES_MIN = 32
"""A key file below this could be guessed."""

KEY_FILE_BYTES_MAX = 1024 * 1024
"""A larger file is a mistake."""


class Factor(Protocol):
    """One thing that somebody has or knows."""

    @property
    def kind(self) -> str:
        """Its kind in the file."""
        ...

    @property
    def alone(self) -> bool:
        """Whether it may protect a file with no other factor beside it."""
        ...

    def make(self, random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """What to store, and new material that it will give again. Raises KeystoreError."""
        ...

    def open(self, stored: Fields) -> bytes:
        """The material again. Raises KeystoreError, ProtocolError."""
        ...


class FactorKek:
    """A KEK that needs every one of its factors; each is asked once for all files of a home."""

    kind = "factors"

    def __init__(self, factors: Sequence[Factor]) -> None:
        self._factors = tuple(sorted(factors, key=lambda factor: factor.kind))
        kinds = [factor.kind for factor in self._factors]
        if not 1 <= len(kinds) <= FACTORS_MAX or len(set(kinds)) != len(kinds):
            raise FactorsUnsound(
                f"got factors {kinds}, expected 1 to {FACTORS_MAX} of different kinds"
            )
        self._current: tuple[list[dict[str, Any]], bytes] | None = None

    def wrap(self, data_key: bytes, aad: bytes, random: RandomBytes) -> Mapping[str, Any]:
        """Fields to store. Raises FactorsUnsound for a factor that must not stand alone."""
        if self._current is None:
            self._current = self._made(random)
        stored, key = self._current
        iv = random(12)
        wrapped = seal(key, iv, data_key, aad)
        return {"kek": self.kind, "factors": stored, "wrap_iv": iv, "wrapped": wrapped}

    def unwrap(self, fields: Fields, aad: bytes) -> bytes:
        """The data key. Raises KeystoreError; which of several factors was wrong is not known."""
        kind = fields.text("kek")
        if kind != self.kind:
            raise KeystoreError(f"got a key file under {kind[:40]!r}, expected one under factors")
        stored = fields.items("factors", FACTORS_MAX)
        iv, wrapped = fields.blob("wrap_iv"), fields.blob("wrapped")
        key = self._opened(stored)
        try:
            data_key = unseal(key, iv, wrapped, aad)
        except WrongPassphrase as error:
            names = ", ".join(factor.kind for factor in self._factors)
            raise WrongPassphrase(f"got a wrong one among {names}, or a changed file") from error
        self._current = (stored, key)
        return data_key

    def _made(self, random: RandomBytes) -> tuple[list[dict[str, Any]], bytes]:
        if len(self._factors) == 1 and not self._factors[0].alone:
            raise FactorsUnsound(
                f"got {self._factors[0].kind} alone, expected another factor beside it"
            )
        made = [(factor.kind, *factor.make(random)) for factor in self._factors]
        stored = [{**fields, "kind": kind} for kind, fields, _ in made]
        return stored, _combined(stored, [material for _, _, material in made])

    def _opened(self, stored: list[Any]) -> bytes:
        if self._current is not None and self._current[0] == stored:
            return self._current[1]
        views = [stored_fields(each) for each in stored]
        wanted = [view.text("kind") for view in views]
        given = [factor.kind for factor in self._factors]
        missing = [kind for kind in wanted if kind not in given]
        if missing:
            raise FactorMissing(f"got no {', '.join(missing)[:200]}, expected every factor")
        if wanted != given:
            raise FactorUnexpected(f"got factors {given}, expected {wanted}")
        materials = []
        for factor, view in zip(self._factors, views, strict=True):
            materials.append(factor.open(view))
            view.done()
        return _combined(stored, materials)


class PassphraseFactor:
    """What one person knows, stretched by Argon2id."""

    kind = "passphrase"
    alone = True

    def __init__(self, passphrase: bytes, cost: KdfCost | None = None) -> None:
        self._stretched = Stretched(passphrase, cost=cost)

    def make(self, random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """Salt and cost, and the Argon2id output."""
        return self._stretched.fresh(random)

    def open(self, stored: Fields) -> bytes:
        """The Argon2id output for a stored salt. Raises KdfOutOfRange."""
        return self._stretched.again(stored)


class KeyFileFactor:
    """What somebody has: a file of random bytes on a medium that is kept apart."""

    kind = "key-file"
    alone = True

    def __init__(self, content: bytes) -> None:
        if not KEY_FILE_BYTES_MIN <= len(content) <= KEY_FILE_BYTES_MAX:
            raise FactorsUnsound(
                f"got a key file of {len(content)} bytes, expected {KEY_FILE_BYTES_MIN} to"
                f" {KEY_FILE_BYTES_MAX}"
            )
        if len(set(content)) < 16:
            raise FactorsUnsound("got a key file of fewer than 16 different bytes, expected noise")
        self._content = content

    def make(self, random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """A salt, so that one file gives each home another material."""
        salt = random(MATERIAL_BYTES)
        return {"salt": salt}, self._material(salt)

    def open(self, stored: Fields) -> bytes:
        """The material for a stored salt."""
        return self._material(stored.blob("salt"))

    def _material(self, salt: bytes) -> bytes:
        return hkdf(self._content, salt, b"hk/factor/key-file/v1", MATERIAL_BYTES)


def stored_fields(stored: object) -> Fields:
    """One stored factor, read field by field. Raises KeystoreError."""
    try:
        return Fields(dump(stored), "factor")
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged factor: {error}") from error


def _combined(stored: list[dict[str, Any]], materials: Sequence[bytes]) -> bytes:
    """HKDF over all materials, each of fixed size, bound to what is stored for them."""
    if any(len(material) != MATERIAL_BYTES for material in materials):
        raise KeystoreError("got a factor that gave too few bytes, expected 32 of each")
    info = hashlib.sha256(dump(stored)).digest()
    return hkdf(b"".join(materials), b"hk/factors/v1", info, 32)
