"""The mark of an embedded database that was moved to another home: nobody writes to it any more.

It is set before the new home gets anything, so that there are never two ledgers to go on with: a
move that was cut off leaves a mark that says so, and can be made again or given up.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, make_url, select, text, update

from wallet.store.errors import DatabaseMoved
from wallet.store.tables.moves import moved_to

# Told without a table, so that it costs a write nothing and holds before any migration.
_MARK, _UNMARK = text("PRAGMA user_version = 1"), text("PRAGMA user_version = 0")
_MARKED = "PRAGMA user_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A new home, and when the move was begun and ended; Unix seconds."""

    name: str
    begun_s: int
    ended_s: int | None


def home_name(url: str) -> str:
    """A database's URL without user, password and options: enough to find it, nothing secret."""
    parsed = make_url(url)
    host = parsed.host or str(parsed.query.get("host", ""))
    return f"{parsed.get_backend_name()}://{host}/{parsed.database or ''}"


def home_of(tx: Connection) -> Home | None:
    """Where an embedded database was moved to; None where it was not."""
    if not tx.exec_driver_sql(_MARKED).scalar():
        return None
    row = tx.execute(select(moved_to)).one()
    return Home(name=row.home, begun_s=row.begun_s, ended_s=row.ended_s)


def check(tx: Connection) -> None:
    """Raise DatabaseMoved where an embedded database is no home any more."""
    if tx.dialect.name != "sqlite" or (home := home_of(tx)) is None:
        return
    if home.ended_s is None:
        raise DatabaseMoved(
            f"got a database whose move to {home.name} was begun and not seen to end, expected "
            "the move to be made again (glaytos-wallet migrate-to) or given up (--give-up)",
            {"home": home.name},
        )
    raise DatabaseMoved(
        f"got a database that was moved to {home.name}, expected its new home: set database_url "
        "to it, and keep this file as it is",
        {"home": home.name},
    )


def begin(tx: Connection, home: str, now_s: int) -> None:
    """Set the mark."""
    tx.execute(insert(moved_to).values(id=1, home=home, begun_s=now_s, ended_s=None))
    tx.execute(_MARK)


def end(tx: Connection, now_s: int) -> None:
    """All of it is in the new home."""
    tx.execute(update(moved_to).values(ended_s=now_s))


def give_up(tx: Connection) -> None:
    """Take the mark away: the new home got nothing."""
    tx.execute(delete(moved_to))
    tx.execute(_UNMARK)
