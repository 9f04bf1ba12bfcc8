"""Real nodes that freeze, die and come back on what they had written: nothing missed or paid twice.

After a kill bcoin and lcoin have every block and an empty pool; litecoind and anvil have only what
their last orderly stop wrote, so that their newest blocks are gone, as after a reorganisation.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chains.errors import NodeError, NodeUnavailable
from chains.evm.addresses import checksum
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN as EVM
from chains.types import BlockRef, TxState
from chains.utxo.chain import UtxoChain
from chains.utxo.descriptors import Template
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN as UTXO
from chains.utxo.second_parser import SecondParser
from chains.watched import WatchedOutpoints, WatchedScripts
from tests.conftest import ROOT, skip_or_fail
from tests.nodes.one_network import OneNetwork
from tests.nodes.stoppable import LOOKS_MAX, StoppableNode, copied, prepared
from tests.nodes.test_utxo_chains import FEERATE, Watching
from tests.payments_world import Keep, World, asset_settings
from tests.utxo_world import vault
from wallet.addresses.issuing import Address
from wallet.deposits.scanned.proving import prove_coverage
from wallet.devnet.errors import DevnetMissing
from wallet.devnet.install import find_node_js, install_modules, silent
from wallet.devnet.nodes import ETHEREUM, NODES, Node, Programs, Software, is_available
from wallet.payments import journal
from wallet.payments.replacing import versions
from wallet.payments.replacing.proving import Prover
from wallet.payments.sending import attempts
from wallet.payments.sending.attempts import Outcome
from wallet.payments.sending.broadcasting import RESEND_S
from wallet.payments.states import PaymentStatus
from wallet.store.database import Database
from wallet.store.schema import deposits
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus

pytestmark = pytest.mark.xdist_group("restarts")

TIMEOUT_S = 120
ROUNDS_MAX = 20
LOSES_BLOCKS = (Software.LITECOIND, Software.ANVIL)


class RealEth(EvmChain):
    """The real adapter over a real node, with the handles that the test world takes."""

    def __init__(self, node: StoppableNode) -> None:
        client = EvmNode(node.url, timeout_s=TIMEOUT_S, transport=node.line)
        super().__init__(EVM[ETHEREUM], client)
        self._stoppable = node

    def fund(self, target: bytes, _asset: str, units: int) -> str:
        return self._stoppable.fund(target, units)

    def mine(self, count: int = 1) -> BlockRef:
        self._stoppable.mine(count)
        return self.tip()

    def held(self, target: bytes, asset: str) -> int:
        return self.balance_units(target, asset, self.tip())


@dataclass
class Stand:
    """A node, a wallet on it with one user, and somebody outside to be paid."""

    node: StoppableNode
    world: World
    network: str
    asset: str
    unit: int
    payee: str
    alice: str = ""

    @property
    def chain(self) -> Any:
        return self.world.chains[self.network]

    def deposit(self) -> tuple[Address, str]:
        """A fresh address of the user and a payment to it that waits to be mined."""
        address = self.world.address(self.alice, self.network)
        return address, self.node.fund(address.target, self.unit)

    def credited(self) -> int:
        return self.world.available(self.alice, self.asset)

    def withdraw(self, name: str) -> Withdrawal:
        return self.world.withdraw(self.alice, self.asset, self.payee, self.unit // 4, name)

    def work(self, after_s: int = 0) -> None:
        """What the service's jobs do; a node that fails is left for their next turn."""
        self.world.keep.clock.time_s += after_s
        for job in (self.world.scan, self._pay, self._run):
            with suppress(NodeError):
                job()

    def _pay(self) -> None:
        self.world.payer.pay_queued(self.network)

    def _run(self) -> None:
        self.world.desk.run(self.network)

    def restart(self) -> None:
        """An orderly stop, which writes everything down, and a new start."""
        self.node.stop()
        self.node.start()

    def payment(self, asked: Withdrawal) -> journal.Payment:
        payment_id = self.world.read(asked.id).payment_id
        assert payment_id is not None
        return self.world.desk.get(payment_id)

    def outcomes(self, payment: journal.Payment) -> list[Outcome]:
        with self.world.database.read() as tx:
            return [attempt.outcome for attempt in attempts.of(tx, payment.id)]

    def settle(self, asked: Sequence[Withdrawal]) -> None:
        """Blocks and work until all is paid."""
        for _ in range(ROUNDS_MAX):
            self.work(RESEND_S)
            if all(self.world.read(a.id).status is WithdrawalStatus.COMPLETED for a in asked):
                return
            self.node.mine()
        raise AssertionError([self.world.read(a.id) for a in asked])

    def check_paid_once(self, asked: Withdrawal, first: journal.Payment) -> None:
        """Completed by the very bytes that were signed first, and nothing else was ever made."""
        now = self.payment(asked)
        assert PaymentStatus.COMPLETED is now.status
        assert (first.id, first.raw, first.txid) == (now.id, now.raw, now.txid)
        with self.world.database.read() as tx:
            assert 1 == len(versions.of(tx, now.id))
        assert TxState.MINED is self.chain.sighting(now.txid).state

    def check(self, *, deposited: int, paid: int) -> None:
        """Books, chain and payee agree; every block was scanned; every proof holds."""
        world = self.world
        assert deposited * self.unit - paid * (self.unit // 4) == self.credited() + (
            paid * world.assets[self.asset].withdrawal_fee_units
        )
        assert paid * (self.unit // 4) == self._received()
        assert paid == len(world.payment_rows())
        world.check_books()
        start = world.watchers[self.network]._start_height
        rules = {self.asset: world.assets[self.asset]}
        proof = prove_coverage(world.database, self.chain, rules, start)
        assert (True, 0) == (proof.is_proven, proof.behind_blocks)
        with world.database.read() as tx:
            prover = Prover(world.chains, world.assets, ask_chain=True)
            assert () == prover.prove(tx).violations

    def _received(self) -> int:
        """What the chain as it is now has paid to the payee."""
        target = self.chain.destination(self.payee).target
        start = self.world.watchers[self.network]._start_height
        watching = Watching(targets=WatchedScripts([target]), outpoints=WatchedOutpoints([]))
        heights = range(start, self.node.height() + 1)
        scans = (self.chain.scan(self.chain.block_at(h), watching) for h in heights)
        return sum(inflow.units for scan in scans for inflow in scan.inflows)

    def statuses(self, txid: str) -> list[str]:
        """The states of all deposits of a transaction."""
        with self.world.database.read() as tx:
            found = tx.execute(select(deposits.c.status).where(deposits.c.txid == txid))
            return [row.status for row in found]


@pytest.fixture(scope="module", params=NODES, ids=lambda node: str(node.software))
def base(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Node, Programs, Path]:
    """A kind of node, and the data of one that was prepared and stopped."""
    node: Node = request.param
    if not is_available(node):
        skip_or_fail(f"no node for {node.network} on this machine")
    try:
        node_js = find_node_js()
        modules = install_modules(ROOT / ".cache", node_js, silent)
    except DevnetMissing as error:
        skip_or_fail(str(error))
    programs = Programs(node_js=node_js.node, modules=modules)
    folder = tmp_path_factory.mktemp(str(node.software)) / "base"
    return node, programs, prepared(node, programs, folder)


@pytest.fixture
def stand(base: tuple[Node, Programs, Path], tmp_path: Path) -> Iterator[Stand]:
    node, programs, data = base
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    running = copied(node, programs, data, tmp_path / "node")
    try:
        made = _on_evm(running, database) if running.is_evm else _on_utxo(node, running, database)
        made.alice = made.world.account("alice")
        made.world.scan()
        yield made
        made.chain.close()
    finally:
        running.stop()
        database.close()


def _on_utxo(node: Node, running: StoppableNode, database: Database) -> Stand:
    params = UTXO[node.params]
    client = UtxoNode(running.url, timeout_s=TIMEOUT_S, transport=running.line)
    chain = UtxoChain(params, client, feerate_min=FEERATE, presence_checks=LOOKS_MAX)
    hot = vault(Template.WPKH, (1,), params=params, name="hot")
    second_parser = SecondParser(running.data.parent / "bitcoinlib")
    return Stand(
        node=running,
        world=OneNetwork(database, chain, hot, second_parser),
        network=chain.network,
        asset=chain.assets[0].code,
        unit=100_000_000,
        payee=vault(Template.WPKH, (9,), params=params, name="outside").address_at(params, 0, 3),
    )


def _on_evm(running: StoppableNode, database: Database) -> Stand:
    eth: Any = RealEth(running)
    assets = {code: one for code, one in asset_settings().items() if code != "DUSD"}
    world = World(database, Keep(eth=eth), assets=assets)
    world.fund_hot_gas()
    return Stand(
        node=running,
        world=world,
        network=ETHEREUM,
        asset="ETH",
        unit=10**17,
        payee=checksum(bytes.fromhex("c0ffee" + "00" * 16 + "07")),
    )


def funded(stand: Stand) -> None:
    """A credited deposit to pay from, in blocks that the node will never lose."""
    stand.deposit()
    stand.node.mine(2)
    stand.work()
    assert stand.unit == stand.credited()
    stand.restart()


def test_a_node_that_freezes_while_it_is_given_a_payment(stand: Stand) -> None:
    funded(stand)
    asked = stand.withdraw("w-1")
    _, txid = stand.deposit()
    stand.node.line.before_bytes = stand.node.freeze

    stand.work()

    first = stand.payment(asked)
    assert (PaymentStatus.BROADCAST, "unknown") == (first.status, first.sub_status)
    assert [Outcome.UNKNOWN] == stand.outcomes(first)
    with pytest.raises(NodeUnavailable):
        stand.world.scan()
    stand.work(10)
    held = stand.payment(asked)
    assert (first.id, first.raw, first.status) == (held.id, held.raw, held.status)
    assert {Outcome.UNKNOWN} == set(stand.outcomes(first))
    assert [] == stand.statuses(txid)

    stand.node.thaw()
    stand.settle([asked])

    stand.check_paid_once(asked, first)
    assert ["credited"] == stand.statuses(txid)
    stand.check(deposited=2, paid=1)


def test_a_node_killed_with_a_payment_and_a_deposit_in_its_pool(stand: Stand) -> None:
    funded(stand)
    asked = stand.withdraw("w-1")
    _, txid = stand.deposit()
    raw = stand.node.raw(txid)
    stand.work()
    first = stand.payment(asked)
    assert [Outcome.ACCEPTED] == stand.outcomes(first)

    stand.node.kill()
    with pytest.raises(NodeUnavailable):
        stand.world.scan()
    stand.work(RESEND_S)
    assert PaymentStatus.BROADCAST is stand.payment(asked).status
    before = stand.outcomes(first)
    stand.node.start()
    assert TxState.UNKNOWN is stand.chain.sighting(first.txid).state
    stand.node.offer(raw, txid)
    stand.settle([asked])

    # Only another attempt can have brought the bytes back, however slow the node was to say so.
    assert len(stand.outcomes(first)) > len(before)
    stand.check_paid_once(asked, first)
    assert ["credited"] == stand.statuses(txid)
    stand.check(deposited=2, paid=1)


def test_a_node_killed_while_it_is_given_a_payment_may_lose_its_last_blocks(stand: Stand) -> None:
    funded(stand)
    asked = stand.withdraw("w-1")
    _, txid = stand.deposit()
    raw = stand.node.raw(txid)
    stand.node.mine(2)
    stand.world.scan()
    assert ["credited"] == stand.statuses(txid)
    height = stand.node.height()
    stand.node.line.before_bytes = stand.node.kill

    stand.work()

    first = stand.payment(asked)
    assert [Outcome.UNKNOWN] == stand.outcomes(first)
    stand.node.start()
    lost = height - stand.node.height()
    assert (2 if stand.node.software in LOSES_BLOCKS else 0) == lost
    # A node that is merely behind says nothing about the blocks that it does not have yet.
    stand.world.scan()
    assert ["credited"] == stand.statuses(txid)
    stand.node.offer(raw, txid)
    stand.node.mine(lost + 1)
    stand.settle([asked])

    stand.check_paid_once(asked, first)
    assert 1 == stand.statuses(txid).count("credited")
    stand.check(deposited=2, paid=1)


def test_a_node_killed_in_a_reorganisation_that_nobody_has_seen(stand: Stand) -> None:
    funded(stand)
    asked = stand.withdraw("w-1")
    _, txid = stand.deposit()
    stand.node.mine()
    stand.work()
    first = stand.payment(asked)
    stand.node.mine()
    stand.work()
    assert PaymentStatus.CONFIRMING is stand.payment(asked).status
    assert ["credited"] == stand.statuses(txid)
    stand.restart()
    before = stand.chain.tip()

    stand.node.reorg(2, txid)
    after = stand.chain.tip()
    stand.node.kill()
    stand.node.start()

    if stand.chain.tip() != after:
        # The kill took it too: nothing has changed until peers tell the node again.
        assert before == stand.chain.tip()
        stand.work()
        assert ["credited"] == stand.statuses(txid)
        stand.node.reorg(2, txid)
    stand.settle([asked])

    stand.check_paid_once(asked, first)
    assert stand.statuses(txid) in (["reversed"], ["replaced"])
    stand.check(deposited=1, paid=1)
