"""Web3 keystore version 3, read only: the key files of other Ethereum software.

AES-128-CTR under scrypt or PBKDF2, with a Keccak-256 MAC. What a file asks for is bounded before
any of it is done, and the address it names must be the key's own.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from Crypto.Cipher import AES
from Crypto.Protocol.KDF import scrypt

from chains.evm.accounts import address_of_key
from chains.evm.hashing import keccak256
from chains.nesting import check_nesting
from signer import secp
from signer.keystore.errors import (
    AddressMismatch,
    KdfOutOfRange,
    Web3Invalid,
    WrongPassphrase,
)
from signer.keystore.headers import FILE_BYTES_MAX

SCRYPT_MEMORY_BYTES_MAX = 1024 * 1024 * 1024
"""1 GiB, four times what geth writes (n = 2^18, r = 8)."""

SCRYPT_WORK_MAX = 2**24
"""n * r * p; geth writes 2^21."""

PBKDF2_ITERATIONS_MAX = 10_000_000
"""geth writes 262,144."""

_scrypt: Any = scrypt  # its stub says text; it takes bytes, which is what a password is


@dataclass(frozen=True, slots=True)
class Web3Key:
    """One secp256k1 private key and the 20-byte address it belongs to."""

    address: bytes
    secret: bytes = field(repr=False)


def read_web3(data: bytes, password: bytes) -> Web3Key:
    """The key of a version 3 file.

    Raises Web3Invalid, KdfOutOfRange, WrongPassphrase, AddressMismatch.
    """
    file = _parsed(data)
    crypto = _crypto_of(file)
    kdf, parameters = _text(crypto, "kdf"), _table(crypto, "kdfparams")
    if _text(crypto, "cipher") != "aes-128-ctr":
        raise Web3Invalid("got another cipher, expected aes-128-ctr")
    iv = _bytes(_table(crypto, "cipherparams"), "iv", 16)
    ciphertext, mac = _bytes(crypto, "ciphertext"), _bytes(crypto, "mac", 32)
    if not 1 <= len(ciphertext) <= 32:
        raise Web3Invalid(f"got a key of {len(ciphertext)} bytes, expected 32 at most")
    derived = _derived(kdf, parameters, password)
    if not hmac.compare_digest(keccak256(derived[16:32] + ciphertext), mac):
        raise WrongPassphrase("got a wrong password or a changed Web3 keystore")
    counter = AES.new(derived[:16], AES.MODE_CTR, nonce=b"", initial_value=iv)
    # Old versions of geth left out leading zeros.
    secret = counter.decrypt(ciphertext).rjust(32, b"\x00")
    if not 0 < int.from_bytes(secret, "big") < secp.ORDER:
        raise Web3Invalid("got a number that is no private key")
    address = address_of(secret)
    if "address" in file and _bytes(file, "address", 20) != address:
        raise AddressMismatch(
            f"got the key of 0x{address.hex()}, expected that of the address in the file"
        )
    return Web3Key(address, secret)


def address_of(secret: bytes) -> bytes:
    """The Ethereum address of a private key."""
    return address_of_key(secp.public_key(secret))


def _derived(kdf: str, parameters: Mapping[str, Any], password: bytes) -> bytes:
    """32 bytes of scrypt or PBKDF2, refused before the work when it is out of bounds."""
    salt = _bytes(parameters, "salt")
    if _number(parameters, "dklen") != 32 or not 1 <= len(salt) <= 1024:
        raise Web3Invalid("got another key length or salt, expected dklen 32 and a salt")
    match kdf:
        case "scrypt":
            n, r, p = (_number(parameters, name) for name in ("n", "r", "p"))
            _check_scrypt(n, r, p)
            # OpenSSL, and so hashlib, refuses the r = 1 that published keystores have.
            derived: bytes = _scrypt(password, salt, 32, n, r, p)
            return derived
        case "pbkdf2":
            rounds = _number(parameters, "c")
            if _text(parameters, "prf") != "hmac-sha256":
                raise Web3Invalid("got another PBKDF2 function, expected hmac-sha256")
            if not 1 <= rounds <= PBKDF2_ITERATIONS_MAX:
                raise KdfOutOfRange(
                    f"got {_short(rounds)} rounds, expected 1 to {PBKDF2_ITERATIONS_MAX}"
                )
            return hashlib.pbkdf2_hmac("sha256", password, salt, rounds, dklen=32)
        case _:
            raise Web3Invalid(f"got key derivation {kdf[:40]!r}, expected scrypt or pbkdf2")


def _check_scrypt(n: int, r: int, p: int) -> None:
    power = n >= 2 and n & (n - 1) == 0
    bounded = 1 <= r <= 64 and 1 <= p <= 64
    if not (
        power
        and bounded
        and 128 * n * r <= SCRYPT_MEMORY_BYTES_MAX
        and n * r * p <= SCRYPT_WORK_MAX
    ):
        raise KdfOutOfRange(
            f"got scrypt n={_short(n)} r={_short(r)} p={_short(p)}, expected n a power of two,"
            " at most 1 GiB and n*r*p at most 2^24"
        )


def _parsed(data: bytes) -> Mapping[str, Any]:
    if len(data) > FILE_BYTES_MAX:
        raise Web3Invalid(f"got a keystore of {len(data)} bytes, expected at most 64 KiB")
    try:
        check_nesting(data)
        file = json.loads(
            data, object_pairs_hook=_unique, parse_float=_no_number, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        raise Web3Invalid("got a keystore that is not plain JSON") from error
    if not isinstance(file, dict) or _number(file, "version") != 3:
        raise Web3Invalid("got another keystore, expected version 3")
    return file


def _crypto_of(file: Mapping[str, Any]) -> Mapping[str, Any]:
    """`crypto`, or `Crypto` as some software writes it; a file with both means two things."""
    names = [name for name in ("crypto", "Crypto") if name in file]
    if len(names) != 1:
        raise Web3Invalid("got no crypto part, or two, expected one")
    return _table(file, names[0])


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name stands twice")
    return table


def _no_number(text: str) -> None:
    raise ValueError(f"{text[:20]} is not a whole number")


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    if not isinstance(value, dict):
        raise Web3Invalid(f"got no table {name}")
    return value


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise Web3Invalid(f"got no text {name}")
    return value


def _number(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Web3Invalid(f"got no number {name}")
    return value


def _bytes(values: Mapping[str, Any], name: str, size: int = 0) -> bytes:
    text = _text(values, name).removeprefix("0x")
    try:
        value = bytes.fromhex(text)
    except ValueError as error:
        raise Web3Invalid(f"got {name} that is not hex") from error
    if " " in text or size not in (0, len(value)):
        raise Web3Invalid(f"got {name} of {len(value)} bytes, expected {size}")
    return value


def _short(number: int) -> str:
    """A number that may be absurd, without printing thousands of digits."""
    return str(number) if abs(number) < 2**64 else "more than 2^64"
