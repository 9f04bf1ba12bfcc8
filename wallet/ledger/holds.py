"""How holds ended, and ending those whose time is over."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from wallet.ledger.posting import Transfer, post_batch
from wallet.ledger.transfers import TransferKind
from wallet.store.tables.ledger import (
    ledger_batches,
    ledger_holds,
    ledger_transfer_ids,
    ledger_transfers,
)

_ENDING = (
    select(ledger_transfers.c.kind, ledger_transfers.c.units, ledger_batches.c.cause)
    .select_from(
        ledger_holds.join(
            ledger_transfers,
            (ledger_transfers.c.height == ledger_holds.c.ended_height)
            & (ledger_transfers.c.line == ledger_holds.c.ended_line),
        ).join(ledger_batches, ledger_batches.c.height == ledger_holds.c.ended_height)
    )
    .where(ledger_holds.c.id == bindparam("of"))
)
_EXPIRED = (
    select(ledger_holds.c.id)
    .where(
        ledger_holds.c.expires_s > 0,
        ledger_holds.c.expires_s <= bindparam("now"),
        ledger_holds.c.ended_height.is_(None),
    )
    .order_by(ledger_holds.c.expires_s, ledger_holds.c.id)
    .limit(bindparam("most"))
)


_MAKERS = (
    select(ledger_transfer_ids.c.id, ledger_batches.c.cause)
    .join(ledger_batches, ledger_batches.c.height == ledger_transfer_ids.c.height)
    .where(ledger_transfer_ids.c.id.in_(bindparam("these", expanding=True)))
)

CHUNK = 400
"""Keys in one IN list, well under every engine's limit of parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The post or void that ended a hold: how many units moved, in the batch of which cause."""

    kind: TransferKind
    units: int
    cause: str


def ending_of(tx: Connection, hold_id: str) -> Ending | None:
    """How a hold ended; None while it is open, and for what is no hold."""
    row = tx.execute(_ENDING, {"of": hold_id}).one_or_none()
    if row is None:
        return None
    return Ending(kind=TransferKind(row.kind), units=row.units, cause=row.cause)


def makers_of(tx: Connection, hold_ids: Collection[str]) -> Mapping[str, str]:
    """Hold id to the cause of the batch that made it, for those that exist."""
    ids, found = sorted(hold_ids), dict[str, str]()
    for start in range(0, len(ids), CHUNK):
        rows = tx.execute(_MAKERS, {"these": ids[start : start + CHUNK]})
        found.update((id, cause) for id, cause in rows)
    return found


def expired(tx: Connection, now_s: int, most: int = 1_000) -> Sequence[str]:
    """The ids of open holds whose time is over, the oldest first."""
    return list(tx.execute(_EXPIRED, {"now": now_s, "most": most}).scalars())


def void_expired(tx: Connection, now_s: int, most: int = 1_000) -> Sequence[str]:
    """Give back what holds kept whose time is over, `most` at a time; their ids.

    Each by a batch of its own, so that one hold's cause stays the same whatever expired with it.
    """
    ended = expired(tx, now_s, most)
    for hold_id in ended:
        post_batch(tx, f"hold:{hold_id}:expired", [Transfer.void(hold_id=hold_id)], now_s)
    return ended
