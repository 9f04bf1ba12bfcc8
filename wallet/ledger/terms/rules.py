"""The terms a ledger account is kept on, and what they refuse. Pure: no database, no clock.

Native assets need no trust; whoever is to hold a registered asset states first how much of it they
would hold (a trust line). A freeze stops an account in one asset, both ways: what may not leave
must not grow either, or the account would go on being paid into while nobody may be paid from it.

Two things a freeze or a limit never stops, as that would break a promise or the books: the end of
a hold (a void gives back what was the account's all along; a post keeps what was promised, and
perhaps paid, when the hold was allowed), and what a chain did, which is always booked.
"""

from dataclasses import dataclass
from enum import StrEnum

from wallet.ledger.results import Result

HOLDER_PREFIX = "user"
"""Owners of this prefix hold assets of others and so need a trust line for registered ones."""

CHAIN_PREFIX = "chain"
"""Owners of this prefix stand for coins on a chain."""


class Motion(StrEnum):
    """What a transfer does to one of its two accounts."""

    LEAVES = "leaves"  # a single or a new hold that takes from it
    ARRIVES = "arrives"  # a single or a new hold that it grows by
    ENDS = "ends"  # a post or void of a hold: decided when the hold was made
    BOOKED = "booked"  # the other side stands for coins on a chain: it has happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of one owner in one asset, in base units.

    `limit_units` bounds what the account may be worth, incoming holds included; None where nothing
    was ever stated: no bound for native assets, no trust for registered ones.
    """

    frozen: bool = False
    limit_units: int | None = None


NO_TERMS = Terms()
"""The terms of an account about which nothing was ever stated."""


def motion(*, grows: bool, ends_hold: bool, other: str) -> Motion:
    """What a transfer does to an account: `grows` says which side, `other` owns the other one."""
    if ends_hold:
        return Motion.ENDS
    if other.partition(":")[0] == CHAIN_PREFIX:
        return Motion.BOOKED
    return Motion.ARRIVES if grows else Motion.LEAVES


def needs_trust(owner: str, *, is_registered: bool) -> bool:
    """Whether an owner has to state a limit before an asset may arrive."""
    return is_registered and owner.partition(":")[0] == HOLDER_PREFIX


def holder_of(owner: str) -> str:
    """Whose terms an owner is kept on: a part of a user's account ("user:1/margin") on the user's.

    A freeze and a trust line are of the whole user; a limit bounds each part by itself.
    """
    whole, slash, _ = owner.partition("/")
    return whole if slash and owner.partition(":")[0] == HOLDER_PREFIX else owner


def refusal(
    terms: Terms,
    how: Motion,
    units: int,
    *,
    net_units: int = 0,
    incoming_units: int = 0,
    trust: bool = False,
) -> Result | None:
    """Why one account of a transfer of `units` says no, or None; both accounts are asked.

    `net_units` is what the account is worth on the side it grows on before the transfer,
    `incoming_units` what open holds will add to it, `trust` whether it needs a trust line.
    Only what arrives is held against the limit: a limit below the balance stops inflow, no more.
    A limit of 0 with nothing held or coming is a trust line withdrawn.
    """
    if how in (Motion.ENDS, Motion.BOOKED):
        return None
    if terms.frozen:
        return Result.ACCOUNT_FROZEN
    if how is Motion.LEAVES:
        return None
    if terms.limit_units is None:
        return Result.TRUST_MISSING if trust else None
    held_units = net_units + incoming_units
    if trust and terms.limit_units == 0 and held_units == 0:
        return Result.TRUST_MISSING
    return Result.LIMIT_EXCEEDED if held_units + units > terms.limit_units else None
