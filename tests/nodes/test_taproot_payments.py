"""A taproot vault pays through the wallet: desk, signer, second parser and litecoind, all real."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.types import TxState
from chains.utxo.chain import UtxoChain
from chains.utxo.descriptors import Template
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN
from chains.utxo.second_parser import SecondParser
from policies import load_policy
from tests.conftest import skip_or_fail
from tests.fakes import FakeSigner
from tests.payments_world import COORDINATOR, POLICY, Keep, World, psbt_signer
from tests.utxo_world import vault
from wallet.addresses.derivation import OwnDeriver
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.devnet.devnet import Devnet
from wallet.ledger import chart
from wallet.milestones import pass_by
from wallet.payments.context import PaymentContext
from wallet.payments.desk import PaymentDesk
from wallet.payments.paying import WithdrawalPayer
from wallet.settings import AssetSettings, ConfirmationTier, NetworkSettings, SignerSettings
from wallet.store.database import Database
from wallet.withdrawals.requests import Withdrawals
from wallet.withdrawals.states import WithdrawalStatus as W

LTC = "litecoin-regtest"
NODE = "litecoind-regtest"
PARAMS = BUILTIN[LTC]
UNIT = 100_000_000
OUTSIDE = vault(Template.WPKH, (9,), params=PARAMS, name="outside")
HOT = vault(Template.TR, (1,), params=PARAMS, name="litecoin-hot")


class TaprootWorld(World):
    """One network, one taproot vault that is hot and takes deposits, and one signer."""

    def __init__(self, database: Database, chain: UtxoChain, second_parser: SecondParser) -> None:
        self.database, self.keep = database, Keep()
        self.networks = {
            LTC: NetworkSettings(
                id=LTC,
                family="utxo",
                params=LTC,
                node_url="",
                fee_units_max=1_000_000,
                feerate_max=1_000_000,
                hot=HOT.name,
                cold=HOT.name,
                deposit=HOT.name,
            )
        }
        self.assets = {
            "LTC": AssetSettings(
                code="LTC",
                network=LTC,
                decimals=8,
                confirmations=(ConfirmationTier(from_units=0, confirmations=2),),
                withdrawal_units_min=10_000,
            )
        }
        self.chains = {LTC: chain}
        self.policy = load_policy(tomllib.loads(POLICY.read_text()))
        self.deriver = OwnDeriver([HOT], {LTC: PARAMS})
        signer = FakeSigner(
            signer_id="hot-a",
            sign_with=psbt_signer(1),
            coordinator=COORDINATOR.public_key,
            clock=self.keep.clock,
            seed=b"\xe0" * 32,
        )
        self.context = PaymentContext(
            database=database,
            clock=self.keep.clock,
            new_id=self.keep.ids,
            policy=self.policy,
            coordinator=COORDINATOR,
            networks=self.networks,
            assets=self.assets,
            chains=self.chains,
            vaults={HOT.name: HOT},
            params={LTC: PARAMS},
            deriver=self.deriver,
            signers={
                "hot-a": SignerSettings(
                    id="hot-a",
                    command=("signer",),
                    public_key=signer.public_key.hex(),
                    sources=(HOT.name,),
                )
            },
            doors={"hot-a": signer},
            second_parser=second_parser,
            milestone=pass_by,
        )
        self.desk = PaymentDesk(self.context)
        self.payer = WithdrawalPayer(self.desk)
        self.withdrawals = Withdrawals(
            networks=self.networks,
            assets=self.assets,
            chains=self.chains,
            policy=self.policy,
            clock=self.keep.clock,
            new_id=self.keep.ids,
        )
        rules = {"LTC": DepositRules(asset=self.assets["LTC"])}
        start = chain.tip().height
        self.watchers = {LTC: Watcher(chain, database, rules, start, self.keep.clock, pass_by)}


@pytest.fixture
def litecoind(devnet: Devnet) -> Iterator[UtxoChain]:
    if NODE not in devnet.networks:
        skip_or_fail("no litecoind on this machine, the one node here that knows taproot")
    chain = UtxoChain(PARAMS, UtxoNode(devnet.url(NODE)), feerate_min=20_000)
    yield chain
    chain.close()


@pytest.fixture
def world(litecoind: UtxoChain, tmp_path: Path) -> Iterator[TaprootWorld]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.db'}")
    database.migrate()
    yield TaprootWorld(database, litecoind, SecondParser(tmp_path / "bitcoinlib"))
    database.close()


def test_a_taproot_vault_takes_a_deposit_and_pays_a_withdrawal(
    devnet: Devnet, litecoind: UtxoChain, world: TaprootWorld
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
