"""`glaytos-wallet hosted-key` against the served API, as a user runs it."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chains.types import BlockRef, BlockScan, Evidence, Inflow
from tests.hosted_world import Hands, funding, script_of
from tests.integration.api.conftest import NETWORK, PAYEE, World
from wallet.cli import hosted_key
from wallet.client import write_credentials
from wallet.clock import SystemClock
from wallet.device import PasswordBad, TerminalPerson
from wallet.device.authenticator import otpauth_link
from wallet.hosted_keys.coins import record_scan
from wallet.hosted_keys.totp import STEP_S

runner = CliRunner()


@dataclass
class Terminal:
    """Runs commands of one user; codes come from the enrolled authenticator."""

    world: World
    folder: Path
    account_id: str

    def run(self, *arguments: str, answer: str = "") -> Result:
        command = [
            *arguments,
            "--credentials",
            str(self.folder / "credentials.json"),
            "--device",
            str(self.folder / "device"),
        ]
        return runner.invoke(hosted_key.app, command, input=answer)

    def json(self, *arguments: str, answer: str = "") -> Any:
        result = self.run(*arguments, "--json", answer=answer)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def make(self) -> dict[str, str]:
        made: dict[str, str] = self.json(
            *("make", "--account", self.account_id, "--network", NETWORK),
            *("--kdf-mib", "64", "--new-password-file", str(self.folder / "password")),
        )
        return made

    def with_password(self, *arguments: str) -> tuple[str, ...]:
        return (*arguments, "--password-file", str(self.folder / "password"))


@pytest.fixture
def terminal(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    folder = tmp_path / "user"
    folder.mkdir()
    write_credentials(folder / "credentials.json", world.credentials())
    (folder / "password").write_bytes(b"a payment password\n")
    hands = Hands(world.clock.now_s)

    def next_code(_: TerminalPerson) -> str:
        world.clock.time_s += STEP_S
        return hands.code()

    monkeypatch.setattr(SystemClock, "now_s", lambda _: world.clock.now_s())
    monkeypatch.setattr(TerminalPerson, "enrol", lambda _, link: hands.enrol(link))
    monkeypatch.setattr(TerminalPerson, "code", next_code)
    return Terminal(world, folder, world.client().create_account("user-1").id)


def fund(world: World, address: str, sats: int) -> None:
    paid = funding(script_of(address), sats)
    inflow = Inflow(
        txid=paid.txid,
        position="out:0",
        asset="BTC",
        target=script_of(address),
        units=sats,
        evidence=Evidence.OUTPUT,
        raw_tx=paid.serialize(),
    )
    ref = BlockRef(height=7, hash="77" * 32, parent="66" * 32, time_s=0)
    with world.services.db.write() as tx:
        record_scan(tx, NETWORK, BlockScan(ref=ref, inflows=(inflow,), spends=()))


def test_the_whole_life_of_a_key_by_command(terminal: Terminal) -> None:
    made = terminal.make()
    assert [each["id"] for each in terminal.json("list")] == [made["id"]]
    fund(terminal.world, made["address"], 100_000)
    order = ("pay", made["id"], "--asset", "BTC", "--to", PAYEE, "--amount", "0.0006")
    declined = terminal.run(*terminal.with_password(*order), answer="\n")
    assert (declined.exit_code, terminal.world.chain.sent) == (1, [])
    paid = terminal.json(*terminal.with_password(*order), answer="y\n")
    assert (paid["amount"], paid["status"]) == ("0.0006", "submitted")
    shown = terminal.json("show", made["id"])
    assert shown["opened_here"] is True
    assert {each["txid"] for each in shown["payments"]} == {paid["txid"], None}
    new = terminal.folder / "new-password"
    new.write_bytes(b"another payment password")
    change = ("change-password", made["id"], "--new-password-file", str(new), "--kdf-mib", "64")
    assert terminal.json(*terminal.with_password(*change))["version"] == 2
    new.replace(terminal.folder / "password")
    out = terminal.folder / "backup.hk1"
    terminal.json(*terminal.with_password("export", made["id"], "--out", str(out)))
    assert out.stat().st_mode & 0o077 == 0
    again = terminal.run(*terminal.with_password("export", made["id"], "--out", str(out)))
    assert again.exit_code == 1
    assert terminal.run("delete", made["id"], answer="\n").exit_code == 1
    assert terminal.json("delete", made["id"], answer="y\n")["deleted"] is True
    assert terminal.json("list") == []


def test_the_person_reads_the_payment_before_the_question(terminal: Terminal) -> None:
    made = terminal.make()
    fund(terminal.world, made["address"], 100_000)
    order = ("pay", made["id"], "--asset", "BTC", "--to", PAYEE, "--amount", "0.0006")
    shown = terminal.run(*order, answer="n\n").output
    assert shown.index(PAYEE) < shown.index("Sign and send this payment? [y/N]")
    assert "0.0006 BTC (60000)" in shown


def test_a_fee_above_the_given_limit_is_refused(terminal: Terminal) -> None:
    made = terminal.make()
    fund(terminal.world, made["address"], 100_000)
    order = ("pay", made["id"], "--asset", "BTC", "--to", PAYEE, "--amount", "0.0006")
    result = terminal.run(*order, "--max-fee", "0.00000001", answer="y\n")
    assert getattr(result.exception, "code", "") == "fee.asked"


def test_the_services_refusal_ends_the_command_with_its_code(terminal: Terminal) -> None:
    result = terminal.run("show", "3f6d1a52-7a0b-4a54-9d2e-0d6f2f6a9c11")
    assert result.exit_code == 1
    assert "hosted_key.not_found" in result.output


def test_a_key_made_elsewhere_is_marked_until_it_was_opened_here(terminal: Terminal) -> None:
    made = terminal.make()
    (terminal.folder / "device" / "hosted-keys.json").unlink()
    assert terminal.json("show", made["id"])["opened_here"] is False
    assert "Export it once" in terminal.run("show", made["id"]).output
    out = terminal.folder / "backup.hk1"
    terminal.json(*terminal.with_password("export", made["id"], "--out", str(out)))
    assert terminal.json("show", made["id"])["opened_here"] is True


def test_no_command_takes_a_password_on_the_command_line() -> None:
    for command in ("make", "pay", "change-password", "export", "delete"):
        shown = runner.invoke(hosted_key.app, [command, "--help"], env={"COLUMNS": "200"}).output
        assert "--password " not in shown


def _file(tmp_path: Path, content: bytes) -> Callable[[], bytes]:
    path = tmp_path / "password"
    path.write_bytes(content)
    return TerminalPerson(new_password_file=path).new_password


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"x" * 1025])
def test_a_password_that_protects_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PasswordBad):
        _file(tmp_path, content)()


def test_a_password_comes_from_a_descriptor_once_for_all_questions() -> None:
    read, write = os.pipe()
    os.write(write, b"a payment password\n")
    os.close(write)
    person = TerminalPerson(password_fd=read)
    assert [person.password(), person.password()] == [b"a payment password"] * 2


def test_a_password_has_one_source(tmp_path: Path) -> None:
    with pytest.raises(PasswordBad):
        TerminalPerson(password_file=tmp_path / "password", password_fd=3)


def test_the_authenticator_link_is_what_apps_read() -> None:
    assert otpauth_link(b"12345678901234567890", "bitcoin 12345678") == (
        "otpauth://totp/Glaytos%3Abitcoin%2012345678?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=Glaytos&digits=6&period=30"
    )
