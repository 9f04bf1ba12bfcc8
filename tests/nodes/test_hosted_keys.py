"""A user's own key on real chains: made on a device, funded, paid over the API, confirmed."""

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import uvicorn

from chains.units import to_units
from signer.hosted import DeviceMemory, KdfCost
from signer.protocol import public_key_of
from tests.conftest import ROOT
from tests.hosted_world import Hands
from wallet.api.keys import ApiKey, create_key, scopes_of
from wallet.bootstrap import Deployment
from wallet.client import Client, Credentials
from wallet.client.transport import Transport
from wallet.clock import SystemClock
from wallet.deposits.watcher import Seen, Watcher
from wallet.device import HostedKeyDevice
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM
from wallet.hosted_keys.totp import STEP_S
from wallet.milestones import pass_by
from wallet.service import build_app
from wallet.settings import AssetSettings, NetworkSettings, Settings
from wallet.webhooks.secrets import create_service_key

BTC = "bitcoin-regtest"
LTC = "litecoin-regtest"
BLOCKS_MAX = 20
PAYEES = {
    BTC: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    LTC: "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3",
    ETHEREUM: "0x3535353535353535353535353535353535353535",
}


class MovedClock(SystemClock):
    """The machine's clock, and the seconds that a test moved it on."""

    moved_s = 0

    def now_s(self) -> int:
        return super().now_s() + self.moved_s


@dataclass
class Running:
    """A served deployment over real nodes, and one user's device."""

    devnet: Devnet
    deployment: Deployment
    clock: MovedClock
    client: Client
    device: HostedKeyDevice
    hands: Hands
    watchers: dict[str, Watcher]
    account_id: str

    def mine(self, network: str) -> None:
        """One block, scanned, and its payments looked at."""
        self.devnet.mine(network, 1)
        self.look(network)

    def look(self, network: str) -> None:
        while self.watchers[network].step().seen is not Seen.SAME:
            pass
        self.deployment.hosted.follower.run(network)

    def pay(self, key_id: str, asset: str, amount: str, decimals: int, payee: str) -> str:
        paid = self.device.pay(key_id, asset=asset, address=payee, units=to_units(amount, decimals))
        self.clock.moved_s += STEP_S
        return paid.id

    def completed(self, network: str, key_id: str, payment_id: str) -> bool:
        """Mine until the payment is deep enough."""
        for _ in range(BLOCKS_MAX):
            self.mine(network)
            if self.client.hosted.payment(key_id, payment_id).status == "completed":
                return True
        return False


def settings(devnet: Devnet, folder: Path, heights: dict[str, int]) -> Settings:
    networks = tuple(
        NetworkSettings(
            id=network,
            family="evm" if network == ETHEREUM else "utxo",
            params=network,
            node_url=devnet.url(network),
            start_height=heights[network],
            feerate_min=20_000,
        )
        for network in PAYEES
    )
    assets = [
        AssetSettings(code="BTC", network=BTC, decimals=8),
        AssetSettings(code="LTC", network=LTC, decimals=8),
        AssetSettings(code="ETH", network=ETHEREUM, decimals=18),
    ]
    contract = devnet.contracts.tokens["DUSD"]
    assets.append(AssetSettings(code="DUSD", network=ETHEREUM, decimals=6, contract=contract))
    return Settings(
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'wallet.sqlite'}",
        api_host="127.0.0.1",
        api_port=0,
        policy_file=ROOT / "config" / "policies" / "service.toml",
        vault_files=(),
        coordinator_key_file=folder / "coordinator.key",
        service_key_file=folder / "service.key",
        networks=networks,
        assets=tuple(assets),
        signers=(),
        staff=(),
        approvals_required=1,
    )


@pytest.fixture
def running(devnet: Devnet, tmp_path: Path) -> Iterator[Running]:
    create_service_key(tmp_path / "service.key", os.urandom)
    heights = {each.network: each.height for each in devnet.status()}
    clock = MovedClock()
    deployment = Deployment(settings=settings(devnet, tmp_path, heights), clock=clock)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    config = uvicorn.Config(build_app(deployment), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    seed, key_id = os.urandom(32), str(uuid4())
    with deployment.database.write() as tx:
        key = ApiKey(
            id=key_id,
            name="device",
            public_key=public_key_of(seed),
            scopes=scopes_of(("all",)),
            addresses_allowed=(),
            created_s=0,
            revoked_s=None,
        )
        create_key(tx, key)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    http = httpx.Client(base_url=url, trust_env=False, timeout=60)
    credentials = Credentials(url=url, key_id=key_id, private_key=seed)
    # Tokens of requests follow the machine's clock as the server's does.
    client = Client(http, Transport(http, credentials, clock, os.urandom))
    hands = Hands(clock.now_s)
    memory = DeviceMemory(tmp_path / "device.json")
    device = HostedKeyDevice(client, memory, hands, clock, os.urandom, cost=KdfCost(lanes=1))
    watchers = {
        network: Watcher(chain, deployment.database, {}, heights[network], clock, pass_by)
        for network, chain in deployment.chains.items()
    }
    account_id = client.create_account("user-1").id
    yield Running(devnet, deployment, clock, client, device, hands, watchers, account_id)
    client.close()
    server.should_exit = True
    thread.join(timeout=60)
    listener.close()
    deployment.close()


@pytest.mark.parametrize(("network", "asset"), [(BTC, "BTC"), (LTC, "LTC")])
def test_a_coin_is_paid_from_a_key_that_only_the_user_has(
    running: Running, network: str, asset: str
) -> None:
    made = running.device.make(running.account_id, network)
    running.clock.moved_s += STEP_S
    running.look(network)
    for units in (30_000_000, 20_000_000):
        running.devnet.fund(network, asset, made.address, units)
    running.mine(network)
    first = running.pay(made.id, asset, "0.45", 8, PAYEES[network])
    assert running.client.hosted.payment(made.id, first).status == "submitted"
    assert running.completed(network, made.id, first)
    # The change came back and is spent in its turn.
    second = running.pay(made.id, asset, "0.04", 8, PAYEES[network])
    assert running.completed(network, made.id, second)
    assert any("change 0.0" in line for line in running.hands.shown)


def test_ether_and_a_token_are_paid_from_a_key_that_only_the_user_has(running: Running) -> None:
    made = running.device.make(running.account_id, ETHEREUM)
    running.clock.moved_s += STEP_S
    running.devnet.fund(ETHEREUM, "ETH", made.address, 10**18)
    running.devnet.fund(ETHEREUM, "DUSD", made.address, 5_000_000)
    running.mine(ETHEREUM)
    chain = running.deployment.chains[ETHEREUM]
    payee = chain.destination(PAYEES[ETHEREUM]).target
    before = {code: chain.balance_units(payee, code, chain.tip()) for code in ("ETH", "DUSD")}
    ether = running.pay(made.id, "ETH", "0.25", 18, PAYEES[ETHEREUM])
    assert running.completed(ETHEREUM, made.id, ether)
    token = running.pay(made.id, "DUSD", "2.5", 6, PAYEES[ETHEREUM])
    assert running.completed(ETHEREUM, made.id, token)
    gained = {
        code: chain.balance_units(payee, code, chain.tip()) - held for code, held in before.items()
    }
    assert gained == {"ETH": 25 * 10**16, "DUSD": 2_500_000}
    paid = running.client.hosted.payment(made.id, ether)
    assert 0 < paid.fee_units < 10**16
