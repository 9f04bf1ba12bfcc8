"""Hash functions that chains use and the standard library may lack: Keccak-256 and RIPEMD-160."""

import hashlib

_MASK64 = (1 << 64) - 1
_RATE = 136
"""Bytes of a block of Keccak-256."""

_ROUNDS = (
    0x0000000000000001,
    0x0000000000008082,
    0x800000000000808A,
    0x8000000080008000,
    0x000000000000808B,
    0x0000000080000001,
    0x8000000080008081,
    0x8000000000008009,
    0x000000000000008A,
    0x0000000000000088,
    0x0000000080008009,
    0x000000008000000A,
    0x000000008000808B,
    0x800000000000008B,
    0x8000000000008089,
    0x8000000000008003,
    0x8000000000008002,
    0x8000000000000080,
    0x000000000000800A,
    0x800000008000000A,
    0x8000000080008081,
    0x8000000000008080,
    0x0000000080000001,
    0x8000000080008008,
)


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice."""
    return sha256(sha256(data))


def tagged(tag: str, data: bytes) -> bytes:
    """SHA-256 in a domain of its own (BIP-340)."""
    prefix = sha256(tag.encode())
    return sha256(prefix + prefix + data)


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    return ripemd160(sha256(data))


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it: the padding of before SHA-3 became a standard."""
    padded = bytearray(data) + b"\x01"
    padded += bytes(-len(padded) % _RATE)
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for at in range(_RATE >> 3):
            place = start + 8 * at
            lanes[at] ^= int.from_bytes(padded[place : place + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    for constant in _ROUNDS:
        parity = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        mixed = [parity[(x - 1) % 5] ^ _left(parity[(x + 1) % 5], 1, 64) for x in range(5)]
        lanes = [lane ^ mixed[at % 5] for at, lane in enumerate(lanes)]
        moved = list(lanes)
        x, y = 1, 0
        current = lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            place = x + 5 * y
            turn = ((step + 1) * (step + 2) >> 1) % 64
            current, moved[place] = lanes[place], _left(current, turn, 64)
        lanes = [
            moved[at] ^ (~moved[at - at % 5 + (at + 1) % 5] & moved[at - at % 5 + (at + 2) % 5])
            for at in range(25)
        ]
        lanes[0] ^= constant
        lanes = [lane & _MASK64 for lane in lanes]
    return lanes


def _left(value: int, turn: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return (value << turn | value >> bits - turn) & (1 << bits) - 1


_WORDS = (
    "0123456789abcdef74d1a6f3c0952eb83ae49f812706db5c19ba08c4d37fe56240597c2ae138b6fd",
    "5e7092b4d6f81a3c6b370d5aef8c4912f5137e69b8c2a04d86413bf05c2d97aecfa4158762de039b",
)
"""Which word of a block each of the 80 steps takes, in both lines of RIPEMD-160."""

_TURNS = (
    "befc5879bdef6798768db97f7cf9b7dcbd67e9dfe8d65c75bcefef989e56865c9f5b68dc5cdeb856",
    "899bdff5778beec69df7c89b77c76fdb97fb866ecd5edd75f58bee6e69c9c5f885c9c5e68d65fdbb",
)
"""By how many bits each step turns."""

_ADDED = (
    (0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E),
    (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0),
)


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160, which OpenSSL may have switched off."""
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "little")
    for start in range(0, len(padded), 64):
        words = [
            int.from_bytes(padded[at : at + 4], "little") for at in range(start, start + 64, 4)
        ]
        left, right = _line(state, words, 0), _line(state, words, 1)
        state = [
            (state[(at + 1) % 5] + left[(at + 2) % 5] + right[(at + 3) % 5]) & 0xFFFFFFFF
            for at in range(5)
        ]
    return b"".join(value.to_bytes(4, "little") for value in state)


def _line(state: list[int], words: list[int], line: int) -> list[int]:
    """The five values after the 80 steps of one line."""
    a, b, c, d, e = state
    for step in range(80):
        turn_kind = step >> 4
        mixed = _mixed(4 - turn_kind if line else turn_kind, b, c, d)
        word = words[int(_WORDS[line][step], 16)]
        total = a + mixed + word + _ADDED[line][turn_kind]
        turned = _left(total, int(_TURNS[line][step], 16), 32)
        a, b, c, d, e = e, (turned + e) & 0xFFFFFFFF, b, _left(c, 10, 32), d
    return [a, b, c, d, e]


def _mixed(kind: int, x: int, y: int, z: int) -> int:
    match kind:
        case 0:
            return x ^ y ^ z
        case 1:
            return x & y | ~x & 0xFFFFFFFF & z
        case 2:
            return (x | ~y & 0xFFFFFFFF) ^ z
        case 3:
            return x & z | y & ~z & 0xFFFFFFFF
    return x ^ (y | ~z & 0xFFFFFFFF)
