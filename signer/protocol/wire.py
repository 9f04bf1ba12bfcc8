"""Deterministic CBOR, domain-separated digests and sealed envelopes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

import cbor2
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from signer.errors import ProtocolError
from signer.protocol.cbor import Reader

MESSAGE_BYTES_MAX = 8 * 1024 * 1024
"""No envelope is larger; checked before parsing."""

DEPTH_MAX = 8
"""No value nests deeper; checked before any field is read."""

_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A body and the Ed25519 signature over its domain-separated digest."""

    domain: str
    body: bytes
    sig: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What `sig` covers."""
        return digest(self.domain, self.body)

    def encode(self) -> bytes:
        """The envelope as it travels: `SR1` for a request, `SA1` for an answer."""
        return dump({"t": self.domain, "body": self.body, "sig": self.sig})

    @classmethod
    def decode(cls, data: bytes, domain: str) -> "Sealed":
        """Parse an envelope of the expected domain. Raises ProtocolError."""
        fields = Fields(data, "envelope")
        if fields.text("t") != domain:
            raise ProtocolError(f"got another envelope, expected {domain}")
        sealed = cls(domain, fields.blob("body"), fields.blob("sig"))
        fields.done()
        return sealed

    def verify(self, public_key: bytes) -> None:
        """Raise ProtocolError unless `sig` is by this 32-byte Ed25519 key."""
        verify(public_key, self.digest, self.sig)


REQUEST = "SR1"
ANSWER = "SA1"
APPROVAL = "approval"
LEDGER_HEAD = "ledger_head"


def digest(domain: str, body: bytes) -> bytes:
    """SHA-256("hk/<domain>/v1" || body): one hash space for each type of message."""
    return hashlib.sha256(b"hk/" + domain.encode() + b"/v1" + body).digest()


def verify(public_key: bytes, message: bytes, sig: bytes) -> None:
    """Raise ProtocolError unless `sig` is the Ed25519 (RFC 8032) signature of `message`."""
    try:
        eddsa.new(_imported(public_key), "rfc8032").verify(message, sig)
    except ValueError as error:
        raise ProtocolError("got a signature that does not verify") from error


@lru_cache(maxsize=256)
def _imported(public_key: bytes) -> ECC.EccKey:
    """Decoding a key costs as much as a signature, and the same few keys come again."""
    return eddsa.import_public_key(public_key)


def public_key_of(seed: bytes) -> bytes:
    """The 32-byte Ed25519 public key of an identity seed (not a wallet key)."""
    key = ECC.construct(curve="Ed25519", seed=seed)  # type: ignore[arg-type]
    return key.public_key().export_key(format="raw")


class IdentityKey:
    """An identity's private key, ready to sign many times; shows nothing of itself."""

    def __init__(self, seed: bytes) -> None:
        key = ECC.construct(curve="Ed25519", seed=seed)  # type: ignore[arg-type]
        self._signer = eddsa.new(key, "rfc8032")

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature of a digest."""
        return self._signer.sign(message)


def identity_sign(seed: bytes, message: bytes) -> bytes:
    """Ed25519 signature of a digest by an identity key (coordinator, approver or signer)."""
    return IdentityKey(seed).sign(message)


def load(data: bytes, what: str) -> Any:
    """Parse deterministic CBOR of plain values. Raises ProtocolError on size, depth or form."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise ProtocolError(f"got {len(data)} bytes of {what}, expected at most 8 MiB")
    try:
        reader = Reader(data, ProtocolError)
        value = reader.value(DEPTH_MAX)
        reader.done()
    except ProtocolError as error:
        raise ProtocolError(f"got {what} that is not deterministic CBOR: {error}") from error
    return value


def dump(value: Any) -> bytes:
    """Deterministic CBOR of plain values."""
    return cbor2.dumps(value, canonical=True)


class Fields:
    """A map that is read once, field by field, and must then be used up."""

    def __init__(self, data: bytes, what: str) -> None:
        value = load(data, what)
        if not isinstance(value, dict):
            raise ProtocolError(f"got {what} that is not a map")
        self._what = what
        self._map: Mapping[str, Any] = value
        self._left = set(value)

    def _take(self, name: str) -> Any:
        if name not in self._map:
            raise ProtocolError(f"got {self._what} without {name}")
        self._left.discard(name)
        return self._map[name]

    def has(self, name: str) -> bool:
        """Whether a field is there at all; for those that came later."""
        return name in self._map

    def text(self, name: str) -> str:
        """A short text."""
        return as_text(self._take(name))

    def blob(self, name: str) -> bytes:
        """Bytes."""
        return as_blob(self._take(name))

    def units(self, name: str) -> int:
        """A number from 0 up to 2^256."""
        return as_units(self._take(name))

    def choice(self, name: str, kind: type[_Choice]) -> _Choice:
        """One of the names of `kind`."""
        text = self.text(name)
        try:
            return kind(text)
        except ValueError as error:
            raise ProtocolError(f"got {name} {text[:40]!r}, expected {list(kind)}") from error

    def later_items(self, name: str, count_max: int) -> list[Any]:
        """A list that is left out when it is empty, as writers before it existed do."""
        if not self.has(name):
            return []
        found = self.items(name, count_max)
        if not found:
            raise ProtocolError(f"got an empty {name}, expected it left out")
        return found

    def table(self, name: str) -> Mapping[str, Any]:
        """A map."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise ProtocolError(f"got {name} that is not a map")
        return value

    def items(self, name: str, count_max: int) -> list[Any]:
        """A list of at most `count_max`."""
        value = self._take(name)
        if not isinstance(value, list) or len(value) > count_max:
            raise ProtocolError(f"got {name} that is not a list of at most {count_max}")
        return value

    def pairs(self, name: str, count_max: int) -> list[list[Any]]:
        """A list of at most `count_max` lists of two."""
        items = self.items(name, count_max)
        if any(not isinstance(item, list) or len(item) != 2 for item in items):
            raise ProtocolError(f"got {name} that is not a list of pairs")
        return items

    def version(self, newest: int) -> int:
        """The version, from 1 to the newest that is known."""
        found = self.units("v")
        if not 1 <= found <= newest:
            raise ProtocolError(f"got another version of {self._what}, expected up to {newest}")
        return found

    def done(self, version: int | None = None) -> None:
        """Refuse fields left over, and another version where one is expected."""
        if version is not None and self._take("v") != version:
            raise ProtocolError(f"got another version of {self._what}, expected {version}")
        if self._left:
            raise ProtocolError(f"got unknown fields in {self._what}: {sorted(self._left)[:5]}")


def as_text(value: Any) -> str:
    """A short text. Raises ProtocolError."""
    if not isinstance(value, str) or len(value) > 512:
        raise ProtocolError("got a value that is not a short text")
    return value


def as_blob(value: Any) -> bytes:
    """Bytes. Raises ProtocolError."""
    if not isinstance(value, bytes):
        raise ProtocolError("got a value that is not bytes")
    return value


def as_units(value: Any) -> int:
    """A number from 0 up to 2^256. Raises ProtocolError."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**256:
        raise ProtocolError("got a number that is not between 0 and 2^256")
    return value
