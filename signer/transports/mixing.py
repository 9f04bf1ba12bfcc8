"""Which fragments a fountain part mixes (BCR-2024-001), the same on every machine.

The standard is written in IEEE 754 doubles. The same numbers come here from exact fractions that
are rounded as doubles are, so that no two machines, and no floating point unit, can disagree.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

_DOUBLE_BITS = 53
_MASK = (1 << 64) - 1
_ONE = Fraction(1)


def rounded(exact: Fraction) -> Fraction:
    """The double nearest to an exact number, ties to even."""
    if not exact:
        return exact
    size = abs(exact.numerator).bit_length() - exact.denominator.bit_length()
    scaled = exact * Fraction(2) ** (_DOUBLE_BITS - size)
    if abs(scaled) >= 1 << _DOUBLE_BITS:
        size += 1
        scaled = exact * Fraction(2) ** (_DOUBLE_BITS - size)
    return round(scaled) * Fraction(2) ** (size - _DOUBLE_BITS)


class Xoshiro256:
    """xoshiro256** seeded with SHA-256 of the seed. Reproducible, so never a source of secrets."""

    def __init__(self, seed: bytes) -> None:
        digest = hashlib.sha256(seed).digest()
        self._state = [int.from_bytes(digest[at : at + 8], "big") for at in range(0, 32, 8)]

    def next(self) -> int:
        """The next 64 bits."""
        s = self._state
        result = _rotated(s[1] * 5 & _MASK, 7) * 9 & _MASK
        shifted = s[1] << 17 & _MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = _rotated(s[3], 45)
        return result

    def next_double(self) -> Fraction:
        """The next double from 0 to 1."""
        return rounded(Fraction(self.next(), 1 << 64))

    def next_int(self, low: int, high: int) -> int:
        """The next number from `low` to `high`, both included."""
        # A double can round up to 1 exactly; without the bound it would point behind the end.
        return min(int(rounded(self.next_double() * (high - low + 1))) + low, high)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws indexes by weight with the alias method of Walker and Vose."""

    chances: tuple[Fraction, ...]
    aliases: tuple[int, ...]

    @classmethod
    def of(cls, weights: Sequence[Fraction]) -> "Sampler":
        """The tables for positive weights, in the order of the reference implementation."""
        count = len(weights)
        total = Fraction(0)
        for weight in weights:
            total = rounded(total + weight)
        left = [rounded(Fraction(rounded(weight * count), total)) for weight in weights]
        small = [at for at in reversed(range(count)) if left[at] < 1]
        large = [at for at in reversed(range(count)) if left[at] >= 1]
        chances, aliases = [_ONE] * count, [0] * count
        while small and large:
            less, more = small.pop(), large.pop()
            chances[less], aliases[less] = left[less], more
            left[more] = rounded(left[more] + rounded(left[less] - 1))
            (small if left[more] < 1 else large).append(more)
        return cls(tuple(chances), tuple(aliases))

    def next(self, rng: Xoshiro256) -> int:
        """The next index."""
        at = rng.next_int(0, len(self.chances) - 1)
        return at if rng.next_double() < self.chances[at] else self.aliases[at]


@lru_cache(maxsize=8)
def degrees(count: int) -> Sampler:
    """How many of `count` fragments a part mixes: one more than drawn, d with the weight 1/d."""
    return Sampler.of([rounded(Fraction(1, degree)) for degree in range(1, count + 1)])


def shuffled(items: Sequence[int], rng: Xoshiro256, first: int) -> list[int]:
    """The first items of a shuffled sequence."""
    remaining = list(items)
    return [remaining.pop(rng.next_int(0, len(remaining) - 1)) for _ in range(first)]


def fragments_of(number: int, count: int, checksum: int) -> list[int]:
    """Indexes, in order, of the fragments that part `number` (from 1) of a message mixes."""
    if number <= count:
        return [number - 1]
    rng = Xoshiro256(number.to_bytes(4, "big") + checksum.to_bytes(4, "big"))
    degree = degrees(count).next(rng) + 1
    return sorted(shuffled(range(count), rng, degree))


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & _MASK
