"""`glaytos-wallet assets` against the served API, as a gateway and an exchange run it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.integration.api.conftest import World
from wallet.cli import assets
from wallet.cli.assets import options
from wallet.client import Client, NoAnswer, write_credentials

GOLD = "GOLD.zurich"
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Terminal:
    """Runs commands with one key that may do everything; the test's clock signs."""

    def __init__(self, world: World, folder: Path) -> None:
        self.client = world.client()
        self.key_id = self.client.transport._credentials.key_id
        self.file = folder / "credentials.json"
        write_credentials(self.file, self.client.transport._credentials)
        self.account_id = self.client.create_account("alice").id

    def run(self, *arguments: str) -> Result:
        command = [*arguments, "--credentials", str(self.file)]
        return CliRunner().invoke(assets.app, command)

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def terminal(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    made = Terminal(world, tmp_path)

    @contextmanager
    def connected(credentials: Path) -> Iterator[Client]:
        assert credentials == made.file
        yield made.client

    monkeypatch.setattr(options, "connect", connected)
    return made


@ON_SQLITE
def test_a_physical_asset_by_command(terminal: Terminal) -> None:
    alice = terminal.account_id
    opened = terminal.json("open-gateway", "zurich", "Zurich Vaults", terminal.key_id)
    assert (opened["id"], opened["key_id"], opened["agents"]) == ("zurich", terminal.key_id, [])
    metal = ("register-physical", "zurich", "GOLD", "gold", "--quota", "10", "--decimals", "3")
    gold = terminal.json(*metal)
    assert (gold["asset"], gold["quota_units"], gold["locked"]) == (GOLD, "10000", True)
    coin = terminal.json("register-currency", "zurich", "BTC", "coin", "--mirrors", "BTC")
    assert (coin["mirrors"], coin["quota_units"]) == ("BTC", None)
    assert terminal.json("trust", alice, GOLD, "4")["limit_units"] == "4000"
    issued = terminal.json("issue", GOLD, alice, "3.5", "--external-id", "bar-1")
    assert issued["amount_units"] == "3500"
    back = terminal.json("redeem", GOLD, alice, "0.5", "--external-id", "out-1")
    assert [one["id"] for one in terminal.json("issues", GOLD)].count(back["id"]) == 1
    assert terminal.json("show", GOLD)["outstanding"] == "3"
    assert {one["asset"] for one in terminal.json("list")} == {GOLD, "BTC.zurich"}
    assert [one["held"] for one in terminal.json("trust-lines", alice)] == ["3"]
    assert terminal.json("freeze", alice, GOLD, "--reason", "a court")["frozen"] is True
    assert [one["reason"] for one in terminal.json("freezes")] == ["a court"]
    refused = terminal.run("issue", GOLD, alice, "0.1", "--external-id", "bar-2")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("asset.account_frozen: ")
    assert terminal.json("lift", alice, GOLD, "--reason", "settled")["frozen"] is False
    assert [one["number"] for one in terminal.json("terms", alice, GOLD)] == [1, 2, 3]


@ON_SQLITE
def test_agents_by_command(world: World, terminal: Terminal) -> None:
    other = world.client().transport._credentials.key_id
    terminal.json("open-gateway", "zurich", "Zurich", terminal.key_id)
    assert terminal.json("appoint", "zurich", other)["agents"] == [other]
    assert terminal.json("dismiss", "zurich", other)["agents"] == []
    assert terminal.json("change-gateway-key", "zurich", other)["key_id"] == other
    assert [one["key_id"] for one in terminal.json("gateways")] == [other]


@ON_SQLITE
def test_people_read_tables_and_fields(terminal: Terminal) -> None:
    terminal.json("open-gateway", "zurich", "Zurich", terminal.key_id)
    shown = terminal.run("register-physical", "zurich", "GOLD", "gold", "--quota=1", "--decimals=0")
    assert "quota: 1\n" in shown.stdout
    assert "mirrors: \n" in shown.stdout
    assert GOLD in terminal.run("list").stdout
    assert "zurich" in terminal.run("gateways").stdout


@ON_SQLITE
def test_what_may_be_done_is_asked_again_under_its_key(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> None:
        raise NoAnswer("got ReadTimeout from /v1/gateways", "key-of-this-try")

    monkeypatch.setattr(terminal.client.transport, "post", silent)
    result = terminal.run("open-gateway", "zurich", "Zurich", terminal.key_id)
    assert result.exit_code == 1
    assert "client.no_answer" in result.stderr
    assert "--once key-of-this-try" in result.stderr
