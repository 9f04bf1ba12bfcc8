"""Moving money between the parts of one user's account: posted at once, once per external id.

Only the spot part is what deposits come into and withdrawals are paid from.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select

from wallet.addresses.accounts import get_account
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.chart import SubAccount
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.milestones import Milestone
from wallet.store.schema import sub_account_transfers as table
from wallet.sub_accounts.errors import ExternalIdTaken, SamePart, TransferNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What is asked for; `units` are base units of the asset."""

    external_id: str
    account_id: str
    asset: str
    units: int
    source: SubAccount
    target: SubAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A move that was posted."""

    id: str
    move: Move
    created_s: int


def move(tx: Connection, asked: Move, *, requester: str, now_s: int, milestone: Milestone) -> Moved:
    """Post a move. Asked again with the same external id, the first answer is given again.

    Raises SamePart, AccountNotFound, ExternalIdTaken, or the ledger's InsufficientFunds.
    """
    if asked.source is asked.target:
        raise SamePart(f"got a transfer from {asked.source} to itself, expected two sub-accounts")
    earlier = find(tx, asked.external_id)
    if earlier is not None:
        if earlier.move != asked:
            raise ExternalIdTaken(
                "got an external_id that names another transfer already",
                {"transfer_id": earlier.id},
            )
        return earlier
    get_account(tx, asked.account_id)
    digest = hashlib.sha256(b"transfer\n" + asked.external_id.encode()).digest()
    moved = Moved(id=str(UUID(bytes=digest[:16])), move=asked, created_s=now_s)
    line = Transfer.single(
        debit=chart.user(asked.account_id, asked.source),
        credit=chart.user(asked.account_id, asked.target),
        asset=asked.asset,
        units=asked.units,
    )
    post_batch(tx, f"transfer:{moved.id}", [line], now_s)
    milestone("transfer.posted")
    tx.execute(insert(table).values(_row(moved) | {"requester": requester}))
    body = _row(moved) | {"units": str(asked.units)}
    append_event(tx, "transfer.completed", moved.id, body, now_s)
    milestone("transfer.kept")
    return moved


def find(tx: Connection, external_id: str) -> Moved | None:
    """The move that the exchange named so, if there is one."""
    query = select(table).where(table.c.external_id == external_id)
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else moved_of(row)


def get(tx: Connection, external_id: str) -> Moved:
    """The move that the exchange named so. Raises TransferNotFound."""
    found = find(tx, external_id)
    if found is None:
        raise TransferNotFound("got an external id of no transfer, expected one that exists")
    return found


def moved_of(row: RowMapping) -> Moved:
    """A row as a move."""
    return Moved(
        id=row["id"],
        move=Move(
            external_id=row["external_id"],
            account_id=row["account_id"],
            asset=row["asset"],
            units=row["units"],
            source=SubAccount(row["source"]),
            target=SubAccount(row["target"]),
        ),
        created_s=row["created_s"],
    )


def _row(moved: Moved) -> dict[str, object]:
    return {
        "id": moved.id,
        "external_id": moved.move.external_id,
        "account_id": moved.move.account_id,
        "asset": moved.move.asset,
        "units": moved.move.units,
        "source": str(moved.move.source),
        "target": str(moved.move.target),
        "created_s": moved.created_s,
    }
