"""Bech32 and bech32m (BIP-173, BIP-350), table-driven because every new address passes here."""

from functools import lru_cache

from chains.errors import AddressError, BadChecksum, invariant

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
"""The 32 characters of the data part."""

TEXT_CHARS_MAX = 90
"""Longest string that BIP-173 allows."""

_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32 = 1
_BECH32M = 0x2BC830A3


def _step(top: int) -> int:
    mask = 0
    for bit, factor in enumerate(_GENERATOR):
        if top >> bit & 1:
            mask ^= factor
    return mask


_STEPS = tuple(_step(top) for top in range(32))


def _two_steps(top: int) -> int:
    once = _STEPS[top >> 5] ^ (top & 31) << 25
    return (once & 0x1FFFFFF) << 5 ^ _STEPS[once >> 25]


_TWO_STEPS = tuple(_two_steps(top) for top in range(1024))
_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)
_VALUES = {char: value for value, char in enumerate(ALPHABET)}


def _polymod(residue: int, values: list[int]) -> int:
    steps = _STEPS
    for value in values:
        residue = (residue & 0x1FFFFFF) << 5 ^ value ^ steps[residue >> 25]
    return residue


@lru_cache(maxsize=64)
def _start(hrp: str) -> int:
    """The checksum's state after the prefix, the same for all addresses of a network."""
    codes = [ord(char) for char in hrp]
    return _polymod(1, [code >> 5 for code in codes] + [0] + [code & 31 for code in codes])


@lru_cache(maxsize=64)
def _start_of(hrp: str, version: int) -> int:
    return _polymod(_start(hrp), [version])


def encode(hrp: str, version: int, program: bytes) -> str:
    """The address of a witness program of 20 or 32 bytes."""
    bits = 8 * len(program)
    padding = -bits % 10
    invariant(padding in (0, 4), "only programs of 20 and 32 bytes make whole pairs of characters")
    number = int.from_bytes(program, "big") << padding
    # Two characters a step: half the work.
    pairs = [number >> shift & 1023 for shift in range(bits + padding - 10, -1, -10)]
    residue = _start_of(hrp, version)
    steps = _TWO_STEPS
    for pair in (*pairs, 0, 0, 0):
        residue = (residue & 0xFFFFF) << 10 ^ pair ^ steps[residue >> 20]
    residue ^= _BECH32M if version else _BECH32
    pairs += (residue >> 20, residue >> 10 & 1023, residue & 1023)
    names = _PAIRS
    return f"{hrp}1{ALPHABET[version]}" + "".join([names[pair] for pair in pairs])


def decode(hrp: str, text: str) -> tuple[int, bytes]:
    """Witness version and program of a lower-case string that starts with `hrp`.

    Raises BadChecksum or AddressError.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise AddressError(f"got {len(text)} characters, expected at most {TEXT_CHARS_MAX}")
    body = text[len(hrp) + 1 :]
    if len(body) < 8 or not _VALUES.keys() >= set(body):
        raise BadChecksum("got a character or length that bech32 does not have")
    values = [_VALUES[char] for char in body]
    residue = _polymod(_start(hrp), values)
    version, payload = values[0], values[1:-6]
    if residue not in (_BECH32, _BECH32M):
        raise BadChecksum("the checksum does not match: compare the address letter by letter")
    if residue != (_BECH32M if version else _BECH32):
        raise BadChecksum(f"got the other checksum than witness version {version} has (BIP-350)")
    return version, _program(version, payload)


def _program(version: int, payload: list[int]) -> bytes:
    number = 0
    for value in payload:
        number = number << 5 | value
    size, padding = divmod(5 * len(payload), 8)
    if version > 16 or padding > 4 or number & ((1 << padding) - 1) or not 2 <= size <= 40:
        raise AddressError("got a malformed witness program")
    return (number >> padding).to_bytes(size, "big")
