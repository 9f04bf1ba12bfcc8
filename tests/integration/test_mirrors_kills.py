"""Killed while it joins, follows or takes an image: whole or not at all, and it goes on."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mirrors_world import COORDINATOR, HEIGHTS, KEY, NOW_S, STATE, fill, image_of, rows_of
from wallet.ledger.loading import load_origin
from wallet.milestones import kill_at
from wallet.mirrors.folder import ImageFolder
from wallet.mirrors.image import ImageWriter, open_image
from wallet.mirrors.joining import join
from wallet.mirrors.replaying import replay
from wallet.mirrors.schedule import Schedule
from wallet.mirrors.tails import ends_of, read_tail, records_of, write_tail
from wallet.store.database import Database


class Clock:
    """It stands still."""

    def now_s(self) -> int:
        return NOW_S


def schedule(database: Database, folder: Path, milestone: str = "") -> Schedule:
    return Schedule(
        database=database,
        clock=Clock(),
        folder=ImageFolder(folder),
        attest=lambda: COORDINATOR.attest,
        every_hours=1,
        daily=1,
        weekly=1,
        with_ids=True,
        milestone=kill_at(milestone),
    )


def child() -> None:
    """Do one thing, and die at a milestone."""
    what, url, file, milestone = sys.argv[1:5]
    database = Database.open(url)
    if what == "join":
        join(database, open_image(Path(file), KEY), now_s=NOW_S, milestone=kill_at(milestone))
    elif what == "follow":
        with Path(file).open("rb") as stream:
            replay(database, *read_tail(stream, KEY), milestone=kill_at(milestone))
    else:
        schedule(database, Path(file), milestone).step()


def killed(what: str, database: Database, file: Path, milestone: str) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    words = [sys.executable, "-m", "tests.integration.test_mirrors_kills", what, url, str(file)]
    done = subprocess.run([*words, milestone], check=False, timeout=120, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL


@pytest.fixture
def source(tmp_path: Path) -> Database:
    """A ledger of two rounds."""
    database = Database.open(f"sqlite:///{tmp_path}/source.sqlite")
    database.migrate()
    fill(database)
    return database


@pytest.mark.parametrize("milestone", ["image:restored", "image:joined"])
def test_a_join(source: Database, database: Database, tmp_path: Path, milestone: str) -> None:
    path = image_of(source, tmp_path / "t1.image").path
    killed("join", database, path, milestone)
    if milestone == "image:restored":
        with database.read() as tx:
            assert load_origin(tx) is None
        assert rows_of(database, *STATE)["ledger_accounts"] == []
        join(database, open_image(path, KEY), now_s=NOW_S)
    assert rows_of(database, *STATE) == rows_of(source, *STATE)


@pytest.mark.parametrize("milestone", ["tail:replayed", "tail:kept"])
def test_a_tail(source: Database, database: Database, tmp_path: Path, milestone: str) -> None:
    path, file = tmp_path / "tail", io.BytesIO()
    with source.read() as tx:
        ends = ends_of(tx, 0)
        write_tail(file, ends, records_of(tx, ends), COORDINATOR.attest)
    path.write_bytes(file.getvalue())
    killed("follow", database, path, milestone)
    heights = 0 if milestone == "tail:replayed" else 2 * HEIGHTS
    assert len(rows_of(database)["ledger_batches"]) == heights
    file.seek(0)
    assert replay(database, *read_tail(file, KEY)) == 2 * HEIGHTS
    assert rows_of(database) == rows_of(source)


def test_a_scheduled_image(source: Database, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    killed("schedule", source, folder, "image:taken")
    assert len(ImageFolder(folder).listed()) == 1
    schedule(source, folder).step()
    assert len(ImageFolder(folder).listed()) == 1, "it is there, and not taken again"


def test_an_image_cut_off_while_it_is_written_is_none(source: Database, tmp_path: Path) -> None:
    """A draft has another name, which nobody reads; the next image of the tag writes over it."""
    path = tmp_path / "t1.image"
    with ImageWriter(path) as writer:
        writer.add("accounts", [(b"half", 1)])
        draft = next(tmp_path.glob(".t1*"))
        kept = draft.read_bytes()
    draft.write_bytes(kept)  # as a kill leaves it
    assert ImageFolder(tmp_path).listed() == []
    assert open_image(image_of(source, path).path, KEY).manifest.height == 2 * HEIGHTS
    assert not draft.exists()


if __name__ == "__main__":
    child()
