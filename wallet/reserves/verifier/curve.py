"""Signatures over secp256k1: ECDSA as Bitcoin and Ethereum write it, and BIP-340.

Plain arithmetic on public data: slow, a few milliseconds a signature, and readable. Nothing secret
is ever here, so nothing has to take constant time.
"""

from .hashes import tagged

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)

Point = tuple[int, int]
_Jacobian = tuple[int, int, int]
_NOWHERE = (0, 1, 0)


def point_of(public_key: bytes) -> Point | None:
    """The point of a compressed key, or None."""
    if len(public_key) != 33 or public_key[0] not in (2, 3):
        return None
    return _lifted(int.from_bytes(public_key[1:], "big"), public_key[0] & 1)


def verify_der(public_key: bytes, digest: bytes, der: bytes) -> bool:
    """Whether a strict DER signature with a low S is by this compressed key (BIP-66, BIP-146)."""
    point, parts = point_of(public_key), _der_parts(der)
    if point is None or parts is None:
        return False
    r, s = parts
    if not (0 < r < N and 0 < s <= N >> 1):
        return False
    inverse = pow(s, -1, N)
    return _x_of_sum(int.from_bytes(digest, "big") * inverse, point, r * inverse, r)


def recover(digest: bytes, signature: bytes) -> Point | None:
    """Who signed, from r || s || v with v 27 or 28 and a low S (EIP-2); None if nobody can have."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < N and 0 < s <= N >> 1):
        return None
    nonce = _lifted(r, signature[64] - 27)
    if nonce is None:
        return None
    inverse = pow(r, -1, N)
    found = _combined(-int.from_bytes(digest, "big") * inverse, nonce, s * inverse)
    return None if found[2] == 0 else _affine(found)


def verify_schnorr(xonly: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether a 64-byte BIP-340 signature is by this 32-byte key."""
    if len(signature) != 64 or len(xonly) != 32:
        return False
    point = _lifted(int.from_bytes(xonly, "big"), 0)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if point is None or r >= P or s >= N:
        return False
    challenge = tagged("BIP0340/challenge", signature[:32] + xonly + digest)
    found = _combined(s, point, -int.from_bytes(challenge, "big"))
    if found[2] == 0:
        return False
    x, y = _affine(found)
    return x == r and y & 1 == 0


def uncompressed(point: Point) -> bytes:
    """The 64 bytes of x and y."""
    return point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def _der_parts(der: bytes) -> tuple[int, int] | None:
    """R and S of DER in its one strict form."""
    if not (8 <= len(der) <= 72 and der[0] == 0x30 and der[1] == len(der) - 2):
        return None
    numbers, at = [], 2
    for _ in range(2):
        if at + 2 > len(der) or der[at] != 2:
            return None
        size = der[at + 1]
        body = der[at + 2 : at + 2 + size]
        if len(body) != size or not size or body[0] & 0x80:
            return None
        if size > 1 and body[0] == 0 and not body[1] & 0x80:
            return None
        numbers.append(int.from_bytes(body, "big"))
        at += 2 + size
    return (numbers[0], numbers[1]) if at == len(der) else None


def _lifted(x: int, odd: int) -> Point | None:
    """The point with this x and the parity of its y."""
    if x >= P:
        return None
    square = (pow(x, 3, P) + 7) % P
    y = pow(square, P + 1 >> 2, P)
    if y * y % P != square:
        return None
    return x, y if y & 1 == odd else P - y


def _x_of_sum(of_g: int, point: Point, of_point: int, r: int) -> bool:
    found = _combined(of_g, point, of_point)
    return found[2] != 0 and _affine(found)[0] % N == r


def _combined(of_g: int, point: Point, of_point: int) -> _Jacobian:
    """of_g * G + of_point * point, both at once bit by bit (Shamir's trick)."""
    of_g, of_point = of_g % N, of_point % N
    lone_g, lone = (*G, 1), (*point, 1)
    choices = (_NOWHERE, lone_g, lone, _added(lone_g, lone))
    total = _NOWHERE
    for bit in range(255, -1, -1):
        total = _doubled(total)
        choice = (of_g >> bit & 1) | (of_point >> bit & 1) << 1
        if choice:
            total = _added(total, choices[choice])
    return total


def _doubled(one: _Jacobian) -> _Jacobian:
    x, y, z = one
    if z == 0:
        return _NOWHERE
    square = y * y % P
    slope = 3 * x * x
    middle = 4 * x * square
    new_x = (slope * slope - 2 * middle) % P
    return new_x, (slope * (middle - new_x) - 8 * square * square) % P, 2 * y * z % P


def _added(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    if one[2] == 0:
        return other
    if other[2] == 0:
        return one
    z1, z2 = one[2] * one[2] % P, other[2] * other[2] % P
    u1, u2 = one[0] * z2 % P, other[0] * z1 % P
    s1, s2 = one[1] * z2 * other[2] % P, other[1] * z1 * one[2] % P
    if u1 == u2:
        return _doubled(one) if s1 == s2 else _NOWHERE
    h, slope = u2 - u1, s2 - s1
    h2 = h * h % P
    h3, middle = h * h2 % P, u1 * h2 % P
    x = (slope * slope - h3 - 2 * middle) % P
    return x, (slope * (middle - x) - s1 * h3) % P, h * one[2] * other[2] % P


def _affine(one: _Jacobian) -> Point:
    inverse = pow(one[2], -1, P)
    square = inverse * inverse % P
    return one[0] * square % P, one[1] * square * inverse % P
