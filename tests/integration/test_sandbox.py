"""The sandbox, started as a person starts it: deposit, withdrawal, faults, and a clean end."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from wallet.client import Client, NoAnswer, connect
from wallet.clock import SystemClock
from wallet.sandbox.errors import FolderTaken, Impossible, PublicNetwork, UnknownNetwork
from wallet.sandbox.running import Wanted, check_private, run_sandbox
from wallet.sandbox.world import SandboxWorld
from wallet.settings import NetworkSettings, Settings

PAYEE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PATIENCE_S = 240


class Sandbox:
    """A running sandbox and the commands that wish things of it."""

    def __init__(self, ready: dict[str, str], process: "subprocess.Popen[str]") -> None:
        self.url = ready["url"]
        self.credentials = Path(ready["credentials"])
        self.process = process

    def wish(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "wallet", "sandbox-do", "--url", self.url, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox") / "new"
    command = [sys.executable, "-m", "wallet", "sandbox", "--port", "0", "--data", str(folder)]
    with subprocess.Popen(
        [*command, "--block-ms", "0", "--json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the sandbox ended before it was ready"
        yield Sandbox(json.loads(line), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[Client]:
    with connect(sandbox.credentials) as client:
        until(lambda: healthy(client))
        yield client


def healthy(client: Client) -> bool:
    try:
        return bool(client.health())
    except NoAnswer:
        return False


def until(holds: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    """Ask again and again; every question takes its own time."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, "waited too long"
        meanwhile()


@pytest.mark.timeout(900)
def test_money_in_and_out_with_a_lost_answer(sandbox: Sandbox, client: Client) -> None:
    alice = client.create_account("alice")
    address = client.create_address(alice.id, "bitcoin-regtest")
    paid = sandbox.wish("deposit", "BTC", address.address, "0.5", "0.25")
    sandbox.wish("mine", "--count", "2")

    def deposits() -> list[tuple[str, str, str]]:
        items = client.list_deposits(account_id=alice.id).data
        return sorted((item.amount, item.status, item.txid) for item in items)

    def mine() -> None:
        """A block once the last ones are scanned: more than the scan follows would only pile up."""
        if all(network.lag_blocks == 0 for network in client.health().networks):
            httpx.post(f"{sandbox.url}/sandbox/v1/blocks", json={}).raise_for_status()

    credited = [(units, "credited", paid["txid"]) for units in ("0.25", "0.5")]
    until(lambda: deposits() == credited, mine)
    sandbox.wish("fault", "bitcoin-regtest", "lost_after")
    asked = client.create_withdrawal(
        external_id="w-1", account_id=alice.id, asset="BTC", amount="0.1", address=PAYEE
    )
    until(lambda: client.withdrawal(asked.id).status == "completed", mine)
    with pytest.raises(Exception, match="external_id"):
        client.create_withdrawal(
            external_id="w-1", account_id=alice.id, asset="BTC", amount="0.1", address=PAYEE
        )


@pytest.mark.timeout(900)
def test_a_reorg_takes_a_fresh_deposit_away(sandbox: Sandbox, client: Client) -> None:
    bob = client.create_account("bob")
    address = client.create_address(bob.id, "ethereum-31337")
    sandbox.wish("deposit", "ETH", address.address, "2")
    sandbox.wish("mine", "--network", "ethereum-31337")

    def statuses() -> list[str]:
        return [item.status for item in client.list_deposits(account_id=bob.id).data]

    def is_in_a_block() -> bool:
        found = client.list_deposits(account_id=bob.id).data
        return any(item.height is not None for item in found)

    until(is_in_a_block)
    sandbox.wish("reorg", "ethereum-31337", "1", "--fate", "dropped")
    until(lambda: statuses() == ["orphaned"])


def test_the_help_teaches(sandbox: Sandbox) -> None:
    command = [sys.executable, "-m", "wallet", "sandbox-do", "--help"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    ).stdout
    assert all(word in shown for word in ("deposit", "mine", "reorg", "price", "fault", "evict"))
    assert {chain["network"] for chain in sandbox.wish("chains")} == {
        "bitcoin-regtest",
        "litecoin-regtest",
        "ethereum-31337",
    }


def test_an_unknown_wish_is_refused_with_its_code() -> None:
    world = SandboxWorld(1, SystemClock().now_s)
    with pytest.raises(UnknownNetwork):
        world.deposit("DOGE", PAYEE, [1])
    with pytest.raises(UnknownNetwork):
        world.mine("dogecoin", 1)
    with pytest.raises(Impossible):
        world.reorg("bitcoin-regtest", 1_000, "kept")
    with pytest.raises(Impossible):
        world.evict("bitcoin-regtest", "00" * 32)


def test_the_same_seed_gives_the_same_transactions() -> None:
    first, same, other = (SandboxWorld(seed, lambda: 1_800_000_000) for seed in (1, 1, 2))
    txids = [world.deposit("BTC", PAYEE, [100_000]) for world in (first, same, other)]
    assert txids[0] == txids[1] != txids[2]


NODE = "http://127.0.0.1:1"


def settings_of(params: str, url: str, host: str) -> Settings:
    nowhere = Path("nowhere")
    network = NetworkSettings(id="bitcoin-regtest", family="utxo", params=params, node_url=url)
    return Settings(
        data_dir=nowhere,
        database_url="",
        api_host=host,
        api_port=0,
        policy_file=nowhere,
        vault_files=(),
        coordinator_key_file=nowhere,
        service_key_file=nowhere,
        networks=(network,),
        assets=(),
        signers=(),
        staff=(),
        approvals_required=2,
    )


@pytest.mark.parametrize(
    ("params", "url", "host"),
    [
        ("bitcoin", NODE, "127.0.0.1"),
        ("bitcoin-regtest", "http://node.example:8332", "127.0.0.1"),
        ("bitcoin-regtest", NODE, "0.0.0.0"),
    ],
)
def test_public_networks_are_refused(params: str, url: str, host: str) -> None:
    with pytest.raises(PublicNetwork):
        check_private(settings_of(params, url, host))


def test_simulated_networks_are_not_refused() -> None:
    check_private(settings_of("bitcoin-regtest", NODE, "127.0.0.1"))


def test_a_folder_with_files_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    wanted = Wanted(folder=tmp_path, policies=tmp_path, port=0, seed=1, block_ms=0)
    with pytest.raises(FolderTaken):
        run_sandbox(wanted, lambda _line: None, lambda _ready: None)
