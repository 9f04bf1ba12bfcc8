"""The withdrawal's state machine: every state and every allowed arrow."""

from collections.abc import Mapping
from enum import StrEnum

from wallet.duties import HOUR_S, Duty, Owner
from wallet.errors import Conflict


class WithdrawalStatus(StrEnum):
    """Where a withdrawal stands. `broadcast` with an unknown outcome is not a failure."""

    SUBMITTED = "submitted"
    SCREENING = "screening"
    PENDING_APPROVAL = "pending_approval"
    QUEUED = "queued"
    BLOCKED = "blocked"
    SIGNING = "signing"
    BROADCAST = "broadcast"
    CONFIRMING = "confirming"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    FAILED = "failed"


_S = WithdrawalStatus

ARROWS: Mapping[WithdrawalStatus, frozenset[WithdrawalStatus]] = {
    _S.SUBMITTED: frozenset({_S.SCREENING}),
    _S.SCREENING: frozenset({_S.PENDING_APPROVAL, _S.QUEUED, _S.REJECTED}),
    # Past its deadline an approval that never came cancels the withdrawal.
    _S.PENDING_APPROVAL: frozenset({_S.QUEUED, _S.CANCELLED, _S.REJECTED}),
    _S.QUEUED: frozenset({_S.SIGNING, _S.CANCELLED, _S.BLOCKED, _S.FAILED}),
    # A signer said no, or building failed for good: a person releases it, or its deadline ends it.
    _S.BLOCKED: frozenset({_S.QUEUED, _S.CANCELLED, _S.REJECTED, _S.FAILED}),
    # Back to the queue only while no signature of its payment exists.
    _S.SIGNING: frozenset({_S.BROADCAST, _S.QUEUED, _S.BLOCKED, _S.FAILED}),
    _S.BROADCAST: frozenset({_S.CONFIRMING, _S.FAILED}),
    # A reorg takes the block away: the same bytes are broadcast again.
    _S.CONFIRMING: frozenset({_S.COMPLETED, _S.BROADCAST, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.FAILED: frozenset(),
}

FINAL: frozenset[WithdrawalStatus] = frozenset(s for s, after in ARROWS.items() if not after)
"""States that nothing leaves."""

CANCELLABLE: frozenset[WithdrawalStatus] = frozenset(
    s for s, after in ARROWS.items() if _S.CANCELLED in after
)
"""States in which the exchange may still take the withdrawal back: all before signing."""

PAYING: frozenset[WithdrawalStatus] = frozenset({_S.SIGNING, _S.BROADCAST, _S.CONFIRMING})
"""States that only the payment carrying the withdrawal may change."""


DUTIES: Mapping[WithdrawalStatus, Duty] = {
    _S.SUBMITTED: Duty(
        owner=Owner.SERVICE, late_s=60, way_out="left in the transaction that wrote it"
    ),
    _S.SCREENING: Duty(
        owner=Owner.SERVICE, late_s=60, way_out="left in the transaction that wrote it"
    ),
    _S.PENDING_APPROVAL: Duty(
        owner=Owner.STAFF, late_s=HOUR_S, way_out="approved or rejected; cancelled at its deadline"
    ),
    _S.QUEUED: Duty(owner=Owner.SERVICE, late_s=HOUR_S, way_out="paid; given back at its deadline"),
    _S.BLOCKED: Duty(
        owner=Owner.STAFF, late_s=HOUR_S, way_out="released or rejected; given back at its deadline"
    ),
    _S.SIGNING: Duty(
        owner=Owner.SIGNERS,
        late_s=600,
        way_out="signed; queued again if refused",
    ),
    _S.BROADCAST: Duty(
        owner=Owner.CHAIN, late_s=2 * HOUR_S, way_out="mined; sent again and again until evidence"
    ),
    _S.CONFIRMING: Duty(
        owner=Owner.CHAIN, late_s=6 * HOUR_S, way_out="deep enough; back when a reorg takes it away"
    ),
}
"""What is expected of every state that is not an end."""


class ForbiddenArrow(Conflict):
    """A change of state that the machine does not have."""

    code = "withdrawal.forbidden_transition"


def check_arrow(before: WithdrawalStatus, after: WithdrawalStatus) -> None:
    """Raise ForbiddenArrow unless the machine has the arrow."""
    if after not in ARROWS[before]:
        allowed = ", ".join(sorted(ARROWS[before])) or "none, it is final"
        raise ForbiddenArrow(
            f"got {before} -> {after}, expected one of: {allowed}",
            {"status": str(before), "wanted": str(after)},
        )
