"""Partitions of the ledger: cut at a height, indexed and checkpointed while postings go on."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from wallet.ledger import chart
from wallet.ledger.partitions import Partition, Partitions, sealed
from wallet.ledger.posting import Transfer, post_batch, single
from wallet.store.database import Database
from wallet.store.errors import SchemaMismatch, StoreBusy
from wallet.store.schema import ledger_balances, ledger_checkpoints, ledger_transfers

pytestmark = pytest.mark.parametrize("own_database", ["postgresql"], indirect=True)
ALICE, BOB, CAROL = (chart.user(name) for name in ("alice", "bob", "carol"))
NOW_S = 1_700_000_000
HELD, POSTED = (str(UUID(int=number)) for number in (1, 2))
OLD = (
    "SELECT 4, 1, id, kind, hold_id, debit, credit, units, expires_s FROM ledger_transfers LIMIT 1"
)
"""A transfer for a height that is closed."""


def post(database: Database, cause: str, *transfers: Transfer) -> int:
    with database.write() as tx:
        return post_batch(tx, cause, transfers, NOW_S).height


def fill(database: Database) -> None:
    """Four batches, five transfers: a hold stays open (30), another is posted in part (6 of 10)."""
    post(
        database,
        "start",
        single(chart.DEPOSIT, ALICE, "BTC", 100),
        single(chart.DEPOSIT, BOB, "BTC", 5),
    )
    for id, units in ((HELD, 30), (POSTED, 10)):
        hold = Transfer.hold(id=id, debit=ALICE, credit=BOB, asset="BTC", units=units)
        post(database, f"hold:{id}", hold)
    post(database, "post", Transfer.post(hold_id=POSTED, units=6))


def checkpoints(tx: Connection) -> Sequence[tuple[int, ...]]:
    statement = select(ledger_checkpoints).order_by("account", "height")
    return [tuple(row) for row in tx.execute(statement)]


def balances(tx: Connection) -> Sequence[tuple[int, ...]]:
    b = ledger_balances.c
    statement = select(
        b.account, b.height, b.debits, b.credits, b.debits_held, b.credits_held
    ).order_by(b.account)
    return [tuple(row) for row in tx.execute(statement)]


def indexes(tx: Connection, table: str) -> set[str]:
    statement = text("SELECT indexdef FROM pg_indexes WHERE tablename = :t")
    return {row.partition(" USING btree ")[2] for (row,) in tx.execute(statement, {"t": table})}


def test_a_full_partition_is_sealed_with_the_balances_it_left(own_database: Database) -> None:
    fill(own_database)
    Partitions(own_database, 5).step()
    with own_database.read() as tx:
        assert sealed(tx) == [Partition(first_height=1, last_height=4, transfers=5)]
        assert checkpoints(tx) == balances(tx)
        # Alice: 6 posted of 110; 30 still held, the 4 that were not posted given back.
        assert checkpoints(tx)[1] == (2, 4, 6, 100, 30, 0)
        assert indexes(tx, "ledger_transfers_to_4") == {
            "(height, line)",
            "(debit, height)",
            "(credit, height)",
        }
        assert indexes(tx, "ledger_transfers_open") == {"(height, line)"}
    own_database.migrate()


def test_less_than_a_partition_is_left_open(own_database: Database) -> None:
    fill(own_database)
    Partitions(own_database, 6).step()
    with own_database.read() as tx:
        assert sealed(tx) == []


def test_later_partitions_carry_on_from_the_earlier(own_database: Database) -> None:
    duty = Partitions(own_database, 1)
    fill(own_database)
    duty.step()
    with own_database.read() as tx:
        first = checkpoints(tx)
    duty.step()  # nothing new: nothing to cut
    post(own_database, "void", Transfer.void(hold_id=HELD))
    post(own_database, "pay", single(ALICE, CAROL, "BTC", 7))
    duty.step()
    with own_database.read() as tx:
        assert sealed(tx) == [
            Partition(first_height=1, last_height=4, transfers=5),
            Partition(first_height=5, last_height=6, transfers=2),
        ]
        # The vault's account was not touched, so it has the one checkpoint.
        now = [row for row in balances(tx) if row[0] != 1]
        assert checkpoints(tx) == sorted([*first, *now])
        assert len(tx.execute(select(ledger_transfers)).all()) == 7
    own_database.migrate()


KILLED = """
import os, signal, sys
from wallet.ledger.partitions import Partitions
from wallet.milestones import kill_at
from wallet.store.database import Database
Partitions(Database.open(sys.argv[1]), 1, kill_at(sys.argv[2])).step()
"""


@pytest.mark.parametrize(("moment", "finished"), [("partition.cut", 0), ("partition.finished", 1)])
def test_killed_between_the_steps_the_next_goes_on(
    own_database: Database, moment: str, finished: int
) -> None:
    fill(own_database)
    url = own_database.engine.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-c", KILLED, url, moment], check=False)
    assert done.returncode == -signal.SIGKILL
    own_database.migrate()
    with own_database.read() as tx:
        assert len(sealed(tx)) == finished
    post(own_database, "pay", single(ALICE, BOB, "BTC", 7))
    Partitions(own_database, 100).step()
    with own_database.read() as tx:
        assert sealed(tx) == [Partition(first_height=1, last_height=4, transfers=5)]
        assert checkpoints(tx)[1] == (2, 4, 6, 100, 30, 0)


def test_a_cut_that_fails_leaves_all_as_it_was(own_database: Database) -> None:
    fill(own_database)
    with own_database.read() as reading:
        reading.execute(select(ledger_transfers)).all()
        with pytest.raises(StoreBusy):
            Partitions(own_database, 1).step()
    with own_database.read() as tx:
        assert sealed(tx) == []
    post(own_database, "pay", single(ALICE, BOB, "BTC", 7))
    Partitions(own_database, 1).step()
    with own_database.read() as tx:
        assert sealed(tx) == [Partition(first_height=1, last_height=5, transfers=6)]


def test_a_partition_that_differs_from_the_balances_is_not_finished(
    own_database: Database,
) -> None:
    fill(own_database)
    with own_database.write() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        tx.execute(text("UPDATE ledger_transfers SET units = 101 WHERE height = 1 AND line = 0"))
    with pytest.raises(DBAPIError, match=r"ledger\.checkpoint: 2 balances differ"):
        Partitions(own_database, 1).step()
    with own_database.read() as tx:
        assert (sealed(tx), checkpoints(tx)) == ([], [])


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("TRUNCATE ledger_transfers_to_4", "store.immutable"),
        ("DELETE FROM ledger_transfers_to_4", "store.immutable: ledger_transfers_to_4"),
        ("UPDATE ledger_transfers_to_4 SET units = 9", "store.immutable: ledger_transfers_to_4"),
        (f"INSERT INTO ledger_transfers_to_4 {OLD}", "ledger.batch_closed"),
        ("DELETE FROM ledger_checkpoints", "store.immutable"),
        ("UPDATE ledger_checkpoints SET credits = 9", "store.immutable"),
        ("TRUNCATE ledger_checkpoints", "store.immutable"),
        ("INSERT INTO ledger_checkpoints VALUES (9, 4, 0, 0, 0, 0)", "ledger.checkpoint"),
        ("INSERT INTO ledger_checkpoints VALUES (9, 5, 0, 0, 0, 0)", "ledger.checkpoint"),
        ("DELETE FROM ledger_partitions", "store.immutable"),
        ("UPDATE ledger_partitions SET transfers = 9", "store.immutable"),
        ("INSERT INTO ledger_partitions VALUES (5, 5, 1)", "ledger.partition"),
        ("INSERT INTO ledger_partitions VALUES (6, 6, 1)", "ledger.partition"),
    ],
)
def test_what_is_sealed_stays(own_database: Database, statement: str, code: str) -> None:
    fill(own_database)
    Partitions(own_database, 1).step()
    with pytest.raises(DBAPIError) as caught, own_database.write() as tx:
        tx.execute(text(statement))
    assert code in str(caught.value.orig)


@pytest.mark.parametrize(
    ("partition", "trigger"),
    [
        ("ledger_transfers_to_4", "ledger_transfers_to_4_no_truncate"),
        ("ledger_transfers_to_4", "ledger_transfers_to_4_open"),
        ("ledger_transfers_to_4", "ledger_transfers_no_update"),
        ("ledger_transfers_to_4", "ledger_transfers_no_delete"),
        ("ledger_transfers_open", "ledger_transfers_no_delete"),
        ("ledger_transfers_open", "ledger_transfers_open_open"),
    ],
)
def test_a_wall_missing_on_one_partition_is_noticed(
    own_database: Database, partition: str, trigger: str
) -> None:
    fill(own_database)
    Partitions(own_database, 1).step()
    with own_database.write() as tx:
        tx.execute(text(f"ALTER TABLE {partition} DISABLE TRIGGER {trigger}"))
    with pytest.raises(SchemaMismatch, match=f"{partition}.{trigger}"):
        own_database.migrate()


def test_a_temporary_table_hides_nothing_from_the_walls(own_database: Database) -> None:
    """Without their own search path the functions would look into the client's temporary table."""
    fill(own_database)
    with own_database.write() as tx:
        tx.execute(text("CREATE TEMPORARY TABLE ledger_batches (height bigint)"))
        with pytest.raises(DBAPIError, match=r"ledger\.batch_closed"):
            tx.execute(text(f"INSERT INTO ledger_transfers {OLD}"))


@pytest.mark.parametrize(
    ("change", "function"),
    [
        ("ledger_batches_close() RESET search_path", "ledger_batches_close"),
        ("ledger_partition_cut() SECURITY INVOKER", "ledger_partition_cut"),
        ("store_immutable() SET search_path = pg_temp", "store_immutable"),
    ],
)
def test_a_function_that_acts_as_another_is_noticed(
    own_database: Database, change: str, function: str
) -> None:
    with own_database.write() as tx:
        tx.execute(text(f"ALTER FUNCTION {change}"))
    with pytest.raises(SchemaMismatch, match=rf"{function}\(\)"):
        own_database.migrate()


def undo_to(tx: Connection, floor: int) -> None:
    """What a rollback takes away of the batches, between its two steps."""
    head = tx.execute(text("SELECT MAX(height) FROM ledger_batches")).scalar_one()
    row = f"'r', 't', {floor}, {head}, 'requested', '', sha256('r'), 1, 'x', 0, 0, sha256('r'), 0"
    tx.execute(text(f"INSERT INTO ledger_rollbacks VALUES ({row})"))
    tx.execute(text("UPDATE ledger_rollbacks SET status = 'undoing'"))
    tx.execute(text("DELETE FROM ledger_batches WHERE height > :floor"), {"floor": floor})


def test_a_rollback_into_a_partition_reopens_it(own_database: Database) -> None:
    duty = Partitions(own_database, 1)
    fill(own_database)
    duty.step()
    for number in range(3):
        post(own_database, f"pay:{number}", single(ALICE, CAROL, "BTC", 1))
    duty.step()
    with own_database.read() as tx:
        first = [row for row in checkpoints(tx) if row[1] <= 4]
        assert [partition.last_height for partition in sealed(tx)] == [4, 7]
    with own_database.write() as tx:
        undo_to(tx, 6)
    with own_database.read() as tx:
        assert [partition.last_height for partition in sealed(tx)] == [4]
        assert checkpoints(tx) == first
    duty.step()  # the partition up to 7 has not all its heights: it is left
    with own_database.read() as tx:
        assert [partition.last_height for partition in sealed(tx)] == [4]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger_checkpoints WHERE height <= 4",
        "DELETE FROM ledger_partitions WHERE last_height <= 4",
    ],
)
def test_a_rollback_leaves_the_partitions_before_it(own_database: Database, statement: str) -> None:
    duty = Partitions(own_database, 1)
    fill(own_database)
    duty.step()
    post(own_database, "pay", single(ALICE, CAROL, "BTC", 1))
    duty.step()
    with own_database.write() as tx:
        undo_to(tx, 4)
        with pytest.raises(DBAPIError, match=r"store\.immutable"):
            tx.execute(text(statement))
