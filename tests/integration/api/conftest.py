"""A real server over a real database; only the chains are stand-ins."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn

from chains.errors import NodeUnavailable
from chains.types import BlockRef, BroadcastAnswer, BroadcastOutcome, Destination, Family
from chains.utxo import addresses
from chains.utxo.params import BUILTIN
from chains.utxo.second_parser import SecondParser
from chains.utxo.transactions import parse
from policies import load_policy
from signer.protocol import public_key_of
from wallet.addresses.derivation import Derived
from wallet.api.app import create_app
from wallet.api.keys import ApiKey, create_key, scopes_of
from wallet.api.services import Services
from wallet.api.tips import Tips
from wallet.assets.authority import ScopeAuthority
from wallet.assets.context import AssetContext
from wallet.client import Client, Credentials
from wallet.client.transport import Transport
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.desk import HostedDesk
from wallet.ledger import chart
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.ledger.writer import LedgerWriter
from wallet.milestones import pass_by
from wallet.settings import (
    AssetSettings,
    ConfirmationTier,
    NetworkSettings,
    Settings,
    StaffSettings,
)
from wallet.store.database import Database
from wallet.treasury.approvals import ApprovalDesk
from wallet.withdrawals.requests import Withdrawals

NETWORK = "bitcoin-regtest"
PAYEE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
START_S = 1_800_000_000
STAFF_SEEDS = {"alice": b"\x01" * 32, "bob": b"\x02" * 32}


class SetClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time_s = START_S

    def now_s(self) -> int:
        return self.time_s


@dataclass
class StandInChain:
    """Answers what the API asks of a chain: is this payable, and how high are you?"""

    network: str = NETWORK
    family: Family = Family.UTXO
    assets: tuple[object, ...] = ()
    height: int | None = 100
    sent: list[bytes] = field(default_factory=list)

    def destination(self, text: str) -> Destination:
        return addresses.parse(BUILTIN[NETWORK], text)

    def tip(self) -> BlockRef:
        if self.height is None:
            raise NodeUnavailable("the node sleeps")
        return BlockRef(height=self.height, hash="00" * 32, parent="00" * 32, time_s=START_S)

    def feerate_units(self) -> int:
        return 5_000

    def broadcast(self, raw: bytes) -> BroadcastAnswer:
        self.tip()
        self.sent.append(raw)
        txid = parse(raw).txid
        return BroadcastAnswer(outcome=BroadcastOutcome.ACCEPTED, txid=txid)


class StandInDeriver:
    """A different address for every position."""

    def address_at(self, network: str, source: str, branch: int, position: int) -> Derived:
        place = f"{network}/{source}/{branch}/{position}".encode()
        target = b"\x00\x14" + hashlib.sha256(place).digest()[:20]
        return Derived(address=addresses.encode(BUILTIN[NETWORK], target), target=target)

    def has_one_address(self, network: str, source: str) -> bool:
        return False


@dataclass
class World:
    """One running API and the hands to change what is behind it."""

    services: Services
    clock: SetClock
    chain: StandInChain
    url: str
    resolves_to: list[str] = field(default_factory=lambda: ["93.184.216.34"])
    opened: list[Client] = field(default_factory=list)

    def credentials(
        self, scopes: tuple[str, ...] = ("all",), ranges: tuple[str, ...] = ()
    ) -> Credentials:
        seed, key_id = os.urandom(32), str(uuid4())
        with self.services.db.write() as tx:
            key = ApiKey(
                id=key_id,
                name="test",
                public_key=public_key_of(seed),
                scopes=scopes_of(scopes),
                addresses_allowed=ranges,
                created_s=START_S,
                revoked_s=None,
            )
            create_key(tx, key)
        return Credentials(url=self.url, key_id=key_id, private_key=seed)

    def client(self, scopes: tuple[str, ...] = ("all",), ranges: tuple[str, ...] = ()) -> Client:
        http = httpx.Client(base_url=self.url, trust_env=False)
        credentials = self.credentials(scopes, ranges)
        self.opened.append(Client(http, Transport(http, credentials, self.clock, os.urandom)))
        return self.opened[-1]

    def fund(self, account_id: str, units: int) -> None:
        """Credit an account as a deposit would."""
        with self.services.db.write() as tx:
            line = Transfer.single(
                debit=chart.HOT, credit=chart.user(account_id), asset="BTC", units=units
            )
            post_batch(tx, f"test:{uuid4()}", [line], self.clock.now_s())


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    """A served API on this engine."""
    clock, chain = SetClock(), StandInChain()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)  # connections wait until the server is up
    made = World.__new__(World)
    ledger = LedgerWriter(database, clock)
    services = _services(database, clock, chain, tmp_path, lambda: made.resolves_to, ledger)
    made.__init__(services, clock, chain, f"http://127.0.0.1:{listener.getsockname()[1]}")  # type: ignore[misc]
    config = uvicorn.Config(
        create_app(services), log_level="critical", lifespan="off", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield made
    for client in made.opened:
        client.close()
    server.should_exit = True
    thread.join(timeout=60)
    listener.close()
    ledger.close()


def _services(
    database: Database,
    clock: SetClock,
    chain: StandInChain,
    folder: Path,
    resolves_to: Callable[[], list[str]],
    ledger: LedgerWriter,
) -> Services:
    settings = _settings(folder)
    chains = {NETWORK: chain}
    desk = Withdrawals(
        networks={network.id: network for network in settings.networks},
        assets={asset.code: asset for asset in settings.assets},
        chains=chains,  # type: ignore[arg-type]
        policy=load_policy(POLICY),
        clock=clock,
        new_id=lambda: str(uuid4()),
    )

    def second_parser(*asked: Any) -> None:
        """Made when first used: importing it takes a second."""
        SecondParser(folder / "bitcoinlib")(*asked)

    hosted = HostedContext(
        database=database,
        clock=clock,
        new_id=lambda: str(uuid4()),
        random=os.urandom,
        chains=chains,  # type: ignore[arg-type]
        params=BUILTIN,
        assets={asset.code: asset for asset in settings.assets},
        second_parser=second_parser,
        milestone=pass_by,
        service_key=b"\x07" * 32,
    )
    return Services(
        db=database,
        clock=clock,
        settings=settings,
        chains=chains,  # type: ignore[arg-type]
        deriver=StandInDeriver(),
        tips=Tips(chains, clock),  # type: ignore[arg-type]
        withdrawals=desk,
        approvals=ApprovalDesk(settings.staff, desk.approved),
        ledger=ledger,
        registered=AssetContext(
            native={asset.code: asset.decimals for asset in settings.assets},
            authority=ScopeAuthority(),
            clock=clock,
        ),
        hosted=HostedDesk(hosted),
        random=os.urandom,
        resolver=lambda host, port: resolves_to(),
        service_key=b"\x07" * 32,
    )


def _settings(folder: Path) -> Settings:
    return Settings(
        data_dir=folder,
        database_url="",
        api_host="127.0.0.1",
        api_port=0,
        policy_file=folder / "policy.toml",
        vault_files=(),
        coordinator_key_file=folder / "coordinator.key",
        service_key_file=folder / "service.key",
        networks=(
            NetworkSettings(
                id=NETWORK,
                family="utxo",
                params=NETWORK,
                node_url="",
                fee_units_max=100_000,
                hot="bitcoin-hot",
                deposit="bitcoin-hot",
            ),
        ),
        assets=(
            AssetSettings(
                code="BTC",
                network=NETWORK,
                decimals=8,
                deposit_units_min=1000,
                confirmations=(
                    ConfirmationTier(from_units=0, confirmations=1),
                    ConfirmationTier(from_units=10**8, confirmations=3),
                ),
                withdrawal_units_min=10_000,
                withdrawal_fee_units=500,
            ),
        ),
        signers=(),
        staff=tuple(
            StaffSettings(id=name, name=name, public_key=public_key_of(seed).hex())
            for name, seed in STAFF_SEEDS.items()
        ),
        approvals_required=2,
    )


POLICY: dict[str, object] = {
    "version": 1,
    "name": "test",
    "payments": [
        {
            "network": NETWORK,
            "asset": "BTC",
            "purposes": ["withdrawal"],
            "order_units_max": 10**10,
            "tx_units_max": 10**10,
            "tiers": [
                {"from_units": 0, "approvals": 0},
                {"from_units": 10**8, "approvals": 2},
            ],
        }
    ],
    "fees": [{"network": NETWORK, "units_max": 10**6, "ppm_max": 10**6, "rate_max": 10**6}],
    "book": [{"network": NETWORK, "address": "bcrt1qdenied", "listing": "deny", "added_s": 0}],
}
