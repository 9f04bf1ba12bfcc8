"""Output scripts of the five payable kinds, and the multisig script inside a vault."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from Crypto.Hash import RIPEMD160

from chains.errors import CodecError

MULTISIG_KEYS_MAX = 15
"""Keys in one multisig script; P2SH's 520 bytes allow no more."""


class ScriptKind(StrEnum):
    """What can be paid."""

    P2PKH = "p2pkh"
    P2SH = "p2sh"
    P2WPKH = "p2wpkh"
    P2WSH = "p2wsh"
    P2TR = "p2tr"


class ScriptError(CodecError):
    """A script of a kind that we neither pay nor spend."""

    code = "script.unknown"


# OpenSSL builds without legacy algorithms lack it; pycryptodome always has it. A copy of an empty
# hash costs half of looking the algorithm up by name.
_RIPEMD160 = hashlib.new("ripemd160") if "ripemd160" in hashlib.algorithms_available else None


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice: what transactions and blocks are named by."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256: what a key or a redeem script is named by."""
    inner = hashlib.sha256(data).digest()
    if _RIPEMD160 is None:
        return RIPEMD160.new(inner).digest()
    outer = _RIPEMD160.copy()
    outer.update(inner)
    return outer.digest()


def p2pkh(key_hash: bytes) -> bytes:
    """Pay to the hash of a key."""
    return b"\x76\xa9\x14" + key_hash + b"\x88\xac"


def p2sh(script_hash: bytes) -> bytes:
    """Pay to the hash of a redeem script."""
    return b"\xa9\x14" + script_hash + b"\x87"


def witness_program(version: int, program: bytes) -> bytes:
    """Pay to a witness program (BIP-141)."""
    opcode = 0x50 + version if version else 0
    return bytes((opcode, len(program))) + program


def p2wpkh(key_hash: bytes) -> bytes:
    """Pay to the hash of a key, version 0 witness."""
    return b"\x00\x14" + key_hash


def p2wsh(script_hash: bytes) -> bytes:
    """Pay to the SHA-256 of a witness script, version 0 witness."""
    return b"\x00\x20" + script_hash


def multisig(threshold: int, keys: Sequence[bytes]) -> bytes:
    """`threshold` of the compressed `keys`, in the order given (at most 15)."""
    if not 1 <= threshold <= len(keys) <= MULTISIG_KEYS_MAX:
        raise ScriptError(f"got {threshold} of {len(keys)} keys, expected 1 <= m <= n <= 15")
    body = b"".join(b"\x21" + key for key in keys)
    return bytes((0x50 + threshold,)) + body + bytes((0x50 + len(keys), 0xAE))


def multisig_parts(script: bytes) -> tuple[int, tuple[bytes, ...]]:
    """Threshold and keys of a multisig script. Raises ScriptError on any other script."""
    count, rest = divmod(len(script) - 3, 34)
    if rest or not 1 <= count <= MULTISIG_KEYS_MAX:
        raise ScriptError(f"got a script of {len(script)} bytes, expected a multisig script")
    keys = tuple(script[2 + 34 * at : 35 + 34 * at] for at in range(count))
    threshold = script[0] - 0x50
    if not 1 <= threshold <= count or script != multisig(threshold, keys):
        raise ScriptError("got another script, expected a multisig script")
    return threshold, keys


def kind_of(script: bytes) -> ScriptKind | None:
    """Which payable kind an output script is, or None."""
    size = len(script)
    if size == 22 and script.startswith(b"\x00\x14"):
        return ScriptKind.P2WPKH
    if size == 34 and script.startswith(b"\x00\x20"):
        return ScriptKind.P2WSH
    if size == 34 and script.startswith(b"\x51\x20"):
        return ScriptKind.P2TR
    if size == 23 and script.startswith(b"\xa9\x14") and script.endswith(b"\x87"):
        return ScriptKind.P2SH
    if size == 25 and script.startswith(b"\x76\xa9\x14") and script.endswith(b"\x88\xac"):
        return ScriptKind.P2PKH
    return None


def push(data: bytes) -> bytes:
    """The opcode that pushes `data` (at most 65,535 bytes)."""
    size = len(data)
    if size <= 75:
        return bytes((size,)) + data
    if size <= 0xFF:
        return b"\x4c" + bytes((size,)) + data
    if size <= 0xFFFF:
        return b"\x4d" + size.to_bytes(2, "little") + data
    raise ScriptError(f"got {size} bytes to push, expected at most 65535")
