"""Ed25519 verification (RFC 8032) with nothing but the standard library.

It checks a release before any library of that release may run, so it cannot use one. It only ever
sees public data: no secret, hence nothing that its timing could tell.
"""

import hashlib
from typing import TypeAlias

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)

_Point: TypeAlias = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T: x = X / Z, y = Y / Z, x * y = T / Z."""

_NEUTRAL: _Point = (0, 1, 1, 0)
_BASE_Y = 4 * pow(5, _P - 2, _P) % _P


def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is the key's over the message. Never raises."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    key, commitment = _decoded(public_key), _decoded(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= _ORDER:
        return False
    challenge = hashlib.sha512(signature[:32] + public_key + message).digest()
    expected = _added(commitment, _times(int.from_bytes(challenge, "little") % _ORDER, key))
    return _same(_times(scalar, _BASE), expected)


def _decoded(data: bytes) -> _Point | None:
    """The point of a canonical encoding, or None."""
    number = int.from_bytes(data, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    if y >= _P:
        return None
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _x_of(y: int, sign: int) -> int | None:
    squared = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(squared, (_P + 3) // 8, _P)
    if (x * x - squared) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - squared) % _P or (x == 0 and sign):
        return None
    return x if x & 1 == sign else _P - x


def _added(one: _Point, two: _Point) -> _Point:
    a = (one[1] - one[0]) * (two[1] - two[0]) % _P
    b = (one[1] + one[0]) * (two[1] + two[0]) % _P
    c, d = 2 * one[3] * two[3] * _D % _P, 2 * one[2] * two[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    result = _NEUTRAL
    while scalar:
        if scalar & 1:
            result = _added(result, point)
        point = _added(point, point)
        scalar >>= 1
    return result


def _same(one: _Point, two: _Point) -> bool:
    across = (one[0] * two[2] - two[0] * one[2]) % _P
    return across == 0 and (one[1] * two[2] - two[1] * one[2]) % _P == 0


_BASE: _Point = _decoded(_BASE_Y.to_bytes(32, "little")) or _NEUTRAL
