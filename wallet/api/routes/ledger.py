"""/v1/ledger: heights with their state hashes, and the latest or past values by owner's prefix."""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from sqlalchemy import Connection, RowMapping, select

from wallet.api.moments import HEIGHT_MAX, At, AtHeight, asked_height
from wallet.api.pages import CursorInvalid, Page, Window, WindowNow
from wallet.api.route import CallNow, SignedRoute
from wallet.errors import NotFound
from wallet.ledger.chart import OWNER_MAX
from wallet.ledger.versions.history import owned, sums_at
from wallet.store.tables.ledger import ledger_batches

router = APIRouter(prefix="/v1/ledger", tags=["ledger"], route_class=SignedRoute)

_NUMBER = re.compile(r"[0-9]{1,18}")
_c = ledger_batches.c


class HeightNotFound(NotFound):
    """The ledger has no such height yet."""

    code = "ledger.height_not_found"


class HeightView(BaseModel):
    """One height: a batch of transfers. `state_hash` covers all the ledger up to it."""

    height: int
    state_hash: str
    cause: str
    transfers: int
    created_s: int


class LedgerBalanceView(BaseModel):
    """The sums of one ledger account in base units; `held` are of open holds."""

    owner: str
    asset: str
    debits_units: str
    credits_units: str
    debits_held_units: str
    credits_held_units: str


class LedgerBalancesView(BaseModel):
    """Accounts in the order they were opened, and where the next ones begin."""

    at_height: int | None
    data: list[LedgerBalanceView]
    next_cursor: str | None


@router.get("/heights")
def list_heights(
    call: CallNow,
    window: WindowNow,
    hash: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
) -> Page[HeightView]:
    """Heights, newest first; with `hash` the one that has this state hash."""
    query = select(ledger_batches).order_by(_c.height.desc()).limit(window.limit + 1)
    if hash is not None:
        query = query.where(_c.state_hash == bytes.fromhex(hash))
    if window.cursor is not None:
        query = query.where(_c.height < _number(window))
    with call.services.db.read() as tx:
        rows = tx.execute(query).mappings().all()
    shown = [_height(row) for row in rows[: window.limit]]
    more = len(rows) > window.limit
    return Page[HeightView](data=shown, next_cursor=str(shown[-1].height) if more else None)


@router.get("/heights/{height}")
def read_height(call: CallNow, height: Annotated[int, Path(ge=1, le=HEIGHT_MAX)]) -> HeightView:
    """One height with its state hash."""
    with call.services.db.read() as tx:
        row = tx.execute(select(ledger_batches).where(_c.height == height)).mappings().first()
    if row is None:
        raise HeightNotFound(f"got height {height}, expected one that was written")
    return _height(row)


@router.get("/balances")
def list_ledger_balances(
    call: CallNow,
    window: WindowNow,
    owner_prefix: Annotated[str, Query(min_length=1, max_length=OWNER_MAX)],
    at_height: AtHeight = None,
    at: At = None,
) -> LedgerBalancesView:
    """Values of all accounts whose owner begins with a prefix: the latest, or those of a moment."""
    services = call.services
    with services.db.read() as tx:
        height = asked_height(tx, at_height, at, services.clock.now_s())
        return _balances(tx, window, owner_prefix, height)


def _balances(
    tx: Connection, window: Window, prefix: str, height: int | None
) -> LedgerBalancesView:
    after = 0 if window.cursor is None else _number(window)
    rows = owned(tx, prefix, after, window.limit + 1)
    shown, more = rows[: window.limit], len(rows) > window.limit
    past = None if height is None else sums_at(tx, height, [row.number for row in shown])
    data = [
        LedgerBalanceView(
            owner=row.owner,
            asset=row.asset,
            debits_units=str(sums[0]),
            credits_units=str(sums[1]),
            debits_held_units=str(sums[2]),
            credits_held_units=str(sums[3]),
        )
        for row in shown
        for sums in [row.sums if past is None else past.get(row.number, (0, 0, 0, 0))]
    ]
    return LedgerBalancesView(
        at_height=height, data=data, next_cursor=str(shown[-1].number) if more else None
    )


def _number(window: Window) -> int:
    """The number that a cursor is. Raises CursorInvalid."""
    if window.cursor is None or not _NUMBER.fullmatch(window.cursor):
        raise CursorInvalid("got another cursor, expected a next_cursor of this list")
    return int(window.cursor)


def _height(row: RowMapping) -> HeightView:
    return HeightView(
        height=row["height"],
        state_hash=bytes(row["state_hash"]).hex(),
        cause=row["cause"],
        transfers=row["transfers"],
        created_s=row["created_s"],
    )
