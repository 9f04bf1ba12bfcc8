"""Deposits that are held: released or rejected by a person, each told."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from wallet.deposits.changes import Change, apply_change
from wallet.deposits.crediting import book
from wallet.deposits.gate import RELEASED
from wallet.deposits.states import DepositStatus
from wallet.errors import Conflict, NotFound
from wallet.store.schema import addresses, deposits


class DepositUnknown(NotFound):
    """No deposit has this id."""

    code = "deposit.not_found"


class NotHeld(Conflict):
    """Only a held deposit waits for a person's decision."""

    code = "deposit.not_held"


class NothingArrived(Conflict):
    """A deposit of which nothing arrived cannot be credited, only rejected."""

    code = "deposit.nothing_arrived"


def held_deposits(tx: Connection) -> Sequence[Any]:
    """Every held deposit with its address, oldest first."""
    return tx.execute(
        _with_address().where(deposits.c.status == DepositStatus.HELD).order_by(deposits.c.seen_s)
    ).all()


def release(tx: Connection, deposit_id: str, by: str, now_s: int) -> None:
    """Let a held deposit go on to its credit. Raises NotHeld or NothingArrived."""
    row = _held(tx, deposit_id)
    if not row.units:
        raise NothingArrived(f"got deposit {deposit_id} of 0 units, expected some to credit")
    change = Change(status=DepositStatus.CONFIRMING, sub_status=f"{RELEASED}{by}"[:64])
    apply_change(tx, row, change, now_s)


def reject(tx: Connection, deposit_id: str, by: str, now_s: int) -> None:
    """Never credit a held deposit; what arrived is booked as nobody's. Raises NotHeld."""
    row = _held(tx, deposit_id)
    change = Change(status=DepositStatus.REJECTED, sub_status=f"rejected:{by}"[:64])
    apply_change(tx, row, change, now_s)
    if row.units:
        book(tx, _one(tx, deposit_id), now_s)


def _held(tx: Connection, deposit_id: str) -> Any:
    row = _one(tx, deposit_id)
    if row.status != DepositStatus.HELD:
        raise NotHeld(f"got deposit {deposit_id} that is {row.status}, expected a held one")
    return row


def _one(tx: Connection, deposit_id: str) -> Any:
    row = tx.execute(_with_address().where(deposits.c.id == deposit_id)).one_or_none()
    if row is None:
        raise DepositUnknown(f"got deposit {deposit_id}, expected the id of one that exists")
    return row


def _with_address() -> Any:
    return select(deposits, addresses.c.purpose, addresses.c.address).join(
        addresses, addresses.c.id == deposits.c.address_id
    )
