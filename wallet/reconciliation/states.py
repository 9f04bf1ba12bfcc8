"""The life of a break: something the chain shows and our records do not, or the reverse."""

from collections.abc import Mapping
from enum import StrEnum

from wallet.duties import HOUR_S, Duty, Owner
from wallet.errors import Conflict


class BreakCode(StrEnum):
    """What is wrong."""

    LATE_DEPOSIT = "late_deposit"  # money came to an address of ours, no deposit says so
    PHANTOM_DEPOSIT = "phantom_deposit"  # a deposit says so, its block does not
    OTHER_AMOUNT = "other_amount"  # record and block name different amounts
    FOREIGN_SPEND = "foreign_spend"  # our money went by a transaction that no payment of ours is
    UNKNOWN_OUTFLOW = "unknown_outflow"  # our money went, no payment meant it to
    UNKNOWN_INFLOW = "unknown_inflow"  # a balance grew, no transaction says why
    BALANCE_DRIFT = "balance_drift"  # a token declared to move by itself or to take fees did so
    UNBOOKED_FEE = "unbooked_fee"  # the network took another fee than the payment's record says
    MISSING_SETTLEMENT = "missing_settlement"  # mined long ago, the payment is not ended
    DENIED_PAYMENT = "denied_payment"  # mined and paid, the payment's record says it was not


PAUSING = frozenset(
    {
        BreakCode.PHANTOM_DEPOSIT,
        BreakCode.OTHER_AMOUNT,
        BreakCode.FOREIGN_SPEND,
        BreakCode.UNKNOWN_OUTFLOW,
        BreakCode.UNBOOKED_FEE,
        BreakCode.DENIED_PAYMENT,
    }
)
"""Breaks that stop withdrawals of their asset: money may be missing, or be promised twice.

The others cannot: what nobody asked for may be sent to us by anybody, and must not stop us.
"""


class BreakStatus(StrEnum):
    """Where a break stands."""

    OPEN = "open"
    EXPLAINED = "explained"  # a person said why
    RESOLVED = "resolved"  # what was missing came, or its block went


ARROWS: Mapping[BreakStatus, frozenset[BreakStatus]] = {
    BreakStatus.OPEN: frozenset({BreakStatus.EXPLAINED, BreakStatus.RESOLVED}),
    # Its block may go and come back: then somebody has to look again.
    BreakStatus.EXPLAINED: frozenset({BreakStatus.RESOLVED}),
    BreakStatus.RESOLVED: frozenset({BreakStatus.OPEN}),
}


def unexplained_code(units: int, *, is_odd: bool) -> BreakCode:
    """The break of a balance that moved by `units` without a transaction."""
    if is_odd:
        return BreakCode.BALANCE_DRIFT
    return BreakCode.UNKNOWN_INFLOW if units > 0 else BreakCode.UNKNOWN_OUTFLOW


RESTING = frozenset({BreakStatus.EXPLAINED, BreakStatus.RESOLVED})
"""States that nobody waits in."""

DUTIES: Mapping[BreakStatus, Duty] = {
    BreakStatus.OPEN: Duty(
        owner=Owner.STAFF,
        late_s=4 * HOUR_S,
        way_out="explained by a person, or resolved when what was missing comes",
    ),
}
"""What is expected of every state that somebody waits in."""


class ForbiddenBreakArrow(Conflict):
    """A break was asked to change in a way that its machine does not know."""

    code = "break.forbidden_transition"


def check_arrow(old: BreakStatus, new: BreakStatus) -> None:
    """Raise ForbiddenBreakArrow unless `new` may follow `old`."""
    if new not in ARROWS[old]:
        raise ForbiddenBreakArrow(f"got {old} -> {new}, expected one of {sorted(ARROWS[old])}")
