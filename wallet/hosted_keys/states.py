"""A hosted payment's state machine: every state and every allowed arrow."""

from collections.abc import Mapping
from enum import StrEnum

from chains.errors import invariant


class HostedPaymentStatus(StrEnum):
    """Where a hosted payment stands; each state says what may already be outside."""

    PREPARED = "prepared"  # unsigned bytes given to the device
    SUBMITTED = "submitted"  # signed bytes stored; nodes may have seen them
    CONFIRMING = "confirming"  # mined, not yet deep enough
    COMPLETED = "completed"  # deep enough
    FAILED = "failed"  # mined without effect, or shut out by a final conflict


_S = HostedPaymentStatus

ARROWS: Mapping[HostedPaymentStatus, frozenset[HostedPaymentStatus]] = {
    _S.PREPARED: frozenset({_S.SUBMITTED}),
    # From here on valid bytes exist: only evidence from the chain ends the payment.
    _S.SUBMITTED: frozenset({_S.CONFIRMING, _S.FAILED}),
    _S.CONFIRMING: frozenset({_S.COMPLETED, _S.SUBMITTED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
}

IN_FLIGHT: tuple[HostedPaymentStatus, ...] = (_S.SUBMITTED, _S.CONFIRMING)
"""States that the follower still has work for."""


def check_arrow(before: HostedPaymentStatus, after: HostedPaymentStatus) -> None:
    """Raise InvariantError unless the machine has the arrow."""
    invariant(after in ARROWS[before], f"got {before} -> {after}, which the machine has not")
