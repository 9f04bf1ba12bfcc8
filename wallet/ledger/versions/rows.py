"""The ledger's rows in order, a part at a time, with transfers as the very text that is hashed.

On PostgreSQL that text is what COPY gives, on SQLite it is put together here; there columns hold
what anybody wrote, so what does not read back as it stands is a finding and not a crash.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from wallet.ledger.encoding import NOTHING
from wallet.ledger.versions.findings import Bad, of_batch, of_line
from wallet.store.tables.ledger import LINES_MAX, ledger_accounts, ledger_batches
from wallet.store.types import DIGITS, encode_units

HEIGHTS = 5_000
"""Batch rows read at once."""

CHUNK = 400
"""Keys in one IN list, well under every engine's limit of parameters."""

TRANSFERS = 50_000
"""Transfers read at once, if no single height has more."""

_TRANSFERS = (
    "SELECT height, line, id, kind, hold_id, debit, credit, units, expires_s "
    "FROM ledger_transfers WHERE height BETWEEN {first:d} AND {last:d} ORDER BY height, line"
)


_a = ledger_accounts.c
_ACCOUNTS = select(_a.number, _a.owner, _a.asset, _a.kind, _a.may_go_negative, _a.height)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of ledger_batches."""

    height: int
    cause: str
    transfers: int
    content: bytes
    created_s: int
    state_hash: bytes


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A row of ledger_accounts."""

    number: int
    owner: str
    asset: str
    kind: str
    may_go_negative: int
    height: int


def head_height(tx: Connection) -> int:
    """The last height, 0 before the first."""
    return tx.execute(select(func.max(ledger_batches.c.height))).scalar() or 0


def parts(tx: Connection, first: int, last: int) -> Iterator[Sequence[BatchRow]]:
    """The batches of the heights `first` to `last`, in parts of about TRANSFERS transfers."""
    c = ledger_batches.c
    for start in range(first, last + 1, HEIGHTS):
        query = select(ledger_batches).where(
            c.height >= start, c.height <= min(last, start + HEIGHTS - 1)
        )
        part: list[BatchRow] = []
        lines = 0
        for row in _batch_rows(tx, query.order_by(c.height), start):
            part.append(_batch(row))
            # What a row says of its size is only trusted this far: it parts the work.
            lines += min(max(row.transfers, 1), LINES_MAX)
            if lines >= TRANSFERS:
                yield part
                part, lines = [], 0
        if part:
            yield part


def _batch_rows(tx: Connection, query: Any, start: int) -> Sequence[Any]:
    try:
        return tx.execute(query).all()
    except (TypeError, ValueError) as error:
        raise Bad(of_batch("unreadable", start, "it or a later one is of another type")) from error


def _batch(row: Any) -> BatchRow:
    whole = all(isinstance(value, int) for value in (row.height, row.transfers, row.created_s))
    if not whole or not isinstance(row.content, bytes) or not isinstance(row.state_hash, bytes):
        raise Bad(of_batch("unreadable", row.height, "got a value of another type"))
    return BatchRow(
        row.height, row.cause, row.transfers, row.content, row.created_s, row.state_hash
    )


def accounts(tx: Connection) -> Sequence[AccountRow]:
    """Every account, by number."""
    return [AccountRow(*row) for row in tx.execute(_ACCOUNTS.order_by(_a.number))]


def some_accounts(
    tx: Connection, *, numbers: Sequence[int] = (), first: int = 0, last: int = -1
) -> Sequence[AccountRow]:
    """The accounts of these numbers, and those that these heights opened, by number."""
    found = set[AccountRow]()
    for start in range(0, len(numbers), CHUNK):
        query = _ACCOUNTS.where(_a.number.in_(numbers[start : start + CHUNK]))
        found |= {AccountRow(*row) for row in tx.execute(query)}
    if first <= last:
        query = _ACCOUNTS.where(_a.height >= first, _a.height <= last)
        found |= {AccountRow(*row) for row in tx.execute(query)}
    return sorted(found, key=lambda row: row.number)


def transfer_lines(tx: Connection, first: int, last: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Height and lines, for each of these heights that has any. Read it to its end."""
    found = _lines_postgresql if tx.dialect.name == "postgresql" else _lines_sqlite
    height, lines = "", list[str]()
    for line in found(tx, _TRANSFERS.format(first=first, last=last)):
        at = line[: line.index("\t")]
        if at != height:
            if lines:
                yield int(height), lines
            height, lines = at, []
        lines.append(line)
    if lines:
        yield int(height), lines


def _lines_postgresql(tx: Connection, query: str) -> Iterator[str]:
    driver: Any = tx.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
        for data in copy:
            yield str(data, "utf-8")


def _lines_sqlite(tx: Connection, query: str) -> Iterator[str]:
    for height, line, id, kind, hold_id, debit, credit, units, expires_s in tx.execute(text(query)):
        if not is_units(units) or hold_id == NOTHING:
            raise Bad(of_line("unreadable", height, line, "got units or a hold in another form"))
        hold = NOTHING if hold_id is None else hold_id
        yield (
            f"{height}\t{line}\t{id}\t{kind}\t{hold}\t{debit}\t{credit}\t"
            f"{int(units[1:])}\t{expires_s}\n"
        )


def is_units(value: object) -> bool:
    """Whether a column of SQLite holds an amount above zero exactly as encode_units writes it."""
    return (
        isinstance(value, str)
        and len(value) == DIGITS + 1
        and value[0] == "p"
        and value.isascii()
        and value[1:].isdigit()
        and value != encode_units(0)
    )
