"""A taproot vault pays through the wallet: desk, signer, second parser and litecoind, all real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.types import TxState
from chains.utxo.chain import UtxoChain
from chains.utxo.descriptors import Template
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN
from chains.utxo.second_parser import SecondParser
from tests.conftest import skip_or_fail
from tests.nodes.one_network import OneNetwork
from tests.utxo_world import vault
from wallet.devnet.devnet import Devnet
from wallet.ledger import chart
from wallet.store.database import Database
from wallet.withdrawals.states import WithdrawalStatus as W

LTC = "litecoin-regtest"
NODE = "litecoind-regtest"
PARAMS = BUILTIN[LTC]
UNIT = 100_000_000
OUTSIDE = vault(Template.WPKH, (9,), params=PARAMS, name="outside")
HOT = vault(Template.TR, (1,), params=PARAMS, name="litecoin-hot")


@pytest.fixture
def litecoind(devnet: Devnet) -> Iterator[UtxoChain]:
    if NODE not in devnet.networks:
        skip_or_fail("no litecoind on this machine, the one node here that knows taproot")
    chain = UtxoChain(PARAMS, UtxoNode(devnet.url(NODE)), feerate_min=20_000)
    yield chain
    chain.close()


@pytest.fixture
def world(litecoind: UtxoChain, tmp_path: Path) -> Iterator[OneNetwork]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.db'}")
    database.migrate()
    yield OneNetwork(database, litecoind, HOT, SecondParser(tmp_path / "bitcoinlib"))
    database.close()


def test_a_taproot_vault_takes_a_deposit_and_pays_a_withdrawal(
    devnet: Devnet, litecoind: UtxoChain, world: OneNetwork
) -> None:
    alice = world.account("alice")
    deposit = world.address(alice, LTC)
    assert deposit.target.startswith(b"\x51\x20")
    world.scan()
    devnet.fund_script(NODE, deposit.target, UNIT)
    devnet.mine(NODE, 2)
    world.scan()
    assert UNIT == world.available(alice, "LTC")

    payee = OUTSIDE.address_at(PARAMS, 0, 3)
    asked = world.withdraw(alice, "LTC", payee, UNIT // 4, "w-1")
    world.work()
    world.work()
    (row,) = world.payment_rows()
    assert TxState.MEMPOOL is litecoind.sighting(row.txid).state  # type: ignore[attr-defined]
    devnet.mine(NODE, 3)
    for _ in range(3):
        world.keep.clock.time_s += 10
        world.work()

    assert W.COMPLETED is world.read(asked.id).status
    assert UNIT - UNIT // 4 == world.available(alice, "LTC")
    assert world.books(chart.user(alice), "LTC") == UNIT - UNIT // 4
