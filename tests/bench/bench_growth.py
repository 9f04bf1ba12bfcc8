"""What a transfer costs once the ledger is long, beside the first million of the same ledger.

50 million transfers lie between (GROWTH_TRANSFERS names another number). They are written by SQL
past the engine: their state hashes are made up and no balance has them, which posting never looks
at. The index of all ids, the transfers and their key are as long as they would be.
"""

import os

from sqlalchemy import text

from tests.bench.bench_ledger import BATCH_LINES, postgresql, throughput, warm
from tests.bench.timing import BenchRow
from tests.bench.trades import ACCOUNTS, BenchClock, Trades
from wallet.ledger.loading import head_height
from wallet.ledger.writer import LedgerWriter
from wallet.store.database import Database

TRANSFERS = int(os.environ.get("GROWTH_TRANSFERS", "50000000"))
BATCHES = 100
"""A million transfers."""

PART = 5_000_000
"""Transfers written in one transaction."""

AIM_RATIO = 1.3

HEX = "lpad(to_hex(n), 12, '0')"
ID = f"(substr({HEX}, 1, 8) || '-' || substr({HEX}, 9) || '-7000-8000-000000000000')::uuid"
"""As `Trades` numbers transfers."""


def rows() -> list[BenchRow]:
    """A transfer of a long ledger beside one of a short."""
    trades = Trades()
    with postgresql() as (database, _):
        writer = LedgerWriter(database, BenchClock())
        warm(writer, trades)
        early = throughput(writer, trades, "early", batches=BATCHES)
        writer.close()
        for _ in range(0, TRANSFERS, PART):
            _grow(database, trades)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
            tx.execute(text("VACUUM ANALYZE"))
            tx.execute(text("CHECKPOINT"))
        writer = LedgerWriter(database, BenchClock())
        warm(writer, trades)
        late = throughput(writer, trades, "late", batches=BATCHES)
        writer.close()
    return [
        BenchRow(
            work=f"ledger transfer after {TRANSFERS // 1_000_000} million, PostgreSQL",
            ours=late,
            peer="of the first million",
            theirs=early,
            aim_ratio=AIM_RATIO,
        )
    ]


def _grow(database: Database, trades: Trades) -> None:
    """Write transfers past the walls, in heights that come next."""
    first = trades.skip(PART)
    with database.engine.begin() as tx:
        height = head_height(tx) + 1
        place = f"{height} + (n - {first}) / {BATCH_LINES}, (n - {first}) % {BATCH_LINES}"
        numbers = f"generate_series({first}::bigint, {first + PART - 1}) n"
        heights = f"generate_series({height}, {height + PART // BATCH_LINES - 1})"
        transfers = (
            f"INSERT INTO ledger_transfers SELECT {place}, {ID}, 'single', NULL, "
            f"(n * 7919) % {ACCOUNTS - 1} + 2, 1, n % 1000 + 1, 0 FROM {numbers}"
        )
        batches = (
            f"INSERT INTO ledger_batches SELECT h, 'growth:' || h, {BATCH_LINES}, sha256('c'), 0, "
            f"sha256(h::text::bytea) FROM {heights} h"
        )
        ids = f"INSERT INTO ledger_transfer_ids SELECT {ID}, {place} FROM {numbers}"
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in (transfers, ids, batches):
            tx.execute(text(statement))
