"""Rewrapping a home: all files or none, killed at any step; no 3DES is left."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from signer.home import Home, KeyExists
from signer.keystore import (
    Kek,
    KeystoreError,
    PassphraseKek,
    RewrapFailed,
    SecretUse,
    WrongPassphrase,
    encode_hk0,
    key_file,
    key_files,
    open_key,
    rewrap,
    settle,
)
from signer.keystore import kek as kek_module
from tests.signer_world import NOW_S, World, drip

NEW = b"another passphrase"
STEPS: tuple[tuple[object, str], ...] = (
    (os, "open"),
    (os, "fsync"),
    (os, "unlink"),
    (os, "rmdir"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "replace"),
)
"""Everything by which the disk is changed."""


class Killed(BaseException):
    """The process ends here; nobody catches it."""


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The world's own passphrase is derived already; new ones are cheap."""

    def cheap(**named: object) -> bytes:
        return hashlib.sha256(repr(sorted(named.items())).encode()).digest()

    monkeypatch.setattr(kek_module, "hash_secret_raw", cheap)


def new_kek() -> Kek:
    return PassphraseKek(NEW)


def make_legacy(world: World, use: SecretUse = SecretUse.SEED, name: str = "hot") -> Path:
    """Put one key file of a home back to HK0, as an old version or a hosted key would be."""
    folder = world.root.joinpath(name, "keys")
    opened = open_key(key_file(folder, use).data, world.kek)
    data = encode_hk0(opened.header, opened.secret, world.kek, drip("hk0"), allow_hk0=True)
    folder.joinpath(f"{use}.hk0").write_bytes(data)
    folder.joinpath(f"{use}.hk1").unlink()
    return world.root.joinpath(name)


def opened_by(home: Path, kek: Kek) -> bool:
    opened = Home(home)
    try:
        opened.unlock(kek)
    except WrongPassphrase:
        return False
    finally:
        opened.close()
    return True


@contextmanager
def killed_at(step: int, after: bool) -> Iterator[list[int]]:
    """End the process before or after the given change of the disk. Counts the changes."""
    counted = [0]
    with pytest.MonkeyPatch.context() as patch:

        def counting(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **named: Any) -> Any:
                counted[0] += 1
                if counted[0] == step and not after:
                    raise Killed
                answer = real(*args, **named)
                if counted[0] == step:
                    raise Killed
                return answer

            return call

        for place, name in STEPS:
            patch.setattr(place, name, counting(getattr(place, name)))
        yield counted


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_step_either_the_old_or_the_new_opens(
    world: World, tmp_path: Path, after: bool
) -> None:
    source = make_legacy(world)
    outcomes = []
    step = 0
    done = False
    while not done:
        step += 1
        home = tmp_path / f"home-{step}"
        shutil.copytree(source, home)
        try:
            with killed_at(step, after):
                rewrap(home, world.kek, new_kek(), drip("new"))
            done = True
        except Killed:
            pass
        new, old = opened_by(home, new_kek()), opened_by(home, world.kek)
        assert new is not old, f"step {step}"
        outcomes.append(new)
        # The next attempt ends well whatever was left behind.
        rewrap(home, new_kek() if new else world.kek, PassphraseKek(b"third"), drip("third"))
        assert opened_by(home, PassphraseKek(b"third"))
        names = {path.name for path in home.iterdir()}
        assert not {"keys.part", "keys.new", "keys.old"} & names
        assert not any(file.legacy for file in key_files(home / "keys"))
    assert outcomes == sorted(outcomes), "once the new files count they count for ever"
    assert step > 20 and False in outcomes and True in outcomes


def test_killed_again_and_again_while_settling(world: World) -> None:
    home = make_legacy(world)
    with pytest.raises(Killed):
        rewrap_until_ready(home, world.kek)
    assert home.joinpath("keys.new").exists()

    for step in range(1, 30):
        try:
            with killed_at(step, after=True):
                settle(home)
            break
        except Killed:
            continue
    assert opened_by(home, new_kek()) and not opened_by(home, world.kek)
    assert not home.joinpath("keys.old").exists()


def rewrap_until_ready(home: Path, old: Kek) -> None:
    """Rewrap, killed just after the new files began to count."""
    real = Path.rename

    def last(self: Path, target: Path) -> Path:
        real(self, target)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", last)
        rewrap(home, old, new_kek(), drip("new"))


def test_every_data_key_is_new(hot: Home, world: World) -> None:
    before = {file.name: file.data for file in hot.key_files()}

    files = hot.rewrap(world.kek, world.kek)

    assert {"seed", "identity", "state"} == {file.name for file in files}
    assert all(before[file.name] != file.data for file in files)
    assert files == hot.key_files()


def test_a_wrong_passphrase_changes_nothing(hot: Home) -> None:
    before = hot.key_files()

    with pytest.raises(WrongPassphrase):
        hot.rewrap(PassphraseKek(b"wrong"), new_kek())
    assert before == hot.key_files()


def test_files_that_do_not_come_back_are_not_used(
    hot: Home, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that lies, or a memory that flips: what was written is read again first."""
    before = hot.key_files()
    wrong = open_key(key_file(hot.path / "keys", "state").data, world.kek)
    monkeypatch.setattr("signer.keystore.rewrapping.decode_key", lambda *_: wrong)

    with pytest.raises(RewrapFailed) as caught:
        hot.rewrap(world.kek, new_kek())
    assert "keystore.rewrap_failed" == caught.value.code
    assert before == hot.key_files()


def test_a_home_without_key_files_is_not_rewrapped(world: World) -> None:
    home = world.root / "hot"
    for path in home.joinpath("keys").iterdir():
        path.unlink()

    with pytest.raises(RewrapFailed):
        rewrap(home, world.kek, new_kek(), drip("new"))


@pytest.mark.parametrize("use", [SecretUse.SEED, SecretUse.IDENTITY, SecretUse.STATE])
def test_a_3des_file_is_counted_and_wrapped_again_on_sight(world: World, use: SecretUse) -> None:
    make_legacy(world, use)
    home = world.open("hot", unlock=False)
    assert 1 == home.hk0_remaining

    home.unlock(world.kek)

    assert 0 == home.hk0_remaining
    home.close()
    assert opened_by(world.root / "hot", world.kek)


def test_a_damaged_imported_key_does_not_keep_the_home_shut(hot: Home, world: World) -> None:
    kept = hot.import_key(bytes(range(1, 33)), "0a" * 20, world.kek, NOW_S)
    hot.path.joinpath("keys", f"{kept.name}.hk1").write_bytes(b"damaged")

    hot.unlock(world.kek)
    with pytest.raises(KeystoreError):
        hot.rewrap(world.kek, new_kek())
    assert hot.path.joinpath("keys", "seed.hk1").exists()


def test_two_files_of_one_key_are_refused(world: World) -> None:
    folder = world.root.joinpath("hot", "keys")
    shutil.copy(folder / "seed.hk1", folder / "seed.hk0")
    home = world.open("hot", unlock=False)

    with pytest.raises(KeystoreError, match="HK1 and as HK0"):
        home.unlock(world.kek)
    with pytest.raises(KeystoreError, match="one file a key"):
        home.key_files()
    home.close()


def test_an_imported_key_is_kept_and_rewrapped_with_the_rest(hot: Home, world: World) -> None:
    secret = bytes(range(1, 33))
    kept = hot.import_key(secret, "0a" * 20, world.kek, NOW_S)
    assert SecretUse.SINGLE == kept.header.use
    with pytest.raises(KeyExists) as caught:
        hot.import_key(secret, "0a" * 20, world.kek, NOW_S)
    assert "home.key_exists" == caught.value.code

    files = hot.rewrap(world.kek, new_kek())

    (moved,) = (file for file in files if file.name == kept.name)
    assert secret == open_key(moved.data, new_kek()).secret
