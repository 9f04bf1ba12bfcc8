"""Withdrawals as rows: reading them, and changing their state by compare-and-set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, or_, select, update

from signer.protocol import Approval, Intent
from wallet.events import NewEvent, append_events
from wallet.store.schema import approvals, payments, withdrawals
from wallet.withdrawals.errors import WithdrawalMoved, WithdrawalNotFound
from wallet.withdrawals.states import WithdrawalStatus, check_arrow

INTENTS_KEPT = 2048
"""Intents kept decoded."""

CHUNK = 500
"""Withdrawals moved by one statement, well under every engine's limit of parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """One withdrawal; units are of its asset, `fee_units` is what the user pays on top."""

    id: str
    external_id: str
    account_id: str
    network: str
    asset: str
    address: str
    target: bytes
    units: int
    fee_units: int
    status: WithdrawalStatus
    sub_status: str
    intent: Intent
    intent_digest: bytes
    approvals_required: int
    policy_hash: str
    payment_id: str | None
    requester: str
    created_s: int
    updated_s: int
    deadline_s: int
    txid: str | None
    height: int | None

    @property
    def total_units(self) -> int:
        """What is held of the user's balance."""
        return self.units + self.fee_units


def _selected() -> Select[Any]:
    joined = withdrawals.outerjoin(payments, payments.c.id == withdrawals.c.payment_id)
    return select(withdrawals, payments.c.txid, payments.c.height).select_from(joined)


_GET = _selected().where(withdrawals.c.id == bindparam("this"))
_CARRIED = (
    _selected().where(withdrawals.c.payment_id == bindparam("payment")).order_by(withdrawals.c.id)
)
_QUEUED = (
    _selected()
    .where(
        withdrawals.c.network == bindparam("on"),
        withdrawals.c.status == str(WithdrawalStatus.QUEUED),
    )
    .order_by(withdrawals.c.created_s, withdrawals.c.id)
    .limit(bindparam("most"))
)
_APPROVALS = (
    select(approvals)
    .where(approvals.c.intent_digest == bindparam("digest"))
    .order_by(approvals.c.approver)
)
_MOVE = update(withdrawals).where(
    withdrawals.c.id.in_(bindparam("these", expanding=True)),
    withdrawals.c.status == bindparam("before"),
)
_NOTE = update(withdrawals).where(
    withdrawals.c.id == bindparam("this"),
    withdrawals.c.status == bindparam("before"),
    withdrawals.c.sub_status != bindparam("said"),
)


def get(tx: Connection, withdrawal_id: str) -> Withdrawal:
    """One withdrawal. Raises WithdrawalNotFound."""
    row = tx.execute(_GET, {"this": withdrawal_id}).one_or_none()
    if row is None:
        raise WithdrawalNotFound("got an id of no withdrawal, expected one that exists")
    return _withdrawal(row)


def by_external_id(tx: Connection, external_id: str) -> Withdrawal:
    """The withdrawal that the exchange named so. Raises WithdrawalNotFound."""
    row = tx.execute(_selected().where(withdrawals.c.external_id == external_id)).one_or_none()
    if row is None:
        raise WithdrawalNotFound("got an external id of no withdrawal, expected one that exists")
    return _withdrawal(row)


def listed(
    tx: Connection,
    *,
    limit: int,
    account_id: str | None = None,
    asset: str | None = None,
    status: WithdrawalStatus | None = None,
    before: tuple[int, str] | None = None,
) -> list[Withdrawal]:
    """Newest first; `before` is (created_s, id) of the last one seen."""
    query = _selected()
    if account_id is not None:
        query = query.where(withdrawals.c.account_id == account_id)
    if asset is not None:
        query = query.where(withdrawals.c.asset == asset)
    if status is not None:
        query = query.where(withdrawals.c.status == str(status))
    if before is not None:
        created_s, last_id = before
        older = withdrawals.c.created_s < created_s
        same = and_(withdrawals.c.created_s == created_s, withdrawals.c.id < last_id)
        query = query.where(or_(older, same))
    query = query.order_by(withdrawals.c.created_s.desc(), withdrawals.c.id.desc()).limit(limit)
    return [_withdrawal(row) for row in tx.execute(query)]


def queued(tx: Connection, network: str, limit: int) -> list[Withdrawal]:
    """What waits to be paid on a network, oldest first."""
    rows = tx.execute(_QUEUED, {"on": network, "most": limit})
    return [_withdrawal(row) for row in rows]


def carried_by(tx: Connection, payment_id: str) -> list[Withdrawal]:
    """The withdrawals that a payment pays."""
    return [_withdrawal(row) for row in tx.execute(_CARRIED, {"payment": payment_id})]


def overdue(
    tx: Connection, statuses: Sequence[WithdrawalStatus], now_s: int, limit: int
) -> list[Withdrawal]:
    """Those in any of these states whose deadline has passed."""
    query = (
        _selected()
        .where(
            withdrawals.c.status.in_([str(s) for s in statuses]),
            withdrawals.c.deadline_s <= now_s,
        )
        .order_by(withdrawals.c.deadline_s, withdrawals.c.id)
        .limit(limit)
    )
    return [_withdrawal(row) for row in tx.execute(query)]


def approvals_of(tx: Connection, intent_digest: bytes) -> tuple[Approval, ...]:
    """The verified approvals of one intent, by approver's name."""
    rows = tx.execute(_APPROVALS, {"digest": intent_digest})
    return tuple(Approval(body=bytes(row.body), sig=bytes(row.sig)) for row in rows)


def move(
    tx: Connection,
    withdrawal: Withdrawal,
    after: WithdrawalStatus,
    now_s: int,
    *,
    sub_status: str = "",
    payment_id: str | None = None,
) -> Withdrawal:
    """Take an arrow by compare-and-set, with its event; what it is now is returned.

    `payment_id` is the payment that carries the withdrawal from now on; None for none.
    Raises ForbiddenArrow or WithdrawalMoved.
    """
    moved = move_all(tx, [withdrawal], after, now_s, sub_status=sub_status, payment_id=payment_id)
    return moved[0]


def move_all(
    tx: Connection,
    together: Sequence[Withdrawal],
    after: WithdrawalStatus,
    now_s: int,
    *,
    sub_status: str = "",
    payment_id: str | None = None,
) -> list[Withdrawal]:
    """Take the same arrow with each of them, or with none, as `move`."""
    moved = []
    for withdrawal in together:
        check_arrow(withdrawal.status, after)
        carried = payment_id is not None
        moved.append(
            replace(
                withdrawal,
                status=after,
                sub_status=sub_status,
                payment_id=payment_id,
                updated_s=now_s,
                txid=withdrawal.txid if carried else None,
                height=withdrawal.height if carried else None,
            )
        )
    for before in {withdrawal.status for withdrawal in together}:
        _move_from(tx, before, [w for w in together if w.status is before], moved[0], now_s)
    if moved:
        append_events(tx, [_event(withdrawal) for withdrawal in moved], now_s)
    return moved


def _move_from(
    tx: Connection,
    before: WithdrawalStatus,
    together: Sequence[Withdrawal],
    like: Withdrawal,
    now_s: int,
) -> None:
    for start in range(0, len(together), CHUNK):
        these = [withdrawal.id for withdrawal in together[start : start + CHUNK]]
        values = {
            "status": str(like.status),
            "sub_status": like.sub_status,
            "payment_id": like.payment_id,
            "updated_s": now_s,
            "since_s": now_s,
        }
        done = tx.execute(_MOVE, {"these": these, "before": str(before), **values})
        if done.rowcount != len(these):
            raise WithdrawalMoved(f"got one of withdrawals {', '.join(these)} no longer {before}")


def note(tx: Connection, withdrawal: Withdrawal, sub_status: str, now_s: int) -> None:
    """Say why a withdrawal waits; its state stays. Writes only on change."""
    asked = {"this": withdrawal.id, "before": str(withdrawal.status), "said": sub_status}
    tx.execute(_NOTE, {**asked, "sub_status": sub_status, "updated_s": now_s})


def announce(tx: Connection, withdrawal: Withdrawal, now_s: int) -> None:
    """The event of the state a withdrawal is in, in the transaction that brought it there."""
    append_events(tx, [_event(withdrawal)], now_s)


def _event(withdrawal: Withdrawal) -> NewEvent:
    body = {
        "id": withdrawal.id,
        "external_id": withdrawal.external_id,
        "account_id": withdrawal.account_id,
        "network": withdrawal.network,
        "asset": withdrawal.asset,
        "address": withdrawal.address,
        "amount_units": str(withdrawal.units),
        "fee_units": str(withdrawal.fee_units),
        "status": str(withdrawal.status),
        "sub_status": withdrawal.sub_status,
        "txid": withdrawal.txid or "",
    }
    return NewEvent(type=f"withdrawal.{withdrawal.status}", subject=withdrawal.id, body=body)


@lru_cache(maxsize=INTENTS_KEPT)
def _intent(body: bytes) -> Intent:
    """Decoded once: an intent never changes, and every step of a withdrawal reads it."""
    return Intent.decode(body)


def _withdrawal(row: Row[Any]) -> Withdrawal:
    return Withdrawal(
        id=row.id,
        external_id=row.external_id,
        account_id=row.account_id,
        network=row.network,
        asset=row.asset,
        address=row.address,
        target=bytes(row.target),
        units=row.units,
        fee_units=row.fee_units,
        status=WithdrawalStatus(row.status),
        sub_status=row.sub_status,
        intent=_intent(bytes(row.intent)),
        intent_digest=bytes(row.intent_digest),
        approvals_required=row.approvals_required,
        policy_hash=row.policy_hash,
        payment_id=row.payment_id,
        requester=row.requester,
        created_s=row.created_s,
        updated_s=row.updated_s,
        deadline_s=row.deadline_s,
        txid=row.txid,
        height=row.height,
    )
