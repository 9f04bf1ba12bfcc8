"""Somebody with a key of ours spends on real nodes: found, typed, and withdrawals stopped."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from chains.evm.accounts import FixedAddress, KeyAccount
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN as EVM
from chains.types import OutPoint
from chains.utxo.chain import UtxoChain
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import Template
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN as UTXO
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.second_parser import SecondParser
from chains.utxo.selection import Market, plan_spend
from tests import evm_world
from tests.nodes.one_network import OneNetwork
from tests.nodes.test_evm_chain import ETHER, a_person, payment, signed_by
from tests.payments_world import BTC, ETH, VAULTS, Keep, World, outside_address
from tests.reconciling import reporter
from tests.utxo_world import sign_all, vault
from wallet.addresses.issuing import Purpose
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM
from wallet.milestones import pass_by
from wallet.pauses import holding
from wallet.reconciliation.report import Report, Reporter
from wallet.reconciliation.states import BreakCode
from wallet.store.database import Database
from wallet.store.schema import addresses, utxos
from wallet.withdrawals.states import WithdrawalStatus

UNIT = 100_000_000
HOT = vault(Template.WPKH, (1,), params=UTXO[BTC], name="bitcoin-hot")
SEED = hashlib.sha256(b"stolen money").digest()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    yield database
    database.close()


def is_right(report: Report) -> bool:
    return report.is_right and report.coverage.blocks.ppm == 1_000_000


def test_a_coin_spent_with_the_vaults_key_pauses_withdrawals(
    devnet: Devnet, database: Database, tmp_path: Path
) -> None:
    chain = UtxoChain(UTXO[BTC], UtxoNode(devnet.url(BTC)), feerate_min=20_000)
    world = OneNetwork(database, chain, HOT, SecondParser(tmp_path / "bitcoinlib"))
    alice = world.account("alice")
    world.scan()
    devnet.fund_script(BTC, world.address(alice, BTC).target, UNIT)
    devnet.mine(BTC, 2)
    world.scan()
    asked = world.withdraw(alice, "BTC", outside_address(3), UNIT // 4, "w-1")
    for _ in range(4):
        world.work()
        devnet.mine(BTC)
        world.keep.clock.time_s += 10
    world.work()
    assert world.read(asked.id).status is WithdrawalStatus.COMPLETED
    books = reporter(chain, database, world.keep.clock)
    assert is_right(books.report(recount=False))

    theft = chain.broadcast(_theft(database))
    devnet.mine(BTC)
    world.scan()
    later = world.withdraw(alice, "BTC", outside_address(4), UNIT // 4, "w-2")
    _check_theft(books, database, theft.txid, BTC, "BTC")
    world.work()
    assert world.read(later.id).status is WithdrawalStatus.QUEUED
    assert len(world.payment_rows()) == 1, "nothing is built while it stands still"
    chain.close()


def _theft(database: Database) -> bytes:
    """All that is left, signed by the vault's key and paid to a stranger."""
    with database.read() as tx:
        row = tx.execute(
            select(utxos, addresses.c.branch, addresses.c.position)
            .join(addresses, addresses.c.id == utxos.c.address_id)
            .where(utxos.c.spent_txid.is_(None))
        ).first()
    assert row is not None
    place = OwnPlace(source=HOT.name, branch=row.branch, index=row.position)
    coin = Coin(
        outpoint=OutPoint(row.txid, row.vout), sats=row.units, place=place, raw_tx=row.raw_tx
    )
    plan = plan_spend(
        coins=[coin],
        payouts=[Payout(script=b"\x00\x14" + b"\x66" * 20, sats=row.units // 2)],
        change=Payout(script=HOT.script_pubkey_at(place.branch, place.index), sats=0, place=place),
        vaults={HOT.name: HOT},
        market=Market(feerate=20_000, feerate_long_term=20_000),
        dust_sats=5460,
    )
    unsigned = build(coins=plan.coins, outputs=plan.outputs, vaults={HOT.name: HOT})
    return finalize(add_signatures(unsigned, sign_all(unsigned, (1,))))


def test_ether_sent_with_the_hot_accounts_key_pauses_withdrawals(
    devnet: Devnet, database: Database
) -> None:
    key = evm_world.TestKey(SEED, "44h/60h/0h")
    users = evm_world.TestKey(SEED, "44h/60h/1h")
    hot = FixedAddress.load(
        {
            "name": "ethereum-hot",
            "network": ETH,
            "kind": "address",
            "key": key.origin,
            "address": key.address(),
        }
    )
    deposit = KeyAccount.load(
        {"name": "ethereum-deposit", "network": ETH, "kind": "keys", "key": users.origin}
    )
    chain = EvmChain(EVM[ETHEREUM], EvmNode(devnet.url(ETHEREUM)))
    vaults = {**VAULTS, "ethereum-hot": hot, "ethereum-deposit": deposit}
    world = World(database, Keep(eth=chain), vaults=vaults)  # type: ignore[arg-type]
    rules = {"ETH": DepositRules(asset=world.assets["ETH"])}
    start = chain.tip().height + 1
    world.watchers = {ETH: Watcher(chain, database, rules, start, world.keep.clock, pass_by)}
    alice = world.account("alice")
    user = world.address(alice, ETH)
    own = world.own_address(ETH, "ethereum-hot", Purpose.HOT)
    for address in (own.address, user.address):
        devnet.fund(ETHEREUM, "ETH", address, ETHER)
    devnet.mine(ETHEREUM, 3)
    world.scan()
    assert world.available(alice, "ETH") == ETHER
    books = reporter(chain, database, world.keep.clock)
    assert is_right(books.report(recount=True))

    stranger = a_person()[1]
    theft = signed_by(key.secret(), payment(chain, own.address, stranger, ETHER // 2))
    chain.broadcast(theft.raw)
    devnet.mine(ETHEREUM)
    world.scan()
    later = world.withdraw(alice, "ETH", stranger, ETHER // 4, "w-1")
    _check_theft(books, database, theft.txid, ETH, "ETH")
    world.payer.pay_queued(ETH)
    assert world.read(later.id).status is WithdrawalStatus.QUEUED
    assert world.payment_rows() == []
    chain.close()


def _check_theft(books: Reporter, database: Database, txid: str, network: str, asset: str) -> None:
    report = books.report()
    (found,) = report.breaks
    assert (found.code, found.txid, found.asset) == (BreakCode.FOREIGN_SPEND, txid, asset)
    assert found.units < 0
    row = next(row for row in report.rows if row.asset == asset)
    if network == ETH:
        assert row.difference == found.units
    with database.read() as tx:
        (pause,) = holding(tx, network, asset)
    assert pause.paused_by == "service:reconciliation"
