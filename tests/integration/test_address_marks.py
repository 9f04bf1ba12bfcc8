"""A database that was put back hands no address out a second time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.fakes import FakeClock
from tests.integration.api.conftest import NETWORK, StandInDeriver
from wallet.addresses.accounts import create_account
from wallet.addresses.issuing import Address, issue
from wallet.addresses.marks import BYTES_MAX, AddressMarks, CounterBehind, MarksUnreadable
from wallet.cli import addresses as command
from wallet.events import read_events
from wallet.store.database import Database

NOW_S = 1_700_000_000
COUNTER = f"address:{NETWORK}:deposits:0"


@dataclass
class Wallet:
    """An embedded database, and the marks beside it."""

    folder: Path
    database: Database
    account: str = ""

    @property
    def marks(self) -> AddressMarks:
        return AddressMarks.of(self.folder)

    def take(self, source: str = "deposits") -> Address:
        """As the API does: checked in the transaction, marked when it has committed."""
        with self.database.write() as tx:
            fresh = issue(
                tx,
                StandInDeriver(),
                network=NETWORK,
                source=source,
                account_id=self.account,
                now_s=NOW_S,
            )
            self.marks.check(fresh)
        self.marks.note(fresh)
        return fresh

    def back_up(self, backup: Path) -> None:
        """A copy of the database as it is."""
        driver: Any = self.database.engine.raw_connection()
        driver.execute("VACUUM INTO ?", (str(backup),))
        driver.close()

    def restore(self, backup: Path) -> None:
        """The backup takes the database's place; the marks stay."""
        self.database.close()
        file = self.folder / "wallet.sqlite"
        for path in self.folder.glob("wallet.sqlite*"):
            path.unlink()
        file.write_bytes(backup.read_bytes())
        self.database = Database.open(f"sqlite:///{file}")
        self.database.migrate()


@pytest.fixture
def wallet(tmp_path: Path) -> Iterator[Wallet]:
    database = Database.open(f"sqlite:///{tmp_path}/wallet.sqlite")
    database.migrate()
    made = Wallet(tmp_path, database)
    with database.write() as tx:
        made.account = create_account(tx, "alice", NOW_S)
    yield made
    made.database.close()


@pytest.fixture
def restored(wallet: Wallet) -> Wallet:
    """Positions 0 and 1 are in the backup, 2 and 3 were told after it."""
    backup = wallet.folder / "backup"
    wallet.take(), wallet.take()
    wallet.back_up(backup)
    assert [wallet.take().position, wallet.take().position] == [2, 3]
    wallet.restore(backup)
    return wallet


def run(wallet: Wallet, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    @contextmanager
    def opened(_config: Path) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            database=wallet.database,
            clock=FakeClock(NOW_S),
            settings=SimpleNamespace(data_dir=wallet.folder),
        )

    monkeypatch.setattr(command, "opened", opened)
    return CliRunner().invoke(command.app, list(words))


def test_a_restored_database_refuses_until_its_counter_was_moved(
    restored: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        with pytest.raises(CounterBehind) as caught:
            restored.take()
        assert caught.value.details == {"position": 2, "told": 3}
    found = run(restored, monkeypatch, "check", "--json")
    assert isinstance(found.exception, CounterBehind)
    assert json.loads(found.stdout) == [{"counter": COUNTER, "next": 2, "told": 3, "behind": True}]

    moved = run(restored, monkeypatch, "move", "--json")

    assert json.loads(moved.stdout) == [{"counter": COUNTER, "next": 4, "told": 3, "behind": False}]
    assert restored.take().position == 4
    assert run(restored, monkeypatch, "check").output == f"{COUNTER}: next 5, told 4, good\n"
    with restored.database.read() as tx:
        events = [e for e in read_events(tx, 0, 100) if e.type == "address.counter_moved"]
    assert [event.subject for event in events] == [COUNTER]


def test_one_address_told_after_the_backup_is_enough(wallet: Wallet) -> None:
    """The first position after the restore is the one that was told last."""
    backup = wallet.folder / "backup"
    wallet.back_up(backup)
    wallet.take()
    wallet.restore(backup)
    with pytest.raises(CounterBehind):
        wallet.take()


def test_what_other_machines_told_is_skipped_as_well(
    restored: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(restored, monkeypatch, "move", "--beyond", "100")
    assert restored.take().position == 104
    run(restored, monkeypatch, "move", "--beyond", "100")
    assert restored.take().position == 205, "also where this machine's counter is good"
    run(restored, monkeypatch, "move")
    assert restored.take().position == 206


def test_an_address_that_was_not_told_may_be_taken_again(wallet: Wallet) -> None:
    def abandon() -> None:
        with wallet.database.write() as tx:
            issue(
                tx,
                StandInDeriver(),
                network=NETWORK,
                source="deposits",
                account_id=wallet.account,
                now_s=NOW_S,
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        abandon()
    assert wallet.take().position == 0


def test_each_wallet_has_its_own_mark_and_an_older_address_lowers_none(wallet: Wallet) -> None:
    first, second = wallet.take(), wallet.take()
    wallet.take("others")
    wallet.marks.note(first)
    with wallet.database.read() as tx:
        places = {place.counter: place.told for place in wallet.marks.places(tx)}
    assert places == {COUNTER: 1, f"address:{NETWORK}:others:0": 0}
    wallet.marks.check(replace(second, branch=1))
    with pytest.raises(CounterBehind):
        wallet.marks.check(second)


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"a": "1"}', b'{"a": true}', pytest.param(b" " * BYTES_MAX + b"{}", id="long")],
)
def test_marks_that_do_not_read_hand_nothing_out(wallet: Wallet, content: bytes) -> None:
    (wallet.folder / "address-marks").write_bytes(content)
    with pytest.raises(MarksUnreadable):
        wallet.take()


def test_marks_that_cannot_be_written_are_told(wallet: Wallet) -> None:
    told = wallet.take()
    (wallet.folder / ".address-marks.part").mkdir()
    with pytest.raises(MarksUnreadable, match="cannot write"):
        wallet.take()
    with pytest.raises(MarksUnreadable, match="cannot lock"):
        AddressMarks(wallet.folder / "wallet.sqlite" / "address-marks").note(told)
