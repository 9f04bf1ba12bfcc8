"""EVM addresses: 20 bytes, written with the checksum of EIP-55 and in no other way."""

import re
from collections.abc import Container

from chains.errors import (
    AddressError,
    BadChecksum,
    ReservedAddress,
    TokenContractPayee,
    WrongNetwork,
    ZeroAddress,
)
from chains.evm.hashing import keccak256
from chains.evm.params import EvmParams
from chains.types import Destination

ADDRESS_BYTES = 20

TEXT_MAX = 128
"""No address is longer; checked before anything else."""

RESERVED_MAX = 0xFFFF
"""Addresses up to here are precompiled contracts, now or later: money sent there is gone."""

_HEX = re.compile(r"0x[0-9a-fA-F]{40}")
_BECH32 = re.compile(r"[a-z]{2,8}1[02-9ac-hj-np-z]{6,100}", re.IGNORECASE)
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{25,36}")

_NO_CONTRACTS: frozenset[bytes] = frozenset()


def checksum(target: bytes) -> str:
    """The EIP-55 text of 20 address bytes."""
    plain = target.hex()
    digest = keccak256(plain.encode()).hex()
    return "0x" + "".join(
        letter.upper() if int(nibble, 16) >= 8 else letter
        for letter, nibble in zip(plain, digest, strict=False)
    )


def from_text(text: str) -> bytes:
    """The 20 bytes of an EIP-55 address. Raises BadChecksum or AddressError.

    Text all in one case carries no checksum and is refused too: a typing mistake would pass.
    """
    if len(text) > TEXT_MAX or _HEX.fullmatch(text) is None:
        raise AddressError(f"got {text[:TEXT_MAX]!r}, expected 0x and 40 hex digits")
    target = bytes.fromhex(text[2:])
    if checksum(target) != text:
        one_case = text[2:] in (text[2:].lower(), text[2:].upper())
        why = "carries no checksum" if one_case else "has a wrong checksum"
        raise BadChecksum(f"got an address that {why}, expected mixed case as in EIP-55")
    return target


def parse(
    params: EvmParams, text: str, token_contracts: Container[bytes] = _NO_CONTRACTS
) -> Destination:
    """A payee's address. Raises AddressError with the reason's own code."""
    if len(text) > TEXT_MAX:
        raise AddressError(f"got {len(text)} characters, expected an address")
    if not text.startswith(("0x", "0X")) and (_BECH32.fullmatch(text) or _BASE58.fullmatch(text)):
        raise WrongNetwork(f"got an address of another coin, expected one of {params.id}")
    target = from_text(text)
    number = int.from_bytes(target, "big")
    if number == 0:
        raise ZeroAddress("got the zero address, which burns what it is sent")
    if number <= RESERVED_MAX:
        raise ReservedAddress("got a precompiled contract, which keeps what it is sent for ever")
    if target in token_contracts:
        raise TokenContractPayee("got a token contract as payee, expected a person's address")
    return Destination(network=params.id, address=text, target=target, kind="account")


def of_public_key(uncompressed: bytes) -> bytes:
    """The 20 address bytes of a 65-byte uncompressed secp256k1 key."""
    return keccak256(uncompressed[1:])[12:]
