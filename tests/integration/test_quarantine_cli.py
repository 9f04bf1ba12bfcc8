"""`glaytos-wallet quarantine` as staff type it: only known keys decide, and only what waits."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.integration.test_token_deposits import NETWORK, OTHER_CODE, Bench, make_bench, settings
from wallet.cli import quarantine as command
from wallet.deposits.holding import NotHeld
from wallet.settings import StaffSettings
from wallet.store.database import Database
from wallet.treasury.errors import UnknownApprover
from wallet.treasury.quarantine import NothingUnread, OtherCode, QuarantineDesk
from wallet.treasury.staff_keys import StaffKey, create_staff_key

PASSPHRASE = "a long passphrase"


class Desk:
    """A terminal with the key of a member and that of a stranger."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.folder = folder
        self.ended: list[tuple[str, bool, str]] = []
        self.secret = folder / "passphrase"
        self.secret.write_text(PASSPHRASE + "\n")
        keys = {
            name: create_staff_key(folder / f"{name}.json", name, PASSPHRASE, lambda n: b"\x07" * n)
            for name in ("ada", "mallory")
        }
        self.roster = StaffSettings(id="ada", name="Ada", public_key=keys["ada"].public_key.hex())

    def member(self, key: StaffKey) -> None:
        if key.id != self.roster.id:
            raise UnknownApprover("got a stranger's key")

    def end(self, payment_id: str, *, paid: bool, by: str) -> None:
        self.ended.append((payment_id, paid, by))

    def open(self, config: Path) -> QuarantineDesk:
        return QuarantineDesk(
            database=self.bench.database,
            clock=self.bench.watcher._clock,
            member=self.member,
            end_payment=self.end,
        )

    def run(self, *arguments: str, key: str = "ada") -> Result:
        secrets = ["--key", str(self.folder / f"{key}.json"), "--passphrase-file", str(self.secret)]
        return CliRunner().invoke(command.app, [*arguments, *secrets])

    def waiting(self) -> Any:
        return json.loads(CliRunner().invoke(command.app, ["list", "--json"]).output)


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(make_bench(database, settings()), tmp_path)
    monkeypatch.setattr(command, "open_quarantine", made.open)
    return made


def test_a_held_deposit_is_listed_with_its_reason_and_released(desk: Desk) -> None:
    desk.bench.after(1000, arrived=990)
    (row,) = desk.waiting()["deposits"]
    assert (row["arrived"], row["logged"], row["why"]) == (
        "990",
        "1000",
        "quarantined:less_arrived",
    )
    assert "quarantined" in CliRunner().invoke(command.app, ["list"], env={"COLUMNS": "400"}).output

    assert desk.run("release", row["id"]).output == "released\n"
    desk.bench.chain.mine()
    desk.bench.follow()
    assert (desk.bench.owned(), desk.waiting()["deposits"]) == (990, [])


def test_a_held_deposit_is_rejected_once(desk: Desk) -> None:
    desk.bench.after(1000, arrived=990)
    deposit_id = desk.waiting()["deposits"][0]["id"]

    assert desk.run("reject", deposit_id).output == "rejected\n"
    assert isinstance(desk.run("reject", deposit_id).exception, NotHeld)
    assert desk.bench.rows() == [("rejected", "rejected:ada", 990)]


def test_trusting_a_code_releases_what_was_held_for_it_alone(desk: Desk) -> None:
    desk.bench.after(5, arrived=5)
    desk.bench.chain.code = OTHER_CODE
    desk.bench.after(6, arrived=6)
    desk.bench.after(7, arrived=1)
    assert [row["found"] for row in desk.waiting()["codes"]] == [OTHER_CODE]

    assert isinstance(desk.run("trust", NETWORK, "TOK", "c5" * 32).exception, OtherCode)
    done = desk.run("trust", NETWORK, "TOK", OTHER_CODE)
    assert done.output == "trusted, 1 deposits released\n"
    desk.bench.chain.mine()
    desk.bench.follow()
    assert desk.bench.owned() == 11
    assert [row["why"] for row in desk.waiting()["deposits"]] == ["quarantined:less_arrived"]
    assert desk.waiting()["codes"] == []
    assert isinstance(desk.run("trust", NETWORK, "TOK", OTHER_CODE).exception, OtherCode)


def test_vouching_for_what_was_unreadable_releases_what_was_held_for_it_alone(desk: Desk) -> None:
    chain = desk.bench.chain
    for arrived in (6, 7, 1):
        chain.mine(7, arrived=arrived)
        chain.garble("TOK")
    chain.mine()
    chain.mine()
    desk.bench.follow()
    assert [row["height"] for row in desk.waiting()["unreadable"]] == ["0", "1", "2"]

    assert desk.run("vouch", NETWORK, "TOK", "1").output == "vouched, 0 deposits released\n"
    assert isinstance(desk.run("vouch", NETWORK, "TOK", "1").exception, NothingUnread)
    assert isinstance(desk.run("vouch", NETWORK, "OTHER", "9").exception, NothingUnread)
    assert desk.run("vouch", NETWORK, "TOK", "2").output == "vouched, 1 deposits released\n"
    chain.mine()
    desk.bench.follow()
    assert desk.bench.owned() == 7
    assert [row["why"] for row in desk.waiting()["deposits"]] == ["quarantined:less_arrived"] * 2
    assert desk.waiting()["unreadable"] == []
    assert desk.bench.prove().is_proven


def test_a_payment_is_ended_in_the_members_name(desk: Desk) -> None:
    assert desk.run("settle", "p-1", "--paid").output == "ended as paid\n"
    assert desk.run("settle", "p-2", "--not-paid").output == "ended as not paid\n"
    assert desk.ended == [("p-1", True, "ada"), ("p-2", False, "ada")]
    assert desk.waiting()["payments"] == []


def test_a_stranger_decides_nothing(desk: Desk) -> None:
    desk.bench.after(1000, arrived=990)
    deposit_id = desk.waiting()["deposits"][0]["id"]
    stranger: Callable[..., Result] = partial(desk.run, key="mallory")

    for done in (
        stranger("release", deposit_id),
        stranger("reject", deposit_id),
        stranger("trust", NETWORK, "TOK", OTHER_CODE),
        stranger("vouch", NETWORK, "TOK", "9"),
        stranger("settle", "p-1", "--paid"),
    ):
        assert isinstance(done.exception, UnknownApprover)
    assert (desk.ended, len(desk.waiting()["deposits"])) == ([], 1)
