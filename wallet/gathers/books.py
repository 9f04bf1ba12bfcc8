"""What each deposit address holds by our own books, and what is on its way to or from it.

By address balance, never by deposit: what was gathered, topped up and paid in fees counts, so the
gas that a token transfer left over is known too, and is used or gathered the next time.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, or_, select

from signer.protocol import Kind, OwnOutput, Purpose
from wallet.deposits.states import DepositStatus
from wallet.payments import journal
from wallet.payments.journal import Payment
from wallet.payments.states import UNFINISHED, PaymentStatus
from wallet.settings import AssetSettings
from wallet.store.schema import addresses, batch_shares, deposits, payments, top_ups

REFUSED_PAUSE_S = 600
"""After a payment of an address was given up or failed, it is left alone so long: refusals do not
go away by asking again, every try writes rows, and a failure costs gas."""

_BOOKED = (DepositStatus.CREDITED, DepositStatus.BELOW_MINIMUM)


_COMPLETED = str(PaymentStatus.COMPLETED)
_DEPOSIT_ADDRESSES = select(addresses).where(
    addresses.c.network == bindparam("on"), addresses.c.purpose == "deposit"
)
_GIVEN_UP = select(payments.c.id).where(
    payments.c.network == bindparam("on"),
    payments.c.purpose.in_([str(Purpose.GATHER), str(Purpose.TOP_UP)]),
    payments.c.status.in_([str(PaymentStatus.ABANDONED), str(PaymentStatus.FAILED)]),
    payments.c.updated_s > bindparam("after_s"),
)
_ARRIVED = select(deposits.c.address_id, deposits.c.units).where(
    deposits.c.network == bindparam("on"),
    deposits.c.asset == bindparam("of"),
    or_(*(deposits.c.status == str(status) for status in _BOOKED)),
)
_SHARES = (
    select(batch_shares.c.address_id, batch_shares.c.left_units)
    .join(payments, payments.c.id == batch_shares.c.payment_id)
    .where(
        payments.c.network == bindparam("on"),
        payments.c.asset == bindparam("of"),
        payments.c.status == _COMPLETED,
    )
    .order_by(payments.c.updated_s)
)
_SENT = (
    select(
        addresses.c.id,
        payments.c.asset,
        payments.c.status,
        payments.c.units,
        payments.c.fee_units,
    )
    .join(addresses, addresses.c.address == payments.c.sender)
    .where(
        addresses.c.network == bindparam("on"),
        payments.c.network == bindparam("on"),
        payments.c.purpose == str(Purpose.GATHER),
        payments.c.status.in_([_COMPLETED, str(PaymentStatus.FAILED)]),
    )
)
_GIVEN = (
    select(top_ups.c.address_id, payments.c.units)
    .join(payments, payments.c.id == top_ups.c.payment_id)
    .where(payments.c.network == bindparam("on"), payments.c.status == _COMPLETED)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heap:
    """What one deposit address holds of one asset, by our own books."""

    address_id: str
    target: bytes
    sender: OwnOutput
    units: int


def heaps(tx: Connection, asset: AssetSettings, *, is_native: bool) -> list[Heap]:
    """Every deposit address that holds some of an asset, the most first."""
    units: dict[str, int] = defaultdict(int)
    for address_id, moved in _movements(tx, asset, is_native=is_native):
        units[address_id] += moved
    if not any(held > 0 for held in units.values()):
        return []
    rows = tx.execute(_DEPOSIT_ADDRESSES, {"on": asset.network})
    found = [
        Heap(
            address_id=row.id,
            target=bytes(row.target),
            sender=OwnOutput(
                address=row.address, source=row.source, branch=row.branch, index=row.position
            ),
            units=units[row.id],
        )
        for row in rows
        if units.get(row.id, 0) > 0
    ]
    return sorted(found, key=lambda heap: (-heap.units, heap.sender.address))


def busy_addresses(tx: Connection, network: str, now_s: int) -> set[str]:
    """Addresses whose balance is about to change, or whose last payment was given up just now."""
    purposes = (Purpose.GATHER, Purpose.TOP_UP)
    around = journal.unfinished(tx, network, purposes=purposes)
    around += _given_up(tx, network, now_s - REFUSED_PAUSE_S)
    busy: set[str] = set()
    for payment in around:
        if payment.request.kind is Kind.EVM_AUTH:
            continue  # signed, it waits for a batch; that is no reason to wait for it
        busy.update(p.address for intent in payment.request.intents for p in intent.payees)
        if payment.request.kind is Kind.EVM_BATCH:
            busy.update(own.address for own in payment.request.own)
        elif payment.purpose is Purpose.GATHER and payment.sender is not None:
            busy.add(payment.sender)
    return busy


def _given_up(tx: Connection, network: str, after_s: int) -> list[Payment]:
    """Gathers and top-ups that were abandoned or failed since a time (Unix seconds)."""
    rows = tx.execute(_GIVEN_UP, {"on": network, "after_s": after_s}).all()
    return [journal.get(tx, row.id) for row in rows]


def moved_nothing(tx: Connection, asset: str, network: str) -> set[str]:
    """Ids of addresses whose latest share in a finished batch of an asset brought nothing."""
    rows = tx.execute(_SHARES, {"on": network, "of": asset})
    latest = {row.address_id: row.left_units for row in rows}
    return {address_id for address_id, left in latest.items() if not left}


def recent_top_ups(tx: Connection, address_id: str, after_s: int) -> int:
    """Top-ups of an address since a time (Unix seconds) and since its last finished gather."""
    gathered_s = tx.execute(
        select(payments.c.updated_s)
        .join(addresses, addresses.c.address == payments.c.sender)
        .where(
            addresses.c.id == address_id,
            payments.c.network == addresses.c.network,
            payments.c.purpose == str(Purpose.GATHER),
            payments.c.status == str(PaymentStatus.COMPLETED),
        )
        .order_by(payments.c.updated_s.desc())
        .limit(1)
    ).scalar_one_or_none()
    since_s = max(after_s, gathered_s or 0)
    done = (PaymentStatus.COMPLETED, *UNFINISHED)
    rows = tx.execute(
        select(top_ups.c.payment_id)
        .join(payments, payments.c.id == top_ups.c.payment_id)
        .where(
            top_ups.c.address_id == address_id,
            payments.c.created_s >= since_s,
            payments.c.status.in_([str(status) for status in done]),
        )
    )
    return len(rows.all())


def _movements(
    tx: Connection, asset: AssetSettings, *, is_native: bool
) -> Iterator[tuple[str, int]]:
    """(address id, units in or out) of everything that is booked."""
    this = {"on": asset.network, "of": asset.code}
    yield from ((row.address_id, row.units) for row in tx.execute(_ARRIVED, this))
    yield from ((row.address_id, -(row.left_units or 0)) for row in tx.execute(_SHARES, this))
    for row in tx.execute(_SENT, {"on": asset.network}):
        if row.asset == asset.code and row.status == _COMPLETED:
            yield row.id, -row.units
        if is_native:
            yield row.id, -(row.fee_units or 0)
    if is_native:
        given = tx.execute(_GIVEN, {"on": asset.network})
        yield from ((row.address_id, row.units) for row in given)
