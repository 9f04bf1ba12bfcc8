"""Key files `HK1`: one secret a file, AES-256-GCM under its own data key, bound to what it is for.

A key-encryption key (KEK) wraps the data key. The header says what the secret is, is authenticated
with both layers, and names the public value that must come out again after decrypting.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from argon2.low_level import Type, hash_secret_raw
from Crypto.Cipher import AES

from signer import derive, secp
from signer.entropy import RandomBytes, hkdf
from signer.errors import ProtocolError, SignerError
from signer.protocol import dump, public_key_of
from signer.protocol.wire import Fields

FORMAT = "HK1"
FILE_BYTES_MAX = 64 * 1024
"""No key file is larger; checked before parsing."""

SECRET_BYTES_MAX = 4096
"""No secret is larger."""

KDF_MEMORY_KIB_MIN = 64 * 1024
"""Argon2id floor of RFC 9106's second choice: 64 MiB."""

KDF_MEMORY_KIB_MAX = 4 * 1024 * 1024
"""A file that asks for more is an attack on the machine that reads it."""


class KeystoreError(SignerError):
    """A key file that is damaged, swapped, too costly, or a wrong passphrase."""

    code = "keystore.unreadable"


class WrongPassphrase(KeystoreError):
    """The KEK does not open the file: a wrong passphrase, or a changed file."""

    code = "keystore.wrong_passphrase"


class KdfOutOfRange(KeystoreError):
    """Argon2 parameters outside what we write or are willing to run."""

    code = "keystore.kdf_out_of_range"


class KeyMismatch(KeystoreError):
    """The decrypted secret is not the one that the header names."""

    code = "keystore.key_mismatch"


class SecretUse(StrEnum):
    """What a secret is for; each use has its own public value."""

    SEED = "seed"
    IDENTITY = "identity"
    STATE = "state"
    HOSTED = "hosted"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHeader:
    """What a key file is about. `public_hash` is SHA-256 of the use's public value.

    `asset`, `network` and `path` are "*" and "m" for a seed: accounts are bound to their network
    in the signer's log when they are issued.
    """

    kid: str
    use: SecretUse
    asset: str
    network: str
    path: str
    public_hash: bytes
    created_s: int
    policy_id: str

    def encode(self) -> bytes:
        """Canonical bytes, the associated data of both layers."""
        return dump(
            {
                "v": 1,
                "kid": self.kid,
                "use": str(self.use),
                "asset": self.asset,
                "network": self.network,
                "path": self.path,
                "public_hash": self.public_hash,
                "created_s": self.created_s,
                "policy_id": self.policy_id,
            }
        )

    @classmethod
    def decode(cls, body: bytes) -> "KeyHeader":
        """Parse canonical bytes. Raises ProtocolError."""
        fields = Fields(body, "key header")
        header = cls(
            kid=fields.text("kid"),
            use=fields.choice("use", SecretUse),
            asset=fields.text("asset"),
            network=fields.text("network"),
            path=fields.text("path"),
            public_hash=fields.blob("public_hash"),
            created_s=fields.units("created_s"),
            policy_id=fields.text("policy_id"),
        )
        fields.done(version=1)
        return header


class Kek(Protocol):
    """Wraps and unwraps data keys; the names and numbers it needs travel in the file."""

    def wrap(self, data_key: bytes, aad: bytes, random: RandomBytes) -> Mapping[str, Any]:
        """Fields to store, "kek" naming the kind."""
        ...

    def unwrap(self, fields: Fields, aad: bytes) -> bytes:
        """The data key. Raises KeystoreError."""
        ...


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


class PassphraseKek:
    """A KEK from a passphrase; files of one home share a salt, so it is derived once."""

    kind = "argon2id"

    def __init__(
        self, passphrase: bytes, salt: bytes | None = None, cost: KdfCost | None = None
    ) -> None:
        if not passphrase:
            raise KeystoreError("got an empty passphrase, expected one")
        self._passphrase = passphrase
        self._salt = salt
        self._cost = cost
        self._derived: dict[tuple[bytes, int, int, int], bytes] = {}

    def wrap(self, data_key: bytes, aad: bytes, random: RandomBytes) -> Mapping[str, Any]:
        """Fields to store."""
        if self._salt is None:
            self._salt = random(16)
        if self._cost is None:
            self._cost = KdfCost()
        iv = random(12)
        return {
            "kek": self.kind,
            "salt": self._salt,
            "t": self._cost.time,
            "p": self._cost.lanes,
            "m_kib": self._cost.memory_kib,
            "wrap_iv": iv,
            "wrapped": seal(self._key(self._salt, self._cost), iv, data_key, aad),
        }

    def unwrap(self, fields: Fields, aad: bytes) -> bytes:
        """The data key. Raises WrongPassphrase, KdfOutOfRange."""
        if fields.text("kek") != self.kind:
            raise KeystoreError("got a key file under another KEK, expected a passphrase")
        salt = fields.blob("salt")
        cost = KdfCost(
            time=fields.units("t"), lanes=fields.units("p"), memory_kib=fields.units("m_kib")
        )
        iv, wrapped = fields.blob("wrap_iv"), fields.blob("wrapped")
        if len(salt) != 16:
            raise KeystoreError(f"got a salt of {len(salt)} bytes, expected 16")
        return unseal(self._key(salt, cost), iv, wrapped, aad)

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


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A decrypted secret whose public value matched its header."""

    header: KeyHeader
    secret: bytes = field(repr=False)


def public_value(use: SecretUse, secret: bytes) -> bytes:
    """What the secret makes public: master key, identity key, account key or key check value."""
    if use is SecretUse.SEED:
        return derive.master(secret).public_key
    if use is SecretUse.IDENTITY:
        return public_key_of(secret)
    if use is SecretUse.HOSTED:
        return secp.public_key(secret)
    return hkdf(secret, b"hk/kcv/v1", str(use).encode(), 16)


def encode_key(header: KeyHeader, secret: bytes, kek: Kek, random: RandomBytes) -> bytes:
    """The bytes of an `HK1` file. Raises KeyMismatch if the header names another secret."""
    _check_public(header, secret)
    body = header.encode()
    data_key, iv = random(32), random(12)
    wrap = kek.wrap(data_key, b"hk/wrap/v1" + body, random)
    ciphertext = seal(data_key, iv, secret, b"hk/data/v1" + body)
    plain = {"format": FORMAT, "header": body, "iv": iv, "ciphertext": ciphertext}
    return dump({**plain, **wrap})


def decode_key(data: bytes, kek: Kek) -> OpenedKey:
    """Open an `HK1` file and check that the secret is the one it names. Raises KeystoreError."""
    if len(data) > FILE_BYTES_MAX:
        raise KeystoreError(f"got a key file of {len(data)} bytes, expected at most 64 KiB")
    try:
        fields = Fields(data, "key file")
        if fields.text("format") != FORMAT:
            raise KeystoreError(f"got another key file format, expected {FORMAT}")
        body = fields.blob("header")
        header = KeyHeader.decode(body)
        data_key = kek.unwrap(fields, b"hk/wrap/v1" + body)
        iv, ciphertext = fields.blob("iv"), fields.blob("ciphertext")
        fields.done()
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged key file: {error}") from error
    secret = unseal(data_key, iv, ciphertext, b"hk/data/v1" + body)
    _check_public(header, secret)
    return OpenedKey(header, secret)


def header_of(data: bytes) -> KeyHeader:
    """The header alone, not yet authenticated. Raises KeystoreError."""
    try:
        return KeyHeader.decode(Fields(data, "key file").blob("header"))
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged key file: {error}") from error


def seal(key: bytes, iv: bytes, plain: bytes, aad: bytes) -> bytes:
    """AES-256-GCM: ciphertext and 16-byte tag."""
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16)
    cipher.update(aad)
    ciphertext, tag = cipher.encrypt_and_digest(plain)
    return ciphertext + tag


def unseal(key: bytes, iv: bytes, sealed: bytes, aad: bytes) -> bytes:
    """The plaintext. Raises WrongPassphrase if any byte of key, data or binding differs."""
    if len(key) != 32 or len(iv) != 12 or not 16 < len(sealed) <= SECRET_BYTES_MAX + 16:
        raise KeystoreError("got a key file with fields of wrong sizes")
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16)
    cipher.update(aad)
    try:
        return cipher.decrypt_and_verify(sealed[:-16], sealed[-16:])
    except ValueError as error:
        raise WrongPassphrase("got a wrong passphrase or a changed key file") from error


def _check_public(header: KeyHeader, secret: bytes) -> None:
    if hashlib.sha256(public_value(header.use, secret)).digest() != header.public_hash:
        raise KeyMismatch(f"got another secret in {header.kid}, expected the one its header names")


Unlock = Callable[[], Kek]
"""Asks a person for what opens the keys; called only after they have seen what will be signed."""
