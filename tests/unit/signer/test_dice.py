"""Dice rolls: honest ones pass, loaded, stuck, copied and invented ones are refused by name."""

import hashlib
from collections.abc import Iterator

import pytest

from signer import dice
from signer.dice import DiceError, check, rolls_of


def honest(name: str, count: int) -> bytes:
    """Rolls out of a hash, without the bias of a remainder."""

    def rolls() -> Iterator[int]:
        stream = hashlib.shake_256(name.encode()).digest(count * 2)
        yield from (byte % 6 + 1 for byte in stream if byte < 252)

    return bytes(rolls())[:count]


def text(rolls: bytes) -> bytes:
    return "".join(map(str, rolls)).encode()


@pytest.mark.parametrize("count", [99, 120, 500, 2048])
def test_honest_rolls_pass(count: int) -> None:
    rolls = honest("a", count)

    assert rolls == rolls_of(text(rolls[:50]) + b" \n\t" + text(rolls[50:]))


def test_most_honest_sets_pass() -> None:
    refused = 0
    for number in range(200):
        try:
            check(honest(f"set {number}", 99))
        except DiceError:
            refused += 1

    assert refused <= 5


@pytest.mark.parametrize(
    ("code", "rolls"),
    [
        ("dice.too_few", honest("a", 98)),
        ("dice.too_few", b""),
        ("dice.too_few", honest("a", 2049)),
        ("dice.biased", bytes(min(roll, 5) for roll in honest("a", 200))),
        (
            "dice.biased",
            bytes(6 if place % 4 == 0 else r for place, r in enumerate(honest("a", 200))),
        ),
        ("dice.long_run", honest("a", 60) + b"\x03" * 8 + honest("b", 60)),
        ("dice.long_run", b"\x06" * 99),
        ("dice.repeated", honest("a", 40) * 3),
        ("dice.repeated", bytes([1, 2, 3, 4, 5, 6]) * 20),
    ],
)
def test_rolls_of_no_fair_die_are_refused(code: str, rolls: bytes) -> None:
    with pytest.raises(DiceError) as refused:
        check(rolls)

    assert code == refused.value.code


def test_steps_that_repeat_are_biased_though_faces_are_even() -> None:
    """Each face as often as every other, but only four kinds of step."""
    steps = [(1, 2, 4, 5)[roll % 4] for roll in honest("steps", 300) if roll < 5]
    rolls = [1]
    for step in steps:
        rolls.append((rolls[-1] - 1 + step) % 6 + 1)

    with pytest.raises(dice.BiasedRolls, match="steps"):
        check(rolls)


def test_rolls_that_come_too_evenly_are_invented() -> None:
    """Honest rolls in which surplus faces were changed until each came equally often."""
    rolls = bytearray(honest("even", 120))
    for place, roll in enumerate(rolls):
        if rolls.count(roll) > 20:
            rolls[place] = min(range(1, 7), key=rolls.count)

    with pytest.raises(dice.InventedRolls):
        check(rolls)


@pytest.mark.parametrize("noise", [b"0", b"7", b"a", b"-", b"\xff"])
def test_other_characters_are_refused(noise: bytes) -> None:
    with pytest.raises(DiceError, match="no roll"):
        rolls_of(text(honest("a", 120)) + noise)
