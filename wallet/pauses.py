"""Withdrawals that stand still: of one asset or one network, until a person says otherwise.

What was asked for is still taken in and held; nothing new is built, signed or sent. What has been
broadcast already is followed to its end, since nobody can call it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from signer.protocol import Purpose
from wallet.errors import Conflict, Invalid
from wallet.events import append_event
from wallet.store.schema import pauses

HELD_BACK = frozenset({Purpose.WITHDRAWAL, Purpose.SWEEP, Purpose.REFILL})
"""What stands still: payments to others, and movements between hot and cold."""

REASON_MAX = 500
"""Characters of a reason."""


class Scope(StrEnum):
    """What a pause covers."""

    ASSET = "asset"
    NETWORK = "network"


_HOLDING = (
    select(pauses)
    .where(
        or_(
            and_(pauses.c.scope == str(Scope.ASSET), pauses.c.subject == bindparam("asset")),
            and_(pauses.c.scope == str(Scope.NETWORK), pauses.c.subject == bindparam("on")),
        ),
        pauses.c.lifted_s.is_(None),
    )
    .order_by(pauses.c.since_s, pauses.c.id)
)


class BadReason(Invalid):
    """A reason that is empty, too long or not printable: who reads it later must understand it."""

    code = "pause.bad_reason"


class NotPaused(Conflict):
    """Nothing of this name is paused."""

    code = "pause.not_paused"


class Paused(Conflict):
    """Withdrawals of this asset stand still; `details` names the reasons."""

    code = "pause.paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One pause; `lifted_by` is None while it holds."""

    id: str
    scope: Scope
    subject: str
    reason: str
    paused_by: str
    since_s: int
    lifted_by: str | None
    lifted_s: int | None


def pause(
    tx: Connection, scope: Scope, subject: str, reason: str, paused_by: str, now_s: int
) -> Pause:
    """Pause withdrawals of an asset or network, with an event. Raises BadReason.

    The same pause by the same hand for the same reason is not written twice.
    """
    if not 0 < len(reason.strip()) <= REASON_MAX or not reason.isprintable():
        raise BadReason(f"got a reason of {len(reason)} characters, expected 1 to {REASON_MAX}")
    for known in active(tx, scope, subject):
        if (known.reason, known.paused_by) == (reason, paused_by):
            return known
    row = tx.execute(
        insert(pauses)
        .values(
            id=str(uuid4()),
            scope=str(scope),
            subject=subject,
            reason=reason,
            paused_by=paused_by,
            since_s=now_s,
        )
        .returning(pauses)
    ).one()
    append_event(tx, "withdrawals.paused", subject, _event(row), now_s)
    return _pause(row)


def resume(
    tx: Connection, scope: Scope, subject: str, lifted_by: str, now_s: int
) -> Sequence[Pause]:
    """Lift every pause of an asset or network, each with its event. Raises NotPaused."""
    lifted = tx.execute(
        update(pauses)
        .where(
            pauses.c.scope == str(scope),
            pauses.c.subject == subject,
            pauses.c.lifted_s.is_(None),
        )
        .values(lifted_by=lifted_by, lifted_s=now_s)
        .returning(pauses)
    ).all()
    if not lifted:
        raise NotPaused(f"got {scope} {subject}, whose withdrawals are not paused")
    for row in lifted:
        append_event(tx, "withdrawals.resumed", subject, _event(row), now_s)
    return [_pause(row) for row in lifted]


def active(tx: Connection, scope: Scope, subject: str) -> Sequence[Pause]:
    """The pauses of exactly this asset or network that hold now, oldest first."""
    same = and_(pauses.c.scope == str(scope), pauses.c.subject == subject)
    rows = tx.execute(
        select(pauses).where(same, pauses.c.lifted_s.is_(None)).order_by(pauses.c.since_s)
    )
    return [_pause(row) for row in rows]


def holding(tx: Connection, network: str, asset: str) -> Sequence[Pause]:
    """Every pause that keeps withdrawals of an asset from going on; empty when they may."""
    return [_pause(row) for row in tx.execute(_HOLDING, {"asset": asset, "on": network})]


def holds_back(tx: Connection, purpose: Purpose, network: str, asset: str) -> bool:
    """Whether a payment may not be built, signed or sent now."""
    return purpose in HELD_BACK and bool(holding(tx, network, asset))


def require_none(tx: Connection, purpose: Purpose, network: str, asset: str) -> None:
    """Raise Paused while a payment may not go on."""
    found = holding(tx, network, asset) if purpose in HELD_BACK else ()
    if found:
        reasons = [one.reason for one in found]
        raise Paused(
            f"got {asset} on {network}, whose withdrawals are paused: {'; '.join(reasons)}",
            {"reasons": reasons},
        )


def listed(tx: Connection, limit: int) -> Sequence[Pause]:
    """The newest pauses, lifted ones too."""
    query = select(pauses).order_by(pauses.c.since_s.desc(), pauses.c.id).limit(limit)
    return [_pause(row) for row in tx.execute(query)]


def _event(row: Any) -> Mapping[str, object]:
    return {
        "id": row.id,
        "scope": row.scope,
        "subject": row.subject,
        "reason": row.reason,
        "paused_by": row.paused_by,
        "since_s": row.since_s,
        "lifted_by": row.lifted_by,
    }


def _pause(row: Any) -> Pause:
    return Pause(
        id=row.id,
        scope=Scope(row.scope),
        subject=row.subject,
        reason=row.reason,
        paused_by=row.paused_by,
        since_s=row.since_s,
        lifted_by=row.lifted_by,
        lifted_s=row.lifted_s,
    )
