"""`glaytos-wallet api-key`: a key made by command opens the API, and a revoked one does not."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from signer.protocol import public_key_of
from tests.integration.api.conftest import World
from wallet.api.keys import ApiKeyInvalid
from wallet.cli import api_key
from wallet.client import ApiError, Client, connect, load_credentials
from wallet.client.transport import Transport


class StandInDeployment:
    """What the command needs of a deployment."""

    def __init__(self, world: World) -> None:
        self.database = world.services.db
        self.clock = world.clock
        self.settings = world.services.settings

    def close(self) -> None:
        """The test's database stays open."""


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command on the test's database and gives its output."""
    monkeypatch.setattr(api_key, "open_deployment", lambda config: StandInDeployment(world))

    def command(*arguments: str) -> str:
        result = CliRunner().invoke(api_key.app, list(arguments), catch_exceptions=True)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return command


def client_of(world: World, path: Path) -> Client:
    client = connect(path)
    credentials = load_credentials(path)
    client.transport = Transport(client._http, credentials, world.clock, lambda n: b"\x09" * n)
    return client


def test_a_key_made_by_command_opens_the_api_until_revoked(
    world: World, run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "credentials.json"
    arguments = ["--name", "engine", "--scope", "read", "--out", str(path), "--url", world.url]
    made = json.loads(run("create", *arguments, "--json"))
    assert "accounts:read" in made["scopes"]
    assert "accounts:write" not in made["scopes"]
    assert load_credentials(path).private_key.hex() not in json.dumps(made)
    with client_of(world, path) as client:
        assert client.list_accounts().data == ()
        run("revoke", made["id"])
        with pytest.raises(ApiError) as refused:
            client.list_accounts()
    assert refused.value.code == "auth.revoked_key"
    (listed,) = json.loads(run("list", "--json"))
    assert listed["revoked_s"] == world.clock.now_s()


def test_a_pair_made_elsewhere_is_registered_by_its_public_half(world: World, run: Any) -> None:
    public = public_key_of(b"\x03" * 32).hex()
    made = json.loads(
        run("create", "--name", "x", "--scope", "all", "--public-key", public, "--json")
    )
    assert made["public_key"] == public


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "x", "--scope", "all"],
        ["--name", "x", "--scope", "all", "--public-key", "zz"],
        ["--name", "x", "--scope", "all", "--public-key", "00"],
        ["--name", "x", "--scope", "everything", "--public-key", "00" * 32],
        ["--name", "\x1b[2J", "--scope", "all", "--public-key", "00" * 32],
        ["--name", "x", "--scope", "all", "--public-key", "00" * 32, "--address", "10.0.0.1/8"],
    ],
)
def test_a_key_that_cannot_be_meant_is_refused(run: Any, arguments: list[str]) -> None:
    with pytest.raises(ApiKeyInvalid):
        run("create", *arguments)
    assert json.loads(run("list", "--json")) == []


def test_a_file_that_exists_is_never_replaced(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text("precious")
    with pytest.raises(ApiKeyInvalid):
        run("create", "--name", "x", "--scope", "all", "--out", str(path))
    assert path.read_text() == "precious"
    assert json.loads(run("list", "--json")) == []
