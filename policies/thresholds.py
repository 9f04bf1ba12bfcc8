"""Hot and cold: how much stays hot, and what has to move so that it does."""

from dataclasses import dataclass
from enum import StrEnum

from policies.errors import PolicyInvalid

PPM = 1_000_000
"""Parts per million in a whole."""


class Mode(StrEnum):
    """Bounds in base units, or in parts per million of what we owe our users."""

    ABSOLUTE = "absolute"
    SHARE = "share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Hot bounds of one asset. Raises PolicyInvalid unless 0 <= min <= target <= max."""

    mode: Mode
    hot_min: int
    hot_target: int
    hot_max: int

    def __post_init__(self) -> None:
        if not 0 <= self.hot_min <= self.hot_target <= self.hot_max:
            got = f"{self.hot_min}, {self.hot_target}, {self.hot_max}"
            raise PolicyInvalid(f"got thresholds {got}, expected 0 <= min <= target <= max")
        if self.mode is Mode.SHARE and self.hot_max > PPM:
            raise PolicyInvalid(f"got a share of {self.hot_max} ppm, expected at most {PPM}")

    def bounds(self, liabilities_units: int) -> tuple[int, int, int]:
        """Min, target and max in base units; shares are rounded down."""
        if self.mode is Mode.ABSOLUTE:
            return self.hot_min, self.hot_target, self.hot_max
        owed = max(liabilities_units, 0)
        shares = (self.hot_min, self.hot_target, self.hot_max)
        low, middle, high = (owed * share // PPM for share in shares)
        return low, middle, high


@dataclass(frozen=True, slots=True, kw_only=True)
class HotFacts:
    """Where an asset stands, in base units.

    `hot_units` is what the hot wallet holds, `arriving_units` refills on their way,
    `leaving_units` payouts and sweeps not yet out of `hot_units`, `cold_units` what cold holds.
    """

    hot_units: int
    arriving_units: int
    leaving_units: int
    cold_units: int
    liabilities_units: int


class Direction(StrEnum):
    """Which way money has to move."""

    SWEEP = "sweep"
    REFILL = "refill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What has to move; `short_units` is how much of a refill cold could not give."""

    direction: Direction
    units: int
    short_units: int
    text: str


def move(threshold: Threshold, facts: HotFacts) -> Move | None:
    """Above max: sweep down to target. Below min: refill up to target. Between: nothing.

    Money on its way in is not swept before it is here, and it is not asked for twice.
    """
    low, target, high = threshold.bounds(facts.liabilities_units)
    free = facts.hot_units - facts.leaving_units
    if free > high:
        text = f"hot {free} is above {high}: {free - target} to cold, down to {target}"
        return Move(direction=Direction.SWEEP, units=free - target, short_units=0, text=text)
    expected = free + facts.arriving_units
    if expected < low:
        wanted = target - expected
        units = min(wanted, max(facts.cold_units, 0))
        if units > 0:
            text = f"hot {expected} is below {low}: {units} from cold, up to {target}"
            return Move(
                direction=Direction.REFILL, units=units, short_units=wanted - units, text=text
            )
    return None
