"""Prices of block space with their unit, and the port of those who know some.

A price without its unit is how wallets came to pay a thousand times too much: nothing is compared
or combined across units.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chains.errors import ChainError
from chains.types import BlockRef


class FeeUnit(StrEnum):
    """What a price counts in."""

    SATS_PER_KVB = "sats_per_1000_vbytes"
    WEI_PER_GAS = "wei_per_gas"


class MixedFeeUnits(ChainError):
    """Prices in different units that were about to be compared."""

    code = "fees.mixed_units"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feerate:
    """A price of block space."""

    amount: int
    unit: FeeUnit

    def in_unit(self, unit: FeeUnit) -> int:
        """The bare number, for whoever says which unit it expects. Raises MixedFeeUnits."""
        if unit is not self.unit:
            raise MixedFeeUnits(f"got a price in {self.unit}, expected {unit}")
        return self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeQuote:
    """What one source says; None, and `why`, when it says nothing."""

    source: str
    feerate: Feerate | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeReport:
    """What all sources of a network say at one moment.

    `relay_floor` is the least that our nodes pass on. `base` is the part of the price that the
    chain itself sets for the blocks up to the target (EIP-1559), 0 where it sets none: quotes are
    what comes on top of it.
    """

    quotes: tuple[FeeQuote, ...]
    relay_floor: Feerate
    base: Feerate


class FeeMarket(Protocol):
    """Everybody who can be asked what block space of one network costs."""

    @property
    def unit(self) -> FeeUnit:
        """What this network's prices count in."""
        ...

    def report(self, target_blocks: int) -> FeeReport:
        """Ask all sources; one that fails is in the report with its reason, never an error."""
        ...

    def block_price(self, block: BlockRef) -> Feerate | None:
        """What a mined block cost, None where the chain's blocks do not tell. Raises NodeError."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
