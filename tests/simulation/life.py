"""One deployment through its lives: what a killed process loses, and what outlives it."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from chains.errors import ChainError
from chains.evm.addresses import checksum
from chains.simulated.evm import SimulatedEvmChain
from chains.simulated.line import Line
from chains.simulated.randomness import Seeded
from chains.simulated.utxo import SimulatedUtxoChain
from tests.payments_world import BTC, ETH, Keep, World, asset_settings, outside_address
from wallet.addresses.accounts import create_account
from wallet.addresses.issuing import Address, Purpose
from wallet.deposits.gate import CreditGate
from wallet.deposits.mempool import MempoolWatcher
from wallet.deposits.rules import DepositRules
from wallet.deposits.second_node import SecondNode
from wallet.deposits.states import DepositStatus
from wallet.deposits.watcher import Seen
from wallet.errors import WalletError
from wallet.ledger import chart
from wallet.pauses import Scope, active, resume
from wallet.payments.states import UNFINISHED
from wallet.reconciliation.reconciler import Reconciler
from wallet.store.database import Database
from wallet.store.schema import deposits, payments
from wallet.withdrawals.records import Withdrawal

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

DROP_S = 1_800
"""A deposit that a pool has not shown for so long is given up."""


_OPEN = (
    select(func.count())
    .select_from(deposits)
    .where(
        deposits.c.height.is_not(None),
        deposits.c.status.in_([DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.HELD]),
    )
)


class Killed(BaseException):
    """The process is gone; nothing in it runs any more."""


@dataclass(frozen=True)
class Asked:
    """A withdrawal that the exchange submitted; `inside` names the user whose address it pays."""

    id: str
    external_id: str
    account_id: str
    asset: str
    target: bytes
    address: str
    units: int
    inside: str | None = None


class Life:
    """The deployment; `world` is the process that runs now."""

    def __init__(self, prepared: Path, folder: Path, *, reconciles: bool = False) -> None:
        """Start from a copy of a prepared database file (see `prepare`) in `folder`.

        With `reconciles`, statements are written too.
        """
        self.reconciles = reconciles
        path = folder / "wallet.sqlite"
        shutil.copyfile(prepared, path)
        self.database = Database.open(f"sqlite:///{path}")
        self.keep = Keep()
        self.second: dict[str, SimulatedUtxoChain | SimulatedEvmChain] = {
            BTC: self.keep.btc.second_node(),
            ETH: self.keep.eth.second_node(),
        }
        self.asked: list[Asked] = []
        self.addresses: dict[str, list[Address]] = {}
        self.deadly_in: int | None = None
        self.shaken: set[str] = set()
        self.milestones: set[str] = set()
        self.deaths = 0
        self.troubles = 0
        self._start()
        self.users = [self.world.account(name) for name in NAMES]
        self._found()

    @property
    def btc(self) -> SimulatedUtxoChain:
        """The UTXO chain."""
        return self.keep.btc

    @property
    def eth(self) -> SimulatedEvmChain:
        """The EVM chain."""
        return self.keep.eth

    def close(self) -> None:
        """Give the database back."""
        self.database.close()

    def live(self, act: Callable[[], object]) -> bool:
        """Do something that a node's silence may stop and a kill may end; True if it was done."""
        try:
            act()
        except ChainError:
            self.troubles += 1
            return False
        except Killed:
            self.deaths += 1
            self._start()
            return False
        return True

    def try_order(self, act: Callable[[], object]) -> bool:
        """Something that the wallet may refuse for good reason."""
        try:
            return self.live(act)
        except WalletError:
            return False

    def jobs(self) -> Sequence[Callable[[], object]]:
        """What the service's worker does, each by itself: one that fails stops no other."""
        world = self.world
        found: list[Callable[[], object]] = []
        for network in (BTC, ETH):
            found += [
                partial(self._watch, network),
                self.agreeing[network].step,
                partial(world.payer.pay_queued, network),
                partial(world.desk.run, network),
            ]
        gather = partial(world.gatherer.run, ETH)
        found += [gather, self.pool.step, partial(world.withdrawals.expire, self.database)]
        statements = [one.run for one in self.reconcilers.values()] if self.reconciles else []
        return [*found, *statements]

    def work(self) -> None:
        """One pass of all jobs; a new process takes over where one died."""
        for number in range(len(self.jobs())):
            self.live(partial(self._job, number))

    def _job(self, number: int) -> None:
        self.jobs()[number]()

    def lines(self, random: Seeded) -> tuple[str, Line]:
        """The way to one of the nodes, and a name for it."""
        chain = self.either(random)
        if random.one_in(4):
            return f"the second node of {chain.network}", self.second[chain.network].line
        return chain.network, chain.line

    def either(self, random: Seeded) -> SimulatedUtxoChain | SimulatedEvmChain:
        """One of the chains."""
        return self.btc if random.one_in(2) else self.eth

    def deposit_address(self, account_id: str, network: str, *, fresh: bool) -> Address:
        """An address of a user, a new one if asked or if there is none."""
        known = self.addresses.setdefault(f"{account_id}/{network}", [])
        if fresh or not known:
            known.append(self.world.address(account_id, network))
        return known[-1]

    def payee(self, network: str) -> tuple[str, bytes]:
        """A new address of somebody else."""
        number = len(self.asked)
        if network == BTC:
            address = outside_address(number)
            return address, self.btc.destination(address).target
        target = hashlib.sha256(f"payee {number}".encode()).digest()[:20]
        return checksum(target), target

    def expect(self, withdrawal: Withdrawal, target: bytes, inside: str | None = None) -> None:
        """Keep in mind what was asked for, apart from the wallet's own records."""
        self.asked.append(
            Asked(
                id=withdrawal.id,
                external_id=withdrawal.external_id,
                account_id=withdrawal.account_id,
                asset=withdrawal.asset,
                target=target,
                address=withdrawal.address,
                units=withdrawal.units,
                inside=inside,
            )
        )

    def cold_units(self, asset: str) -> int:
        """What the ledger says is in cold storage."""
        return self.world.books(chart.COLD, asset)

    def open_payments(self) -> list[str]:
        """Payments that have not ended."""
        with self.database.read() as tx:
            rows = tx.execute(
                select(payments.c.id).where(payments.c.status.in_([str(s) for s in UNFINISHED]))
            )
            return list(rows.scalars())

    def open_deposits(self) -> int:
        """Deposits of blocks that are neither credited nor booked as nobody's."""
        with self.database.read() as tx:
            return int(tx.execute(_OPEN).scalar_one())

    def resume(self, asset: str) -> bool:
        """Staff let withdrawals of an asset go on; False if nothing held them."""
        with self.database.write() as tx:
            held = bool(active(tx, Scope.ASSET, asset))
            if held:
                resume(tx, Scope.ASSET, asset, "anna", self.keep.clock.now_s())
        return held

    def mend(self) -> None:
        """Every fault ends: nodes, signers, prices."""
        for chain in (self.btc, self.eth, *self.second.values()):
            chain.line.mend()
        for signer in self.keep.signers.values():
            signer.faults.clear()
        self.btc.history.feerate, self.btc.history.floor = 1_000, 0
        self.eth.history.base_fee_wei, self.eth.history.tip_wei = 10**8, 10**8
        self.deadly_in = None

    def _start(self) -> None:
        """A process with all its jobs."""
        world = self.world = self._new_process()
        rules = {
            network: {
                code: DepositRules(asset=world.assets[code])
                for code, where in CHAIN_OF.items()
                if where == network
            }
            for network in (BTC, ETH)
        }
        self.agreeing = {
            network: SecondNode(
                self.second[network],
                CreditGate(world.chains[network], rules[network]),
                self.database,
                self.keep.clock,
                self._milestone,
            )
            for network in (BTC, ETH)
        }
        self.pool = MempoolWatcher(
            self.btc, self.btc, self.database, rules[BTC], self.keep.clock, DROP_S
        )
        self.reconcilers = {
            network: Reconciler(
                self.world.chains[network], self.database, self.keep.clock, self._milestone
            )
            for network in (BTC, ETH)
        }

    def _new_process(self) -> World:
        self.deadly_in = None
        assets = {
            code: replace(asset, deposit_units_min=MINIMUM[code], **PROOFS[code])
            for code, asset in asset_settings().items()
        }
        return World(self.database, self.keep, self._milestone, assets=assets, bump_after_blocks=3)

    def _milestone(self, name: str) -> None:
        self.milestones.add(name)
        if self.deadly_in is not None:
            self.deadly_in -= 1
            if self.deadly_in < 0:
                raise Killed(name)

    def _watch(self, network: str) -> None:
        while self.world.watchers[network].step().seen is not Seen.SAME:
            pass

    def _found(self) -> None:
        self.mend()
        hot = self.world.own_address(BTC, "bitcoin-hot", Purpose.HOT)
        for _ in range(4):
            self.btc.fund(hot.target, HOUSE["BTC"] // 4)
        account = self.world.own_address(ETH, "ethereum-hot", Purpose.HOT)
        for asset in ("ETH", "DUSD"):
            self.eth.fund(account.target, asset, HOUSE[asset])
        self.cold = {
            BTC: self.world.own_address(BTC, "bitcoin-cold", Purpose.COLD),
            ETH: self.world.own_address(ETH, "ethereum-cold", Purpose.COLD),
        }
        self.hot = {BTC: hot, ETH: account}
        for user in self.users:
            for asset, network in CHAIN_OF.items():
                target = self.deposit_address(user, network, fresh=True).target
                if network == BTC:
                    self.btc.fund(target, FIRST[asset])
                else:
                    self.eth.fund(target, asset, FIRST[asset])
        self.world.confirm()
        self.eth.mine(FINAL_BLOCKS)
        self.world.scan()
        for second in self.agreeing.values():
            second.step()


def prepare(folder: Path) -> Path:
    """An empty, migrated database file to copy from."""
    path = folder / "prepared.sqlite"
    database = Database.open(f"sqlite:///{path}")
    database.migrate()
    with database.write() as tx:
        create_account(tx, "nobody", 0)
    with database.engine.connect() as connection:
        # One file to copy: nothing may stay in the side file.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


def random_of(seed: int, step: int) -> Seeded:
    """The choices of one step; leaving other steps out does not change them."""
    return Seeded(f"simulation/{seed}/{step}")
