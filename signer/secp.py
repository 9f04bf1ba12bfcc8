"""libsecp256k1 through coincurve: RFC 6979 nonces, low S, and low R as Bitcoin Core grinds it.

The C functions are called directly because coincurve's key object computes two public keys that
are not needed for one signature.
"""

from typing import Any

from coincurve._libsecp256k1 import ffi as _ffi  # type: ignore[import-not-found]
from coincurve._libsecp256k1 import lib as _lib
from coincurve.context import GLOBAL_CONTEXT

from chains.errors import invariant

ffi: Any = _ffi
lib: Any = _lib

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The group order of secp256k1."""


def public_key(secret: bytes) -> bytes:
    """Compressed public key, 33 bytes, of a 32-byte secret."""
    return _serialized(_point(secret))


def tweaked(secret: bytes, tweak: bytes) -> bytes | None:
    """(secret + tweak) mod n, or None where BIP-32 says that this child does not exist."""
    child = (int.from_bytes(secret, "big") + int.from_bytes(tweak, "big")) % ORDER
    if int.from_bytes(tweak, "big") >= ORDER or child == 0:
        return None
    return child.to_bytes(32, "big")


def sign_low_r(secret: bytes, digest: bytes) -> bytes:
    """DER signature whose R fits 32 bytes, byte for byte what Bitcoin Core makes."""
    signature = ffi.new("secp256k1_ecdsa_signature *")
    _sign(secret, digest, signature, ffi.NULL)
    counter = 0
    while _compact(signature)[0] >= 0x80:
        counter += 1
        _sign(
            secret, digest, signature, ffi.new("unsigned char[32]", counter.to_bytes(32, "little"))
        )
    return _der(signature)


def sign_rsv(secret: bytes, digest: bytes) -> bytes:
    """Recoverable signature r || s || v of 65 bytes, v 27 or 28, low S (EIP-2)."""
    context = GLOBAL_CONTEXT.ctx
    recoverable = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    done = lib.secp256k1_ecdsa_sign_recoverable(
        context, recoverable, _digest(digest), _secret(secret), ffi.NULL, ffi.NULL
    )
    invariant(done == 1, "libsecp256k1 did not sign")
    output = ffi.new("unsigned char[64]")
    parity = ffi.new("int *")
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(
        context, output, parity, recoverable
    )
    invariant(parity[0] in (0, 1), "the nonce point is out of Ethereum's range")
    return bytes(ffi.buffer(output, 64)) + bytes([27 + parity[0]])


def sign_schnorr(secret: bytes, message: bytes, aux: bytes, tweak: bytes = b"") -> bytes:
    """BIP-340 signature of 64 bytes over a 32-byte message, with 32 bytes of auxiliary data.

    A `tweak` is added to the x-only key first, as taproot does with its output keys (BIP-341).
    """
    context = GLOBAL_CONTEXT.ctx
    pair = _pair(secret)
    if tweak:
        added = lib.secp256k1_keypair_xonly_tweak_add(context, pair, _secret(tweak))
        invariant(added == 1, "the tweak gives no key")
    output = ffi.new("unsigned char[64]")
    done = lib.secp256k1_schnorrsig_sign32(context, output, _digest(message), pair, _digest(aux))
    invariant(done == 1, "libsecp256k1 did not sign")
    return bytes(ffi.buffer(output, 64))


def xonly(secret: bytes) -> bytes:
    """The public key of a secret without its parity, 32 bytes (BIP-340)."""
    return public_key(secret)[1:]


def verify_der(public: bytes, digest: bytes, der: bytes) -> bool:
    """True if a DER signature is by this compressed key and has a low S."""
    signature = ffi.new("secp256k1_ecdsa_signature *")
    if lib.secp256k1_ecdsa_signature_parse_der(GLOBAL_CONTEXT.ctx, signature, der, len(der)) != 1:
        return False
    return _verified(public, digest, signature)


def verify_rs(public: bytes, digest: bytes, compact: bytes) -> bool:
    """True if r || s, 64 bytes, is by this compressed key and has a low S."""
    signature = ffi.new("secp256k1_ecdsa_signature *")
    parsed = len(compact) == 64 and lib.secp256k1_ecdsa_signature_parse_compact(
        GLOBAL_CONTEXT.ctx, signature, compact
    )
    return parsed == 1 and _verified(public, digest, signature)


def r_of_der(der: bytes) -> bytes:
    """The R value, 32 bytes, of a DER signature we made."""
    signature = ffi.new("secp256k1_ecdsa_signature *")
    parsed = lib.secp256k1_ecdsa_signature_parse_der(GLOBAL_CONTEXT.ctx, signature, der, len(der))
    invariant(parsed == 1, "our own signature does not parse")
    return _compact(signature)[:32]


def _sign(secret: bytes, digest: bytes, signature: Any, extra: Any) -> None:
    done = lib.secp256k1_ecdsa_sign(
        GLOBAL_CONTEXT.ctx,
        signature,
        _digest(digest),
        _secret(secret),
        lib.secp256k1_nonce_function_rfc6979,
        extra,
    )
    invariant(done == 1, "libsecp256k1 did not sign")


def _verified(public: bytes, digest: bytes, signature: Any) -> bool:
    """secp256k1_ecdsa_verify refuses a high S by itself."""
    context = GLOBAL_CONTEXT.ctx
    answer: int = lib.secp256k1_ecdsa_verify(context, signature, _digest(digest), _parsed(public))
    return answer == 1


def _pair(secret: bytes) -> Any:
    pair = ffi.new("secp256k1_keypair *")
    made = lib.secp256k1_keypair_create(GLOBAL_CONTEXT.ctx, pair, _secret(secret))
    invariant(made == 1, "the secret is not a valid key")
    return pair


def _point(secret: bytes) -> Any:
    point = ffi.new("secp256k1_pubkey *")
    made = lib.secp256k1_ec_pubkey_create(GLOBAL_CONTEXT.ctx, point, _secret(secret))
    invariant(made == 1, "the secret is not a valid key")
    return point


def _parsed(public: bytes) -> Any:
    point = ffi.new("secp256k1_pubkey *")
    parsed = lib.secp256k1_ec_pubkey_parse(GLOBAL_CONTEXT.ctx, point, public, len(public))
    invariant(parsed == 1, "the public key does not parse")
    return point


def _serialized(point: Any) -> bytes:
    output = ffi.new("unsigned char[33]")
    length = ffi.new("size_t *", 33)
    lib.secp256k1_ec_pubkey_serialize(
        GLOBAL_CONTEXT.ctx, output, length, point, lib.SECP256K1_EC_COMPRESSED
    )
    return bytes(ffi.buffer(output, 33))


def _compact(signature: Any) -> bytes:
    output = ffi.new("unsigned char[64]")
    lib.secp256k1_ecdsa_signature_serialize_compact(GLOBAL_CONTEXT.ctx, output, signature)
    return bytes(ffi.buffer(output, 64))


def _der(signature: Any) -> bytes:
    output = ffi.new("unsigned char[72]")
    length = ffi.new("size_t *", 72)
    lib.secp256k1_ecdsa_signature_serialize_der(GLOBAL_CONTEXT.ctx, output, length, signature)
    return bytes(ffi.buffer(output, length[0]))


def _digest(digest: bytes) -> bytes:
    invariant(len(digest) == 32, "a digest has 32 bytes")
    return digest


def _secret(secret: bytes) -> bytes:
    invariant(len(secret) == 32, "a secret has 32 bytes")
    return secret
