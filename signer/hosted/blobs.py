"""A hosted key as the service keeps it: a key file whose header binds key, network and version.

The version is part of the authenticated header, so a stored blob cannot claim to be a newer one.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from signer import secp
from signer.entropy import RandomBytes
from signer.errors import ProtocolError
from signer.hosted.errors import BlobForeign, BlobFormatUnknown
from signer.hosted.keys import HostedKey
from signer.hosted.networks import HostedNetwork
from signer.keystore import (
    KdfCost,
    KeyHeader,
    KeystoreError,
    OpenedKey,
    PassphraseKek,
    SecretUse,
    decode_hk0,
    decode_key,
    encode_hk0,
    encode_key,
    header_of,
)
from signer.protocol import AuthenticatorChange, Ownership
from signer.protocol.wire import Fields

HK1 = "HK1"
"""AES-256-GCM under Argon2id: the format that new blobs are written in."""

HK0 = "HK0"
"""3DES and HMAC: the white paper's format, for operators that ask for it."""

BLOB_BYTES_MAX = 4096
"""No blob is larger; checked before parsing."""

_VERSION = re.compile(r"hosted/([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class BlobFormat:
    """How a format writes a secret under a password, and reads it back."""

    encode: Callable[[KeyHeader, bytes, bytes, KdfCost, RandomBytes], bytes]
    decode: Callable[[bytes, bytes], OpenedKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedHeader:
    """What a blob says of itself; authentic only once it was opened."""

    kid: str
    network: str
    version: int
    public_hash: bytes


@dataclass(frozen=True, slots=True)
class OpenedHostedKey:
    """A decrypted key whose public half matched its header."""

    key: HostedKey
    secret: bytes = field(repr=False)


def seal_key(
    key: HostedKey,
    secret: bytes,
    password: bytes,
    random: RandomBytes,
    *,
    network: HostedNetwork,
    created_s: int,
    cost: KdfCost | None = None,
    blob_format: str = HK1,
) -> bytes:
    """The blob of a key under the payment password; it was opened once before it is returned.

    Raises BlobFormatUnknown, KeyMismatch for a secret of another key, KeystoreError.
    """
    header = KeyHeader(
        kid=key.kid,
        use=SecretUse.HOSTED,
        asset=network.asset,
        network=key.network,
        path="m",
        public_hash=hashlib.sha256(key.public_key).digest(),
        created_s=created_s,
        policy_id=f"hosted/{key.version}",
    )
    written = _format(blob_format).encode(header, secret, password, cost or KdfCost(), random)
    # What cannot be opened again must never replace what can.
    open_key(written, password, key)
    return written


def open_key(blob: bytes, password: bytes, expected: HostedKey) -> OpenedHostedKey:
    """The key of a blob, if it is exactly the one expected, of exactly this version.

    Raises BlobForeign, BlobFormatUnknown, WrongPassphrase, KeystoreError.
    """
    claimed = header_of_blob(blob)
    _check_expected(claimed, expected)
    opened = _format(_format_of(blob)).decode(blob, password)
    _check_expected(_hosted_header(opened.header), expected)
    if secp.public_key(opened.secret) != expected.public_key:
        raise BlobForeign(f"got another key in the blob of {expected.kid}")
    return OpenedHostedKey(expected, opened.secret)


def header_of_blob(blob: bytes) -> HostedHeader:
    """What a blob claims, before any password is asked for. Raises KeystoreError, BlobForeign."""
    if len(blob) > BLOB_BYTES_MAX:
        raise KeystoreError(f"got a blob of {len(blob)} bytes, expected at most {BLOB_BYTES_MAX}")
    _format(_format_of(blob))
    return _hosted_header(header_of(blob))


def prove(opened: OpenedHostedKey, key: HostedKey, blob: bytes) -> bytes:
    """The key's own signature (DER) under a blob that is to stand for it from now on."""
    claim = Ownership(
        kid=key.kid,
        network=key.network,
        public_key=key.public_key,
        version=key.version,
        blob=blob,
    )
    return secp.sign_low_r(opened.secret, claim.digest)


def prove_authenticator(opened: OpenedHostedKey, number: int, secret: bytes) -> bytes:
    """The key's own signature (DER) for its next second factor."""
    key = opened.key
    claim = AuthenticatorChange(
        kid=key.kid,
        network=key.network,
        public_key=key.public_key,
        number=number,
        secret=secret,
    )
    return secp.sign_low_r(opened.secret, claim.digest)


def _check_expected(header: HostedHeader, expected: HostedKey) -> None:
    got = (header.kid, header.network, header.public_hash)
    if got != (expected.kid, expected.network, hashlib.sha256(expected.public_key).digest()):
        raise BlobForeign(f"got a blob of {header.kid[:64]}, expected one of {expected.kid}")
    if header.version != expected.version:
        raise BlobForeign(f"got version {header.version}, expected {expected.version}")


def _hosted_header(header: KeyHeader) -> HostedHeader:
    match = _VERSION.fullmatch(header.policy_id)
    if header.use is not SecretUse.HOSTED or match is None:
        raise BlobForeign(f"got a key file for {header.use}, expected a hosted key's")
    return HostedHeader(
        kid=header.kid,
        network=header.network,
        version=int(match[1]),
        public_hash=header.public_hash,
    )


def _format_of(blob: bytes) -> str:
    try:
        return Fields(blob, "blob").text("format")
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged blob: {error}") from error


def _format(name: str) -> BlobFormat:
    found = FORMATS.get(name)
    if found is None:
        raise BlobFormatUnknown(f"got format {name[:16]!r}, expected one of {sorted(FORMATS)}")
    return found


def _encode_hk1(
    header: KeyHeader, secret: bytes, password: bytes, cost: KdfCost, random: RandomBytes
) -> bytes:
    return encode_key(header, secret, PassphraseKek(password, cost=cost), random)


def _decode_hk1(blob: bytes, password: bytes) -> OpenedKey:
    return decode_key(blob, PassphraseKek(password))


def _encode_hk0(
    header: KeyHeader, secret: bytes, password: bytes, cost: KdfCost, random: RandomBytes
) -> bytes:
    kek = PassphraseKek(password, cost=cost)
    # Whoever names this format was told by the operator to: nothing chooses it by default.
    return encode_hk0(header, secret, kek, random, allow_hk0=True)


def _decode_hk0(blob: bytes, password: bytes) -> OpenedKey:
    return decode_hk0(blob, PassphraseKek(password))


FORMATS: Mapping[str, BlobFormat] = {
    HK1: BlobFormat(encode=_encode_hk1, decode=_decode_hk1),
    HK0: BlobFormat(encode=_encode_hk0, decode=_decode_hk0),
}
"""Every format that a blob may be in, by the name that it carries."""
