"""Tokens of a setup session, and the encryption of its records (BIP-129).

Encrypt-and-MAC as the BIP has it: AES-256-CTR whose first counter block is half of the MAC.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum

from Crypto.Cipher import AES

from signer.bsms.errors import BadMac, BadToken, BsmsError
from signer.entropy import RandomBytes

RECORD_BYTES_MAX = 16 * 1024
"""A descriptor of fifteen keys takes about 2,500 bytes, twice as many in hex."""

MAC_BYTES = 32
IV_BYTES = 16

_PASSWORD = b"No SPOF"
_ROUNDS = 2048
_NONE = bytes(1)


class Mode(StrEnum):
    """How much a session hides; sizes are those of its token."""

    NONE = "none"
    STANDARD = "standard"
    EXTENDED = "extended"


_BYTES = {Mode.STANDARD: 8, Mode.EXTENDED: 16}


@dataclass(frozen=True, slots=True)
class Token:
    """A session's secret: one zero byte for no encryption, else 8 or 16 bytes."""

    raw: bytes = field(repr=False)

    @classmethod
    def new(cls, mode: Mode, random: RandomBytes) -> "Token":
        """A fresh token."""
        return cls(_NONE if mode is Mode.NONE else random(_BYTES[mode]))

    @classmethod
    def parse(cls, text: str) -> "Token":
        """The hex form, as it stands in records. Raises BadToken."""
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raise BadToken("got a token that is not hex") from None
        if raw != _NONE and len(raw) not in _BYTES.values():
            raise BadToken(f"got a token of {len(raw)} bytes, expected 00, 8 or 16 bytes")
        return cls(raw)

    @property
    def text(self) -> str:
        """Lower-case hex."""
        return self.raw.hex()

    @property
    def encrypts(self) -> bool:
        """Whether records of its session are encrypted."""
        return self.raw != _NONE

    def encryption_key(self) -> bytes:
        """32 bytes for AES-256."""
        return hashlib.pbkdf2_hmac("sha512", _PASSWORD, self.raw, _ROUNDS, 32)


def wrap(record: str, token: Token) -> bytes:
    """A record as it travels: hex of MAC and ciphertext, or itself without encryption."""
    plain = record.encode()
    if not token.encrypts:
        return plain
    key = token.encryption_key()
    mac = _mac(key, token, plain)
    return (mac + _stream(key, mac, plain)).hex().encode()


def unwrap(data: bytes, token: Token) -> str:
    """The record in what travelled. Raises BadMac or BsmsError."""
    if len(data) > RECORD_BYTES_MAX:
        raise BsmsError(f"got {len(data)} bytes, expected at most {RECORD_BYTES_MAX}")
    plain = _decrypted(data, token) if token.encrypts else data
    try:
        return plain.decode()
    except UnicodeDecodeError:
        raise BsmsError("got bytes that are not text, expected a record") from None


def _decrypted(data: bytes, token: Token) -> bytes:
    try:
        raw = bytes.fromhex(data.decode().strip())
    except ValueError:
        raise BsmsError("got other bytes than hex, expected an encrypted record") from None
    if len(raw) <= MAC_BYTES:
        raise BsmsError(f"got {len(raw)} bytes, expected a MAC and a record")
    mac, key = raw[:MAC_BYTES], token.encryption_key()
    plain = _stream(key, mac, raw[MAC_BYTES:])
    if not hmac.compare_digest(mac, _mac(key, token, plain)):
        raise BadMac("got a record that does not fit its MAC: it was changed, or the token differs")
    return plain


def _mac(key: bytes, token: Token, plain: bytes) -> bytes:
    return hmac.digest(hashlib.sha256(key).digest(), token.text.encode() + plain, "sha256")


def _stream(key: bytes, mac: bytes, data: bytes) -> bytes:
    cipher = AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=mac[:IV_BYTES])
    return cipher.encrypt(data)
