"""Taproot keys, key path only (BIP-341): tweaks, output keys, and BIP-340 verification."""

import hashlib
from functools import cache

from coincurve import PublicKeyXOnly

from chains.errors import CodecError

XONLY_BYTES = 32
"""A key without its parity."""

SIGNATURE_BYTES = 64
"""A BIP-340 signature; a type byte follows unless the type is DEFAULT."""


class TaprootError(CodecError):
    """Bytes that are not a key of the curve, or a key without a tweak."""

    code = "taproot.invalid"


def tagged_hash(tag: str, data: bytes) -> bytes:
    """SHA-256 in a domain of its own (BIP-340)."""
    prefix = _tag(tag)
    return hashlib.sha256(prefix + prefix + data).digest()


def tweak(internal_key: bytes, merkle_root: bytes = b"") -> bytes:
    """What is added to an internal key; without a root nothing but the key can ever spend."""
    return tagged_hash("TapTweak", internal_key + merkle_root)


def output_key(internal_key: bytes, merkle_root: bytes = b"") -> bytes:
    """The x-only key in the output of an x-only internal key. Raises TaprootError."""
    key = _key(internal_key)
    try:
        key.tweak_add(tweak(internal_key, merkle_root))
    except ValueError:
        raise TaprootError("got a key whose tweak does not exist") from None
    return key.format()


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a 64-byte BIP-340 signature over a message is by this x-only key."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        return _key(public_key).verify(signature, message)
    except TaprootError:
        return False


def _key(public_key: bytes) -> PublicKeyXOnly:
    # The library reads 32 bytes whatever it is given.
    if len(public_key) != XONLY_BYTES:
        raise TaprootError(f"got {len(public_key)} bytes, expected the 32 of an x-only key")
    try:
        return PublicKeyXOnly(public_key)
    except ValueError:
        raise TaprootError("got a key that is not a point of the curve") from None


@cache
def _tag(tag: str) -> bytes:
    return hashlib.sha256(tag.encode()).digest()
