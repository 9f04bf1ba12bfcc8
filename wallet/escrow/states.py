"""The escrow's state machine: every state and every allowed arrow."""

from collections.abc import Mapping
from enum import StrEnum

from wallet.duties import DAY_S, HOUR_S, Duty, Owner
from wallet.escrow.errors import ForbiddenArrow


class EscrowStatus(StrEnum):
    """Where an escrow stands."""

    HELD = "held"
    DISPUTED = "disputed"
    RELEASED = "released"
    RETURNED = "returned"
    EXPIRED = "expired"


_S = EscrowStatus

ARROWS: Mapping[EscrowStatus, frozenset[EscrowStatus]] = {
    # A release of a part stays in its state: the rest is held on.
    _S.HELD: frozenset({_S.HELD, _S.RELEASED, _S.RETURNED, _S.EXPIRED, _S.DISPUTED}),
    # From here only a person's decision leads on; no deadline ends a dispute.
    _S.DISPUTED: frozenset({_S.RELEASED, _S.RETURNED}),
    _S.RELEASED: frozenset(),
    _S.RETURNED: frozenset(),
    _S.EXPIRED: frozenset(),
}

FINAL: frozenset[EscrowStatus] = frozenset(s for s, after in ARROWS.items() if not after)
"""States that nothing leaves."""

DEADLINE_S_MAX = 7 * DAY_S
"""No escrow is asked for with a deadline further away."""

DUTIES: Mapping[EscrowStatus, Duty] = {
    _S.HELD: Duty(
        owner=Owner.USER,
        late_s=DEADLINE_S_MAX + HOUR_S,
        way_out="released, returned or disputed; given back at its deadline",
    ),
    _S.DISPUTED: Duty(
        owner=Owner.STAFF, late_s=DAY_S, way_out="decided with `glaytos-wallet escrow decide`"
    ),
}
"""What is expected of every state that is not an end."""


def check_arrow(before: EscrowStatus, after: EscrowStatus) -> None:
    """Raise ForbiddenArrow unless the machine has the arrow."""
    if after not in ARROWS[before]:
        allowed = ", ".join(sorted(ARROWS[before])) or "none, it is final"
        raise ForbiddenArrow(
            f"got {before} -> {after}, expected one of: {allowed}",
            {"status": str(before), "wanted": str(after)},
        )
