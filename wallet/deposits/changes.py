"""Change a deposit's state: the arrow is checked, the row compared and set, the event written."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, update

from wallet.deposits.states import DepositStatus, check_arrow
from wallet.errors import Conflict
from wallet.events import append_event
from wallet.store.schema import deposits


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The next state of a deposit. `height` and `block_hash` are set while it is in the chain."""

    status: DepositStatus
    sub_status: str = ""
    height: int | None = None
    block_hash: str | None = None


_CHANGE = (
    update(deposits)
    .where(deposits.c.id == bindparam("this"), deposits.c.status == bindparam("before"))
    .returning(deposits)
)
_OUT_OF_CHAIN = (DepositStatus.ORPHANED, DepositStatus.REVERSED, DepositStatus.REPLACED)


def apply_change(tx: Connection, row: Any, change: Change, now_s: int) -> Any:
    """Move a deposit along one arrow and tell of it. Returns the new row."""
    old = DepositStatus(row.status)
    check_arrow(old, change.status)
    values: dict[str, object] = {
        "status": change.status,
        "sub_status": change.sub_status,
        "since_s": now_s,
    }
    if change.height is not None:
        values |= {"height": change.height, "block_hash": change.block_hash}
    elif change.status in _OUT_OF_CHAIN:
        values |= {"height": None, "block_hash": None}
    if change.status is DepositStatus.CREDITED:
        values["credited_s"] = now_s
    new = tx.execute(_CHANGE, {"this": row.id, "before": old, **values}).one_or_none()
    if new is None:
        raise Conflict(f"got deposit {row.id} no longer {old}, expected it unchanged")
    append_event(tx, f"deposit.{change.status}", row.id, deposit_event(new), now_s)
    return new


def hold(tx: Connection, row: Any, why: str, now_s: int) -> None:
    """Put a deposit aside; nothing of it is credited until a person decides."""
    held = apply_change(tx, row, Change(status=DepositStatus.HELD, sub_status=why), now_s)
    append_event(tx, "alert.deposit_held", row.id, deposit_event(held), now_s)


def deposit_event(row: Any) -> dict[str, object]:
    """What an event tells of a deposit; amounts are base units as text."""
    return {
        "id": row.id,
        "account_id": row.account_id,
        "network": row.network,
        "asset": row.asset,
        "txid": row.txid,
        "position": row.position,
        "amount_units": str(row.units),
        "logged_units": str(row.units if row.logged_units is None else row.logged_units),
        "status": row.status,
        "sub_status": row.sub_status,
        "evidence": row.evidence,
        "height": row.height,
        "block_hash": row.block_hash,
        "confirmations_required": row.confirmations_required,
    }
