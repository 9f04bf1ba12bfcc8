"""What a payment is made of: coins that go in, payouts that come out."""

from dataclasses import dataclass

from chains.types import OutPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPlace:
    """Where a script of ours derives from: the vault's name, its branch and index."""

    source: str
    branch: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """An unspent output of a vault. `raw_tx` is the whole transaction that made it."""

    outpoint: OutPoint
    sats: int
    place: OwnPlace
    raw_tx: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """An output to make; `place` is set when it comes back to a vault of ours."""

    script: bytes
    sats: int
    place: OwnPlace | None = None
