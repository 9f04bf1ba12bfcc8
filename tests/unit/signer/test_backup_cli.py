"""`backup` as people use it: split, lose the home, recover, drill, prove, and be refused."""

import io
import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from signer.__main__ import build_app
from signer.backup import phrases, store
from signer.backup.card import Card
from signer.cli import backup as backup_cli
from signer.home import Home
from signer.storage import write_atomic
from tests.signer_world import NOW_S, PASSPHRASE, World, drip

RUNNER = CliRunner()
CHEAP = ("--kdf-memory-mib", "64")
GROUPS = ("--group", "2of3", "--group", "3of5", "--group-threshold", "2")


class PowerCut(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)


@pytest.fixture
def opening(tmp_path: Path) -> tuple[str, str]:
    file = tmp_path / "passphrase"
    file.write_bytes(PASSPHRASE + b"\n")
    return ("--passphrase-file", str(file))


def run(*arguments: object, typed: str = "") -> Result:
    app = build_app("backup")
    return RUNNER.invoke(app, ["backup", *(str(each) for each in arguments)], input=typed)


def told(*arguments: object, typed: str = "") -> dict[str, Any]:
    result = run(*arguments, "--json", typed=typed)
    assert 0 == result.exit_code, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def refused(*arguments: object, typed: str = "") -> str:
    result = run(*arguments, "--json", typed=typed)
    assert 1 == result.exit_code, result.output
    return str(json.loads(result.stdout.splitlines()[-1])["code"])


def split(world: World, out: Path, opening: Sequence[str], *more: object) -> dict[str, Any]:
    return told("split", "--home", world.root / "cold", "--out", out, *GROUPS, *opening, *more)


def quorum(out: Path) -> list[str]:
    names = ("1-1", "1-3", "2-1", "2-2", "2-5")
    return [part for name in names for part in ("--shares", str(out / f"share-{name}.txt"))]


def cold_facts(world: World) -> tuple[str, str, int]:
    home = world.open("cold", unlock=False)
    home.close()
    return home.state.fingerprint, home.state.backup_id, home.state.drilled_s


def test_a_seed_is_split_drilled_lost_and_recovered(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out, back = tmp_path / "set", tmp_path / "back"
    made = split(world, out, opening)
    card = out / "card.json"
    fingerprint = cold_facts(world)[0]

    assert 9 == len(list(out.iterdir()))
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()}
    assert (fingerprint, made["backup_id"], 0) == cold_facts(world)
    drilled = told("drill", "--home", world.root / "cold", "--card", card, *quorum(out), *opening)
    assert {""} == {share["problem"] for share in drilled["shares"]}
    assert (fingerprint, made["backup_id"], NOW_S) == cold_facts(world)

    found = told(
        "recover", "--home", back, "--id", "cold", *quorum(out), "--card", card,
        "--vaults-out", tmp_path / "vaults", *opening, *CHEAP,
    )  # fmt: skip
    assert (fingerprint, made["check_words"]) == (found["fingerprint"], found["check_words"])
    old, new = world.open("cold"), Home(back)
    new.unlock(world.kek)
    assert old.seed(world.kek) == new.seed(world.kek)
    assert old.state.identity != new.state.identity
    assert f"SLIP-39 backup {made['backup_id']}" == new.state.origin
    assert {} == new.state.vaults
    files = {path.stem: path.read_bytes() for path in (tmp_path / "vaults").iterdir()}
    assert {name: vault.text for name, vault in old.state.vaults.items()} == files
    old.close()
    new.close()


def test_nothing_secret_is_printed(world: World, tmp_path: Path, opening: tuple[str, str]) -> None:
    out = tmp_path / "set"
    said = run("split", "--home", world.root / "cold", "--out", out, *GROUPS, *opening)
    assert 0 == said.exit_code, said.output
    words = (out / "share-1-1.txt").read_text().splitlines()[1].split()
    checked = run(
        "share-check", "--card", out / "card.json", "--share", out / "share-1-1.txt",
        "--challenge", "a fresh one", "--json",
    )  # fmt: skip
    card = (out / "card.json").read_text()

    for text in (said.output, checked.output):
        assert " ".join(words[:3]) not in text
        assert " ".join(words[5:7]) not in text
    assert " ".join(words[5:7]) not in card


def test_a_recovery_needs_something_to_check_it_by(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out, back = tmp_path / "set", tmp_path / "back"
    split(world, out, opening)
    command = ["recover", "--home", back, "--id", "x", *quorum(out), *opening, *CHEAP]

    assert "backup.unchecked" == refused(*command)
    assert "backup.wrong_seed" == refused(*command, "--fingerprint", "00000000")
    assert not back.exists()
    assert told(*command, "--fingerprint", cold_facts(world)[0])["check_value"]
    assert told(*[*command[:2], tmp_path / "other", *command[3:]], "--unchecked")["check_value"]


def test_a_home_is_never_recovered_over_another(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out = tmp_path / "set"
    split(world, out, opening)
    command = ["recover", "--id", "x", *quorum(out), "--card", out / "card.json", *opening]

    assert "home.unusable" == refused(*command, "--home", world.root / "cold")


def test_too_few_shares_make_no_home(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out = tmp_path / "set"
    split(world, out, opening)
    (out / "share-1-1.txt").write_text("academic acid\n")
    (out / "share-1-3.txt").write_bytes(b"\xff\xfe")
    command = ["recover", "--home", tmp_path / "x", "--id", "x", "--card", out / "card.json"]

    result = run(*command, *quorum(out), *opening, "--json")

    answer = json.loads(result.stdout.splitlines()[-1])
    assert "backup.too_few_shares" == answer["code"]
    assert "share-1-1.txt: got 2 words" in answer["detail"]
    assert "share-1-3.txt: is no text" in answer["detail"]
    assert not (tmp_path / "x").exists()


def test_a_wrong_backup_passphrase_makes_no_home(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out, secret, wrong = tmp_path / "set", tmp_path / "secret", tmp_path / "wrong"
    secret.write_text("over the hills\n")
    wrong.write_text("over the hill\n")
    split(world, out, opening, "--backup-passphrase-file", secret)
    command = ["recover", "--home", tmp_path / "x", "--id", "x", "--card", out / "card.json"]
    command += [*quorum(out), *opening, *CHEAP]
    drill = ["drill", "--home", world.root / "cold", "--card", out / "card.json", *quorum(out)]

    assert "backup.wrong_seed" == refused(*command, "--backup-passphrase-file", wrong)
    assert "backup.wrong_seed" == refused(*drill, *opening, "--backup-passphrase-file", wrong)
    assert 0 == cold_facts(world)[2]
    assert "backup.wrong_seed" == refused(*command, typed="over\n")
    assert not (tmp_path / "x").exists()
    assert told(*command, "--backup-passphrase-file", secret)["check_value"]


def test_a_drill_with_the_card_of_another_home_is_refused(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out = tmp_path / "set"
    split(world, out, opening)
    command = ["drill", "--home", world.root / "hot", "--card", out / "card.json", *quorum(out)]

    assert "backup.wrong_seed" == refused(*command, *opening)


def test_a_new_split_is_not_drilled_yet(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    split(world, first, opening)
    made = split(world, second, opening)
    old = ["drill", "--home", world.root / "cold", "--card", first / "card.json", *quorum(first)]

    told(*old, *opening)

    assert (made["backup_id"], 0) == cold_facts(world)[1:]


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("backup.scheme_invalid", ["--group", "1of3"]),
        ("backup.passphrase_unfit", ["--group", "2of3", "--backup-passphrase-file", "odd"]),
        ("backup.folder_exists", ["--group", "2of3", "--out", "taken"]),
        ("backup.no_terminal", ["--group", "2of3", "--show"]),
    ],
)
def test_a_refused_split_writes_nothing_and_logs_nothing(
    world: World, tmp_path: Path, opening: tuple[str, str], code: str, arguments: list[str]
) -> None:
    (tmp_path / "odd").write_text("caf\u00e9 au lait\n")
    (tmp_path / "taken").mkdir()
    placed = [tmp_path / one if one in ("odd", "taken") else one for one in arguments]
    command = ["split", "--home", world.root / "cold", "--out", tmp_path / "set", *opening]

    assert code == refused(*command, *placed)
    assert "" == cold_facts(world)[1]
    assert not (tmp_path / "set").exists()


def test_a_split_killed_before_its_folder_is_whole_gives_no_share(
    world: World, tmp_path: Path, opening: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home remembers a split that is not drilled; the next split clears what was left."""
    out, written = tmp_path / "set", 0

    def cut(path: Path, data: bytes) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise PowerCut
        write_atomic(path, data)

    monkeypatch.setattr(store, "write_atomic", cut)
    with pytest.raises(PowerCut):
        run("split", "--home", world.root / "cold", "--out", out, *GROUPS, *opening)
    assert not out.exists()
    assert 0 == cold_facts(world)[2]
    monkeypatch.undo()
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)

    made = split(world, out, opening)

    assert not out.with_name("set.part").exists()
    assert (made["backup_id"], 0) == cold_facts(world)[1:]


def test_a_split_is_in_the_log_before_any_share_is_out(
    world: World, tmp_path: Path, opening: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_arguments: object) -> None:
        raise PowerCut

    monkeypatch.setattr(store, "write_set", cut)
    with pytest.raises(PowerCut):
        run("split", "--home", world.root / "cold", "--out", tmp_path / "set", *GROUPS, *opening)

    assert cold_facts(world)[1]


def test_shares_are_shown_one_at_a_time(
    world: World, tmp_path: Path, opening: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_cli, "_is_terminal", lambda: True)
    out = tmp_path / "set"
    command = ["split", "--home", world.root / "cold", "--out", out, "--group", "2of3", "--show"]

    result = run(*command, *opening, typed="\n" * 6)

    assert 0 == result.exit_code, result.output
    assert ["card.json"] == [path.name for path in out.iterdir()]
    screens = result.stderr.split("\x1b[3J")
    card = Card.decode((out / "card.json").read_bytes())
    assert 4 == len(screens)
    for screen, name in zip(screens, card.share_keys, strict=False):
        assert 1 == screen.count(f"share {name} of backup {card.id}")
        assert 33 == sum(screen.count(f"{place:2}. ") for place in range(1, 34))
    assert not screens[3].strip()


def test_showing_stops_when_nobody_presses_enter(
    world: World, tmp_path: Path, opening: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_cli, "_is_terminal", lambda: True)
    command = ["split", "--home", world.root / "cold", "--out", tmp_path / "set"]

    assert "backup.no_terminal" == refused(*command, "--group", "2of3", "--show", *opening)


def test_a_custodian_proves_possession_over_the_phone(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out = tmp_path / "set"
    split(world, out, opening)
    card = ["--card", out / "card.json"]
    challenge = told("share-challenge")["challenge"]
    asked = ["--challenge", challenge]

    answer = told("share-check", *card, "--share", out / "share-2-4.txt", *asked)["answer"]

    verify = ["share-verify", *card, *asked, "--answer", answer]
    assert told(*verify, "--share", "2-4")["held"]
    assert "backup.not_in_possession" == refused(*verify, "--share", "2-3")
    assert "2-4" == told("share-check", *card, "--share", out / "share-2-4.txt")["share"]
    (out / "share-2-4.txt").write_text("# lost\n")
    code = refused("share-check", *card, "--share", out / "share-2-4.txt", *asked)
    assert "backup.not_in_possession" == code
    assert "backup.not_in_possession" == refused("share-check", *card, "--share", out)


def test_bip39_words_go_out_and_come_back_with_a_warning(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    export = ["bip39-export", "--home", world.root / "cold", *opening]
    words, other = tmp_path / "words", tmp_path / "other"
    assert "person.declined" == refused(*export, typed="\n")

    shown = run(*export, "--json", typed="y\n")
    facts = json.loads(shown.stdout.splitlines()[-1])
    words.write_text(facts["words"] + "\n")
    back = ["bip39-import", "--id", "x", "--words-file", words, *opening, *CHEAP]
    same = told(*back, "--home", tmp_path / "same", "--holds-seed")
    imported = run(*back, "--home", other, "--json")

    assert "ANOTHER WALLET" in shown.stderr
    assert "ANOTHER WALLET" in imported.stderr
    assert cold_facts(world)[0] == facts["fingerprint"] == same["fingerprint"]
    elsewhere = json.loads(imported.stdout.splitlines()[-1])["fingerprint"]
    assert facts["other_wallet"] == elsewhere != facts["fingerprint"]
    assert "" == cold_facts(world)[1]
    export = ["bip39-export", "--home", other, *opening]
    assert "backup.not_a_phrase" == refused(*export, typed="y\n")


def test_bip39_import_with_a_passphrase_is_another_wallet_again(
    tmp_path: Path, opening: tuple[str, str]
) -> None:
    words, secret = tmp_path / "words", tmp_path / "secret"
    words.write_text(phrases.phrase_of(bytes.fromhex("d1e843a902b755fc" * 4)[:16]))
    secret.write_text("my pass")
    words.write_text(phrases.phrase_of(drip("words")(32)))
    back = ["bip39-import", "--id", "x", "--words-file", words, *opening, *CHEAP]

    plain = told(*back, "--home", tmp_path / "plain")
    other = told(*back, "--home", tmp_path / "other", "--bip39-passphrase-file", secret)
    both = ["--bip39-passphrase-file", secret, "--holds-seed"]

    assert plain["fingerprint"] != other["fingerprint"]
    assert "backup.unusable" == refused(*back, "--home", tmp_path / "both", *both)


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        ("seed.repeated", "abandon " * 11 + "about"),
        ("seed.published", "test " * 11 + "junk"),
        ("backup.phrase_invalid", "abandon " * 12),
        ("backup.phrase_invalid", "hello world"),
    ],
)
def test_words_that_others_know_make_no_home(
    tmp_path: Path, opening: tuple[str, str], code: str, phrase: str
) -> None:
    words = tmp_path / "words"
    words.write_text(phrase)
    command = ["bip39-import", "--home", tmp_path / "x", "--id", "x", "--words-file", words]

    assert code == refused(*command, *opening, *CHEAP)
    assert not (tmp_path / "x").exists()


def test_a_64_byte_seed_is_split_and_recovered_too(
    tmp_path: Path, opening: tuple[str, str]
) -> None:
    words, out, home = tmp_path / "words", tmp_path / "set", tmp_path / "home"
    words.write_text(phrases.phrase_of(drip("words")(32)))
    told("bip39-import", "--home", home, "--id", "x", "--words-file", words, *opening, *CHEAP)
    made = told("split", "--home", home, "--out", out, "--group", "2of2", *opening)

    found = told(
        "recover", "--home", tmp_path / "back", "--id", "y", "--shares", out,
        "--card", out / "card.json", *opening, *CHEAP,
    )  # fmt: skip

    assert made["fingerprint"] == found["fingerprint"]
    assert 59 == len((out / "share-1-1.txt").read_text().splitlines()[1].split())


def test_the_commands_teach_themselves() -> None:
    listed = run("--help").output

    for command in ("split", "recover", "drill", "share-check", "bip39-export", "bip39-import"):
        assert command in listed
        assert 0 == run(command, "--help").exit_code


def test_text_answers_name_every_share(
    world: World, tmp_path: Path, opening: tuple[str, str]
) -> None:
    out = tmp_path / "set"
    split(world, out, opening)
    (out / "notes.txt").write_text("not a share")
    command = ["drill", "--home", world.root / "cold", "--card", out / "card.json"]

    said = run(*command, "--shares", out, *opening).output

    assert "share-2-5.txt: share 2-5 is good" in said
    assert "notes.txt: got 3 words" in said
    assert io.StringIO(said).readline().startswith("backup_id: ")
