"""Breaks as rows: opened with an event and, where money may be missing, with a pause of the asset.

A person lifts a pause (wallet.pauses) and explains a break; that are two decisions. A break that
is resolved by what came later stays on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, and_, insert, select, update

from wallet.errors import Invalid, NotFound
from wallet.events import append_event
from wallet.pauses import REASON_MAX, Scope, pause
from wallet.reconciliation.explaining import Finding
from wallet.reconciliation.states import PAUSING, BreakCode, BreakStatus, check_arrow
from wallet.store.schema import breaks

PAUSED_BY = "service:reconciliation"
"""Who pauses withdrawals on a break."""

REORGANISED = "reorganised"
"""Sub-status of a break whose block a reorganisation took."""

CAME = "came"
"""Sub-status of a break whose missing record came later."""


class BreakUnknown(NotFound):
    """No break has this id."""

    code = "break.not_found"


class BadExplanation(Invalid):
    """A reason that is empty, too long or not printable: who reads it later must understand it."""

    code = "break.bad_explanation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One break; `units` is what the chain has beyond our records."""

    id: str
    network: str
    asset: str
    wallet: str
    code: BreakCode
    txid: str
    position: str
    subject: str
    height: int
    block_hash: str
    units: int
    status: BreakStatus
    sub_status: str
    reason: str
    decided_by: str | None
    opened_s: int
    since_s: int


def open_break(
    tx: Connection, network: str, height: int, block_hash: str, finding: Finding, now_s: int
) -> Break:
    """Open a break, once; one that was resolved and is there again is opened again."""
    row = tx.execute(select(breaks).where(_same(network, finding))).one_or_none()
    place = {"height": height, "block_hash": block_hash, "units": finding.units}
    if row is not None and row.status != str(BreakStatus.RESOLVED):
        return _break(row)
    if row is not None:
        found = _move(tx, _break(row), BreakStatus.OPEN, now_s, sub_status="", **place)
    else:
        found = _break(
            tx.execute(
                insert(breaks)
                .values(
                    id=str(uuid4()),
                    network=network,
                    asset=finding.asset,
                    wallet=finding.wallet,
                    code=str(finding.code),
                    txid=finding.txid,
                    position=finding.position,
                    subject=finding.subject,
                    status=str(BreakStatus.OPEN),
                    opened_s=now_s,
                    since_s=now_s,
                    **place,
                )
                .returning(breaks)
            ).one()
        )
    append_event(tx, "alert.reconciliation_break", found.id, _event(found), now_s)
    if found.code in PAUSING:
        reason = f"{found.code} of {found.units} units in block {height} of {network}"
        pause(tx, Scope.ASSET, found.asset, reason, PAUSED_BY, now_s)
    return found


def explain_break(tx: Connection, break_id: str, reason: str, by: str, now_s: int) -> Break:
    """A person says why. Raises BreakUnknown, BadExplanation or ForbiddenBreakArrow."""
    if not 0 < len(reason.strip()) <= REASON_MAX or not reason.isprintable():
        raise BadExplanation(
            f"got a reason of {len(reason)} characters, expected 1 to {REASON_MAX} printable ones"
        )
    row = tx.execute(select(breaks).where(breaks.c.id == break_id)).one_or_none()
    if row is None:
        raise BreakUnknown(f"got break {break_id[:36]!r}, expected the id of one that exists")
    done = _move(tx, _break(row), BreakStatus.EXPLAINED, now_s, reason=reason, decided_by=by)
    append_event(tx, "reconciliation.explained", done.id, _event(done), now_s)
    return done


def resolve_break(tx: Connection, one: Break, why: str, now_s: int) -> None:
    """What was missing came, or the block that showed it went."""
    done = _move(tx, one, BreakStatus.RESOLVED, now_s, sub_status=why)
    append_event(tx, "reconciliation.resolved", done.id, _event(done), now_s)


def open_breaks(tx: Connection, network: str) -> Sequence[Break]:
    """The breaks of a network that nobody explained, oldest first."""
    c = breaks.c
    rows = tx.execute(
        select(breaks)
        .where(c.network == network, c.status == str(BreakStatus.OPEN))
        .order_by(c.height, c.opened_s, c.id)
    )
    return [_break(row) for row in rows]


def newest_breaks(tx: Connection, limit: int) -> Sequence[Break]:
    """The newest breaks of all networks, in whatever state."""
    query = select(breaks).order_by(breaks.c.opened_s.desc(), breaks.c.id).limit(limit)
    return [_break(row) for row in tx.execute(query)]


def roll_back_breaks(tx: Connection, network: str, fork_height: int, now_s: int) -> None:
    """The blocks above the fork show nothing any more."""
    c = breaks.c
    rows = tx.execute(
        select(breaks).where(
            c.network == network,
            c.height > fork_height,
            c.status.in_([str(BreakStatus.OPEN), str(BreakStatus.EXPLAINED)]),
        )
    ).all()
    for row in rows:
        resolve_break(tx, _break(row), REORGANISED, now_s)


def _same(network: str, finding: Finding) -> Any:
    c = breaks.c
    return and_(
        c.network == network,
        c.code == str(finding.code),
        c.txid == finding.txid,
        c.position == finding.position,
        c.asset == finding.asset,
        c.wallet == finding.wallet,
    )


def _move(tx: Connection, one: Break, status: BreakStatus, now_s: int, **values: object) -> Break:
    check_arrow(one.status, status)
    row = tx.execute(
        update(breaks)
        .where(breaks.c.id == one.id, breaks.c.status == str(one.status))
        .values(status=str(status), since_s=now_s, **values)
        .returning(breaks)
    ).one()
    return _break(row)


def _event(one: Break) -> dict[str, object]:
    return {
        "id": one.id,
        "network": one.network,
        "asset": one.asset,
        "wallet": one.wallet,
        "code": str(one.code),
        "txid": one.txid,
        "position": one.position,
        "subject": one.subject,
        "height": one.height,
        "block_hash": one.block_hash,
        "amount_units": str(one.units),
        "status": str(one.status),
        "sub_status": one.sub_status,
        "reason": one.reason,
        "decided_by": one.decided_by,
    }


def _break(row: Any) -> Break:
    return Break(
        id=row.id,
        network=row.network,
        asset=row.asset,
        wallet=row.wallet,
        code=BreakCode(row.code),
        txid=row.txid,
        position=row.position,
        subject=row.subject,
        height=row.height,
        block_hash=row.block_hash,
        units=row.units,
        status=BreakStatus(row.status),
        sub_status=row.sub_status,
        reason=row.reason,
        decided_by=row.decided_by,
        opened_s=row.opened_s,
        since_s=row.since_s,
    )
