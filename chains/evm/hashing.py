"""Keccak-256, the hash of every EVM object."""

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """The 32-byte Keccak-256 (not SHA3-256) of `data`."""
    return keccak.new(data=data, digest_bits=256).digest()
