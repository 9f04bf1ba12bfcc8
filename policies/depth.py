"""When a deposit may be credited: how deep, how final, and whether a second node must agree.

What counts is not the deposit but all that its owner could take back with one reorganisation: the
sum not yet final of an account in one asset. Many small deposits so wait as long as a large one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class DepthTier(Protocol):
    """Sums of at least `from_units` need `confirmations` blocks."""

    @property
    def from_units(self) -> int:
        """Base units."""
        ...

    @property
    def confirmations(self) -> int:
        """Blocks, the one that holds the transaction included."""
        ...


class Waits(StrEnum):
    """What keeps a deposit from being credited."""

    NOTHING = ""
    DEPTH = "depth"
    SAFE = "safe"
    FINALIZED = "finalized"
    SECOND_NODE = "second_node"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRules:
    """What one asset asks for. Sums from `*_from` base units on need that proof; 0 is never."""

    tiers: Sequence[DepthTier]
    safe_from: int = 0
    finalized_from: int = 0
    second_node_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditFacts:
    """One deposit as the chain stands: `exposed_units` is the sum that it is part of."""

    exposed_units: int
    depth: int
    alarm_confirmations: int = 0
    is_safe: bool = False
    is_finalized: bool = False
    is_agreed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditVerdict:
    """The depth to show, and what is still missing."""

    confirmations: int
    waits: Waits


def confirmations_needed(tiers: Sequence[DepthTier], units: int) -> int:
    """Blocks that a sum must be deep; below every tier it must be as deep as the deepest asks."""
    asked = [tier.confirmations for tier in tiers if units >= tier.from_units]
    return max(asked, default=final_depth(tiers))


def final_depth(tiers: Sequence[DepthTier]) -> int:
    """The depth that is final whatever the sum: what lies deeper is no longer exposed."""
    return max((tier.confirmations for tier in tiers), default=1)


def judge(rules: CreditRules, facts: CreditFacts) -> CreditVerdict:
    """Whether a deposit may be credited now."""
    needed = confirmations_needed(rules.tiers, facts.exposed_units) + facts.alarm_confirmations
    return CreditVerdict(confirmations=needed, waits=_missing(rules, facts, needed))


def _missing(rules: CreditRules, facts: CreditFacts, needed: int) -> Waits:
    if facts.depth < needed:
        return Waits.DEPTH
    if _reaches(facts.exposed_units, rules.finalized_from) and not facts.is_finalized:
        return Waits.FINALIZED
    if _reaches(facts.exposed_units, rules.safe_from) and not facts.is_safe:
        return Waits.SAFE
    if _reaches(facts.exposed_units, rules.second_node_from) and not facts.is_agreed:
        return Waits.SECOND_NODE
    return Waits.NOTHING


def _reaches(units: int, bound: int) -> bool:
    return bound > 0 and units >= bound
