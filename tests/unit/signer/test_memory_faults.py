"""Killed at each step of each write, with and without what the disk had not yet kept.

Two disks are tried: one that kept every byte written so far, and one that kept only what was
synced. Whatever happens, no window, counter or memory moves back, and nothing is signed twice.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from signer.audit import audit
from signer.errors import Refused
from signer.home import Home
from signer.log import LogDamaged
from signer.protocol import REQUEST, Result, Sealed, SignRequest
from tests.signer_world import (
    BTC,
    CONFIG,
    NOW_S,
    POLICY,
    World,
    a_psbt,
    a_request,
    a_withdrawal,
    an_intent,
    answer_of,
    coin,
    engine,
    sealed,
    utxo_vault,
)

FLOW = (BTC, "BTC", "bitcoin-hot", "withdrawal")
UNITS = 100_000_000
OTHER_POLICY = POLICY.replace('name = "test"', 'name = "other"').encode()


class Killed(BaseException):
    """The process ends here."""


@dataclass(slots=True)
class Disk:
    """Counts the steps that make bytes durable, and ends the process at one of them."""

    home: Path
    kept: Path
    end_at: int
    after: bool
    steps: int = 0
    names: list[str] = field(default_factory=list)

    def step(self, name: str, act: Callable[[], object]) -> None:
        self.steps += 1
        self.names.append(name)
        if self.steps == self.end_at and not self.after:
            raise Killed
        act()
        if name == "fsync":
            self.keep()
        if self.steps == self.end_at:
            raise Killed

    def keep(self) -> None:
        """What is on the disk now survives whatever comes."""
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.home, self.kept)

    def lose(self) -> None:
        """The power went: only what was kept is there."""
        shutil.rmtree(self.home)
        shutil.copytree(self.kept, self.home)


@contextmanager
def watching(disk: Disk) -> Iterator[None]:
    fsync, replace = os.fsync, Path.replace
    disk.keep()

    def synced(handle: int) -> None:
        disk.step("fsync", lambda: fsync(handle))

    def renamed(part: Path, whole: Path) -> None:
        disk.step("rename", lambda: replace(part, whole))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", synced)
        patch.setattr(Path, "replace", renamed)
        yield


Act = Callable[[Home], object]


def sign(home: Home) -> object:
    return engine(home).sign(sealed(a_withdrawal(home, "w2")))


def refuse(home: Home) -> object:
    return engine(home, confirm=lambda _: False).sign(sealed(a_withdrawal(home, "w2")))


def activate(home: Home) -> object:
    return home.configure(CONFIG.encode(), OTHER_POLICY, NOW_S)


def steps_of(world: World, act: Act, tmp_path: Path) -> list[str]:
    """The durable steps of an act that nobody interrupts."""
    copy = world.copy(tmp_path / "count")
    home = copy.open("hot")
    disk = Disk(home.path, tmp_path / "kept", end_at=0, after=False)
    with watching(disk):
        act(home)
    home.close()
    return disk.names


@pytest.fixture
def spent(world: World) -> World:
    """A home that has released one answer already."""
    home = world.open("hot")
    engine(home).sign(sealed(a_withdrawal(home, "w1")))
    home.close()
    return world


@pytest.mark.parametrize(
    ("act", "steps"),
    [
        (sign, ["fsync", "fsync", "rename", "fsync"]),
        (refuse, ["fsync", "fsync", "rename", "fsync"]),
        (activate, ["fsync", "rename", "fsync"] * 2 + ["fsync", "fsync", "rename", "fsync"]),
    ],
)
def test_killed_at_each_durable_step_nothing_moves_back(
    spent: World, tmp_path: Path, act: Act, steps: list[str]
) -> None:
    assert steps == steps_of(spent, act, tmp_path)
    before = audit(spent.root / "hot").counter
    for end_at in range(1, len(steps) + 1):
        for after in (False, True):
            for lost in (False, True):
                copy = spent.copy(tmp_path / f"{end_at}{after}{lost}")
                home = copy.open("hot")
                disk = Disk(home.path, tmp_path / "kept", end_at, after)
                with watching(disk), pytest.raises(Killed):
                    act(home)
                home.close()
                if lost:
                    disk.lose()
                check_restart(copy, before, act)


def check_restart(world: World, counter: int, act: Act) -> None:
    home = world.open("hot")
    assert home.log.counter >= counter
    assert home.state.spent_units(FLOW, 3600, NOW_S) in (UNITS, 2 * UNITS)
    assert home.state.remembered("r-w1") is not None
    recorded = home.log.counter > counter
    if act is activate:
        assert home.activated().policy.name == ("other" if recorded else "test")
    else:
        check_request(home, recorded, act)
    # Whatever was found, the home goes on and comes back as it is now.
    engine(home).sign(sealed(a_withdrawal(home, "w3")))
    counter, head = home.log.counter, home.log.head
    home.close()
    home = world.open("hot")
    assert (home.log.counter, home.log.head) == (counter, head)
    home.close()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("end_at", [1, 2, 3, 4])
def test_killed_while_a_replacement_is_signed_the_rule_still_holds(
    spent: World, tmp_path: Path, end_at: int, after: bool, lost: bool
) -> None:
    """Recorded or not: other coins are refused, and so is a fee not above the recorded one."""
    home = spent.open("hot")
    second, third = (paid_again(home, name) for name in ("second", "third"))
    disk = Disk(home.path, tmp_path / "kept", end_at, after)
    with watching(disk), pytest.raises(Killed):
        engine(home).sign(sealed(second))
    home.close()
    if lost:
        disk.lose()

    home = spent.open("hot")
    recorded = home.state.remembered("second") is not None
    answer = answer_of(engine(home).sign(sealed(third)), home)
    assert (answer.result, answer.code) == (
        (Result.REFUSED, "replacement.fee") if recorded else (Result.SIGNED, "")
    )
    elsewhere = paid_again(home, "elsewhere", salt="other", fee_sats=9_000)
    assert "replacement.no_conflict" == answer_of(engine(home).sign(sealed(elsewhere)), home).code
    assert home.state.spent_units(FLOW, 3600, NOW_S) == UNITS
    home.close()


def paid_again(home: Home, name: str, salt: str = "w1", fee_sats: int = 8_000) -> SignRequest:
    """The intent w1 once more, from the coin it was paid with, or from another one."""
    spends = [coin(utxo_vault(home, "bitcoin-hot"), 150_000_000, salt=salt)]
    payload = a_psbt(home, an_intent("w1"), spends, fee_sats=fee_sats)
    return a_request(payload, an_intent("w1"), request_id=name)


def check_request(home: Home, recorded: bool, act: Act) -> None:
    """Recorded: the answer can be had and the window is spent. Else it was never released."""
    request = a_withdrawal(home, "w2")
    digest = Sealed.decode(sealed(request), REQUEST).digest
    result = Result.SIGNED if act is sign else Result.REFUSED
    if not recorded:
        with pytest.raises(Refused, match="never answered"):
            engine(home).recall(request.request_id, digest)
        act(home)
    assert answer_of(engine(home).recall(request.request_id, digest), home).result is result
    assert "request.replayed" == answer_of(engine(home).sign(sealed(request)), home).code
    expected = 2 * UNITS if act is sign else UNITS
    assert home.state.spent_units(FLOW, 3600, NOW_S) == expected


def test_every_byte_of_log_and_mark_counts(spent: World, tmp_path: Path) -> None:
    """Each byte of the mark and of the newest record, and every 7th of the older ones."""
    home = spent.open("hot")
    key = home.unlocked().state_key
    newest = home.state.remembered("r-w1")
    home.close()
    assert newest is not None
    folder = tmp_path / "flipped"
    shutil.copytree(spent.root / "hot", folder)
    audit(folder, key)
    log = (folder / "log").read_bytes()
    places = [*range(0, newest.offset, 7), *range(newest.offset, len(log))]
    unnoticed = [f"log {at}" for at in places if not noticed(folder, "log", at, key)]
    mark = (folder / "mark").read_bytes()
    unnoticed += [f"mark {at}" for at in range(len(mark)) if not noticed(folder, "mark", at, key)]
    assert not unnoticed


def noticed(folder: Path, name: str, at: int, key: bytes) -> bool:
    """Whether one flipped bit is found; the file is put right again."""
    with (folder / name).open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << at % 8]))
    try:
        audit(folder, key)
    except LogDamaged:
        return True
    else:
        return False
    finally:
        with (folder / name).open("r+b") as file:
            file.seek(at)
            file.write(bytes([byte]))
