"""Withdrawals as rows: reading them, and changing their state by compare-and-set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, or_, select, update

from signer.protocol import Approval, Intent
from wallet.events import append_event
from wallet.store.schema import approvals, payments, withdrawals
from wallet.withdrawals.errors import WithdrawalMoved, WithdrawalNotFound
from wallet.withdrawals.states import WithdrawalStatus, check_arrow

INTENTS_KEPT = 2048
"""Intents kept decoded."""


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


def get(tx: Connection, withdrawal_id: str) -> Withdrawal:
    """One withdrawal. Raises WithdrawalNotFound."""
    row = tx.execute(_selected().where(withdrawals.c.id == withdrawal_id)).one_or_none()
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
    query = (
        _selected()
        .where(
            withdrawals.c.network == network,
            withdrawals.c.status == str(WithdrawalStatus.QUEUED),
        )
        .order_by(withdrawals.c.created_s, withdrawals.c.id)
        .limit(limit)
    )
    return [_withdrawal(row) for row in tx.execute(query)]


def carried_by(tx: Connection, payment_id: str) -> list[Withdrawal]:
    """The withdrawals that a payment pays."""
    query = _selected().where(withdrawals.c.payment_id == payment_id)
    return [_withdrawal(row) for row in tx.execute(query.order_by(withdrawals.c.id))]


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
    rows = tx.execute(
        select(approvals)
        .where(approvals.c.intent_digest == intent_digest)
        .order_by(approvals.c.approver)
    )
    return tuple(Approval(body=bytes(row.body), sig=bytes(row.sig)) for row in rows)


def move(
    tx: Connection,
    withdrawal: Withdrawal,
    after: WithdrawalStatus,
    now_s: int,
    *,
    sub_status: str = "",
    payment_id: str | None = None,
) -> None:
    """Take an arrow by compare-and-set, with its event.

    `payment_id` is the payment that carries the withdrawal from now on; None for none.
    Raises ForbiddenArrow or WithdrawalMoved.
    """
    check_arrow(withdrawal.status, after)
    done = tx.execute(
        update(withdrawals)
        .where(
            withdrawals.c.id == withdrawal.id,
            withdrawals.c.status == str(withdrawal.status),
        )
        .values(
            status=str(after),
            sub_status=sub_status,
            payment_id=payment_id,
            updated_s=now_s,
            since_s=now_s,
        )
    )
    if done.rowcount != 1:
        raise WithdrawalMoved(f"got withdrawal {withdrawal.id} no longer {withdrawal.status}")
    announce(tx, get(tx, withdrawal.id), now_s)


def note(tx: Connection, withdrawal: Withdrawal, sub_status: str, now_s: int) -> None:
    """Say why a withdrawal waits; its state stays. Writes only on change."""
    tx.execute(
        update(withdrawals)
        .where(
            withdrawals.c.id == withdrawal.id,
            withdrawals.c.status == str(withdrawal.status),
            withdrawals.c.sub_status != sub_status,
        )
        .values(sub_status=sub_status, updated_s=now_s)
    )


def announce(tx: Connection, withdrawal: Withdrawal, now_s: int) -> None:
    """The event of the state a withdrawal is in, in the transaction that brought it there."""
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
    append_event(tx, f"withdrawal.{withdrawal.status}", withdrawal.id, body, now_s)


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
