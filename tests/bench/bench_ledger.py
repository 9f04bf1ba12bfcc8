"""Durable transfers through the ledger, fsync on, by the clock on the wall.

100,000 accounts. Peers: one transaction for each transfer by plain statements, which is how a
ledger is first written; and PostgreSQL's COPY of the same rows, which checks and sums nothing.
"""

import sqlite3
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.postgres import postgres_url, run
from tests.bench.timing import BenchRow
from tests.bench.trades import ACCOUNTS, BenchClock, Trades, fund
from wallet.ledger.posting import Posted
from wallet.ledger.results import Result
from wallet.ledger.transfers import Transfer
from wallet.ledger.writer import LedgerWriter
from wallet.store.database import Database

AIM_NS = 7_692
"""130,000 transfers a second."""

COPY_RATIO = 8
ROUNDS = 3
BATCHES = 120
BATCH_LINES = 10_000
IN_FLIGHT = 40
"""Batches given and not answered: what a busy exchange keeps waiting, and no more."""

WARM_LINES = 200_000
SINGLE_ROWS = 500
LATENCIES = ((1, 200), (100, 100), (10_000, 20))
"""Lines of a batch, and how many are posted one after the other."""


def rows() -> list[BenchRow]:
    """On PostgreSQL evenly and with one hot account, and on SQLite."""
    trades = Trades()
    with postgresql() as (database, url):
        writer = LedgerWriter(database, BenchClock())
        warm(writer, trades)
        evens = [throughput(writer, trades, f"even:{n}") for n in range(ROUNDS)]
        hots = [throughput(writer, trades, f"hot:{n}", hot=True) for n in range(ROUNDS)]
        note = f"rounds {_listed(evens)}; {_latencies(writer, trades)}"
        even, hot = min(evens), min(hots)
        writer.close()
        copies = [_copied(url, trades, f"copied_{n}") for n in range(ROUNDS)]
        copied = min(copies)
        one_by_one = _one_by_one(psycopg.connect(_plain(url)), trades, "%s")
    with _sqlite() as (lite, path):
        writer = LedgerWriter(lite, BenchClock())
        warm(writer, trades)
        embedded = throughput(writer, trades, "lite", batches=10)
        writer.close()
        lite_one_by_one = _one_by_one(_synchronous(path), trades, "?")
    return [
        BenchRow(
            work="ledger transfer, PostgreSQL",
            ours=even,
            peer="plain COPY",
            theirs=copied,
            aim=AIM_NS,
            aim_ratio=COPY_RATIO,
            note=note,
        ),
        BenchRow(
            work="ledger transfer, PostgreSQL, one hot account",
            ours=hot,
            peer="plain COPY",
            theirs=copied,
            aim=AIM_NS,
            aim_ratio=COPY_RATIO,
            note=f"rounds {_listed(hots)}; of plain COPY {_listed(copies)}",
        ),
        BenchRow(
            work="ledger transfer, PostgreSQL",
            ours=even,
            peer="a transaction each",
            theirs=one_by_one,
        ),
        BenchRow(
            work="ledger transfer, SQLite",
            ours=embedded,
            peer="a transaction each",
            theirs=lite_one_by_one,
        ),
    ]


@contextmanager
def postgresql() -> Iterator[tuple[Database, str]]:
    with postgres_url() as url:
        database = Database.open(url)
        database.migrate()
        fund(database)
        run(url, "VACUUM ANALYZE")
        yield database, url
        database.close()


@contextmanager
def _sqlite() -> Iterator[tuple[Database, Path]]:
    with tempfile.TemporaryDirectory(prefix="glaytos-bench-") as folder:
        path = Path(folder) / "ledger.sqlite"
        database = Database.open(f"sqlite:///{path}")
        database.migrate()
        fund(database)
        yield database, path
        database.close()


def warm(writer: LedgerWriter, trades: Trades) -> None:
    """Let the writer learn the accounts, and the database its pages, as in a day of work."""
    name = f"warm:{trades.skip(0)}"
    writer.post(name, trades.batch(WARM_LINES))
    throughput(writer, trades, name, batches=20)


def throughput(
    writer: LedgerWriter, trades: Trades, name: str, *, hot: bool = False, batches: int = BATCHES
) -> int:
    """Nanoseconds a transfer, of batches given as fast as they are taken."""
    given = [trades.batch(BATCH_LINES, hot=hot) for _ in range(batches)]
    start_ns = time.perf_counter_ns()
    waiting: deque[Future[Posted]] = deque()
    for number, batch in enumerate(given):
        if len(waiting) == IN_FLIGHT:
            _check(waiting.popleft().result().results)
        waiting.append(writer.submit(f"{name}:{number}", batch))
    while waiting:
        _check(waiting.popleft().result().results)
    return (time.perf_counter_ns() - start_ns) // (batches * BATCH_LINES)


def _latencies(writer: LedgerWriter, trades: Trades) -> str:
    """Half and 99 of 100 batches of a size take no longer than this, in microseconds."""
    told = []
    for lines, times in LATENCIES:
        took_us = []
        for number in range(times):
            batch = trades.batch(lines)
            start_ns = time.perf_counter_ns()
            _check(writer.post(f"size:{lines}:{number}", batch).results)
            took_us.append((time.perf_counter_ns() - start_ns) // 1000)
        cuts = statistics.quantiles(took_us, n=100)
        told.append(f"{lines}: p50 {round(cuts[49])} us, p99 {round(cuts[98])} us")
    return "a batch of " + "; of ".join(told)


def _check(results: Sequence[Result]) -> None:
    if set(results) != {Result.OK}:
        raise AssertionError(set(results))


def _listed(rounds: Sequence[int]) -> str:
    return ", ".join(f"{ns:,} ns" for ns in rounds)


def _copied(url: str, trades: Trades, table: str) -> int:
    """COPY of the same rows into a table like the ledger's, with its key and one of the ids."""
    with psycopg.connect(_plain(url)) as connection:
        connection.execute(
            f"CREATE TABLE {table} (height bigint, line integer, id uuid, kind text, hold_id uuid, "
            "debit bigint, credit bigint, units numeric(78, 0), expires_s bigint, "
            "PRIMARY KEY (height, line))"
        )
        connection.commit()
        texts = [_copy_text(height, trades.batch(BATCH_LINES)) for height in range(BATCHES)]
        start_ns = time.perf_counter_ns()
        for lines in texts:
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(lines)
            connection.commit()
        return (time.perf_counter_ns() - start_ns) // (BATCHES * BATCH_LINES)


def _copy_text(height: int, batch: Sequence[Transfer]) -> str:
    return "".join(
        f"{height}\t{line}\t{t.id}\tsingle\t\\N\t{line}\t{line + 1}\t{t.units}\t0\n"
        for line, t in enumerate(batch)
    )


def _one_by_one(connection: Any, trades: Trades, mark: str) -> int:
    """A transaction for each transfer: two balances and a row, and one commit."""
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE simple_accounts (number bigint PRIMARY KEY, units bigint)")
    cursor.execute(
        "CREATE TABLE simple_transfers (id text PRIMARY KEY, d bigint, c bigint, u bigint)"
    )
    cursor.executemany(
        f"INSERT INTO simple_accounts VALUES ({mark}, 1000000000)",
        [(number,) for number in range(ACCOUNTS)],
    )
    connection.commit()
    batch = trades.batch(SINGLE_ROWS)
    sides = [tuple(int(owner.split(":")[1]) for owner in (t.debit, t.credit)) for t in batch]
    post: Callable[..., object] = cursor.execute
    start_ns = time.perf_counter_ns()
    for transfer, (debit, credit) in zip(batch, sides, strict=True):
        units = transfer.units
        post(
            f"UPDATE simple_accounts SET units = units - {mark} "
            f"WHERE number = {mark} AND units >= {mark}",
            (units, debit, units),
        )
        post(
            f"UPDATE simple_accounts SET units = units + {mark} WHERE number = {mark}",
            (units, credit),
        )
        values = ", ".join([mark] * 4)
        post(f"INSERT INTO simple_transfers VALUES ({values})", (transfer.id, debit, credit, units))
        connection.commit()
    took_ns = (time.perf_counter_ns() - start_ns) // SINGLE_ROWS
    connection.close()
    return took_ns


def _synchronous(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path.with_name("simple.sqlite"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")
