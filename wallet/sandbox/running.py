"""A sandbox from nothing to its end: keys, vaults, chains, service, blocks in their rhythm."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

from chains.evm.safe import SafeVault
from wallet.bootstrap import Deployment, open_deployment
from wallet.clock import SystemClock
from wallet.demo.deployment import DemoDeployment, make_keys, provision
from wallet.networks import is_development
from wallet.sandbox.control import PREFIX, control_app
from wallet.sandbox.errors import FolderTaken, PublicNetwork
from wallet.sandbox.rpc import HOST, nodes_listening
from wallet.sandbox.world import ETHEREUM, SandboxWorld
from wallet.service import build_app
from wallet.serving import serve_until_stopped
from wallet.settings import Settings

_HOUSE = {"ETH": 1_000 * 10**18, "DUSD": 10_000_000 * 10**6, "DGLD": 10_000 * 10**18}
"""The operator's own money on the hot account, which pays before deposits are gathered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for; `block_ms` 0 mines on demand only, `port` 0 takes a free one."""

    folder: Path
    policies: Path
    port: int
    seed: int
    block_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Where to find what is running."""

    url: str
    credentials: Path
    config: Path


def run_sandbox(
    wanted: Wanted, progress: Callable[[str], None], ready: Callable[[Ready], None]
) -> None:
    """Set up and serve until stopped. Raises FolderTaken, PublicNetwork or CommandFailed."""
    if wanted.folder.exists() and any(wanted.folder.iterdir()):
        raise FolderTaken(f"got a folder with files in it, {wanted.folder}, expected a new one")
    world = SandboxWorld(wanted.seed, SystemClock().now_s)
    with nodes_listening(world):
        progress("making keys in six signers")
        place = provision(make_keys(wanted.folder), wanted.policies, world, progress, wanted.port)
        deployment = open_deployment(place.config)
        check_private(deployment.settings)
        _found(world, deployment)
        app = build_app(deployment)
        app.mount(PREFIX, control_app(world))
        with _mining(world, wanted.block_ms):
            ready(_ready(place, deployment.settings))
            serve_until_stopped(deployment, app)


def check_private(settings: Settings) -> None:
    """Raise PublicNetwork unless every network is a development chain on this machine."""
    for network in settings.networks:
        urls = [network.node_url, network.second_node_url]
        hosts = {urlsplit(url).hostname for url in urls if url}
        if not is_development(network) or hosts - {HOST}:
            raise PublicNetwork(f"got network {network.id}, expected simulated chains only")
    if settings.api_host != HOST:
        raise PublicNetwork(f"got address {settings.api_host}, expected {HOST}")


def _found(world: SandboxWorld, deployment: Deployment) -> None:
    """The Safe, and the operator's own money."""
    for vault in deployment.vaults.values():
        if isinstance(vault, SafeVault):
            world.register_safe(vault)
    hot = deployment.deriver.address_at(ETHEREUM, "ethereum-hot", 0, 0).address
    for asset, units in _HOUSE.items():
        world.deposit(asset, hot, [units])
    world.mine(None, 1)


@contextmanager
def _mining(world: SandboxWorld, block_ms: int) -> Iterator[None]:
    """A block on every chain again and again."""
    stop = Event()

    def mine() -> None:
        while not stop.wait(timedelta(milliseconds=block_ms).total_seconds()):
            world.mine(None, 1)

    thread = Thread(target=mine, daemon=True)
    if block_ms:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if block_ms:
            thread.join()


def _ready(place: DemoDeployment, settings: Settings) -> Ready:
    return Ready(
        url=f"http://{settings.api_host}:{settings.api_port}",
        credentials=place.credentials,
        config=place.config,
    )
