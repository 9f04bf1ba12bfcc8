"""Balances in the past: the latest values less what came after, or a checkpoint and what followed.

Whichever is nearer is read; where no partition is sealed, the checkpoint is the beginning. Lines of
an account are found by the indexes of sealed partitions on (debit, height) and (credit, height);
the open partition, and SQLite, read the heights in between, because an index there would be paid
for by every transfer that is posted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import (
    Connection,
    Select,
    Subquery,
    bindparam,
    case,
    func,
    null,
    or_,
    select,
    union_all,
)

from wallet.ledger import chart
from wallet.ledger.balances import Balance
from wallet.ledger.versions.findings import BadRange
from wallet.ledger.versions.rows import CHUNK, head_height
from wallet.store.tables.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_batches,
    ledger_holds,
    ledger_origin,
    ledger_transfer_ids,
    ledger_transfers,
)
from wallet.store.tables.partitions import ledger_checkpoints, ledger_partitions
from wallet.store.types import BaseUnits, units_sum

Sums = tuple[int, int, int, int]
Key = TypeVar("Key")
NOTHING: Sums = (0, 0, 0, 0)

PASSES_MAX = 4
"""Queries by account, of CHUNK accounts each, that one over all accounts is worth."""

_SEALED = select(func.coalesce(func.max(ledger_partitions.c.last_height), 0)).where(
    ledger_partitions.c.last_height <= bindparam("at")
)
_t, _h, _b = ledger_transfers.c, ledger_holds.c, ledger_batches.c
_CREATED = select(_b.created_s).where(_b.height == bindparam("at"))


def height_at(tx: Connection, time_s: int, now_s: int) -> int:
    """The last height written at or before a time, 0 where there was none yet. Raises BadRange.

    Heights are looked up by halves: their times grow, and no index of times has to be kept.
    """
    if time_s >= now_s:
        raise BadRange("got a moment that is not over, expected one in the past")
    low, high = 0, head_height(tx)
    while low < high:
        middle = (low + high + 1) // 2
        created_s = tx.execute(_CREATED, {"at": middle}).scalar_one()
        low, high = (middle, high) if created_s <= time_s else (low, middle - 1)
    return low


def balances_at(tx: Connection, owner: str, height: int) -> Mapping[str, Balance]:
    """Asset code to an owner's balance after a height, for all assets the owner ever had.

    Raises BadRange.
    """
    numbers = owner_numbers(tx, owner)
    sums = sums_at(tx, height, sorted(numbers.values()))
    found = {}
    for asset, number in numbers.items():
        debits, credits_, debits_held, credits_held = sums.get(number, NOTHING)
        found[asset] = Balance(
            kind=chart.account(owner, asset).kind,
            debits=debits,
            credits=credits_,
            debits_held=debits_held,
            credits_held=credits_held,
        )
    return found


def sums_at(
    tx: Connection, height: int, numbers: Sequence[int] | None = None
) -> Mapping[int, Sums]:
    """Account number to debits, credits and held ones after a height; all accounts if not named.

    Accounts that nothing had changed until then are zero or absent. Raises BadRange.
    """
    head, base = head_height(tx), base_height(tx)
    if not base <= height <= head:
        raise BadRange(f"got height {height}, expected {base} to {head}")
    sealed = tx.execute(_SEALED, {"at": height}).scalar_one()
    if height - sealed > head - height or sealed < base:
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


def base_height(tx: Connection) -> int:
    """The height of the image that a ledger began from; 0 where all transfers are here."""
    return tx.execute(select(func.max(ledger_origin.c.height))).scalar() or 0


def last_changes(tx: Connection, height: int) -> Mapping[int, int]:
    """Account number to the last height up to this one that changed it.

    Where a ledger began from an image, and nothing was changed since, it is the latest value's.
    """
    found: dict[int, int] = {}
    if base_height(tx):
        c = ledger_balances.c
        found = {row[0]: row[1] for row in tx.execute(select(c.account, c.height))}
    sides = union_all(
        *(
            select(side.label("account"), func.max(_t.height).label("height"))
            .where(_t.height <= height)
            .group_by(side)
            for side in (_t.debit, _t.credit)
        )
    ).subquery()
    query = select(sides.c.account, func.max(sides.c.height)).group_by(sides.c.account)
    return found | {row[0]: row[1] for row in tx.execute(query)}


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
    """What the heights `first` to `last` added to accounts.

    Many accounts are found by one pass over the heights: a pass for each part of them would take
    as many times as long.
    """
    named = frozenset(numbers) if numbers and len(numbers) > PASSES_MAX * CHUNK else None
    found: dict[int, Sums] = {}
    for keys in _chunks(numbers) if named is None else [None]:
        for row in tx.execute(_query(keys), {"first": first, "last": last}):
            if named is not None and row.account not in named:
                continue
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


def open_holds(
    tx: Connection, height: int, named: Sequence[str] | None = None
) -> Mapping[str, tuple[int, int, int, int]]:
    """Holds that were open after a height: id to debit, credit, units and expiry.

    Of those `named` only, where they are.
    """
    ids = ledger_transfer_ids.c
    query = (
        select(_h.id, _h.debit, _h.credit, _h.units, _h.expires_s)
        .select_from(ledger_holds.outerjoin(ledger_transfer_ids, ids.id == _h.id))
        .where(
            or_(ids.height.is_(None), ids.height <= height),
            or_(_h.ended_height.is_(None), _h.ended_height > height),
        )
    )
    found: dict[str, tuple[int, int, int, int]] = {}
    for keys in _chunks(named):
        for row in tx.execute(query if keys is None else query.where(_h.id.in_(keys))):
            found[row[0]] = (row[1], row[2], row[3], row[4])
    return found


@dataclass(frozen=True, slots=True)
class Owned:
    """An account and its latest sums."""

    number: int
    owner: str
    asset: str
    sums: Sums


def owned(tx: Connection, prefix: str, after: int, limit: int) -> Sequence[Owned]:
    """Accounts whose owner begins with a prefix, by number from the one `after`, latest values."""
    a, b = ledger_accounts.c, ledger_balances.c
    query = (
        select(a.number, a.owner, a.asset, b.debits, b.credits, b.debits_held, b.credits_held)
        .join(ledger_balances, b.account == a.number)
        .where(func.substr(a.owner, 1, len(prefix)) == prefix, a.number > after)
        .order_by(a.number)
        .limit(limit)
    )
    return [
        Owned(row.number, row.owner, row.asset, (row[3], row[4], row[5], row[6]))
        for row in tx.execute(query)
    ]


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


def _chunks(keys: Sequence[Key] | None) -> Sequence[Sequence[Key] | None]:
    if keys is None:
        return [None]
    return [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]
