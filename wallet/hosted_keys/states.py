"""A hosted payment's state machine: every state and every allowed arrow."""

from collections.abc import Mapping
from enum import StrEnum

from chains.errors import invariant
from wallet.duties import HOUR_S, Duty, Owner


class HostedPaymentStatus(StrEnum):
    """Where a hosted payment stands; each state says what may already be outside."""

    PREPARED = "prepared"  # unsigned bytes given to the device
    SUBMITTED = "submitted"  # signed bytes stored; nodes may have seen them
    CONFIRMING = "confirming"  # mined, not yet deep enough
    COMPLETED = "completed"  # deep enough
    EXPIRED = "expired"  # never signed in time; it held nothing
    FAILED = "failed"  # mined without effect, or shut out by a final conflict


_S = HostedPaymentStatus

ARROWS: Mapping[HostedPaymentStatus, frozenset[HostedPaymentStatus]] = {
    _S.PREPARED: frozenset({_S.SUBMITTED, _S.EXPIRED}),
    # From here on valid bytes exist: only evidence from the chain ends the payment.
    _S.SUBMITTED: frozenset({_S.CONFIRMING, _S.FAILED}),
    _S.CONFIRMING: frozenset({_S.COMPLETED, _S.SUBMITTED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.EXPIRED: frozenset(),
}

IN_FLIGHT: tuple[HostedPaymentStatus, ...] = (_S.SUBMITTED, _S.CONFIRMING)
"""States that the follower still has work for."""


FINAL: frozenset[HostedPaymentStatus] = frozenset(s for s, after in ARROWS.items() if not after)
"""States that nothing leaves."""

DUTIES: Mapping[HostedPaymentStatus, Duty] = {
    _S.PREPARED: Duty(owner=Owner.USER, late_s=HOUR_S, way_out="submitted; expires by itself"),
    _S.SUBMITTED: Duty(
        owner=Owner.CHAIN, late_s=2 * HOUR_S, way_out="mined, or shut out by a final conflict"
    ),
    _S.CONFIRMING: Duty(
        owner=Owner.CHAIN, late_s=6 * HOUR_S, way_out="deep enough; back when a reorg takes it away"
    ),
}
"""What is expected of every state that is not an end."""


def check_arrow(before: HostedPaymentStatus, after: HostedPaymentStatus) -> None:
    """Raise InvariantError unless the machine has the arrow."""
    invariant(after in ARROWS[before], f"got {before} -> {after}, which the machine has not")
