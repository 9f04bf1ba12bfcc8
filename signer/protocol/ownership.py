"""What the owner of a hosted key signs, so that nobody else can put a blob in the key's place."""

import hashlib
from dataclasses import dataclass, field

from signer.protocol.wire import digest, dump

OWNERSHIP = "hosted-key"
AUTHENTICATOR = "hosted-authenticator"
"""Domains of the digests: no transaction hashes to the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """A hosted key's blob as its owner hands it in: which key, which version, exactly which bytes.

    `public_key` is the compressed secp256k1 key whose private half is encrypted in `blob`.
    """

    kid: str
    network: str
    public_key: bytes
    version: int
    blob: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The 32 bytes that the hosted key itself signs (ECDSA, DER, low S)."""
        body = {
            "v": 1,
            "kid": self.kid,
            "network": self.network,
            "public_key": self.public_key,
            "version": self.version,
            "blob": self.blob,
        }
        return digest(OWNERSHIP, dump(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorChange:
    """A hosted key's next second-factor secret; `number` is the present authenticator's plus one.

    Only the secret's hash is signed: a signature that leaks tells nothing.
    """

    kid: str
    network: str
    public_key: bytes
    number: int
    secret: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The 32 bytes that the hosted key itself signs (ECDSA, DER, low S)."""
        body = {
            "v": 1,
            "kid": self.kid,
            "network": self.network,
            "public_key": self.public_key,
            "number": self.number,
            "secret_sha256": hashlib.sha256(self.secret).digest(),
        }
        return digest(AUTHENTICATOR, dump(body))
