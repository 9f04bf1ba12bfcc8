"""What a token deposit is worth: not what its log says, but what arrived; pure.

Several logs of one token to one address in one block share what arrived in proportion to what they
tell, rounded down; the units that rounding leaves go one each to the first. An address has one
owner, so nobody gains by another's share.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chains.types import Evidence, Inflow, TokenMove
from wallet.settings import AssetSettings, TokenKind

QUARANTINED = "quarantined:"
"""How the sub-status of a held deposit begins; the doubt follows."""


class Doubt(StrEnum):
    """Why a deposit is held until a person decides."""

    NONE = ""
    NOTHING_ARRIVED = "nothing_arrived"  # a log, and the balance stayed
    LESS_ARRIVED = "less_arrived"  # of a token that should not take fees
    BALANCE_UNKNOWN = "balance_unknown"  # the contract or the node does not tell it
    NO_LOG = "no_log"  # the balance grew and no event tells why
    CODE_CHANGED = "code_changed"  # another contract answers now
    UNREADABLE = "unreadable"  # the token told of a transfer that nobody can read


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Base units that arrived, and why they are not to be believed yet."""

    units: int
    doubt: Doubt = Doubt.NONE


Place = tuple[str, bytes]
"""(asset, target): what a balance belongs to."""


def arrivals(
    inflows: Iterable[Inflow], moves: Iterable[TokenMove], assets: Mapping[str, AssetSettings]
) -> Mapping[Inflow, Arrival]:
    """What each logged inflow is worth whose token was held against balances."""
    by_place: dict[Place, list[Inflow]] = {}
    for inflow in inflows:
        if inflow.evidence is Evidence.LOG:
            by_place.setdefault((inflow.asset, inflow.target), []).append(inflow)
    judged: dict[Inflow, Arrival] = {}
    for move in moves:
        logged = by_place.get((move.asset, move.target), [])
        if logged and move.asset in assets:
            judged |= _judge(logged, move, assets[move.asset].token_kind)
    return judged


def silent_units(move: TokenMove) -> int:
    """What a balance gained beyond its incoming logs, where it told of nothing outgoing."""
    unlogged = move.unlogged
    if unlogged is None or move.logged_out:
        return 0
    return max(0, unlogged)


def shares(told: Sequence[int], arrived: int) -> list[int]:
    """`arrived` split in proportion to `told`; see the rule above. The sum is exact."""
    total = sum(told)
    split = [units * arrived // total for units in told]
    for number in range(arrived - sum(split)):
        split[number] += 1
    return split


def _judge(logged: Sequence[Inflow], move: TokenMove, kind: str) -> Mapping[Inflow, Arrival]:
    unlogged = move.unlogged
    if unlogged is None:
        return {i: Arrival(units=i.units, doubt=Doubt.BALANCE_UNKNOWN) for i in logged}
    if unlogged >= 0:
        return {i: Arrival(units=i.units) for i in logged}
    told = [inflow.units for inflow in logged]
    arrived = max(0, sum(told) + unlogged)
    if arrived == 0:
        doubt = Doubt.NOTHING_ARRIVED
    elif kind == TokenKind.PLAIN:
        doubt = Doubt.LESS_ARRIVED
    else:
        doubt = Doubt.NONE
    split = shares(told, arrived)
    return {
        inflow: Arrival(units=units, doubt=doubt if units or doubt else Doubt.NOTHING_ARRIVED)
        for inflow, units in zip(logged, split, strict=True)
    }
