"""From what many sources say to one price. Pure.

The rule: the median of those that answered, the lower middle one of an even number, because what
was bid too low can be raised and what was paid is gone; then never below the floor and never above
the ceiling. One source that lies moves the answer no further than its honest neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chains.errors import NodeUnavailable
from chains.feerates import FeeQuote, FeeUnit

OUTVOTED_TIMES = 4
"""A source this many times above or below the answer is named: it lies, or measures otherwise."""


class Bound(StrEnum):
    """Which bound decided the answer instead of the sources."""

    NONE = ""
    FLOOR = "floor"
    CEILING = "ceiling"


class NoEstimate(NodeUnavailable):
    """No source answered and no floor is configured: a payment without a price is not built."""

    code = "fees.no_estimate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The least and the most to offer; a ceiling of 0 is none. In the network's own unit."""

    floor: int
    ceiling: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The answer, and why: every quote, who was outvoted, and the bound that cut in."""

    unit: FeeUnit
    target_blocks: int
    quotes: tuple[FeeQuote, ...]
    median: int | None
    amount: int
    bound: Bound
    outvoted: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Sources that said nothing."""
        return tuple(quote.source for quote in self.quotes if quote.feerate is None)


def combine(
    quotes: Sequence[FeeQuote], unit: FeeUnit, target_blocks: int, bounds: Bounds
) -> Estimate:
    """One price of many. Raises NoEstimate, or MixedFeeUnits when a source counts otherwise."""
    said = sorted(q.feerate.in_unit(unit) for q in quotes if q.feerate is not None)
    if not said and not bounds.floor:
        raise NoEstimate(f"got no answer of {len(quotes)} fee sources, and no floor")
    median = said[(len(said) - 1) // 2] if said else None
    amount, bound = _bounded(median, bounds)
    return Estimate(
        unit=unit,
        target_blocks=target_blocks,
        quotes=tuple(quotes),
        median=median,
        amount=amount,
        bound=bound,
        outvoted=tuple(
            q.source
            for q in quotes
            if q.feerate is not None and _is_far(q.feerate.amount, amount, bounds.floor)
        ),
    )


def _bounded(median: int | None, bounds: Bounds) -> tuple[int, Bound]:
    if bounds.ceiling and median is not None and median > bounds.ceiling:
        return bounds.ceiling, Bound.CEILING
    if median is None or median < bounds.floor:
        return bounds.floor, Bound.FLOOR
    return median, Bound.NONE


def _is_far(said: int, amount: int, floor: int) -> bool:
    """Whether a source is far from the answer; below the floor all say the same: the least."""
    said = max(said, floor)
    return said > amount * OUTVOTED_TIMES or said * OUTVOTED_TIMES < amount
