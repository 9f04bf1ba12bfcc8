"""Moving from SQLite to PostgreSQL: whole or not at all, and never two homes to go on with."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.fakes import FakeClock
from tests.payments_world import Keep, World, outside_address
from wallet import moving
from wallet.cli.migrate_to import app
from wallet.events import EventChainBroken, append_event
from wallet.leases import LEASE_S, Leases
from wallet.ledger import chart
from wallet.ledger.partitions import Partitions, sealed
from wallet.ledger.posting import Transfer, post_batch, single
from wallet.moving import Move, Moved, MoveDiffers, MoveRefused, SourceInUse, TargetNotEmpty
from wallet.store import copying, moved
from wallet.store import database as store
from wallet.store.copying import RowRefused
from wallet.store.database import Database
from wallet.store.errors import DatabaseMoved, PasswordInUrl, SchemaMismatch, StoreBusy
from wallet.store.schema import metadata

NOW_S = 1_700_000_000
ALICE, BOB = chart.user("alice"), chart.user("bob")


@dataclass(frozen=True)
class Homes:
    """A SQLite file in which money has lived, and a PostgreSQL database without a table."""

    old_url: str
    new_url: str

    def move(self, **changes: object) -> Moved:
        return self.with_move(Move.run, **changes)

    def give_up(self) -> None:
        self.with_move(Move.give_up)

    def with_move(self, act: Callable[[Move], object], **changes: object) -> Moved:
        source, target = Database.open(self.old_url), Database.open(self.new_url)
        parts: dict[str, object] = {"source": source, "target": target, "clock": FakeClock(NOW_S)}
        parts |= {"home": moved.home_name(self.new_url), "progress": lambda *_: None} | changes
        try:
            return act(Move(**parts))  # type: ignore[arg-type, return-value]
        finally:
            source.close()
            target.close()

    def rows(self, url: str) -> dict[str, list[tuple[object, ...]]]:
        database = Database.open(url)
        with database.read() as tx:
            found = {t.name: rows_of(tx, t.name) for t in copying.moving_tables()}
        database.close()
        return found

    def old(self) -> dict[str, list[tuple[object, ...]]]:
        return self.rows(self.old_url)

    def new(self) -> dict[str, list[tuple[object, ...]]]:
        return self.rows(self.new_url)

    def is_new_empty(self) -> bool:
        database = Database.open(self.new_url)
        with database.read() as tx:
            names = tx.execute(text("SELECT COUNT(*) FROM pg_class WHERE relname = 'events'"))
            found = int(names.scalar_one())
        database.close()
        return found == 0


def rows_of(tx: Connection, table: str) -> list[tuple[object, ...]]:
    return sorted((tuple(row) for row in tx.execute(metadata.tables[table].select())), key=repr)


@pytest.fixture(scope="module")
def lived(sqlite_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deposits, a payment, holds open and ended, large numbers, odd letters."""
    path = tmp_path_factory.mktemp("lived") / "wallet.sqlite"
    shutil.copy(sqlite_model, path)
    database = Database.open(f"sqlite:///{path}")
    keep = Keep()
    world = World(database, keep)
    user = world.account("alice")
    world.deposit(user, "BTC", 5_000_000)
    world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    for _ in range(6):
        world.work()
        keep.btc.mine()
    with database.write() as tx:
        post_batch(tx, "large", [single(chart.DEPOSIT, ALICE, "ETH", 10**60)], NOW_S)
        for number in range(2):
            id = str(uuid4())
            held = Transfer.hold(id=id, debit=ALICE, credit=BOB, asset="ETH", units=7)
            post_batch(tx, f"held:{number}", [held], NOW_S)
        append_event(tx, "odd", "a\tb\\n\nü", {"of": "\\.\t☃"}, NOW_S)
        post_batch(tx, "void", [Transfer.void(hold_id=id)], NOW_S)
    database.close()
    return path


@pytest.fixture
def homes(request: pytest.FixtureRequest, lived: Path, tmp_path: Path) -> Iterator[Homes]:
    server = request.getfixturevalue("postgres")
    name = f"home_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name}")
    path = tmp_path / "old.sqlite"
    shutil.copy(lived, path)
    yield Homes(f"sqlite:///{path}", server.named(name))
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_whole_life_moves_row_by_row(homes: Homes) -> None:
    before = homes.old()
    told: list[tuple[str, int, int]] = []
    done = homes.move(progress=lambda *step: told.append(step))
    assert homes.new() == before == homes.old()
    assert done.rows == {name: len(rows) for name, rows in before.items()}
    assert len(before["withdrawals"]) == len(before["utxos"][:1]) == 1
    total = sum(done.rows.values())
    assert sum(more for doing, more, _ in told if doing == "copying") == total
    assert {step[2] for step in told} == {total}


def test_the_new_home_goes_on_where_the_old_one_ended(homes: Homes) -> None:
    done = homes.move()
    database = Database.open(homes.new_url)
    database.migrate()
    with database.write() as tx:
        posted = post_batch(tx, "next", [single(chart.DEPOSIT, BOB, "ETH", 1)], NOW_S)
        assert posted.height == done.head.height + 1
    Partitions(database, 1).step()
    with database.read() as tx:
        assert sealed(tx)[0].last_height == posted.height
    database.close()


def test_the_old_home_refuses_whoever_goes_on_with_it(homes: Homes) -> None:
    running = Database.open(homes.old_url)  # as a process that was there before
    homes.move()
    with pytest.raises(DatabaseMoved, match="was moved to postgresql://"), running.write():
        pass
    with pytest.raises(DatabaseMoved, match="set database_url") as caught:
        running.migrate()
    assert caught.value.details == {"home": moved.home_name(homes.new_url)}
    running.close()
    with pytest.raises(DatabaseMoved):
        homes.move()
    with pytest.raises(MoveRefused, match="no move"):
        homes.give_up()


def test_a_home_is_named_without_its_secrets() -> None:
    url = "postgresql+psycopg://me:secret@db.example:5433/wallet?passfile=/x&sslmode=require"
    assert moved.home_name(url) == "postgresql://db.example/wallet"


KILLED = """
import sys
from wallet.clock import SystemClock
from wallet.milestones import kill_at
from wallet.moving import Move
from wallet.store.database import Database
from wallet.store.moved import home_name
Move(
    source=Database.open(sys.argv[1]),
    target=Database.open(sys.argv[2]),
    home=home_name(sys.argv[2]),
    clock=SystemClock(),
    progress=lambda *_: None,
    milestone=kill_at(sys.argv[3]),
).run()
"""


def move_killed_at(homes: Homes, moment: str) -> None:
    command = [sys.executable, "-c", KILLED, homes.old_url, homes.new_url, moment]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("moment", "is_empty"),
    [
        ("move.marked", True),
        ("move.copied", True),
        ("move.checked", True),
        ("move.committed", False),
    ],
)
def test_killed_at_any_moment_the_new_home_is_empty_or_whole(
    homes: Homes, moment: str, is_empty: bool
) -> None:
    move_killed_at(homes, moment)
    old = Database.open(homes.old_url)
    with pytest.raises(DatabaseMoved, match="begun and not seen to end"):
        old.migrate()
    old.close()
    assert homes.is_new_empty() == is_empty
    homes.move()
    assert homes.new() == homes.old()
    with pytest.raises(DatabaseMoved):
        homes.move()


def test_a_move_that_was_begun_can_be_given_up(homes: Homes) -> None:
    move_killed_at(homes, "move.copied")
    homes.give_up()
    old = Database.open(homes.old_url)
    old.migrate()
    with old.write() as tx:
        post_batch(tx, "next", [single(chart.DEPOSIT, BOB, "ETH", 1)], NOW_S)
    old.close()
    homes.move()


def test_a_move_that_was_made_cannot_be_given_up(homes: Homes) -> None:
    move_killed_at(homes, "move.committed")
    with pytest.raises(TargetNotEmpty, match="the move was made"):
        homes.give_up()


def test_a_move_that_was_begun_goes_to_no_other_home(homes: Homes) -> None:
    move_killed_at(homes, "move.marked")
    with pytest.raises(DatabaseMoved):
        homes.move(home="postgresql://elsewhere/wallet")
    with pytest.raises(MoveRefused):
        homes.with_move(Move.give_up, home="postgresql://elsewhere/wallet")


def test_a_service_at_work_is_not_moved(homes: Homes) -> None:
    old = Database.open(homes.old_url)
    Leases(old, FakeClock(NOW_S), "holder").take("treasury")
    with pytest.raises(SourceInUse, match="treasury"):
        homes.move()
    old.migrate()  # no mark was left
    old.close()
    homes.move(clock=FakeClock(NOW_S + LEASE_S))


def test_somebody_who_writes_is_not_pushed_aside(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Database.open(homes.old_url)
    monkeypatch.setattr(store, "_SQLITE_PRAGMAS", ("PRAGMA busy_timeout = 1",))
    with old.write(), pytest.raises(StoreBusy):
        homes.move()
    old.close()


def test_a_home_with_rows_is_no_new_home(homes: Homes) -> None:
    new = Database.open(homes.new_url)
    new.migrate()
    with new.write() as tx:
        post_batch(tx, "theirs", [single(chart.DEPOSIT, ALICE, "BTC", 1)], NOW_S)
    before = homes.new()
    with pytest.raises(TargetNotEmpty, match="not those of the old home"):
        homes.move()
    assert homes.new() == before
    new.close()


def test_a_home_shared_with_others_is_no_new_home(homes: Homes) -> None:
    new = Database.open(homes.new_url)
    with new.write() as tx:
        tx.execute(text("CREATE TABLE theirs (id integer)"))
    with pytest.raises(TargetNotEmpty, match="other tables, theirs"):
        homes.move()
    new.close()


def test_a_migrated_home_without_rows_is_a_new_home(homes: Homes) -> None:
    new = Database.open(homes.new_url)
    new.migrate()
    new.close()
    homes.move()
    assert homes.new() == homes.old()


@pytest.mark.parametrize("which", ["old", "new"])
def test_homes_of_another_version_are_refused(homes: Homes, which: str) -> None:
    database = Database.open(homes.old_url if which == "old" else homes.new_url)
    database.migrate()
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(SchemaMismatch, match="another version"):
        homes.move()
    database.close()


def test_an_old_home_without_its_walls_is_refused(homes: Homes) -> None:
    old = Database.open(homes.old_url)
    with old.write() as tx:
        tx.execute(text("DROP TRIGGER ledger_batches_no_update"))
    with pytest.raises(SchemaMismatch, match="ledger_batches_no_update"):
        homes.move()
    old.close()


def test_only_a_file_moves_and_only_to_postgresql(homes: Homes) -> None:
    with pytest.raises(MoveRefused, match="from postgresql to sqlite"):
        Homes(homes.new_url, homes.old_url).move()


def test_a_row_that_postgresql_cannot_hold_is_named(homes: Homes) -> None:
    old = Database.open(homes.old_url)
    with old.write() as tx:
        tx.execute(text("UPDATE accounts SET external_id = 'a' || char(0)"))
    old.close()
    with pytest.raises(RowRefused, match="accounts"):
        homes.move()
    assert homes.is_new_empty()


def test_a_row_that_arrives_changed_ends_the_move(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_rows = copying.copy_rows

    def copy_badly(old: Connection, new: Connection, table: object, told: object) -> object:
        digest = copy_rows(old, new, table, told)  # type: ignore[arg-type]
        if table is metadata.tables["ledger_balances"]:
            statement = "UPDATE ledger_balances SET credits = credits + 1 WHERE account = 2"
            new.execute(text(statement))
        return digest

    monkeypatch.setattr(copying, "copy_rows", copy_badly)
    with pytest.raises(MoveDiffers, match="of ledger_balances"):
        homes.move()
    assert homes.is_new_empty()


def test_heads_that_differ_end_the_move(homes: Homes, monkeypatch: pytest.MonkeyPatch) -> None:
    head = moving._head

    def head_badly(tx: Connection) -> moving.Head:
        found = head(tx)
        return replace(found, height=10**6) if tx.dialect.name == "postgresql" else found

    monkeypatch.setattr(moving, "_head", head_badly)
    with pytest.raises(MoveDiffers, match="got height 1000000"):
        homes.move()
    assert homes.is_new_empty()


def past_the_wall(database: Database, trigger: str, statement: str) -> None:
    """What somebody with the file in his hands can do, and hide."""
    with database.write() as tx:
        wall = text("SELECT sql FROM sqlite_master WHERE name = :name")
        built = tx.execute(wall, {"name": trigger}).scalar_one()
        tx.execute(text(f"DROP TRIGGER {trigger}"))
        tx.execute(text(statement))
        tx.exec_driver_sql(built)


@pytest.mark.parametrize(
    ("trigger", "statement", "error", "words"),
    [
        (
            "ledger_totals_guard",
            "UPDATE ledger_totals SET debits = units_add(debits, debits) WHERE kind = 'asset'",
            MoveDiffers,
            "sums of BTC, ETH that are not zero",
        ),
        (
            "events_no_update",
            "UPDATE events SET subject = 'another' WHERE type = 'odd'",
            EventChainBroken,
            "",
        ),
    ],
)
def test_books_that_contradict_themselves_stay_where_they_are(
    homes: Homes, trigger: str, statement: str, error: type[Exception], words: str
) -> None:
    old = Database.open(homes.old_url)
    past_the_wall(old, trigger, statement)
    old.close()
    with pytest.raises(error, match=words):
        homes.move()
    assert homes.is_new_empty()


def settings_for(url: str, folder: Path) -> Path:
    example = (ROOT / "config" / "example.toml").read_text(encoding="utf-8")
    path = folder / "wallet.toml"
    path.write_text(example.replace("sqlite:///../.data/wallet.sqlite", url), encoding="utf-8")
    return path


def test_the_command_moves_and_tells(homes: Homes, tmp_path: Path) -> None:
    config = ["--config", str(settings_for(homes.old_url, tmp_path))]
    refused = CliRunner().invoke(app, [homes.new_url, *config, "--give-up"])
    assert isinstance(refused.exception, MoveRefused)
    told = CliRunner().invoke(app, [homes.new_url, *config, "--json"], catch_exceptions=False)
    answer = json.loads(told.stdout)
    before = homes.old()
    assert answer["height"] == len(before["ledger_batches"])
    assert answer["rows"] == {name: len(rows) for name, rows in before.items()}


def test_the_command_takes_no_password(homes: Homes, tmp_path: Path) -> None:
    config = ["--config", str(settings_for(homes.old_url, tmp_path))]
    done = CliRunner().invoke(app, ["postgresql://me:secret@localhost/x", *config])
    assert isinstance(done.exception, PasswordInUrl)
    assert "secret" not in done.output + str(done.exception)
