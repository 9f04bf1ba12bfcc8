"""The life of a deposit: which state may follow which."""

from collections.abc import Mapping
from enum import StrEnum

from wallet.duties import HOUR_S, Duty, Owner
from wallet.errors import WalletError


class DepositStatus(StrEnum):
    """Where a deposit stands. Sweeping what it brought is another machine."""

    SEEN = "seen"
    CONFIRMING = "confirming"
    CREDITED = "credited"
    HELD = "held"
    REJECTED = "rejected"
    BELOW_MINIMUM = "below_minimum"
    REPLACED = "replaced"
    ORPHANED = "orphaned"
    REVERSED = "reversed"


ARROWS: dict[DepositStatus, frozenset[DepositStatus]] = {
    DepositStatus.SEEN: frozenset(
        {
            # Seen in a node's pool first, then in a block; or its inputs went elsewhere.
            DepositStatus.SEEN,
            DepositStatus.REPLACED,
            DepositStatus.CONFIRMING,
            DepositStatus.HELD,
            DepositStatus.BELOW_MINIMUM,
            DepositStatus.ORPHANED,
        }
    ),
    DepositStatus.CONFIRMING: frozenset(
        {DepositStatus.CREDITED, DepositStatus.HELD, DepositStatus.ORPHANED}
    ),
    # A person decides: released it goes on, rejected it is in the books and nobody's.
    DepositStatus.HELD: frozenset(
        {DepositStatus.CONFIRMING, DepositStatus.REJECTED, DepositStatus.ORPHANED}
    ),
    DepositStatus.REJECTED: frozenset({DepositStatus.ORPHANED}),
    DepositStatus.CREDITED: frozenset({DepositStatus.REVERSED}),
    # Held where the ledger, joined from elsewhere, has it on another account.
    DepositStatus.BELOW_MINIMUM: frozenset({DepositStatus.HELD, DepositStatus.ORPHANED}),
    # A transaction that left the chain may come back, or lose its inputs to another one.
    DepositStatus.ORPHANED: frozenset({DepositStatus.SEEN, DepositStatus.REPLACED}),
    DepositStatus.REVERSED: frozenset({DepositStatus.SEEN, DepositStatus.REPLACED}),
    # A deeper reorg can drop the conflicting spend again, so even this end may reopen.
    DepositStatus.REPLACED: frozenset({DepositStatus.SEEN}),
}


RESTING: frozenset[DepositStatus] = frozenset(
    {
        DepositStatus.CREDITED,
        DepositStatus.BELOW_MINIMUM,
        DepositStatus.REPLACED,
        DepositStatus.ORPHANED,
        DepositStatus.REVERSED,
        DepositStatus.REJECTED,
    }
)
"""States that only a change of the chain itself can leave: nobody waits for anything."""

DUTIES: Mapping[DepositStatus, Duty] = {
    DepositStatus.SEEN: Duty(
        owner=Owner.CHAIN,
        late_s=2 * HOUR_S,
        way_out="confirming, or gone with its block or from the pool",
    ),
    DepositStatus.CONFIRMING: Duty(
        owner=Owner.CHAIN, late_s=6 * HOUR_S, way_out="credited when deep enough"
    ),
    DepositStatus.HELD: Duty(
        owner=Owner.STAFF, late_s=4 * HOUR_S, way_out="credited or sent back by a person"
    ),
}
"""What is expected of every state that somebody waits in."""


class ForbiddenArrow(WalletError):
    """A deposit was asked to change in a way that its machine does not know."""

    code = "deposit.forbidden_transition"


def check_arrow(old: DepositStatus, new: DepositStatus) -> None:
    """Raise ForbiddenArrow unless `new` may follow `old`."""
    if new not in ARROWS[old]:
        raise ForbiddenArrow(f"got {old} -> {new}, expected one of {sorted(ARROWS[old])}")
