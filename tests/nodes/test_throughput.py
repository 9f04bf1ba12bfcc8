"""A thousand withdrawals on real nodes, each of them paid exactly once; the time is printed."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chains.evm.addresses import checksum
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN as EVM_BUILTIN
from chains.types import Asset
from chains.utxo.chain import UtxoChain
from chains.utxo.node import UtxoNode
from chains.utxo.transactions import parse
from chains.watched import WatchedOutpoints, WatchedScripts
from tests import utxo_world
from tests.payments_world import BTC, ETH, OUTSIDE, World, outside_address
from wallet.addresses.issuing import Purpose
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.devnet.devnet import Devnet
from wallet.milestones import pass_by
from wallet.store.database import Database
from wallet.withdrawals.states import WithdrawalStatus

BTC_COUNT, ETH_COUNT, TOKEN_COUNT = 500, 250, 250
BATCH = 100
ROUNDS_MAX = 40
COIN = 10**8
TRACE_TIMEOUT_S = 240
"""anvil replays a block for each of its traces: one of 500 payments takes long."""


class DevWorld(World):
    """The world of the payment tests over bcoin and anvil."""

    def __init__(self, database: Database, devnet: Devnet) -> None:
        super().__init__(database)
        self.devnet = devnet
        token = devnet.contracts.tokens["DUSD"]
        self.assets["DUSD"] = replace(self.assets["DUSD"], contract=token)
        self.networks[BTC] = replace(self.networks[BTC], batch_payees_max=BATCH)
        self.btc = UtxoChain(utxo_world.REGTEST, UtxoNode(devnet.url(BTC)), feerate_min=2_000)
        self.eth = EvmChain(
            EVM_BUILTIN[ETH],
            EvmNode(devnet.url(ETH), timeout_s=TRACE_TIMEOUT_S),
            [Asset(code="DUSD", network=ETH, decimals=6, contract=token)],
        )
        self.chains |= {BTC: self.btc, ETH: self.eth}
        for name, chain in self.chains.items():
            rules = {
                a.code: DepositRules(asset=a) for a in self.assets.values() if a.network == name
            }
            self.watchers[name] = Watcher(
                chain, database, rules, chain.tip().height, self.keep.clock, pass_by
            )
        self.start_height = self.btc.tip().height

    def mine(self, blocks: int = 1) -> None:
        """The same number of blocks on both chains, scanned."""
        for network in (BTC, ETH):
            self.devnet.mine(network, blocks)
        self.scan()

    def receive(self, user: str) -> None:
        """Enough of every asset: on the user's account, and on the hot wallet to pay from."""
        self.scan()
        for _ in range(BTC_COUNT // BATCH):
            script = self.address(user, BTC).target
            self.devnet.fund_script(BTC, script, COIN)
        hot = self.own_address(ETH, "ethereum-hot", Purpose.HOT).address
        theirs = self.address(user, ETH).address
        for asset, units in (("ETH", 20 * 10**18), ("DUSD", 10**9)):
            for address in (hot, theirs):
                self.devnet.fund(ETH, asset, address, units)
        self.mine(3)

    def submit(self, user: str) -> list[str]:
        """A thousand withdrawals, each to an address of its own."""
        asked = [
            self.withdraw(user, "BTC", outside_address(n), 20_000 + n, f"btc-{n}").id
            for n in range(BTC_COUNT)
        ]
        for asset, count, units in (("ETH", ETH_COUNT, 10**16), ("DUSD", TOKEN_COUNT, 10_000)):
            asked += [
                self.withdraw(user, asset, stranger(asset, n), units + n, f"{asset}-{n}").id
                for n in range(count)
            ]
        return asked

    def close(self) -> None:
        """Give connections back."""
        for chain in self.chains.values():
            chain.close()


def stranger(asset: str, number: int) -> str:
    """Somebody's address that nobody else pays."""
    tail = f"{number:04x}{asset.encode().hex():0>12}"
    return checksum(bytes.fromhex("5a" * 12 + tail))


@pytest.fixture
def world(devnet: Devnet, tmp_path: Path) -> Iterator[DevWorld]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    made = DevWorld(database, devnet)
    yield made
    made.close()
    database.close()


def paid_outputs(world: DevWorld) -> Counter[tuple[bytes, int]]:
    """Every output to a payee since the test began, from raw blocks."""
    scripts = WatchedScripts(OUTSIDE.script_pubkey_at(0, n) for n in range(BTC_COUNT))
    watching = type("Watching", (), {"targets": scripts, "outpoints": WatchedOutpoints()})()
    found: Counter[tuple[bytes, int]] = Counter()
    for height in range(world.start_height + 1, world.btc.tip().height + 1):
        for inflow in world.btc.scan(world.btc.block_at(height), watching).inflows:
            found[inflow.target, inflow.units] += 1
            assert inflow.txid == parse(inflow.raw_tx).txid
    return found


@pytest.mark.timeout(1200)
def test_a_thousand_withdrawals_are_paid_once_each(
    world: DevWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    user = world.account("ann")
    world.receive(user)

    begun, busy = time.monotonic_ns(), time.process_time_ns()
    asked = world.submit(user)
    submitted = time.monotonic_ns()
    for _ in range(ROUNDS_MAX):
        world.work()
        world.mine()
        states = Counter(world.read(one).status for one in asked)
        if set(states) == {WithdrawalStatus.COMPLETED}:
            break
        world.keep.clock.time_s += 10
    ended = time.monotonic_ns()

    assert states == {WithdrawalStatus.COMPLETED: BTC_COUNT + ETH_COUNT + TOKEN_COUNT}
    expected = {(OUTSIDE.script_pubkey_at(0, n), 20_000 + n): 1 for n in range(BTC_COUNT)}
    assert paid_outputs(world) == expected
    tip = world.eth.tip()
    for asset, count, units in (("ETH", ETH_COUNT, 10**16), ("DUSD", TOKEN_COUNT, 10_000)):
        for n in range(count):
            target = bytes.fromhex(stranger(asset, n)[2:])
            assert world.eth.balance_units(target, asset, tip) == units + n
    seconds, first = (ended - begun) // 10**9, (submitted - begun) // 10**9
    worked = (time.process_time_ns() - busy) // 10**9
    with capsys.disabled():
        sys.stdout.write(
            f"\n1,000 withdrawals paid in {seconds} s, {first} s of it to submit them; "
            f"{worked} s of our own processor time\n"
        )
