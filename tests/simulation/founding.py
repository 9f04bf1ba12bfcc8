"""The past that every life shares: a house with money, three users with some, all of it scanned."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chains.simulated.evm import SimulatedEvmChain
from chains.simulated.utxo import SimulatedUtxoChain
from tests.fakes import FakeClock, Ids
from tests.payments_world import BTC, ETH, Keep, World, asset_settings
from wallet.addresses.accounts import create_account
from wallet.addresses.issuing import Address, Purpose
from wallet.deposits.gate import CreditGate
from wallet.deposits.rules import DepositRules
from wallet.deposits.second_node import SecondNode
from wallet.milestones import pass_by
from wallet.settings import AssetSettings
from wallet.store.database import Database

MINIMUM = {"BTC": 5_000, "ETH": 10**12, "DUSD": 10_000}
"""Deposits below these are booked, but not credited to their users."""

HOUSE = {"BTC": 4 * 10**9, "ETH": 50 * 10**18, "DUSD": 10**12}
"""The operator's own money on the hot side, so that every withdrawal can be paid."""

FIRST = {"BTC": 15_000_000, "ETH": 9 * 10**15, "DUSD": 900_000}
"""What every user has to begin with."""

NAMES = ("alice", "bob", "carol")
CHAIN_OF = {"BTC": BTC, "ETH": ETH, "DUSD": ETH}

PROOFS: dict[str, dict[str, Any]] = {
    "BTC": {"second_node_from": 6_000_000},
    "ETH": {"safe_from": 10**16, "finalized_from": 16 * 10**15},
    "DUSD": {"second_node_from": 800_000, "finalized_from": 1_600_000},
}
"""What larger deposits need before they are credited: another node's word, or validators'."""

FINAL_BLOCKS = 4
"""How far behind the tip the simulated validators stand by a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """The database file at `path`, and beside it what outlives a process."""

    path: Path
    keep: Keep
    users: Sequence[str]
    hot: Mapping[str, Address]
    cold: Mapping[str, Address]
    addresses: Mapping[str, Sequence[Address]]

    def kept(self) -> Keep:
        """The same past, with a future of its own; signers are made by the next process."""
        btc, eth = self.keep.btc, self.keep.eth
        return Keep(
            clock=FakeClock(self.keep.clock.time_s),
            ids=Ids(count=self.keep.ids.count),
            btc=SimulatedUtxoChain(
                params=btc.params, asset=btc.assets[0].code, history=btc.history.copy()
            ),
            eth=SimulatedEvmChain(
                params=eth.params, tokens=eth.history.tokens, history=eth.history.copy()
            ),
        )


def assets() -> dict[str, AssetSettings]:
    """The assets of the deployment."""
    return {
        code: replace(asset, deposit_units_min=MINIMUM[code], **PROOFS[code])
        for code, asset in asset_settings().items()
    }


def rules_of(world: World, network: str) -> dict[str, DepositRules]:
    """What deposits of a network are judged by."""
    return {
        code: DepositRules(asset=world.assets[code])
        for code, where in CHAIN_OF.items()
        if where == network
    }


def prepare(folder: Path) -> Founded:
    """Found the house, in a new database file to copy from."""
    path = folder / "prepared.sqlite"
    database = Database.open(f"sqlite:///{path}")
    database.migrate()
    with database.write() as tx:
        create_account(tx, "nobody", 0)
    founded = _found(World(database, assets=assets()), path)
    with database.engine.connect() as connection:
        # One file to copy: nothing may stay in the side file.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return founded


def _found(world: World, path: Path) -> Founded:
    keep = world.keep
    keep.btc.history.feerate = 1_000
    keep.eth.history.base_fee_wei, keep.eth.history.tip_wei = 10**8, 10**8
    users = [world.account(name) for name in NAMES]
    hot = {
        BTC: world.own_address(BTC, "bitcoin-hot", Purpose.HOT),
        ETH: world.own_address(ETH, "ethereum-hot", Purpose.HOT),
    }
    cold = {
        BTC: world.own_address(BTC, "bitcoin-cold", Purpose.COLD),
        ETH: world.own_address(ETH, "ethereum-cold", Purpose.COLD),
    }
    for _ in range(4):
        keep.btc.fund(hot[BTC].target, HOUSE["BTC"] // 4)
    for asset in ("ETH", "DUSD"):
        keep.eth.fund(hot[ETH].target, asset, HOUSE[asset])
    addresses: dict[str, list[Address]] = defaultdict(list)
    for user in users:
        for asset, network in CHAIN_OF.items():
            address = world.address(user, network)
            addresses[f"{user}/{network}"].append(address)
            if network == BTC:
                keep.btc.fund(address.target, FIRST[asset])
            else:
                keep.eth.fund(address.target, asset, FIRST[asset])
    world.confirm()
    keep.eth.mine(FINAL_BLOCKS)
    world.scan()
    for network, chain in world.chains.items():
        gate = CreditGate(chain, rules_of(world, network))
        second = (keep.btc if network == BTC else keep.eth).second_node()
        SecondNode(second, gate, world.database, keep.clock, pass_by).step()
    return Founded(path=path, keep=keep, users=users, hot=hot, cold=cold, addresses=addresses)
