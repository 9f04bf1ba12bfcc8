"""BLAKE3 of up to one chunk (1,024 bytes), which is all that Litecoin's MWEB headers need.

Standard: the BLAKE3 paper, sections 2.1 to 2.4; no library that we have knows it.
"""

import struct

from chains.errors import invariant

CHUNK_BYTES = 1024
_BLOCK_BYTES = 64
_IV = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)
_ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_CHUNK_START, _CHUNK_END, _ROOT = 1, 2, 8
_ROUNDS = 7
_MASK = 0xFFFFFFFF


def blake3(data: bytes) -> bytes:
    """The 32-byte hash of at most `CHUNK_BYTES`."""
    invariant(len(data) <= CHUNK_BYTES, "BLAKE3 is here for one chunk")
    chain = list(_IV)
    starts = range(0, len(data), _BLOCK_BYTES) or range(1)
    for start in starts:
        block = data[start : start + _BLOCK_BYTES]
        flags = _CHUNK_START if start == 0 else 0
        if start == starts[-1]:
            flags |= _CHUNK_END | _ROOT
        words = list(struct.unpack("<16I", block.ljust(_BLOCK_BYTES, b"\x00")))
        chain = _compress(chain, words, len(block), flags)
    return struct.pack("<8I", *chain)


def _compress(chain: list[int], words: list[int], size: int, flags: int) -> list[int]:
    state = [*chain, *_IV[:4], 0, 0, size, flags]
    for _ in range(_ROUNDS):
        for column in range(4):
            at = (column, column + 4, column + 8, column + 12)
            _mix(state, at, words[2 * column], words[2 * column + 1])
        for row in range(4):
            at = (row, 4 + (row + 1) % 4, 8 + (row + 2) % 4, 12 + (row + 3) % 4)
            _mix(state, at, words[8 + 2 * row], words[9 + 2 * row])
        words = [words[index] for index in _ORDER]
    return [state[index] ^ state[index + 8] for index in range(8)]


def _mix(state: list[int], at: tuple[int, int, int, int], one: int, two: int) -> None:
    a, b, c, d = at
    for word, right_d, right_b in ((one, 16, 12), (two, 8, 7)):
        state[a] = (state[a] + state[b] + word) & _MASK
        state[d] = _turn(state[d] ^ state[a], right_d)
        state[c] = (state[c] + state[d]) & _MASK
        state[b] = _turn(state[b] ^ state[c], right_b)


def _turn(word: int, right: int) -> int:
    return (word >> right | word << (32 - right)) & _MASK
