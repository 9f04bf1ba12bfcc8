"""Connections and transactions; the same promises on SQLite and PostgreSQL.

`write()` admits one writer at a time on both engines, so what a transaction has read stays true
until it commits: no lock order to get wrong, no deadlock. Never do network I/O inside it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from wallet.store import migrate, moved, walls
from wallet.store.errors import (
    BadDatabaseUrl,
    NotAllowed,
    PasswordInUrl,
    SchemaMismatch,
    StoreBusy,
)
from wallet.store.types import UnitsTotal, add_units, subtract_units

BUSY_MS = 30_000
"""How long a writer waits for another before StoreBusy."""

CONNECTIONS = 30
"""Connections to PostgreSQL that a process opens as it needs them and keeps: a new one takes as
long as ten short transactions, so none is closed because for a moment nobody has use for it."""

FORBIDDEN = "42501"
"""PostgreSQL's insufficient_privilege."""

WRITER_LOCK = 0x676C6179746F73
"""PostgreSQL advisory lock of the one writer ("glaytos")."""

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit survives power loss
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # else REPLACE deletes rows behind the delete triggers
    "PRAGMA trusted_schema = ON",  # the triggers call our units_* functions
    f"PRAGMA busy_timeout = {BUSY_MS}",
)


class Database:
    """One database; `tx` is a SQLAlchemy Connection with an open transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str) -> "Database":
        """Connect to "sqlite:///path" or "postgresql://...". Raises BadDatabaseUrl."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise BadDatabaseUrl("expected sqlite:///path or postgresql://host/name") from error
        if parsed.get_backend_name() == "sqlite":
            return cls(_sqlite_engine(parsed))
        if parsed.get_backend_name() == "postgresql":
            return cls(_postgresql_engine(parsed))
        raise BadDatabaseUrl(
            f"got {parsed.get_backend_name()}, expected sqlite:///path or postgresql://host/name"
        )

    @property
    def dialect(self) -> str:
        """The engine's name: "sqlite" or "postgresql"."""
        return self.engine.dialect.name

    def migrate(self) -> None:
        """Bring the schema to this version, then check that all walls stand.

        Raises SchemaMismatch when a table or trigger is missing or was changed, and when the
        schema is not of this version and this login may not change it; DatabaseMoved.
        """
        with self.read() as tx:
            moved.check(tx)
            current = migrate.is_current(tx)
        if not current:
            try:
                with self.write() as tx:
                    migrate.upgrade(tx)
            except NotAllowed as error:
                raise SchemaMismatch(
                    "got a schema that is not of this version and no right to change it, "
                    "expected the owner first: glaytos-wallet database migrate"
                ) from error
        with self.read() as tx:
            walls.check(tx)

    @contextmanager
    def write(self, *, moving: bool = False) -> Iterator[Connection]:
        """A writing transaction: commits at the end, rolls back on any exception.

        `moving`: also where the database was moved away. Raises StoreBusy when another writer does
        not finish in time, DatabaseMoved, NotAllowed.
        """
        with self._writing(moving=moving) as tx:
            if self.dialect == "postgresql":
                tx.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": WRITER_LOCK})
            yield tx

    @contextmanager
    def beside(self) -> Iterator[Connection]:
        """A writing transaction beside the writer's: only for rows that no writer touches.

        PostgreSQL; SQLite has one writer whatever is written. Raises as `write`.
        """
        with self._writing(moving=False) as tx:
            yield tx

    @contextmanager
    def _writing(self, *, moving: bool) -> Iterator[Connection]:
        with self.engine.connect() as plain:
            tx = plain.execution_options(glaytos_mode="write")
            try:
                with tx.begin():
                    if not moving:
                        moved.check(tx)
                    yield tx
            except OperationalError as error:
                if _is_busy(error):
                    raise StoreBusy(
                        "another writer held the database too long, try again"
                    ) from error
                raise
            except ProgrammingError as error:
                if getattr(error.orig, "sqlstate", None) == FORBIDDEN:
                    raise NotAllowed(
                        f"got {error.orig}, expected a login in a role that may: "
                        "glaytos-wallet database roles"
                    ) from error
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A reading transaction over one consistent snapshot; writing in it fails."""
        options: dict[str, Any] = {"glaytos_mode": "read"}
        if self.dialect == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect() as plain:
            tx = plain.execution_options(**options)
            with tx.begin():
                yield tx

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def refuse_password(url: str) -> None:
    """For URLs out of a command line. Raises PasswordInUrl; libpq finds passwords by itself."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadDatabaseUrl("expected sqlite:///path or postgresql://host/name") from error
    if parsed.password or "password" in parsed.query:
        raise PasswordInUrl(
            "got a password on the command line, expected none: put it into ~/.pgpass or into a "
            "file named by ?passfile=FILE, which only you can read"
        )


def _is_busy(error: OperationalError) -> bool:
    """SQLITE_BUSY, or PostgreSQL's lock_not_available."""
    cause = error.orig
    return getattr(cause, "sqlstate", None) == "55P03" or "database is locked" in str(cause)


def _sqlite_engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise BadDatabaseUrl("got SQLite in memory, expected a file: sqlite:///path")
    path = Path(url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)  # SQLite gives its side files the same mode
    engine = create_engine(url, connect_args={"timeout": BUSY_MS // 1000})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver's own transaction guessing is off; "begin" below says BEGIN itself.
        connection.isolation_level = None
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(pragma)
        connection.create_function("units_add", 2, add_units, deterministic=True)
        connection.create_function("units_sub", 2, subtract_units, deterministic=True)
        connection.create_aggregate("units_sum", 1, UnitsTotal)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("glaytos_mode") == "write"
        driver: Any = connection.connection.driver_connection
        # Neither of a reader's two can fail; a writer's BEGIN may find the database busy.
        driver.execute(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
        if writing:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            driver.execute("BEGIN")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    settings = f"-c lock_timeout={BUSY_MS} -c synchronous_commit=on -c timezone=UTC"
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"options": settings},
        pool_pre_ping=True,
        pool_size=CONNECTIONS,
        max_overflow=0,
    )
