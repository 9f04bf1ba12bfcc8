"""Least privilege on a real server: each role tries what it must not do, and does what it must."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, make_url, select, text, update
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.payments_world import Keep, World, outside_address
from wallet.cli import database as command
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.partitions import Partitions, sealed
from wallet.ledger.posting import Transfer, post_batch, single
from wallet.store import roles
from wallet.store.database import Database
from wallet.store.errors import BadDatabaseUrl, NotAllowed, PasswordInUrl, SchemaMismatch
from wallet.store.roles import BadPrefix, Role
from wallet.store.schema import idempotency, ledger_balances, metadata

NOW_S = 1_700_000_000
HELD = str(UUID(int=1_000_000))
ALICE = chart.user("alice")


class Served:
    """A migrated database with roles, and a login in each of them."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.prefix = prefix

    def login(self, role: Role) -> str:
        return f"{self.prefix}_{role}_login"

    def url_as(self, role: Role) -> str:
        url = make_url(self.url).set(username=self.login(role))
        return url.render_as_string(hide_password=False)

    def open(self, role: Role) -> Database:
        return Database.open(self.url_as(role))


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    server = request.getfixturevalue("postgres")
    name = f"roles_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name} TEMPLATE model")
    served = Served(server.named(name), f"p{uuid4().hex[:12]}")
    admin = Database.open(served.url)
    fill(admin)
    for _ in range(2):  # applying twice is applying once
        with admin.write() as tx:
            roles.apply(tx, served.prefix)
    for role in Role:
        server.run(f"CREATE ROLE {served.login(role)} LOGIN IN ROLE {served.prefix}_{role}")
    owner = f"{served.prefix}_owner"
    server.run(f"ALTER ROLE {served.login(Role.OWNER)} SET role = {owner}")
    yield served
    admin.close()
    server.run(f"DROP DATABASE {name} WITH (FORCE)")
    for role in Role:
        server.run(f"DROP ROLE {served.login(role)}", f"DROP ROLE {served.prefix}_{role}")


def fill(database: Database) -> None:
    with database.write() as tx:
        start = [single(chart.DEPOSIT, ALICE, "BTC", 100)]
        post_batch(tx, "start", start, NOW_S)
        held = Transfer.hold(id=HELD, debit=ALICE, credit=chart.user("bob"), asset="BTC", units=30)
        post_batch(tx, "hold", [held], NOW_S)
        append_event(tx, "deposit.seen", "1", {}, NOW_S)
    Partitions(database, 1).step()


LEDGER = sorted(name for name in metadata.tables if roles.is_ledger(name))
APPENDED = sorted(roles.APPENDED)
NOT_THE_OWNER = [role for role in Role if role is not Role.OWNER]
WRITTEN = [*LEDGER, "events", "ledger_transfers_to_2", "ledger_transfers_open"]


def column_of(table: str) -> str:
    known = metadata.tables.get(table, metadata.tables["ledger_transfers"])
    return next(iter(known.c)).name


def forbidden(role: Role) -> list[str]:
    """Statements that a role must not get through, whatever the walls say."""
    found = [f"DELETE FROM {table}" for table in WRITTEN]
    found += [f"TRUNCATE {table} CASCADE" for table in WRITTEN]
    found += [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in WRITTEN]
    found += [f"DROP TABLE {table} CASCADE" for table in WRITTEN]
    found += [
        f"CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION store_immutable()"
        for table in WRITTEN
    ]
    found += [f"UPDATE {table} SET {column_of(table)} = NULL" for table in WRITTEN]
    found += [f"INSERT INTO {table} DEFAULT VALUES" for table in sorted(roles.SEALED)]
    found += ["INSERT INTO ledger_transfers_to_2 DEFAULT VALUES"]
    found += ["CREATE TABLE mine (id integer)", "SET session_replication_role = replica"]
    found += ["ALTER FUNCTION ledger_batches_close() RESET search_path"]
    found += ["DROP FUNCTION store_immutable() CASCADE", "DELETE FROM deposits"]
    found += ["UPDATE alembic_version SET version_num = '0'", "CREATE ROLE another"]
    found += ["UPDATE ledger_holds SET units = 1", "UPDATE ledger_balances SET account = 1"]
    found += [
        "UPDATE ledger_balances SET may_go_negative = 1",
        "UPDATE ledger_totals SET asset = ''",
    ]
    if role in (Role.API, Role.READER):
        found += [f"INSERT INTO {table} DEFAULT VALUES" for table in LEDGER]
        found += ["INSERT INTO ledger_transfers_open DEFAULT VALUES"]
        found += ["UPDATE ledger_balances SET credits = 0", "UPDATE ledger_totals SET credits = 0"]
        found += ["UPDATE ledger_holds SET ended_height = 1", "DELETE FROM blocks"]
        found += ["SELECT ledger_partition_cut()", "SELECT ledger_partition_finish()"]
        found += ["CREATE TEMPORARY TABLE mine (id integer)"]
    if role is Role.READER:
        others = set(metadata.tables) - roles.READ - set(LEDGER)
        found += [f"SELECT 1 FROM {table}" for table in sorted(others)]
        found += [f"INSERT INTO {table} DEFAULT VALUES" for table in sorted(metadata.tables)]
        found += [f"DELETE FROM {table}" for table in sorted(metadata.tables)]
    return found


@pytest.mark.parametrize("role", NOT_THE_OWNER)
def test_a_role_is_refused_what_it_need_not_do(served: Served, role: Role) -> None:
    database = served.open(role)
    got_through = []
    for statement in forbidden(role):
        try:
            with database.write() as tx:
                tx.exec_driver_sql(statement)
        except NotAllowed:
            continue
        except DBAPIError:
            pass
        got_through.append(statement)
    database.close()
    assert got_through == []


def test_the_service_role_posts_seals_and_takes_its_events(served: Served) -> None:
    database = served.open(Role.SERVICE)
    database.migrate()
    with database.write() as tx:
        paid = [single(ALICE, chart.user(f"payee-{number}"), "BTC", 1) for number in range(3)]
        post_batch(tx, "pay", paid, NOW_S)
        post_batch(tx, "void", [Transfer.void(hold_id=HELD)], NOW_S)
        append_event(tx, "deposit.credited", "1", {}, NOW_S)
    Partitions(database, 1).step()
    with database.read() as tx:
        assert balance(tx, ALICE, "BTC").available == 97
        head = tx.execute(text("SELECT MAX(height) FROM ledger_batches")).scalar()
        assert sealed(tx)[-1].last_height == head
    with database.write() as tx:
        post_batch(tx, "next", [single(ALICE, chart.user("bob"), "BTC", 1)], NOW_S)
    with pytest.raises(NotAllowed, match="permission denied"), database.write() as tx:
        tx.execute(text(f"INSERT INTO ledger_transfers_to_{head} DEFAULT VALUES"))
    database.migrate()
    database.close()


def test_money_lives_its_life_under_the_service_role(served: Served) -> None:
    keep = Keep()
    world = World(served.open(Role.SERVICE), keep)
    user = world.account("roles")
    world.deposit(user, "BTC", 5_000_000)
    world.withdraw(user, "BTC", outside_address(1), 100_000, "w-roles")
    for _ in range(6):
        world.work()
        keep.btc.mine()
    with world.database.read() as tx:
        status = tx.execute(text("SELECT status FROM withdrawals")).scalars().all()
    assert status == ["completed"]
    world.database.close()


def test_the_api_role_reads_the_ledger_and_writes_what_is_asked(served: Served) -> None:
    database = served.open(Role.API)
    row: dict[str, object] = {"key_id": "k", "idempotency_key": "i", "request_hash": b"x" * 32}
    row |= {"status_code": 200, "response": "{}", "created_s": 1}
    with database.write() as tx:
        tx.execute(insert(idempotency).values(row))
        tx.execute(update(idempotency).values(status_code=201))
        tx.execute(idempotency.delete())
        append_event(tx, "webhook.created", "1", {}, NOW_S)
        assert balance(tx, ALICE, "BTC").net > 0
    with pytest.raises(NotAllowed, match="permission denied"), database.write() as tx:
        post_batch(tx, "api", [single(ALICE, chart.user("bob"), "BTC", 1)], NOW_S)
    database.close()


def test_the_reader_reads_the_ledger(served: Served) -> None:
    database = served.open(Role.READER)
    database.migrate()
    with database.read() as tx:
        assert tx.execute(select(ledger_balances)).all()
    database.close()


def test_the_owner_can_migrate_and_apply_again(served: Served) -> None:
    database = served.open(Role.OWNER)
    with database.write() as tx:
        tx.execute(text("CREATE TABLE mine (id integer)"))
        tx.execute(text("ALTER TABLE ledger_batches DISABLE TRIGGER USER"))
        tx.execute(text("ALTER TABLE ledger_batches ENABLE TRIGGER USER"))
        tx.execute(text("DROP TABLE mine"))
    database.migrate()
    database.close()


def test_an_older_schema_is_left_to_the_owner(served: Served) -> None:
    admin = Database.open(served.url)
    with admin.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    service = served.open(Role.SERVICE)
    try:
        with admin.write() as tx:
            tx.execute(text("DELETE FROM alembic_version"))
        with pytest.raises(SchemaMismatch, match="database migrate"):
            service.migrate()
    finally:
        with admin.write() as tx:
            tx.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
        service.close()
        admin.close()


def test_rows_are_deleted_only_where_the_service_may() -> None:
    """A `delete(table)` in the service needs the table among `roles.FORGOTTEN`."""
    deleted = set()
    for path in (ROOT / "wallet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="delete"), args=[ast.Name(id=table)]):
                    deleted.add(table)
    assert {name for name in deleted if name in metadata.tables} - {"moved_to"} <= roles.FORGOTTEN
    assert "moved_to" in deleted  # on SQLite only, which has no roles


def settings_for(url: str, folder: Path) -> Path:
    example = (ROOT / "config" / "example.toml").read_text(encoding="utf-8")
    path = folder / "wallet.toml"
    path.write_text(example.replace("sqlite:///../.data/wallet.sqlite", url), encoding="utf-8")
    return path


def test_the_command_prints_what_it_would_apply(served: Served, tmp_path: Path) -> None:
    config = settings_for(served.url_as(Role.SERVICE), tmp_path)
    base = ["roles", "--config", str(config), "--prefix", served.prefix]
    printed = CliRunner().invoke(command.app, base)
    assert printed.stdout.startswith("BEGIN;\n")
    admin = ["--url", served.url, "--apply", "--json"]
    told = CliRunner().invoke(command.app, [*base, *admin], catch_exceptions=False)
    rights = json.loads(told.stdout)["roles"]
    assert rights[f"{served.prefix}_service"]["ledger_transfers"] == ["SELECT", "INSERT"]
    assert rights[f"{served.prefix}_api"]["ledger_balances"] == ["SELECT"]
    denied = CliRunner().invoke(command.app, [*base, "--apply"])
    assert isinstance(denied.exception, NotAllowed)


def test_the_command_shows_partitions_and_migrates(served: Served, tmp_path: Path) -> None:
    config = settings_for(served.url_as(Role.READER), tmp_path)
    base = ["--config", str(config)]
    told = CliRunner().invoke(command.app, ["partitions", *base, "--json"], catch_exceptions=False)
    assert json.loads(told.stdout)[0] == {"first_height": 1, "last_height": 2, "transfers": 2}
    shown = CliRunner().invoke(command.app, ["partitions", *base], catch_exceptions=False)
    assert "sealed partitions" in shown.stdout
    migrated = CliRunner().invoke(command.app, ["migrate", *base], catch_exceptions=False)
    assert migrated.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--url", "postgresql://me:secret@host/x", "--apply"], PasswordInUrl),
        (["--url", "postgresql://host/x?password=secret", "--apply"], PasswordInUrl),
        (["--url", "sqlite:///x.sqlite", "--apply"], BadDatabaseUrl),
        (["--url", "nonsense", "--apply"], BadDatabaseUrl),
        (["--prefix", "a; DROP"], BadPrefix),
        (["--prefix", ""], BadPrefix),
    ],
)
def test_the_command_refuses(
    arguments: list[str], error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command.app, ["roles", *arguments])
    assert isinstance(done.exception, error)
    assert "secret" not in str(done.exception) + done.output
