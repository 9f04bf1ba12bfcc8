"""What a key file says about its secret: bound to it in every format, compared after opening."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from signer import derive, secp
from signer.entropy import hkdf
from signer.keystore.errors import KeyMismatch
from signer.protocol import dump, public_key_of
from signer.protocol.wire import Fields

FILE_BYTES_MAX = 64 * 1024
"""No key file is larger; checked before parsing."""

SECRET_BYTES_MAX = 4096
"""No secret is larger."""


class SecretUse(StrEnum):
    """What a secret is for; each use has its own public value."""

    SEED = "seed"
    IDENTITY = "identity"
    STATE = "state"
    SINGLE = "single"
    HOSTED = "hosted"


HOME_USES = (SecretUse.SEED, SecretUse.IDENTITY, SecretUse.STATE)
"""The secrets that every home has; `SINGLE` keys are imported, `HOSTED` ones lie elsewhere."""


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


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A decrypted secret whose public value matched its header."""

    header: KeyHeader
    secret: bytes = field(repr=False)


def new_header(kid: str, use: SecretUse, secret: bytes, created_s: int) -> KeyHeader:
    """The header of a secret that is bound to no asset, network or path."""
    return KeyHeader(
        kid=kid,
        use=use,
        asset="*",
        network="*",
        path="m",
        public_hash=hashlib.sha256(public_value(use, secret)).digest(),
        created_s=created_s,
        policy_id="",
    )


def public_value(use: SecretUse, secret: bytes) -> bytes:
    """What the secret makes public: master key, public key, identity key, or a check value."""
    match use:
        case SecretUse.SEED:
            return derive.master(secret).public_key
        case SecretUse.SINGLE | SecretUse.HOSTED:
            return secp.public_key(secret)
        case SecretUse.IDENTITY:
            return public_key_of(secret)
        case SecretUse.STATE:
            return hkdf(secret, b"hk/kcv/v1", str(use).encode(), 16)


def check_public(header: KeyHeader, secret: bytes) -> None:
    """Raise KeyMismatch unless the secret is the one that the header names."""
    if hashlib.sha256(public_value(header.use, secret)).digest() != header.public_hash:
        raise KeyMismatch(f"got another secret in {header.kid}, expected the one its header names")
