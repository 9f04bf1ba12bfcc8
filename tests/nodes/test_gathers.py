"""Gathering on a real EVM chain: leave, batches and plain transfers, booked from real receipts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chains.evm.addresses import checksum, from_text
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from chains.evm.set_code import SignedSetCodeTx
from chains.evm.sweeper import delegation_code
from chains.types import Asset, BlockRef
from signer.protocol import Kind
from tests import evm_world
from tests.payments_world import ETH, Keep, World, asset_settings
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM
from wallet.gathers.report import Gathered, finished, gas_uses
from wallet.ledger import chart
from wallet.payments import journal
from wallet.payments.replacing import versions
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.store.schema import payments

ETHER = 10**18
UNITS = 9_000_000
GWEI = 10**9
AFTER = 3
"""Blocks that a batch waits before it is replaced."""


class RealEth(EvmChain):
    """The real adapter over a real node, with the handles that the test world takes."""

    def __init__(self, devnet: Devnet) -> None:
        contract = devnet.contracts.tokens["DUSD"]
        token = Asset(code="DUSD", network=ETH, decimals=6, contract=contract)
        super().__init__(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)), [token])
        self._devnet = devnet

    def fund(self, target: bytes, asset: str, units: int) -> str:
        return self._devnet.fund(ETHEREUM, asset, checksum(target), units)

    def mine(self, count: int = 1) -> BlockRef:
        self._devnet.mine(ETHEREUM, count)
        return self.tip()

    def held(self, target: bytes, asset: str) -> int:
        return self.balance_units(target, asset, self.tip())


@pytest.fixture
def world(devnet: Devnet, tmp_path: Path) -> Iterator[World]:
    """The whole online side on anvil. Its keys are the same in every test: start from scratch."""
    snapshot = devnet.rpc(ETHEREUM, "evm_snapshot")
    eth: Any = RealEth(devnet)
    database = Database.open(f"sqlite:///{tmp_path / 'real.sqlite'}")
    database.migrate()
    assets = asset_settings()
    assets["DUSD"] = replace(assets["DUSD"], contract=devnet.contracts.tokens["DUSD"])
    sweeper = devnet.deploy_sweeper(evm_world.HOT_KEY.address())
    keep = Keep(eth=eth)
    yield World(database, keep, assets=assets, sweeper=sweeper, bump_after_blocks=AFTER)
    database.close()
    eth.close()
    devnet.rpc(ETHEREUM, "evm_revert", snapshot)


def gather(world: World, passes: int = 7) -> None:
    for _ in range(passes):
        world.scan()
        world.gatherer.run(ETH)
        world.desk.run(ETH)
        world.keep.eth.mine()
    world.scan()
    world.gatherer.run(ETH)
    world.desk.run(ETH)


def of_kind(world: World, kind: Kind) -> list[P]:
    with world.database.read() as tx:
        rows = tx.execute(select(payments.c.id).order_by(payments.c.created_s, payments.c.id))
        found = [journal.get(tx, row.id) for row in rows]
    return [one.status for one in found if one.request.kind is kind]


def test_the_whole_life_of_gathered_addresses(world: World) -> None:
    world.fund_hot_gas(ETHER)
    addresses = [world.deposit(world.account(f"u{n}"), "DUSD", UNITS) for n in range(4)]

    gather(world)

    assert [P.COMPLETED] == of_kind(world, Kind.EVM_BATCH)
    assert [P.COMPLETED] * 4 == of_kind(world, Kind.EVM_AUTH)
    assert world.books(chart.HOT, "DUSD") == 4 * UNITS
    sweeper = from_text(world.networks[ETH].sweeper)
    codes = {world.keep.eth.code_at(address.target) for address in addresses}
    assert codes == {delegation_code(sweeper)}
    world.check_books()

    for address in addresses:
        world.keep.eth.fund(address.target, "DUSD", UNITS)
        world.keep.eth.fund(address.target, "ETH", ETHER)
    world.confirm()
    gather(world)

    assert [P.COMPLETED] * 3 == of_kind(world, Kind.EVM_BATCH)  # tokens, then ether, none asked
    assert 4 == len(of_kind(world, Kind.EVM_AUTH))
    assert world.books(chart.HOT, "DUSD") == 8 * UNITS
    assert world.books(chart.DEPOSIT, "ETH") == 0
    world.check_books()


def test_a_plain_gather_after_delegation_and_the_gas_of_both_ways(world: World) -> None:
    world.fund_hot_gas(ETHER)
    addresses = [world.deposit(world.account(f"u{n}"), "DUSD", UNITS) for n in range(3)]
    gather(world)
    plain = World(world.database, world.keep, assets=world.assets)  # as if 7702 were gone
    plain.keep.eth.fund(addresses[0].target, "DUSD", UNITS)
    plain.confirm()

    gather(plain, 9)

    assert [P.COMPLETED] * 2 == of_kind(plain, Kind.EVM_TX)
    assert plain.books(chart.HOT, "DUSD") == 4 * UNITS
    assert plain.books(chart.DEPOSIT, "ETH") == plain.keep.eth.held(addresses[0].target, "ETH")
    plain.check_books()
    with plain.database.read() as tx:
        uses = {use.way: use for use in gas_uses(tx, finished(tx, ETH, 0), plain.keep.eth)}
    assert uses[Gathered.BATCH_FIRST].swept == 3
    assert 0 < uses[Gathered.BATCH_FIRST].gas_each < uses[Gathered.TOP_UP].gas_each


def test_a_stuck_batch_is_replaced_with_all_its_leave(world: World, devnet: Devnet) -> None:
    world.fund_hot_gas(ETHER)
    addresses = [world.deposit(world.account(f"u{n}"), "DUSD", UNITS) for n in range(4)]
    world.gatherer.run(ETH)
    world.desk.run(ETH)
    for _ in range(AFTER + 2):
        devnet.rpc(ETHEREUM, "anvil_setNextBlockBaseFeePerGas", hex(8 * GWEI))
        world.keep.eth.mine()
        world.scan()
        world.desk.run(ETH)

    gather(world)

    assert [P.COMPLETED] == of_kind(world, Kind.EVM_BATCH)
    with world.database.read() as tx:
        found = [journal.get(tx, one) for one in tx.execute(select(payments.c.id)).scalars()]
        (batch,) = [one for one in found if one.request.kind is Kind.EVM_BATCH]
        made = versions.signed(tx, batch.id)
    first, last = (SignedSetCodeTx.decode(one.raw or b"") for one in (made[0], made[-1]))
    assert len(made) >= 2 and batch.txid != first.txid
    assert first.tx.authorizations == last.tx.authorizations and first.tx.call.nonce == batch.nonce
    assert world.books(chart.HOT, "DUSD") == len(addresses) * UNITS
    world.check_books()
