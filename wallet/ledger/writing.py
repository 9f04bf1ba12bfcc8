"""Writing sealed heights: COPY and set-based statements on PostgreSQL, batches on SQLite.

Called inside the writing transaction. The triggers of the store check what is written as it
comes; `wallet.ledger.verifying` checks it again from the rows alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from wallet.ledger.books import Hold
from wallet.ledger.encoding import NOTHING, Lines, opened_line
from wallet.ledger.errors import LedgerBroken
from wallet.ledger.sealing import Heights
from wallet.store.tables.ledger import ledger_batches
from wallet.store.tables.partitions import OPEN_PARTITION
from wallet.store.types import encode_units

JOINED_MAX = 1_000
"""Balances given to PostgreSQL as arrays, whose length its planner sees; more go by COPY."""

_INSERT_BATCH = insert(ledger_batches)
_UPDATE = "UPDATE ledger_balances b SET debits = n.debits, credits = n.credits, debits_held = "
_UPDATE += "n.debits_held, credits_held = n.credits_held, height = n.height FROM "
_FROM_ARRAYS = (
    _UPDATE + "unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], "
    "%s::bigint[]) AS n(account, debits, credits, debits_held, credits_held, height) "
    "WHERE b.account = n.account"
)
_CHANGED = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS ledger_changed (account bigint, debits numeric, "
    "credits numeric, debits_held numeric, credits_held numeric, height bigint) "
    "ON COMMIT DELETE ROWS"
)
_FROM_CHANGED = _UPDATE + "ledger_changed n WHERE b.account = n.account"
_KEEP_IDS = (
    # Heights just written are in no statistics yet: the planner might read all transfers.
    "SET LOCAL enable_seqscan = off; INSERT INTO ledger_transfer_ids SELECT id, height, line "
    "FROM ledger_transfers WHERE height BETWEEN {} AND {}; SET LOCAL enable_seqscan = on"
)
_END_HOLDS = (
    "UPDATE ledger_holds h SET ended_height = n.height, ended_line = n.line "
    "FROM unnest(%s::uuid[], %s::bigint[], %s::integer[]) AS n(id, height, line) "
    "WHERE h.id = n.id AND h.ended_height IS NULL"
)


def write(tx: Connection, heights: Heights) -> None:
    """Write the heights in order. Raises LedgerBroken when the database has other rows than ours.

    Raises SQLAlchemy's IntegrityError for an id that was posted before.
    """
    act = _write_postgresql if tx.dialect.name == "postgresql" else _write_sqlite
    driver_errors: Any = tx.dialect.loaded_dbapi.Error
    try:
        act(tx.connection.driver_connection, heights)
    except driver_errors as error:
        # As if SQLAlchemy had run the statement: who catches its errors catches ours.
        raise DBAPIError.instance("", None, error, driver_errors, dialect=tx.dialect) from error
    # The batch rows come last: they close the heights, and the database counts and sums then.
    tx.execute(
        _INSERT_BATCH,
        [
            {
                "height": sealed.height,
                "cause": sealed.cause,
                "transfers": sealed.transfers.number,
                "content": sealed.content,
                "created_s": sealed.created_s,
                "state_hash": sealed.state_hash,
            }
            for sealed in heights.sealed
        ],
    )


def _write_postgresql(driver: Any, heights: Heights) -> None:
    opened = [
        f"{opened_line(position)[:-1]}\t{sealed.height}\n".replace("\\", "\\\\").encode()
        for sealed in heights.sealed
        for position in sealed.opened
    ]
    made = [
        f"{h.id}\t{h.debit.number}\t{h.credit.number}\t{h.units}\t{h.expires_s}\n".encode()
        for h in _made(heights)
    ]
    with driver.cursor() as cursor:
        _copy(cursor, "ledger_accounts", opened)
        # Named itself, the partition takes many rows at a time; through their table, one by one.
        _copy(cursor, OPEN_PARTITION, [sealed.transfers.text for sealed in heights.sealed])
        cursor.execute(_KEEP_IDS.format(heights.sealed[0].height, heights.sealed[-1].height))
        columns = "ledger_holds (id, debit, credit, units, expires_s)"
        _copy(cursor, columns, made)
        ended = [end for sealed in heights.sealed for end in sealed.ended]
        if ended:
            cursor.execute(_END_HOLDS, [_array(column) for column in zip(*ended, strict=True)])
            _expect(cursor.rowcount, len(ended), "holds")
        _update_balances(cursor, heights.balances)
        for asset, kind, sums, height in _totals(heights):
            cursor.execute(
                "UPDATE ledger_totals SET debits = %s, credits = %s, debits_held = %s, "
                "credits_held = %s, height = %s WHERE asset = %s AND kind = %s",
                (*sums, height, asset, kind),
            )
            _expect(cursor.rowcount, 1, "totals")


def _update_balances(cursor: Any, balances: Lines) -> None:
    if balances.number <= JOINED_MAX:
        columns = zip(*_fields(balances), strict=True)
        cursor.execute(_FROM_ARRAYS, [_array(column) for column in columns])
    else:
        cursor.execute(_CHANGED)
        cursor.execute("TRUNCATE ledger_changed")  # of another group in the same transaction
        _copy(cursor, "ledger_changed", [balances.text])
        cursor.execute(_FROM_CHANGED)
    _expect(cursor.rowcount, balances.number, "balances")


def _copy(cursor: Any, table: str, texts: Sequence[bytes]) -> None:
    if texts:
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for text in texts:
                copy.write(text)


def _fields(lines: Lines) -> list[list[str]]:
    return [line.split("\t") for line in lines.text.decode().split("\n")[:-1]]


def _array(column: Iterable[object]) -> str:
    """PostgreSQL's text of an array of numbers or UUIDs."""
    return "{" + ",".join(map(str, column)) + "}"


def _write_sqlite(driver: Any, heights: Heights) -> None:
    many = driver.executemany
    for sealed in heights.sealed:
        rows = [(*opened_line(p)[:-1].split("\t"), sealed.height) for p in sealed.opened]
        many("INSERT INTO ledger_accounts VALUES (?, ?, ?, ?, ?, ?)", rows)
        fields = _fields(sealed.transfers)
        many(
            "INSERT INTO ledger_transfer_ids VALUES (?, ?, ?)", [(f[2], f[0], f[1]) for f in fields]
        )
        many(
            "INSERT INTO ledger_transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (*f[:4], None if f[4] == NOTHING else f[4], *f[5:7], encode_units(int(f[7])), f[8])
                for f in fields
            ],
        )
    many(
        "INSERT INTO ledger_holds VALUES (?, ?, ?, ?, ?, NULL, NULL)",
        [
            (h.id, h.debit.number, h.credit.number, encode_units(h.units), h.expires_s)
            for h in _made(heights)
        ],
    )
    ended = [(height, line, id) for sealed in heights.sealed for id, height, line in sealed.ended]
    done = many(
        "UPDATE ledger_holds SET ended_height = ?, ended_line = ? "
        "WHERE id = ? AND ended_height IS NULL",
        ended,
    )
    _expect(max(done.rowcount, 0), len(ended), "holds")
    balances = _fields(heights.balances)
    done = many(
        "UPDATE ledger_balances SET debits = ?, credits = ?, debits_held = ?, credits_held = ?, "
        "height = ? WHERE account = ?",
        [(*(encode_units(int(sum_)) for sum_ in f[1:5]), f[5], f[0]) for f in balances],
    )
    _expect(done.rowcount, len(balances), "balances")
    done = many(
        "UPDATE ledger_totals SET debits = ?, credits = ?, debits_held = ?, credits_held = ?, "
        "height = ? WHERE asset = ? AND kind = ?",
        [
            (*map(encode_units, sums), height, asset, kind)
            for asset, kind, sums, height in _totals(heights)
        ],
    )
    _expect(done.rowcount, len(list(_totals(heights))), "totals")


def _made(heights: Heights) -> Iterable[Hold]:
    return [hold for sealed in heights.sealed for hold in sealed.made]


def _totals(heights: Heights) -> Iterable[tuple[str, str, tuple[int, ...], int]]:
    latest = {}
    for sealed in heights.sealed:
        for asset, kind, sums in sealed.totals:
            latest[asset, str(kind)] = (sums, sealed.height)
    return [(asset, kind, sums, height) for (asset, kind), (sums, height) in latest.items()]


def _expect(found: int, expected: int, what: str) -> None:
    if found != expected:
        raise LedgerBroken(f"got {found} {what} in the database to change, expected {expected}")
