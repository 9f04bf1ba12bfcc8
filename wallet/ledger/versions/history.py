"""Balances in the past: the latest values less what came after, or a checkpoint and what followed.

Whichever is nearer is read; where no partition is sealed, the checkpoint is the beginning. Lines of
an account are found by the indexes of sealed partitions on (debit, height) and (credit, height);
the open partition, and SQLite, read the heights in between, because an index there would be paid
for by every transfer that is posted.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    Subquery,
    bindparam,
    case,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from wallet.ledger.loading import load_origin
from wallet.ledger.versions.findings import BadRange
from wallet.ledger.versions.rows import head_height
from wallet.store.tables.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_batches,
    ledger_holds,
    ledger_transfers,
)
from wallet.store.tables.partitions import ledger_checkpoints, ledger_partitions
from wallet.store.types import BaseUnits, units_sum

Sums = tuple[int, int, int, int]
NOTHING: Sums = (0, 0, 0, 0)

CHUNK = 400
"""Keys in one IN list, well under every engine's limit of parameters."""

_SEALED = select(func.coalesce(func.max(ledger_partitions.c.last_height), 0)).where(
    ledger_partitions.c.last_height <= bindparam("at")
)
_t, _h, _b = ledger_transfers.c, ledger_holds.c, ledger_batches.c


def height_at(tx: Connection, time_s: int) -> int:
    """The last height that was written at or before a time, 0 where there was none yet.

    Heights are written in the order of their times; the first one later than `time_s` ends it.
    """
    later = select(func.min(_b.height)).where(_b.created_s > time_s)
    first = tx.execute(later).scalar()
    return head_height(tx) if first is None else first - 1


def sums_at(
    tx: Connection, height: int, numbers: Sequence[int] | None = None
) -> Mapping[int, Sums]:
    """Account number to debits, credits and held ones after a height; all accounts if not named.

    Accounts that nothing had changed until then are zero or absent. Raises BadRange.
    """
    head = head_height(tx)
    if not 0 <= height <= head:
        raise BadRange(f"got height {height}, expected 0 to {head}")
    origin = load_origin(tx)
    if origin is not None and height < origin.height:
        raise BadRange(
            f"got height {height}, expected {origin.height} to {head}: this ledger began "
            "from an image, and what came before is in an archive"
        )
    sealed = tx.execute(_SEALED, {"at": height}).scalar_one()
    if height - sealed > head - height or (origin is not None and not sealed):
        return sums_from_latest(tx, height, numbers)
    found = _checkpoints(tx, numbers, sealed) if sealed else {}
    for number, after in _moved(tx, numbers, sealed + 1, height).items():
        found[number] = _plus(found.get(number, NOTHING), after)
    return found


def sums_from_latest(
    tx: Connection, height: int, numbers: Sequence[int] | None = None
) -> dict[int, Sums]:
    """As sums_at, always the latest values less what came after: no row until then is read."""
    latest, head = _latest(tx, numbers), head_height(tx)
    for number, after in _moved(tx, numbers, height + 1, head).items():
        now = latest.get(number, NOTHING)
        latest[number] = _less(now, after)
    return latest


def last_changes(tx: Connection, height: int) -> Mapping[int, int]:
    """Account number to the last height up to this one that changed it."""
    sides = union_all(
        *(
            select(side.label("account"), func.max(_t.height).label("height"))
            .where(_t.height <= height)
            .group_by(side)
            for side in (_t.debit, _t.credit)
        )
    ).subquery()
    query = select(sides.c.account, func.max(sides.c.height)).group_by(sides.c.account)
    return {row[0]: row[1] for row in tx.execute(query)}


def _latest(tx: Connection, numbers: Sequence[int] | None) -> dict[int, Sums]:
    found: dict[int, Sums] = {}
    for keys in _chunks(numbers):
        query = select(ledger_balances)
        if keys is not None:
            query = query.where(ledger_balances.c.account.in_(keys))
        for row in tx.execute(query):
            found[row.account] = (row.debits, row.credits, row.debits_held, row.credits_held)
    return found


def _moved(tx: Connection, numbers: Sequence[int] | None, first: int, last: int) -> dict[int, Sums]:
    """What the heights `first` to `last` added to accounts."""
    found: dict[int, Sums] = {}
    for keys in _chunks(numbers):
        for row in tx.execute(_query(keys), {"first": first, "last": last}):
            found[row.account] = (
                row.debits or 0,
                row.credits or 0,
                (row.debits_held or 0) - (row.debits_freed or 0),
                (row.credits_held or 0) - (row.credits_freed or 0),
            )
    return found


def _query(keys: Sequence[int] | None) -> Select[tuple[int, ...]]:
    sides = union_all(*(_side(name, keys) for name in ("debit", "credit"))).subquery()
    return select(sides.c.account, *_sums(sides)).group_by(sides.c.account)


def _sums(sides: Subquery) -> list[object]:
    names = ("debits", "credits", "debits_held", "credits_held", "debits_freed", "credits_freed")
    return [units_sum(sides.c[name]).label(name) for name in names]


def _side(side: str, keys: Sequence[int] | None) -> Select[tuple[object, ...]]:
    """What each line did to the account on one side of it."""
    account = _t[side]
    moved = case((_t.kind.in_(("single", "post")), _t.units))
    held = case((_t.kind == "hold", _t.units))
    values = {f"{side}s": moved, f"{side}s_held": held, f"{side}s_freed": _h.units}
    names = ("debits", "credits", "debits_held", "credits_held", "debits_freed", "credits_freed")
    query = (
        select(
            account.label("account"),
            *(values.get(name, null().cast(BaseUnits)).label(name) for name in names),
        )
        .select_from(ledger_transfers.outerjoin(ledger_holds, _h.id == _t.hold_id))
        .where(_t.height >= bindparam("first"), _t.height <= bindparam("last"))
    )
    return query if keys is None else query.where(account.in_(keys))


def open_holds(tx: Connection, height: int) -> Mapping[str, tuple[int, int, int, int]]:
    """Holds that were open after a height: id to debit, credit, units and expiry."""
    ending = ledger_transfers.alias("ending")
    ended = (
        select(literal_column("1", Integer))
        .where(
            ending.c.height == _h.ended_height,
            ending.c.line == _h.ended_line,
            ending.c.hold_id == _h.id,
            ending.c.height <= height,
        )
        .correlate(ledger_holds)
        .exists()
    )
    query = (
        select(_t.id, _t.debit, _t.credit, _t.units, _t.expires_s)
        .join(ledger_holds, _h.id == _t.id)
        .where(_t.kind == "hold", _t.height <= height, ~ended)
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in tx.execute(query)}


def owner_numbers(tx: Connection, owner: str) -> Mapping[str, int]:
    """Asset code to account number, for every asset the owner ever had."""
    c = ledger_accounts.c
    return {row[0]: row[1] for row in tx.execute(select(c.asset, c.number).where(c.owner == owner))}


def _checkpoints(tx: Connection, numbers: Sequence[int] | None, sealed: int) -> dict[int, Sums]:
    """What accounts had after the last height of a sealed partition: their newest checkpoints."""
    c = ledger_checkpoints.c
    found: dict[int, Sums] = {}
    for keys in _chunks(numbers):
        query = select(ledger_checkpoints).where(c.height <= sealed).order_by(c.account, c.height)
        for row in tx.execute(query if keys is None else query.where(c.account.in_(keys))):
            found[row.account] = (row.debits, row.credits, row.debits_held, row.credits_held)
    return found


def _plus(before: Sums, more: Sums) -> Sums:
    return (before[0] + more[0], before[1] + more[1], before[2] + more[2], before[3] + more[3])


def _less(now: Sums, after: Sums) -> Sums:
    return (now[0] - after[0], now[1] - after[1], now[2] - after[2], now[3] - after[3])


def _chunks(numbers: Sequence[int] | None) -> Sequence[Sequence[int] | None]:
    if numbers is None:
        return [None]
    return [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
