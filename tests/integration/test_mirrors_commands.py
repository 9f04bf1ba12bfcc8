"""`glaytos-wallet snapshot`, as a person or a program calls it, and images by the clock."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.mirrors_world import COORDINATOR, HEIGHTS, NOW_S, STATE, fill, image_of, rows_of
from wallet.cli.snapshot import app
from wallet.errors import WalletError
from wallet.metrics import WalletCollector
from wallet.mirrors.errors import (
    BadTag,
    FileProblem,
    ImageNotFound,
    RollbackQuorum,
    SignatureWrong,
    TagTaken,
)
from wallet.mirrors.folder import ImageFolder, outlived, scheduled_tag
from wallet.mirrors.making import make_image
from wallet.mirrors.schedule import Schedule
from wallet.store.database import Database
from wallet.store.errors import BadDatabaseUrl
from wallet.treasury.staff_keys import create_staff_key

HOUR_S = 3600
DAY_S = 24 * HOUR_S
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

SETTINGS = """
data_dir = "data"
database_url = "{url}"
api_host = "127.0.0.1"
api_port = 1
policy_file = "none.toml"
vault_files = []
coordinator_key_file = "coordinator.key"
service_key_file = "none.key"
networks = []
assets = []
signers = []
staff = []
approvals_required = 2
"""


class Commands:
    """The commands over one settings file."""

    def __init__(self, folder: Path, database: Database) -> None:
        url = database.engine.url.render_as_string(hide_password=False)
        self.config = folder / "wallet.toml"
        self.config.write_text(SETTINGS.format(url=url))
        key = folder / "coordinator.key"
        key.touch(mode=0o600)
        key.write_text("07" * 32)
        self.images = folder / "data" / "images"

    def run(self, *arguments: object) -> str:
        words = [*map(str, arguments), "--config", str(self.config)]
        result = CliRunner().invoke(app, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: object) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def commands(database: Database, tmp_path: Path) -> Commands:
    fill(database)
    return Commands(tmp_path, database)


@ON_SQLITE
def test_from_an_image_to_a_node_that_follows(
    commands: Commands, database: Database, tmp_path: Path
) -> None:
    made = commands.json("create", "--tag", "before-upgrade")
    assert (made["height"], made["may_post"]) == (2 * HEIGHTS, True)
    assert made["parts"]["accounts"]["rows"] == len(rows_of(database, STATE[0])["ledger_accounts"])
    assert [one["tag"] for one in commands.json("list")] == ["before-upgrade"]
    checked = commands.json("verify", "before-upgrade")
    assert (checked["good"], checked["compared"]) == (True, True)
    alone = ("verify", made["file"], "--alone", "--public-key", COORDINATOR.public_key.hex())
    assert not commands.json(*alone)["compared"]
    fill(database, rounds=1, first=2)
    source = str(database.engine.url)
    into = f"sqlite:///{tmp_path}/new.sqlite"
    done = commands.json("restore", "before-upgrade", "--into", into, "--tail-from", source)
    assert (done["image_height"], done["height"]) == (2 * HEIGHTS, 3 * HEIGHTS)
    fill(database, rounds=1, first=3)
    out = tmp_path / "tail"
    assert commands.json("tail", out, "--from", 3 * HEIGHTS)["to"] == 4 * HEIGHTS
    assert commands.json("replay", out, "--into", into) == {"height": 4 * HEIGHTS}
    other = Database.open(into)
    assert rows_of(other, *STATE) == rows_of(database, *STATE)
    other.close()


@ON_SQLITE
def test_people_read_what_was_done(commands: Commands, tmp_path: Path) -> None:
    assert "height 8" in commands.run("create", "--tag", "t1", "--state-only")
    assert "holds, and is the ledger's own" in commands.run("verify", "t1")
    (commands.images / "broken.image").write_bytes(b"x" * 100)
    listed = commands.run("list")
    assert "t1" in listed
    assert "no image" in listed
    into = f"sqlite:///{tmp_path}/new.sqlite"
    assert "now at height 8" in commands.run("restore", "t1", "--into", into, "--follow-only")
    assert "heights 1 to 8" in commands.run("tail", tmp_path / "tail", "--from", 0)
    for name in ("create", "list", "verify", "restore", "tail", "replay"):
        assert len(commands.run(name, "--help")) > 300


@ON_SQLITE
@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("create --tag Up", BadTag),
        ("create --tag auto-mine", BadTag),
        ("create --tag a/../b", BadTag),
        ("create --tag here", TagTaken),
        ("verify missing", ImageNotFound),
        ("verify here --public-key 00", SignatureWrong),
        ("verify here --public-key " + "11" * 32, SignatureWrong),
        ("restore here --into postgresql://me:secret@host/db", BadDatabaseUrl),
        ("replay nowhere --into sqlite:////nowhere/db", FileProblem),
        ("tail /nowhere/file --from 0", FileProblem),
    ],
)
def test_mistakes_are_told(commands: Commands, words: str, error: type[WalletError]) -> None:
    commands.run("create", "--tag", "here")
    with pytest.raises(error) as caught:
        commands.run(*words.split())
    assert "secret" not in str(caught.value)


def _seed(number: int, count: int) -> bytes:
    return bytes([number + 1]) * count


@ON_SQLITE
def test_a_quorum_goes_back_to_a_tag_by_commands(
    commands: Commands, database: Database, tmp_path: Path
) -> None:
    secret = "a long passphrase"
    (tmp_path / "pass").write_text(f"{secret}\n")
    keys, roster = {}, []
    for number, name in enumerate(("anna", "ben", "caro")):
        path = tmp_path / f"{name}.key"
        made = create_staff_key(path, name, secret, partial(_seed, number))
        keys[name] = ("--key", path, "--passphrase-file", tmp_path / "pass")
        roster.append(
            f'{{ id = "{name}", name = "{name}", public_key = "{made.public_key.hex()}" }}'
        )
    settings = commands.config.read_text()
    commands.config.write_text(settings.replace("staff = []", f"staff = [{', '.join(roster)}]"))
    commands.run("create", "--tag", "good")
    at_tag = rows_of(database)
    fill(database, rounds=1, first=2)
    after = rows_of(database)
    asked = commands.json("rollback", "--to", "good", *keys["anna"])
    assert (asked["status"], asked["to_height"], asked["from_height"]) == ("requested", 8, 12)
    archive = ("--to", "good", "--archive", tmp_path / "undone", "--yes")
    assert commands.json("approve", asked["id"], *keys["ben"])["approvers"] == ["ben"]
    with pytest.raises(RollbackQuorum):
        commands.run("rollback", *archive)
    said = commands.run("approve", asked["id"], *keys["caro"])
    assert "2 of 2 approvals" in said
    assert commands.json("rollback", *archive)["status"] == "done"
    assert rows_of(database) == at_tag
    commands.run("replay", tmp_path / "undone", "--into", database.engine.url)
    assert rows_of(database) == after
    for words in (("rollback", "--to", "good"), ("rollback", *archive, *keys["anna"])):
        with pytest.raises(AssertionError, match="to ask for it, or --archive"):
            commands.run(*words)
    for name in ("rollback", "approve"):
        assert len(commands.run(name, "--help")) > 300


# --- By the clock --------------------------------------------------------------------------------


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.s = NOW_S

    def now_s(self) -> int:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedule(database: Database, tmp_path: Path, clock: Clock) -> Schedule:
    return Schedule(
        database=database,
        clock=clock,
        folder=ImageFolder(tmp_path / "images"),
        attest=lambda: COORDINATOR.attest,
        every_hours=6,
        daily=7,
        weekly=5,
        with_ids=False,
    )


@ON_SQLITE
def test_an_image_is_taken_when_it_is_due_and_the_ledger_grew(
    schedule: Schedule, database: Database, clock: Clock, tmp_path: Path
) -> None:
    folder = ImageFolder(tmp_path / "images")

    def tags_after_a_step() -> list[str]:
        schedule.step()
        return [one.tag for one in folder.listed()]

    assert tags_after_a_step() == [], "nothing was posted yet"
    assert not schedule.is_late()
    fill(database, rounds=1)
    assert schedule.is_late()
    first = scheduled_tag(NOW_S)
    assert tags_after_a_step() == [first]
    fill(database, rounds=1, first=1)
    clock.s += 6 * HOUR_S - 1
    assert tags_after_a_step() == [first], "not due yet"
    clock.s += 1
    second = scheduled_tag(clock.s)
    assert tags_after_a_step() == [second, first]
    clock.s += 13 * HOUR_S
    assert schedule.age_s() == 13 * HOUR_S
    assert not schedule.is_late(), "the ledger stood still"
    assert tags_after_a_step() == [second, first]
    fill(database, rounds=1, first=2)
    assert schedule.is_late()


@ON_SQLITE
def test_old_scheduled_images_go_and_chosen_ones_stay(
    schedule: Schedule, database: Database, clock: Clock, tmp_path: Path
) -> None:
    fill(database, rounds=1)
    folder = ImageFolder(tmp_path / "images")
    start = NOW_S - NOW_S % (7 * DAY_S)
    made = image_of(database, folder.file_of("mine"), "mine")
    assert made.manifest.created_s < start + 60 * DAY_S
    for hours in range(0, 60 * 24, 12):
        clock.s = start + hours * HOUR_S
        tag = scheduled_tag(clock.s)
        _made_at(database, folder, tag, clock.s)
    images = folder.listed()
    gone = {one.tag for one in outlived(images, clock.s, daily=7, weekly=5)}
    kept = [one for one in images if one.tag not in gone and one.is_scheduled]
    days = [(one.manifest.created_s - start) // HOUR_S for one in kept if one.manifest]
    last = 60 * 24 - 12
    day = [hours for hours in days if hours > last - 24]
    assert day == [last, last - 12], "all of the last day"
    daily = [hours for hours in days if hours % 24 == 12 and hours > last - 7 * 24]
    assert len(daily) == 7, "the last of each of seven days"
    ends_of_weeks = [7 * 24 * week - 12 for week in (8, 7, 6, 5)]
    assert set(ends_of_weeks) <= set(days)
    assert len(days) == len({*day, *daily, *ends_of_weeks})
    assert "mine" not in gone
    schedule.step()
    assert {one.tag for one in folder.listed()} == {one.tag for one in kept} | {"mine"}


def _made_at(database: Database, folder: ImageFolder, tag: str, now_s: int) -> None:
    make_image(
        database,
        folder.file_of(tag),
        tag=tag,
        attest=COORDINATOR.attest,
        now_s=now_s,
        with_ids=False,
    )


@ON_SQLITE
def test_the_newest_images_age_is_a_metric(
    schedule: Schedule, database: Database, clock: Clock
) -> None:
    class NoTips:
        networks: tuple[str, ...] = ()

    def values() -> dict[str, float]:
        collector = WalletCollector(database, clock, NoTips(), dict, images=schedule)  # type: ignore[arg-type]
        return {
            sample.name: sample.value for family in collector.collect() for sample in family.samples
        }

    fill(database, rounds=1)
    assert values()["glaytos_image_late"] == 1
    assert "glaytos_image_age_seconds" not in values()
    schedule.step()
    clock.s += 77
    assert values()["glaytos_image_age_seconds"] == 77
    assert values()["glaytos_image_late"] == 0
