"""What the ledger's accounts stand on beside it: users, registered assets, terms, and escrows.

They are no part of a height, and without them a ledger that joined would pay an account that is
frozen, issue above a quota, and end a trade twice. Who may act, API keys and gateways' keys, is in
no image: a right that was withdrawn must not come back with an old one, so a gateway's key is named
anew at the new node.

A line is a row: its table and its columns' values as a JSON array, amounts as whole numbers.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, String, Table, collate, insert, select
from sqlalchemy.exc import DBAPIError

from wallet.ledger.terms.stated import SEQUENCE
from wallet.mirrors.errors import StandingWrong
from wallet.mirrors.rows import ROWS
from wallet.store import counters
from wallet.store.schema import (
    account_terms,
    accounts,
    apportionment_shares,
    apportionments,
    asset_issues,
    escrows,
    gateways,
    registered_assets,
    sub_account_transfers,
)
from wallet.store.types import BaseUnits

IN_ORDER: Mapping[Table, tuple[str, ...]] = {
    accounts: ("id",),
    gateways: ("id",),
    registered_assets: ("code",),
    asset_issues: ("asset", "number"),
    account_terms: ("owner", "asset", "number"),
    escrows: ("id",),
    sub_account_transfers: ("id",),
    apportionments: ("id",),
    apportionment_shares: ("apportionment_id", "account_id"),
}
"""The tables, each after those it refers to, and by what their rows are sorted."""

TABLES = tuple(IN_ORDER)

Row = Mapping[str, Any]

_BY_NAME = {table.name: table for table in TABLES}
_VERSIONED = (account_terms, registered_assets)
"""Each of their rows took a number of the sequence of terms."""


def read_standing(tx: Connection) -> Iterator[tuple[bytes, int]]:
    """Blocks of lines and how many; the same rows give the same bytes on both engines."""
    for table, order in IN_ORDER.items():
        query = select(table).order_by(*(_sorted(tx, table.c[name]) for name in order))
        found = tx.execute(query, execution_options={"yield_per": ROWS})
        for some in found.partitions():
            lines = [json.dumps([table.name, *row], separators=(",", ":")) for row in some]
            yield ("\n".join(lines) + "\n").encode(), len(lines)


def parsed(blocks: Iterable[bytes]) -> Iterator[tuple[Table, Row]]:
    """The rows of blocks of lines. Raises StandingWrong."""
    for block in blocks:
        for line in block.splitlines():
            yield _parsed(line)


def write_standing(tx: Connection, blocks: Iterable[bytes]) -> None:
    """Insert the rows into empty tables. Raises StandingWrong where a wall refuses one."""
    kept: list[Row] = []
    versions = 0
    last = TABLES[0]
    for table, row in parsed(blocks):
        if table is not last or len(kept) == ROWS:
            _insert(tx, last, kept)
            last, kept = table, []
        kept.append(row)
        versions += table in _VERSIONED
    _insert(tx, last, kept)
    counters.raise_to(tx, SEQUENCE, versions)


def has_standing(tx: Connection) -> bool:
    """Whether any of the tables has a row."""
    return any(tx.execute(select(table).limit(1)).first() is not None for table in TABLES)


def _sorted(tx: Connection, column: Column[Any]) -> ColumnElement[Any]:
    """By bytes, on every server."""
    on_server = tx.dialect.name == "postgresql"
    return collate(column, "C") if on_server and isinstance(column.type, String) else column


def _insert(tx: Connection, table: Table, kept: list[Row]) -> None:
    if not kept:
        return
    try:
        tx.execute(insert(table), kept)
    except DBAPIError as error:
        why = str(error.orig).splitlines()[0]
        raise StandingWrong(f"the database refuses rows of {table.name}: {why}") from error


def _parsed(line: bytes) -> tuple[Table, Row]:
    try:
        name, *values = json.loads(line)
        table = _BY_NAME[name]
        row = dict(zip(table.columns.keys(), values, strict=True))
    except (ValueError, TypeError, KeyError) as error:
        raise StandingWrong("got a line that is no row of a known table") from error
    if not all(_fits(column, row[column.key]) for column in table.columns):
        raise StandingWrong(f"got a row of {name} with a value that no column of it has")
    return table, row


def _fits(column: Column[Any], value: object) -> bool:
    """Amounts are text to SQLite alone: here they are numbers."""
    if value is None:
        return bool(column.nullable)
    is_text = isinstance(column.type, String) and not isinstance(column.type, BaseUnits)
    return type(value) is (str if is_text else int)
