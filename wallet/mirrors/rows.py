"""The rows of an image and a tail as lines: read from and written to either engine in bulk.

A line is the row's columns parted by tabs, as in wallet.ledger.encoding: numbers in decimal, UUIDs
in canonical text, hashes in hex, nothing as backslash and N: on PostgreSQL, COPY's own text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from wallet.store.types import decode_units, encode_units

ROWS = 10_000
"""Rows of a block."""

NOTHING = "\\N"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Columns of a table; `units` are those that SQLite keeps as text, `hashes` those of bytes."""

    table: str
    columns: tuple[str, ...]
    units: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()


ACCOUNTS = Shape(
    table="ledger_accounts",
    columns=("number", "owner", "asset", "kind", "may_go_negative", "height"),
)
_SUMS = ("debits", "credits", "debits_held", "credits_held")
BALANCES = Shape(
    table="ledger_balances", columns=("account", *_SUMS, "height"), units=frozenset(_SUMS)
)
HOLDS = Shape(
    table="ledger_holds",
    columns=("id", "debit", "credit", "units", "expires_s"),
    units=frozenset({"units"}),
)
BATCHES = Shape(
    table="ledger_batches",
    columns=("height", "cause", "transfers", "content", "created_s", "state_hash"),
    hashes=frozenset({"content", "state_hash"}),
)
TRANSFERS = Shape(
    table="ledger_transfers",
    columns=(
        "height",
        "line",
        "id",
        "kind",
        "hold_id",
        "debit",
        "credit",
        "units",
        "expires_s",
    ),
    units=frozenset({"units"}),
)
IDS = Shape(table="ledger_transfer_ids", columns=("id", "height", "line"))
JUST_IDS = Shape(table="ledger_transfers", columns=("id",))


def read_lines(tx: Connection, shape: Shape, rest: str) -> Iterator[tuple[bytes, int]]:
    """Blocks of lines and how many; `rest` is the SQL behind the table's name, ours alone."""
    hex_of = "encode({0}, 'hex')" if tx.dialect.name == "postgresql" else "lower(hex({0}))"
    columns = [hex_of.format(c) if c in shape.hashes else c for c in shape.columns]
    query = f"SELECT {', '.join(columns)} FROM {shape.table} {rest}"  # noqa: S608 - no input in it
    driver: Any = tx.connection.driver_connection
    if tx.dialect.name == "postgresql":
        with driver.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
            yield from _whole(copy)
        return
    places = [n for n, column in enumerate(shape.columns) if column in shape.units]
    cursor = driver.execute(query)
    while rows := cursor.fetchmany(ROWS):
        if places:
            rows = [_decoded(row, places) for row in rows]
        lines = ["\t".join([NOTHING if v is None else str(v) for v in row]) for row in rows]
        yield ("\n".join(lines) + "\n").encode(), len(lines)


def write_lines(tx: Connection, shape: Shape, blocks: Iterable[bytes], table: str = "") -> int:
    """Insert blocks of lines into the shape's table, or another of its columns; how many."""
    driver: Any = tx.connection.driver_connection
    into, count = table or shape.table, 0
    if tx.dialect.name == "postgresql":
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {into} ({', '.join(shape.columns)}) FROM STDIN") as copy,
        ):
            for block in blocks:
                copy.write(_escaped(block, shape))
                count += block.count(b"\n")
        return count
    marks = ", ".join("?" * len(shape.columns))
    columns = ", ".join(shape.columns)
    statement = f"INSERT INTO {into} ({columns}) VALUES ({marks})"  # noqa: S608 - no input in it
    as_stored = _encoders(shape)
    for block in blocks:
        rows = [line.split("\t") for line in block.decode().splitlines()]
        driver.executemany(statement, [as_stored(row) for row in rows])
        count += len(rows)
    return count


def _whole(copy: Iterable[Any]) -> Iterator[tuple[bytes, int]]:
    """COPY's chunks, which are rows, gathered to blocks."""
    rows: list[bytes] = []
    for chunk in copy:
        rows.append(bytes(chunk))
        if len(rows) == ROWS:
            yield _unescaped(b"".join(rows)), len(rows)
            rows = []
    if rows:
        yield _unescaped(b"".join(rows)), len(rows)


def _unescaped(block: bytes) -> bytes:
    """Names are printable, so a backslash is all that COPY escapes in them."""
    return block.replace(b"\\\\", b"\\")


def _escaped(block: bytes, shape: Shape) -> bytes:
    if not shape.hashes:
        return block.replace(b"\\", b"\\\\")
    places = [n for n, column in enumerate(shape.columns) if column in shape.hashes]
    lines = []
    for line in block.replace(b"\\", b"\\\\").split(b"\n")[:-1]:
        fields = line.split(b"\t")
        for place in places:
            fields[place] = b"\\\\x" + fields[place]
        lines.append(b"\t".join(fields))
    return b"\n".join(lines) + b"\n"


def _decoded(row: Sequence[Any], places: Sequence[int]) -> list[Any]:
    values = list(row)
    for place in places:
        values[place] = decode_units(values[place])
    return values


def _encoders(shape: Shape) -> Callable[[list[str]], Sequence[Any]]:
    turns: Mapping[int, Callable[[str], Any]] = {
        place: (lambda text: encode_units(int(text))) if column in shape.units else bytes.fromhex
        for place, column in enumerate(shape.columns)
        if column in shape.units | shape.hashes
    }

    def encode(fields: list[str]) -> Sequence[Any]:
        values: list[Any] = list(fields)
        for place, turn in turns.items():
            values[place] = turn(values[place])
        return values

    return encode
