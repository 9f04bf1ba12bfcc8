"""The treasury request's state machine: every state and every allowed arrow."""

from collections.abc import Mapping
from enum import StrEnum

from wallet.duties import HOUR_S, Duty, Owner
from wallet.treasury.errors import ForbiddenArrow


class RequestStatus(StrEnum):
    """Where a movement between hot and cold stands."""

    REQUESTED = "requested"  # waits for people
    APPROVED = "approved"  # the quorum is there; no exact transaction yet
    EXPORTED = "exported"  # an exact transaction exists and signers may see it
    BROADCAST = "broadcast"  # nodes may have seen it
    COMPLETED = "completed"  # deep enough and booked
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


_S = RequestStatus

ARROWS: Mapping[RequestStatus, frozenset[RequestStatus]] = {
    _S.REQUESTED: frozenset({_S.APPROVED, _S.EXPIRED, _S.CANCELLED}),
    _S.APPROVED: frozenset({_S.EXPORTED, _S.EXPIRED, _S.CANCELLED, _S.FAILED}),
    # From here on its payment decides: given up only while no valid bytes can exist.
    _S.EXPORTED: frozenset({_S.BROADCAST, _S.COMPLETED, _S.EXPIRED, _S.CANCELLED, _S.FAILED}),
    _S.BROADCAST: frozenset({_S.COMPLETED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.FAILED: frozenset(),
}

FINAL: frozenset[RequestStatus] = frozenset(s for s, after in ARROWS.items() if not after)
"""States that nothing leaves."""

UNFINISHED: tuple[RequestStatus, ...] = tuple(s for s in RequestStatus if s not in FINAL)
"""States of a movement that is still coming."""

UNDONE: frozenset[RequestStatus] = frozenset({_S.EXPIRED, _S.CANCELLED, _S.FAILED})
"""Final states in which no money moved."""


DUTIES: Mapping[RequestStatus, Duty] = {
    _S.REQUESTED: Duty(
        owner=Owner.STAFF,
        late_s=4 * HOUR_S,
        way_out="approved; expires with its intent",
    ),
    _S.APPROVED: Duty(owner=Owner.SERVICE, late_s=HOUR_S, way_out="built; expires with its intent"),
    _S.EXPORTED: Duty(
        owner=Owner.KEYHOLDERS,
        late_s=12 * HOUR_S,
        way_out="signed; given up by its payment while no valid bytes can exist",
    ),
    _S.BROADCAST: Duty(owner=Owner.CHAIN, late_s=6 * HOUR_S, way_out="what its payment comes to"),
}
"""What is expected of every state that is not an end."""


def check_arrow(before: RequestStatus, after: RequestStatus) -> None:
    """Raise ForbiddenArrow unless the machine has the arrow."""
    if after not in ARROWS[before]:
        allowed = ", ".join(sorted(ARROWS[before])) or "none, it is final"
        raise ForbiddenArrow(
            f"got {before} -> {after}, expected one of: {allowed}",
            {"status": str(before), "wanted": str(after)},
        )
