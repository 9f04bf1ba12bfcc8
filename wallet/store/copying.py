"""Copying tables between engines by COPY, and digests that tell whether they are the same."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Table, func, select, text

from wallet.store.columns import metadata
from wallet.store.errors import StoreError
from wallet.store.tables.moves import moved_to
from wallet.store.walls import partition_names

ROWS_AT_ONCE = 5_000

Told = Callable[[int], None]
"""Told how many rows more were done."""


class RowRefused(StoreError):
    """A row of the old home that the new one cannot hold."""

    code = "store.row_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A table's rows: how many, and the sum of their SHA-256 modulo 2^256, whatever their order."""

    rows: int
    sum: int


def moving_tables() -> Sequence[Table]:
    """Every table whose rows go with a move, each after those it refers to."""
    return [table for table in metadata.sorted_tables if table is not moved_to]


def counts(tx: Connection) -> Mapping[str, int]:
    """Table to number of rows."""
    return {
        table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
        for table in moving_tables()
    }


def switch_walls(tx: Connection, *, on: bool) -> None:
    """Switch the triggers of every table on or off in this transaction, as its owner can."""
    switch = "ENABLE" if on else "DISABLE"
    for name in (*(table.name for table in moving_tables()), *partition_names(tx)):
        tx.execute(text(f"ALTER TABLE {name} {switch} TRIGGER USER"))


def copy_rows(source: Connection, target: Connection, table: Table, told: Told) -> Digest:
    """Copy a table's rows to PostgreSQL; the digest of what was read. Raises RowRefused."""
    columns = ", ".join(f'"{column.name}"' for column in table.c)
    command = f"COPY {table.name} ({columns}) FROM STDIN"
    summing = _Summing()
    driver: Any = target.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(command) as copy:
            for row in summing.over(_rows(source, table), told):
                copy.write_row(row)
    except psycopg.DataError as error:
        raise RowRefused(
            f"got a row of {table.name} that PostgreSQL cannot hold: {error.diag.message_primary}"
        ) from error
    return summing.digest()


def digest_rows(tx: Connection, table: Table, told: Told) -> Digest:
    """The digest of a table's rows."""
    summing = _Summing()
    for _ in summing.over(_rows(tx, table), told):
        pass
    return summing.digest()


class _Summing:
    def __init__(self) -> None:
        self._rows = 0
        self._sum = 0

    def over(self, rows: Iterator[tuple[object, ...]], told: Told) -> Iterator[tuple[object, ...]]:
        for row in rows:
            self._sum += int.from_bytes(hashlib.sha256(repr(row).encode()).digest(), "big")
            self._rows += 1
            if self._rows % ROWS_AT_ONCE == 0:
                told(ROWS_AT_ONCE)
            yield row
        told(self._rows % ROWS_AT_ONCE)

    def digest(self) -> Digest:
        return Digest(rows=self._rows, sum=self._sum % 2**256)


def _rows(tx: Connection, table: Table) -> Iterator[tuple[object, ...]]:
    options = {"yield_per": ROWS_AT_ONCE}
    for row in tx.execute(select(table), execution_options=options):
        yield tuple(row)
