"""Treasury requests as rows: made with their intent, changed only along the machine's arrows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from signer.protocol import Intent, Purpose
from wallet.events import append_event
from wallet.store.schema import treasury_requests
from wallet.treasury.errors import LostRace, RequestNotFound
from wallet.treasury.states import UNDONE, UNFINISHED, RequestStatus, check_arrow

AUTOMATIC = "treasury:automatic"
"""The requester of what the service asks for by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreasuryRequest:
    """A movement between hot and cold. Units are of `asset`; what counts is `intent`."""

    id: str
    purpose: Purpose
    network: str
    asset: str
    units: int
    status: RequestStatus
    sub_status: str
    intent: Intent
    intent_digest: bytes
    approvals_required: int
    requester: str
    payment_id: str | None
    created_s: int
    updated_s: int
    expires_s: int


def create(tx: Connection, intent: Intent, approvals_required: int, now_s: int) -> TreasuryRequest:
    """Write a request and its event; one that needs nobody's approval is approved at once."""
    status = RequestStatus.REQUESTED if approvals_required else RequestStatus.APPROVED
    tx.execute(
        insert(treasury_requests).values(
            id=intent.intent_id,
            purpose=str(intent.purpose),
            network=intent.network,
            asset=intent.asset,
            units=intent.total_units,
            status=str(status),
            sub_status="",
            intent=intent.encode(),
            intent_digest=intent.digest,
            approvals_required=approvals_required,
            requester=intent.requester,
            created_s=now_s,
            updated_s=now_s,
            since_s=now_s,
            expires_s=intent.expires_s,
        )
    )
    request = get(tx, intent.intent_id)
    announce(tx, request, now_s)
    return request


def get(tx: Connection, request_id: str) -> TreasuryRequest:
    """One request. Raises RequestNotFound."""
    row = tx.execute(
        select(treasury_requests).where(treasury_requests.c.id == request_id)
    ).one_or_none()
    if row is None:
        raise RequestNotFound(f"got {request_id[:40]!r}, expected the id of a treasury request")
    return _request(row)


def by_digest(tx: Connection, intent_digest: bytes) -> TreasuryRequest | None:
    """The request whose intent has this digest, or None."""
    row = tx.execute(
        select(treasury_requests).where(treasury_requests.c.intent_digest == intent_digest)
    ).one_or_none()
    return None if row is None else _request(row)


def by_payment(tx: Connection, payment_id: str) -> TreasuryRequest | None:
    """The request that a payment carries, or None."""
    row = tx.execute(
        select(treasury_requests).where(treasury_requests.c.payment_id == payment_id)
    ).one_or_none()
    return None if row is None else _request(row)


def in_states(tx: Connection, states: Iterable[RequestStatus]) -> list[TreasuryRequest]:
    """Requests in any of these states, oldest first."""
    rows = tx.execute(
        select(treasury_requests)
        .where(treasury_requests.c.status.in_([str(state) for state in states]))
        .order_by(treasury_requests.c.created_s, treasury_requests.c.id)
    )
    return [_request(row) for row in rows]


def recent(tx: Connection, limit: int) -> list[TreasuryRequest]:
    """The newest requests of any state, newest first."""
    rows = tx.execute(
        select(treasury_requests)
        .order_by(treasury_requests.c.created_s.desc(), treasury_requests.c.id)
        .limit(limit)
    )
    return [_request(row) for row in rows]


def unfinished_units(tx: Connection, asset: str, purpose: Purpose) -> int:
    """Base units that unfinished requests of one purpose are still going to move."""
    rows = tx.execute(
        select(treasury_requests.c.units).where(
            treasury_requests.c.asset == asset,
            treasury_requests.c.purpose == str(purpose),
            treasury_requests.c.status.in_([str(state) for state in UNFINISHED]),
        )
    )
    return sum(row.units for row in rows)


def last_undone_s(tx: Connection, asset: str, purpose: Purpose) -> int | None:
    """When the service's own request of this kind last came to nothing, or None."""
    last = tx.execute(
        select(func.max(treasury_requests.c.updated_s)).where(
            treasury_requests.c.asset == asset,
            treasury_requests.c.purpose == str(purpose),
            treasury_requests.c.requester == AUTOMATIC,
            treasury_requests.c.status.in_([str(state) for state in UNDONE]),
        )
    ).scalar_one()
    return None if last is None else int(last)


def move(
    tx: Connection,
    request: TreasuryRequest,
    after: RequestStatus,
    now_s: int,
    *,
    sub_status: str = "",
    payment_id: str | None = None,
) -> TreasuryRequest:
    """Take an arrow by compare-and-set and say so. Raises ForbiddenArrow or LostRace."""
    check_arrow(request.status, after)
    values: dict[str, object] = {
        "status": str(after),
        "sub_status": sub_status[:64],
        "updated_s": now_s,
        "since_s": now_s,
    }
    if payment_id is not None:
        values["payment_id"] = payment_id
    done = tx.execute(
        update(treasury_requests)
        .where(
            treasury_requests.c.id == request.id,
            treasury_requests.c.status == str(request.status),
        )
        .values(**values)
    )
    if done.rowcount != 1:
        raise LostRace(f"got request {request.id} no longer {request.status}")
    moved = get(tx, request.id)
    announce(tx, moved, now_s)
    return moved


def note(tx: Connection, request: TreasuryRequest, sub_status: str, now_s: int) -> None:
    """Say why a request waits; its state stays. Writes only on change, so ages stay honest."""
    tx.execute(
        update(treasury_requests)
        .where(
            treasury_requests.c.id == request.id,
            treasury_requests.c.status == str(request.status),
            treasury_requests.c.sub_status != sub_status[:64],
        )
        .values(sub_status=sub_status[:64], updated_s=now_s)
    )


def announce(tx: Connection, request: TreasuryRequest, now_s: int) -> None:
    """The event of a request's new state: "treasury.<purpose>.<status>"."""
    body = {
        "request_id": request.id,
        "purpose": str(request.purpose),
        "network": request.network,
        "asset": request.asset,
        "amount_units": str(request.units),
        "status": str(request.status),
        "sub_status": request.sub_status,
        "intent_digest": request.intent_digest.hex(),
        "approvals_required": request.approvals_required,
        "payment_id": request.payment_id or "",
    }
    append_event(tx, f"treasury.{request.purpose}.{request.status}", request.id, body, now_s)


def _request(row: Row[Any]) -> TreasuryRequest:
    return TreasuryRequest(
        id=row.id,
        purpose=Purpose(row.purpose),
        network=row.network,
        asset=row.asset,
        units=row.units,
        status=RequestStatus(row.status),
        sub_status=row.sub_status,
        intent=Intent.decode(bytes(row.intent)),
        intent_digest=bytes(row.intent_digest),
        approvals_required=row.approvals_required,
        requester=row.requester,
        payment_id=row.payment_id,
        created_s=row.created_s,
        updated_s=row.updated_s,
        expires_s=row.expires_s,
    )
