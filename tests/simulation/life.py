"""One deployment through its lives: what a killed process loses, and what outlives it."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from tests.payments_world import BTC, ETH, World, outside_address
from tests.simulation.founding import Founded, assets, rules_of
from wallet.addresses.issuing import Address
from wallet.deposits.gate import CreditGate
from wallet.deposits.mempool import MempoolWatcher
from wallet.deposits.second_node import SecondNode
from wallet.deposits.states import DepositStatus
from wallet.deposits.watcher import Seen
from wallet.errors import WalletError
from wallet.ledger import chart
from wallet.pauses import Scope, active, resume
from wallet.payments.states import UNFINISHED, PaymentStatus
from wallet.reconciliation.reconciler import Reconciler
from wallet.store.database import Database
from wallet.store.schema import deposits, payments
from wallet.withdrawals.records import Withdrawal

DROP_S = 1_800
"""A deposit that a pool has not shown for so long is given up."""

_OPEN_DEPOSITS = (
    select(func.count())
    .select_from(deposits)
    .where(
        deposits.c.height.is_not(None),
        deposits.c.status.in_([DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.HELD]),
    )
)

_OPEN_PAYMENTS = select(
    payments.c.id, payments.c.source, payments.c.status, payments.c.asset, payments.c.units
).where(payments.c.status.in_([str(status) for status in UNFINISHED]))


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

    def __init__(self, founded: Founded, folder: Path, *, reconciles: bool = False) -> None:
        """A life of its own in `folder`, after a past that all of them share (see `prepare`).

        With `reconciles`, statements are written too.
        """
        self.reconciles = reconciles
        path = folder / "wallet.sqlite"
        shutil.copyfile(founded.path, path)
        self.database = Database.open(f"sqlite:///{path}")
        self.keep = founded.kept()
        self.second: dict[str, SimulatedUtxoChain | SimulatedEvmChain] = {
            BTC: self.keep.btc.second_node(),
            ETH: self.keep.eth.second_node(),
        }
        self.users = list(founded.users)
        self.hot, self.cold = founded.hot, founded.cold
        self.addresses = {name: list(known) for name, known in founded.addresses.items()}
        self.asked: list[Asked] = []
        self.deadly_in: int | None = None
        self.shaken: set[str] = set()
        self.milestones: set[str] = set()
        self.deaths = 0
        self.troubles = 0
        self._start()

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
        """Payments that have not ended, but for those that wait for money that cold has not."""
        with self.database.read() as tx:
            rows = tx.execute(_OPEN_PAYMENTS).all()
        return [row.id for row in rows if not self._waits_for_money(row)]

    def _waits_for_money(self, row: Any) -> bool:
        """A Safe's signed refill waits until somebody sends there what it lacks."""
        is_signed = row.source == "ethereum-cold" and row.status == PaymentStatus.SIGNED
        return is_signed and bool(self.eth.held(self.cold[ETH].target, row.asset) < row.units)

    def open_deposits(self) -> int:
        """Deposits of blocks that are neither credited nor booked as nobody's."""
        with self.database.read() as tx:
            return int(tx.execute(_OPEN_DEPOSITS).scalar_one())

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
        rules = {network: rules_of(world, network) for network in (BTC, ETH)}
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
        return World(
            self.database, self.keep, self._milestone, assets=assets(), bump_after_blocks=3
        )

    def _milestone(self, name: str) -> None:
        self.milestones.add(name)
        if self.deadly_in is not None:
            self.deadly_in -= 1
            if self.deadly_in < 0:
                raise Killed(name)

    def _watch(self, network: str) -> None:
        while self.world.watchers[network].step().seen is not Seen.SAME:
            pass


def random_of(seed: int, step: int) -> Seeded:
    """The choices of one step; leaving other steps out does not change them."""
    return Seeded(f"simulation/{seed}/{step}")
