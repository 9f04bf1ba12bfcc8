"""Where keys come from: the real `init`, as a process, reaches every source it names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from signer.entropy import EntropyError, file_source, mixed, new_secret
from signer.founding import create
from signer.home import Home
from signer.keystore import PassphraseKek
from signer.screening import WeakSeed
from tests.signer_world import NOW_S, PASSPHRASE, drip
from tests.unit.signer.test_dice import honest, text

ROOT = Path(__file__).parents[3]

WATCHED = """
import hashlib, os, runpy, sys
name, sys.argv = sys.argv[1], ["glaytos-signer", *sys.argv[2:]]
draws = 0
def drawn(size):
    global draws
    draws += 1
    seed = name if name == "stuck" else f"{name}/{draws}"
    return hashlib.shake_256(seed.encode()).digest(size)
if name != "real":
    os.urandom = drawn
runpy.run_module("signer", run_name="__main__", alter_sys=True)
"""
"""Runs the command line with os.urandom replaced by a named stream, a stuck one, or left alone."""


def init(
    tmp_path: Path, name: str, stream: str, *arguments: object
) -> subprocess.CompletedProcess[str]:
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(PASSPHRASE)
    command = [
        sys.executable, "-c", WATCHED, stream, "init", "--home", tmp_path / name, "--id", "x",
        "--passphrase-file", passphrase, "--kdf-memory-mib", "64", "--json", *arguments,
    ]  # fmt: skip
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=ROOT
    )


def made(tmp_path: Path, name: str, stream: str, *arguments: object) -> dict[str, str]:
    done = init(tmp_path, name, stream, *arguments)
    assert 0 == done.returncode, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def test_a_change_of_either_source_changes_every_key(tmp_path: Path) -> None:
    dice, other, file = (tmp_path / name for name in ("dice", "other", "file"))
    dice.write_bytes(text(honest("dice", 120)))
    other.write_bytes(text(honest("dice", 119) + b"\x02"))
    file.write_bytes(drip("file")(64))

    first = made(tmp_path, "1", "a", "--dice", dice)
    same = made(tmp_path, "2", "a", "--dice", dice)
    others = [
        made(tmp_path, "3", "b", "--dice", dice),
        made(tmp_path, "4", "a", "--dice", other),
        made(tmp_path, "5", "a", "--dice", dice, "--entropy-file", file),
        made(tmp_path, "6", "a", "--entropy-file", file),
        made(tmp_path, "7", "a", "--only-system-entropy"),
    ]

    assert first == same
    for key in ("fingerprint", "identity"):
        assert 6 == len({each[key] for each in (first, *others)})
    assert "system generator and dice" == first["origin"]
    assert "system generator and dice and file" == others[2]["origin"]
    assert "system generator" == others[4]["origin"]


def test_the_untouched_generator_never_gives_a_key_twice(tmp_path: Path) -> None:
    dice = tmp_path / "dice"
    dice.write_bytes(text(honest("dice", 120)))

    first, second = (made(tmp_path, name, "real", "--dice", dice) for name in "ab")

    assert first["fingerprint"] != second["fingerprint"]


def test_a_stuck_generator_makes_no_home_even_with_good_dice(tmp_path: Path) -> None:
    dice = tmp_path / "dice"
    dice.write_bytes(text(honest("dice", 120)))

    done = init(tmp_path, "x", "stuck", "--dice", dice)

    assert 1 == done.returncode
    assert "entropy.unusable" == json.loads(done.stdout)["code"]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("entropy.no_second_source", []),
        ("entropy.no_second_source", ["--only-system-entropy", "--dice", "good"]),
        ("dice.too_few", ["--dice", "short"]),
        ("dice.unusable", ["--dice", "letters"]),
        ("storage.unusable", ["--dice", "missing"]),
        ("entropy.unusable", ["--entropy-file", "same"]),
    ],
)
def test_a_missing_or_poor_second_source_makes_no_home(
    tmp_path: Path, code: str, arguments: list[str]
) -> None:
    for name, data in {
        "good": text(honest("dice", 120)),
        "short": text(honest("dice", 98)),
        "letters": b"dice" * 50,
        "same": b"\x07" * 64,
    }.items():
        (tmp_path / name).write_bytes(data)
    placed = [one if one.startswith("--") else str(tmp_path / one) for one in arguments]

    done = init(tmp_path, "x", "a", *placed)

    assert code == json.loads(done.stdout)["code"], done.stderr
    assert not (tmp_path / "x").exists()


def test_a_file_of_random_bytes_is_read_raw_or_as_hexadecimal_text() -> None:
    data = os.urandom(40)

    assert data == file_source(data)
    assert data == file_source(data.hex().encode() + b"\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        drip("a")(31),
        drip("a")(31).hex().encode(),
        bytes(64),
        bytes(range(8)) * 8,
        drip("a")(24) * 3,
        bytes(byte % 19 for byte in drip("few")(200)),
        drip("a")(1024 * 1024 + 1),
    ],
)
def test_a_file_that_is_short_or_repeats_is_refused(data: bytes) -> None:
    with pytest.raises(EntropyError):
        file_source(data)


def test_further_sources_keep_their_borders() -> None:
    assert mixed({}) is None
    assert mixed({"a": b"bc"}) != mixed({"ab": b"c"})
    assert mixed({"a": b"1", "b": b"2"}) == mixed({"b": b"2", "a": b"1"})


def test_a_home_is_not_made_of_a_seed_that_others_know(tmp_path: Path) -> None:
    kek = PassphraseKek(PASSPHRASE)

    with pytest.raises(WeakSeed):
        create(tmp_path / "x", "x", kek, drip("x"), NOW_S, seed=bytes(range(32)))

    assert not (tmp_path / "x").exists()


def test_a_given_seed_is_taken_whole_and_the_other_keys_are_new(tmp_path: Path) -> None:
    kek, seed = PassphraseKek(PASSPHRASE), drip("seed")(64)
    homes = []
    for name in ("a", "b"):
        create(tmp_path / name, "x", kek, drip(name), NOW_S, seed=seed, origin="a test")
        home = Home(tmp_path / name)
        home.unlock(kek)
        assert seed == home.seed(kek)
        homes.append(home)

    assert homes[0].state.fingerprint == homes[1].state.fingerprint
    assert homes[0].state.identity != homes[1].state.identity
    assert homes[0].unlocked().state_key != homes[1].unlocked().state_key
    assert "a test" == homes[0].state.origin
    for home in homes:
        home.close()


def test_secrets_of_one_draw_differ_by_purpose() -> None:
    assert new_secret(drip("a"), 32, "seed") != new_secret(drip("a"), 32, "slip39 id")
