"""The ledger's tables held against each other by sets: ids, holds, latest values, totals.

Each gives the first row that another table contradicts, or nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, text

from wallet.ledger.versions.findings import (
    BALANCES,
    BATCHES,
    HOLDS,
    IDS,
    TOTALS,
    TRANSFERS,
    Finding,
)
from wallet.ledger.versions.replay import Position, totals
from wallet.store.types import decode_units

NO_ID = (
    "SELECT t.id, t.height, t.line FROM ledger_transfers t "
    "LEFT JOIN ledger_transfer_ids i ON i.id = t.id AND i.height = t.height AND i.line = t.line "
    "WHERE t.height BETWEEN :first AND :last AND i.id IS NULL "
    "ORDER BY t.height, t.line LIMIT 1"
)
_STRANGE_ID = (
    "SELECT i.id, i.height, i.line FROM ledger_transfer_ids i LEFT JOIN ledger_transfers t "
    "ON t.height = i.height AND t.line = i.line AND t.id = i.id "
    "WHERE t.id IS NULL AND i.height > :base "
    "ORDER BY i.height, i.line LIMIT 1"
)
NO_HOLD = (
    "SELECT t.id, t.height, t.line FROM ledger_transfers t LEFT JOIN ledger_holds h ON h.id = t.id "
    "AND h.debit = t.debit AND h.credit = t.credit AND h.units = t.units "
    "AND h.expires_s = t.expires_s "
    "WHERE t.height BETWEEN :first AND :last AND t.kind = 'hold' AND h.id IS NULL "
    "ORDER BY t.height, t.line LIMIT 1"
)
NOT_ENDED = (
    "SELECT t.hold_id, t.height, t.line FROM ledger_transfers t LEFT JOIN ledger_holds h "
    "ON h.id = t.hold_id AND h.ended_height = t.height AND h.ended_line = t.line "
    "WHERE t.height BETWEEN :first AND :last AND t.hold_id IS NOT NULL AND h.id IS NULL "
    "ORDER BY t.height, t.line LIMIT 1"
)
_STRANGE_HOLD = (
    "SELECT h.id, 0, 0 FROM ledger_holds h LEFT JOIN ledger_transfer_ids i ON i.id = h.id "
    "LEFT JOIN ledger_transfers t ON t.height = i.height AND t.line = i.line AND t.id = h.id "
    "AND t.kind = 'hold' WHERE t.id IS NULL AND (i.height > :base OR :base = 0) "
    "ORDER BY h.id LIMIT 1"
)
_STRANGE_END = (
    "SELECT h.id, h.ended_height, h.ended_line FROM ledger_holds h LEFT JOIN ledger_transfers t "
    "ON t.height = h.ended_height AND t.line = h.ended_line AND t.hold_id = h.id "
    "WHERE (h.ended_height > :base OR (h.ended_height IS NULL AND h.ended_line IS NOT NULL)) "
    "AND t.id IS NULL "
    "ORDER BY h.id LIMIT 1"
)
_STRAYS = "SELECT height, line FROM ledger_transfers WHERE height < 1 OR height > :head LIMIT 1"
_BEFORE = "SELECT height FROM ledger_batches WHERE height < 1 LIMIT 1"
_LATER = "SELECT 1 FROM ledger_transfer_ids WHERE height > :head LIMIT 1"
_BALANCES = "SELECT * FROM ledger_balances ORDER BY account"
_TOTALS = "SELECT * FROM ledger_totals ORDER BY asset, kind"


def first_row(tx: Connection, query: str, **given: int) -> Any:
    """The first row of one of the queries above, or None."""
    return tx.execute(text(query), given).first()


def check_beyond(tx: Connection, head: int) -> Finding | None:
    """Rows outside of every height: a batch was cut off, or a line put in."""
    row = first_row(tx, _BEFORE)
    if row is not None:
        return _finding("stray", BATCHES, f"height {row[0]}", "heights begin with 1", 0)
    row = first_row(tx, _STRAYS, head=head)
    if row is None:
        return None
    if row[0] > head and first_row(tx, _LATER, head=head) is not None:
        told = "it is missing: transfers and ids have rows of this height"
        return _finding("batch_missing", BATCHES, f"height {head + 1}", told, head + 1)
    key = f"height {row[0]} line {row[1]}"
    return _finding("stray", TRANSFERS, key, "no batch closes its height", 0)


def check_ids(tx: Connection, first: int, last: int, *, base: int | None) -> Finding | None:
    """Every transfer stands under its id, and with `base` no id above it without one."""
    row = first_row(tx, NO_ID, first=first, last=last)
    if row is not None:
        where = f"height {row[1]} line {row[2]}"
        return _finding("ids", IDS, f"id {row[0]}", f"it does not lead to {where}", row[1])
    row = None if base is None else first_row(tx, _STRANGE_ID, base=base)
    if row is not None:
        where = f"height {row[1]} line {row[2]}"
        return _finding("ids", IDS, f"id {row[0]}", f"it leads to {where}, which is another", 0)
    return None


def check_holds(tx: Connection, first: int, last: int, *, base: int | None) -> Finding | None:
    """Every hold stands as its transfers say, and with `base` no other from above it."""
    given = {"first": first, "last": last}
    asked: list[tuple[str, Mapping[str, int], str]] = [
        (NO_HOLD, given, "it is missing or other than its transfer"),
        (NOT_ENDED, given, "a transfer ended it, and it does not say so"),
    ]
    if base is not None:
        asked += [
            (_STRANGE_HOLD, {"base": base}, "no transfer made it"),
            (_STRANGE_END, {"base": base}, "no transfer ended it there"),
        ]
    for query, numbers, told in asked:
        row = first_row(tx, query, **numbers)
        if row is not None:
            return _finding("holds", HOLDS, f"id {row[0]}", told, row[1] or 0)
    return None


def check_balances(tx: Connection, positions: Iterable[Position]) -> Finding | None:
    """The latest values are the replayed ones."""
    expected = {
        position.number: (*position.sums, int(not position.covered), position.height)
        for position in positions
    }
    for row in tx.execute(text(_BALANCES)):
        sums = _numbers(tx, row[1:5])
        known = expected.pop(row[0], None)
        found = (*sums, row[5], row[6])
        if found != known:
            told = f"got {found}, the transfers make {known}"
            return _finding("balance", BALANCES, f"account {row[0]}", told, 0)
    for number in sorted(expected):
        return _finding("balance", BALANCES, f"account {number}", "it is missing", 0)
    return None


def check_totals(tx: Connection, positions: Iterable[Position]) -> Finding | None:
    """Totals are the sums of the replayed balances."""
    expected = totals(positions)
    for row in tx.execute(text(_TOTALS)):
        key = f"{row[0]} {row[1]}"
        known = expected.pop((row[0], row[1]), None)
        found = (*_numbers(tx, row[2:6]), row[6])
        if found != known:
            told = f"got {found}, the balances make {known}"
            return _finding("total", TOTALS, key, told, 0)
    for asset, kind in sorted(expected):
        return _finding("total", TOTALS, f"{asset} {kind}", "it is missing", 0)
    return None


def _numbers(tx: Connection, values: Iterable[Any]) -> tuple[object, ...]:
    """Sums as numbers; on SQLite what is no number stays as it is, and equals none."""
    if tx.dialect.name == "postgresql":
        return tuple(int(value) for value in values)
    return tuple(_number(value) for value in values)


def _number(value: Any) -> object:
    well = isinstance(value, str) and len(value) == 79 and value[0] in "pn"
    return decode_units(value) if well and value.isascii() and value[1:].isdigit() else value


def _finding(code: str, table: str, key: str, told: str, height: int) -> Finding:
    return Finding(
        code=f"ledger.verify.{code}", table=table, key=key, text=told, height=height or 0
    )
