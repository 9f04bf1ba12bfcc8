"""The payment's state machine: every state and every allowed arrow."""

from collections.abc import Mapping
from enum import StrEnum

from wallet.duties import HOUR_S, Duty, Owner
from wallet.errors import Conflict


class PaymentStatus(StrEnum):
    """Where a payment stands; each state says what may already be outside this database."""

    BUILT = "built"  # request stored, nobody has seen it
    SIGNING = "signing"  # signers may have seen it
    SIGNED = "signed"  # raw bytes stored, no node has seen them
    BROADCAST = "broadcast"  # nodes may have seen it; the outcome may be unknown
    CONFIRMING = "confirming"  # mined, not yet deep enough
    COMPLETED = "completed"  # deep enough and booked
    FAILED = "failed"  # mined without effect, or shut out by a confirmed conflict
    ABANDONED = "abandoned"  # given up with too few signatures ever to be valid


_S = PaymentStatus

ARROWS: Mapping[PaymentStatus, frozenset[PaymentStatus]] = {
    _S.BUILT: frozenset({_S.SIGNING, _S.ABANDONED}),
    _S.SIGNING: frozenset({_S.SIGNED, _S.ABANDONED}),
    # From here on valid bytes exist: nothing may be given up without evidence from the chain.
    _S.SIGNED: frozenset({_S.BROADCAST}),
    _S.BROADCAST: frozenset({_S.CONFIRMING, _S.FAILED}),
    _S.CONFIRMING: frozenset({_S.COMPLETED, _S.BROADCAST, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.ABANDONED: frozenset(),
}

FINAL: frozenset[PaymentStatus] = frozenset(s for s, after in ARROWS.items() if not after)
"""States that nothing leaves."""

UNFINISHED: tuple[PaymentStatus, ...] = tuple(s for s in PaymentStatus if s not in FINAL)
"""States that the runner still has work for."""


DUTIES: Mapping[PaymentStatus, Duty] = {
    _S.BUILT: Duty(owner=Owner.SERVICE, late_s=60, way_out="asked of its signers"),
    _S.SIGNING: Duty(
        owner=Owner.SIGNERS, late_s=HOUR_S, way_out="signed; given up when its intents expire"
    ),
    _S.SIGNED: Duty(owner=Owner.SERVICE, late_s=60, way_out="sent; valid bytes are never given up"),
    _S.BROADCAST: Duty(
        owner=Owner.CHAIN, late_s=2 * HOUR_S, way_out="mined, or shut out by a final conflict"
    ),
    _S.CONFIRMING: Duty(
        owner=Owner.CHAIN, late_s=6 * HOUR_S, way_out="deep enough; back when a reorg takes it away"
    ),
}
"""What is expected of every state that is not an end."""


class ForbiddenPaymentArrow(Conflict):
    """A change of state that the machine does not have."""

    code = "payment.forbidden_transition"


def check_arrow(before: PaymentStatus, after: PaymentStatus) -> None:
    """Raise ForbiddenPaymentArrow unless the machine has the arrow."""
    if after not in ARROWS[before]:
        allowed = ", ".join(sorted(ARROWS[before])) or "none, it is final"
        raise ForbiddenPaymentArrow(f"got {before} -> {after}, expected one of: {allowed}")
