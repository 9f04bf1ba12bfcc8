"""Hosted payments as rows: reading them, and the only ways to change one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, RowMapping, select, update

from wallet.events import append_event
from wallet.hosted_keys.errors import HostedPaymentNotFound
from wallet.hosted_keys.states import IN_FLIGHT, HostedPaymentStatus, check_arrow
from wallet.store.schema import hosted_coins, hosted_payments


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedPayment:
    """A hosted payment as stored. `unsigned` is a PSBT, or 0x02 and RLP."""

    id: str
    key_id: str
    network: str
    asset: str
    address: str
    units: int
    fee_units_max: int
    fee_units: int | None
    unsigned: bytes = field(repr=False)
    nonce: int | None
    status: HostedPaymentStatus
    sub_status: str
    raw: bytes | None = field(repr=False)
    txid: str | None
    height: int | None
    sends: int
    sent_s: int
    created_s: int
    updated_s: int
    expires_s: int


def find_payment(tx: Connection, key_id: str, payment_id: str) -> HostedPayment:
    """A key's payment. Raises HostedPaymentNotFound."""
    query = select(hosted_payments).where(
        hosted_payments.c.id == payment_id, hosted_payments.c.key_id == key_id
    )
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise HostedPaymentNotFound(f"got payment {payment_id}, expected one of key {key_id}")
    return payment_of(row)


def in_flight(tx: Connection, network: str) -> Sequence[HostedPayment]:
    """Submitted payments of a network that are not final, oldest first."""
    query = (
        select(hosted_payments)
        .where(hosted_payments.c.network == network, hosted_payments.c.status.in_(IN_FLIGHT))
        .order_by(hosted_payments.c.created_s, hosted_payments.c.id)
    )
    return [payment_of(row) for row in tx.execute(query).mappings()]


def expire(tx: Connection, network: str, now_s: int) -> int:
    """End what was prepared and never signed in time; returns how many. It held nothing."""
    query = select(hosted_payments).where(
        hosted_payments.c.network == network,
        hosted_payments.c.status == HostedPaymentStatus.PREPARED,
        hosted_payments.c.expires_s <= now_s,
    )
    late = [payment_of(row) for row in tx.execute(query).mappings()]
    for payment in late:
        move(tx, payment, HostedPaymentStatus.EXPIRED, now_s)
    return len(late)


def in_flight_of(tx: Connection, key_id: str) -> Sequence[HostedPayment]:
    """Submitted payments of a key that are not final."""
    query = select(hosted_payments).where(
        hosted_payments.c.key_id == key_id, hosted_payments.c.status.in_(IN_FLIGHT)
    )
    return [payment_of(row) for row in tx.execute(query).mappings()]


def move(
    tx: Connection,
    payment: HostedPayment,
    status: HostedPaymentStatus,
    now_s: int,
    **changes: object,
) -> None:
    """Change a payment's state, with its event; its coins are freed when it failed."""
    check_arrow(payment.status, status)
    values = {
        "status": status,
        "sub_status": "",
        "updated_s": now_s,
        "since_s": now_s,
        **changes,
    }
    moved = tx.execute(
        update(hosted_payments)
        .where(hosted_payments.c.id == payment.id, hosted_payments.c.status == payment.status)
        .values(values)
    )
    if moved.rowcount != 1:
        raise HostedPaymentNotFound(f"got payment {payment.id} changed meanwhile, read it again")
    if status is HostedPaymentStatus.FAILED:
        mine = hosted_coins.c.payment_id == payment.id
        tx.execute(update(hosted_coins).where(mine).values(payment_id=None))
    body = {
        "key_id": payment.key_id,
        "network": payment.network,
        "asset": payment.asset,
        "amount_units": str(payment.units),
        "txid": str(changes.get("txid", payment.txid)),
        "sub_status": str(values["sub_status"]),
    }
    append_event(tx, f"hosted_payment.{status}", payment.id, body, now_s)


def note(tx: Connection, payment: HostedPayment, sub_status: str, now_s: int) -> None:
    """Say more about a payment without moving it."""
    tx.execute(
        update(hosted_payments)
        .where(hosted_payments.c.id == payment.id)
        .values(sub_status=sub_status[:64], updated_s=now_s)
    )


def start_send(tx: Connection, payment: HostedPayment, now_s: int) -> None:
    """Write down that a broadcast begins."""
    tx.execute(
        update(hosted_payments)
        .where(hosted_payments.c.id == payment.id)
        .values(sends=hosted_payments.c.sends + 1, sent_s=now_s)
    )


def payment_of(row: RowMapping) -> HostedPayment:
    """A row as a value."""
    return HostedPayment(
        id=row["id"],
        key_id=row["key_id"],
        network=row["network"],
        asset=row["asset"],
        address=row["address"],
        units=row["units"],
        fee_units_max=row["fee_units_max"],
        fee_units=row["fee_units"],
        unsigned=bytes(row["unsigned"]),
        nonce=row["nonce"],
        status=HostedPaymentStatus(row["status"]),
        sub_status=row["sub_status"],
        raw=None if row["raw"] is None else bytes(row["raw"]),
        txid=row["txid"],
        height=row["height"],
        sends=row["sends"],
        sent_s=row["sent_s"],
        created_s=row["created_s"],
        updated_s=row["updated_s"],
        expires_s=row["expires_s"],
    )
