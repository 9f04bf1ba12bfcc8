"""Transactions, counters, units and migrations: the same promises on both engines."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from wallet.store import counters, migrate, walls
from wallet.store import database as store
from wallet.store.database import Database
from wallet.store.errors import BadDatabaseUrl, StoreBusy
from wallet.store.migrations import freeze, walls_0001_partitions, walls_0001_postgresql
from wallet.store.schema import metadata, thresholds
from wallet.store.types import BaseUnits, decode_units, encode_units, units_sum

UNITS_LIMIT = 10**78 - 1


PARTITIONS = {walls_0001_postgresql.OPEN_PARTITION}


class StopHere(Exception):
    """What goes wrong in the middle of a transaction."""


def stop_after(_step: object) -> None:
    raise StopHere


def threshold(asset: str, units: int) -> dict[str, object]:
    row: dict[str, object] = {"asset": asset, "mode": "absolute", "changed_by": "x"}
    return row | {"hot_min": units, "hot_target": 0, "hot_max": 0, "changed_s": 0}


def test_the_migrated_schema_is_the_one_the_code_knows(database: Database) -> None:
    with database.write() as tx:
        opts = {"compare_type": _types_differ, "include_name": _is_no_partition}
        context = MigrationContext.configure(tx, opts=opts)
        assert compare_metadata(context, metadata) == []


def _is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name not in PARTITIONS


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_frozen_tables_are_those_of_the_first_schema(dialect: str) -> None:
    """Until the first release `python -m wallet.store.migrations.freeze` brings them up to date."""
    frozen = freeze.frozen_file(dialect).read_text(encoding="utf-8")
    assert frozen == freeze.tables_sql(dialect)


def _types_differ(*types: object) -> bool | None:
    """BaseUnits is another column type on each engine; all other types are compared."""
    return False if any(isinstance(t, BaseUnits) for t in types) else None


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.write() as tx:
        counters.next_number(tx, "x")
    database.migrate()
    with database.read() as tx:
        assert counters.current(tx, "x") == 1


def test_an_exception_undoes_the_transaction(database: Database) -> None:
    with pytest.raises(StopHere), database.write() as tx:
        stop_after(counters.next_number(tx, "x"))
    with database.read() as tx:
        assert counters.current(tx, "x") == 0


def test_numbers_have_no_gaps(database: Database) -> None:
    with database.write() as tx:
        assert counters.next_number(tx, "x") == 1
        assert counters.reserve(tx, "x", 3) == 2
        assert counters.next_number(tx, "y") == 1
    with pytest.raises(StopHere), database.write() as tx:
        stop_after(counters.next_number(tx, "x"))
    with database.write() as tx:
        assert counters.next_number(tx, "x") == 5


def test_a_counter_is_raised_but_never_lowered(database: Database) -> None:
    with database.write() as tx:
        assert counters.raise_to(tx, "nonce", 7) == 7
        assert counters.raise_to(tx, "nonce", 3) == 7
        assert counters.next_number(tx, "nonce") == 8
        assert counters.raise_to(tx, "nonce", 8) == 8


def test_writing_in_a_reading_transaction_fails(database: Database) -> None:
    with pytest.raises(DBAPIError), database.read() as tx:
        counters.next_number(tx, "x")
    with database.write() as tx:
        assert counters.next_number(tx, "x") == 1


def test_a_reader_sees_one_moment(database: Database, reopen: Callable[[], Database]) -> None:
    other = reopen()
    with database.read() as reading:
        before = counters.current(reading, "x")
        with other.write() as tx:
            counters.next_number(tx, "x")
        assert counters.current(reading, "x") == before == 0
    with database.read() as reading:
        assert counters.current(reading, "x") == 1


def test_many_writers_get_different_numbers(
    database: Database, reopen: Callable[[], Database]
) -> None:
    taken: list[int] = []
    expected: list[int] = []

    def take(connections: Database) -> None:
        for _ in range(10):
            with connections.write() as tx:
                # Read, then write: only safe because writers come one after the other.
                before = counters.current(tx, "x")
                number = counters.next_number(tx, "x")
            expected.append(before + 1)
            taken.append(number)

    threads = [threading.Thread(target=take, args=(reopen(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(expected) == list(range(1, 41))


def test_a_writer_that_waits_too_long_is_told(
    database: Database, reopen: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_MS", 1000)
    monkeypatch.setattr(store, "_SQLITE_PRAGMAS", ("PRAGMA busy_timeout = 1",))
    impatient = reopen()
    with database.write(), pytest.raises(StoreBusy), impatient.write():
        pass
    with impatient.write() as tx:
        assert counters.next_number(tx, "x") == 1


KILLED = """
import os, signal, sys
from wallet.store import counters, migrate
from wallet.store.database import Database
with Database.open(sys.argv[1]).write() as tx:
    counters.next_number(tx, "x")
    if sys.argv[2] == "inside":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "expected"), [("inside", 0), ("after", 1)])
def test_a_killed_writer_leaves_all_or_nothing(
    database: Database, moment: str, expected: int
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-c", KILLED, url, moment], check=False)
    assert done.returncode == -signal.SIGKILL
    with database.write() as tx:
        assert counters.current(tx, "x") == expected


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_survives_power_loss_and_checks_keys(database: Database) -> None:
    with database.write() as tx:
        pragmas = {
            name: tx.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    expected = {"journal_mode": "wal", "synchronous": 2}
    assert pragmas == expected | {"foreign_keys": 1, "recursive_triggers": 1}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_commits_durably_and_waits_not_for_ever(database: Database) -> None:
    with database.write() as tx:
        assert tx.execute(text("SHOW synchronous_commit")).scalar() == "on"
        assert tx.execute(text("SHOW lock_timeout")).scalar() == "30s"


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://host/x", "nonsense", "", "postgresql"],
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(BadDatabaseUrl):
        Database.open(url)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(BadDatabaseUrl) as caught:
        Database.open("mysql://me:secret@host/x")
    assert "secret" not in str(caught.value)


def test_a_database_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "wallet.sqlite"
    database = Database.open(f"sqlite:///{path}")
    database.migrate()
    database.close()
    assert path.stat().st_mode & 0o077 == 0


@given(left=st.integers(-UNITS_LIMIT, UNITS_LIMIT), right=st.integers(-UNITS_LIMIT, UNITS_LIMIT))
def test_units_as_text_sort_as_numbers(left: int, right: int) -> None:
    assert decode_units(encode_units(left)) == left
    assert (encode_units(left) < encode_units(right)) == (left < right)


@pytest.mark.parametrize("value", [10**78, -(10**78)])
def test_units_that_do_not_fit_are_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        encode_units(value)


@pytest.mark.parametrize("value", [0, 1, -1, 2**63, 2**256 - 1, UNITS_LIMIT])
def test_units_come_back_exactly(database: Database, value: int) -> None:
    with database.write() as tx:
        tx.execute(insert(thresholds).values(threshold("BTC", value)))
        assert tx.execute(select(thresholds.c.hot_min)).scalar_one() == value


def test_units_are_summed_and_compared_exactly(database: Database) -> None:
    values = (5, 2**200, 2**200 + 1)
    with database.write() as tx:
        assert tx.execute(select(units_sum(thresholds.c.hot_min))).scalar() is None
        for number, value in enumerate(values):
            tx.execute(insert(thresholds).values(threshold(f"A{number}", value)))
        assert tx.execute(select(units_sum(thresholds.c.hot_min))).scalar_one() == sum(values)
        above = select(thresholds.c.asset).where(thresholds.c.hot_min > 2**200)
        assert tx.execute(above).scalars().all() == ["A2"]
        ordered = select(thresholds.c.hot_min).order_by(thresholds.c.hot_min.desc())
        assert tx.execute(ordered).scalars().all() == sorted(values, reverse=True)


def test_every_wall_of_postgresql_is_one_that_the_check_at_start_understands() -> None:
    """A function without a search path of its own could be made to look into other tables."""
    expected = walls._expected_postgresql([])
    built = [wall.split() for wall in walls.statements("postgresql")]
    functions = {words[2] for words in built if words[:2] == ["CREATE", "FUNCTION"]}
    triggers = {words[2] for words in built if words[:2] == ["CREATE", "TRIGGER"]}
    assert functions - set(expected) == set()
    assert triggers - {name.rpartition(".")[2] for name in expected} == set()


def test_sealing_a_partition_takes_the_lock_of_the_one_writer() -> None:
    assert walls_0001_partitions.WRITER_LOCK == store.WRITER_LOCK


def test_the_newest_revision_is_the_one_we_name(database: Database) -> None:
    with database.read() as tx:
        script = ScriptDirectory.from_config(migrate.config_for(tx))

    assert [migrate.HEAD] == script.get_heads()
