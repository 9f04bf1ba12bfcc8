"""Dice rolls as a second source of randomness: written down by a person, checked, then mixed in.

The checks find a loaded die, a stuck hand and invented numbers; they cannot find rolls that
somebody else has seen. All of it is integer arithmetic.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from signer.errors import SignerError

ROLLS_MIN = 99
"""Rolls of a fair die that hold 256 bits."""

ROLLS_MAX = 2048
"""More rolls than anybody makes by hand; the check for repeats grows with the square."""

_CHI_SQUARE_MAX_PPM = 20_515_000
"""5 degrees of freedom: a fair die is above this once in a thousand sets."""

_CHI_SQUARE_MIN_PPM = 210_213
"""5 degrees of freedom: a fair die is below this once in a thousand sets; inventors more often."""


class DiceError(SignerError):
    """Rolls that are not rolls of a die."""

    code = "dice.unusable"


class TooFewRolls(DiceError):
    """Fewer rolls than 256 bits need."""

    code = "dice.too_few"


class BiasedRolls(DiceError):
    """Some faces, or some steps from one roll to the next, come too often."""

    code = "dice.biased"


class InventedRolls(DiceError):
    """Faces that come more evenly than a die gives them."""

    code = "dice.too_even"


class LongRun(DiceError):
    """One face too often in a row."""

    code = "dice.long_run"


class RepeatedRolls(DiceError):
    """A stretch of rolls written down again and again."""

    code = "dice.repeated"


def rolls_of(text: bytes) -> bytes:
    """The rolls in a file, one byte 1 to 6 for each. White space is skipped. Raises DiceError."""
    digits = b"".join(text.split())
    if any(digit not in b"123456" for digit in digits):
        raise DiceError("got a character that is no roll, expected digits 1 to 6 and white space")
    rolls = bytes(digit - ord("0") for digit in digits)
    check(rolls)
    return rolls


def check(rolls: Sequence[int]) -> None:
    """Raise DiceError unless these look like rolls of a fair die; one honest set in 200 fails."""
    if not ROLLS_MIN <= len(rolls) <= ROLLS_MAX:
        raise TooFewRolls(f"got {len(rolls)} rolls, expected {ROLLS_MIN} to {ROLLS_MAX}")
    _check_runs(rolls)
    _check_repeats(rolls)
    # The steps catch 123456123456..., in which every face comes equally often.
    steps = [(later - earlier) % 6 for earlier, later in pairwise(rolls)]
    for what, values in (("faces", rolls), ("steps", steps)):
        statistic = _chi_square_ppm(values)
        if statistic > _CHI_SQUARE_MAX_PPM:
            raise BiasedRolls(
                f"got {what} with chi-square {statistic} ppm, expected {_CHI_SQUARE_MAX_PPM} at"
                " most: try another die"
            )
    if _chi_square_ppm(rolls) < _CHI_SQUARE_MIN_PPM:
        raise InventedRolls("got faces that come too evenly, expected rolls of a real die")


def _chi_square_ppm(values: Sequence[int]) -> int:
    """Pearson's statistic over six equally likely values, in millionths.

    Sum of (O - n/6)^2 / (n/6) is the sum of (6 O - n)^2 / 6 n.
    """
    count = len(values)
    seen = Counter(values)
    squares = [(6 * seen[value] - count) ** 2 for value in seen]
    missing = (6 - len(seen)) * count**2
    return (sum(squares) + missing) * 1_000_000 // (6 * count)


def _check_runs(rolls: Sequence[int]) -> None:
    """A run of r among n rolls is expected n 5/6^r times: once in a thousand sets is too rare."""
    longest = current = 1
    for earlier, later in pairwise(rolls):
        current = current + 1 if earlier == later else 1
        longest = max(longest, current)
    if 6**longest > 5_000 * len(rolls):
        raise LongRun(f"got {longest} times the same face in a row, expected a die that rolls")


def _check_repeats(rolls: Sequence[int]) -> None:
    """Shifted against themselves, honest rolls agree in a sixth of places; a copy in nearly all."""
    for shift in range(1, len(rolls) // 2 + 1):
        same = sum(map(int.__eq__, rolls, rolls[shift:]))
        if 2 * same > len(rolls) - shift:
            raise RepeatedRolls(f"got rolls that repeat after {shift}, expected new rolls")
