"""A whole small deployment on one real node of the Bitcoin family: one vault, one signer."""

import tomllib

from chains.utxo.chain import UtxoChain
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.second_parser import SecondParser
from policies import load_policy
from tests.fakes import FakeSigner
from tests.payments_world import COORDINATOR, POLICY, Keep, World, psbt_signer
from wallet.addresses.derivation import OwnDeriver
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.milestones import pass_by
from wallet.payments.context import PaymentContext
from wallet.payments.desk import PaymentDesk
from wallet.payments.paying import WithdrawalPayer
from wallet.settings import AssetSettings, ConfirmationTier, NetworkSettings, SignerSettings
from wallet.store.database import Database
from wallet.withdrawals.requests import Withdrawals


class OneNetwork(World):
    """One network, one vault of test key 1 that is hot and takes deposits, and one signer."""

    def __init__(
        self,
        database: Database,
        chain: UtxoChain,
        vault: DescriptorVault,
        second_parser: SecondParser,
    ) -> None:
        self.database, self.keep = database, Keep()
        network, native = chain.network, chain.assets[0]
        self.networks = {
            network: NetworkSettings(
                id=network,
                family="utxo",
                params=chain.params.id,
                node_url="",
                fee_units_max=1_000_000,
                feerate_max=1_000_000,
                hot=vault.name,
                cold=vault.name,
                deposit=vault.name,
            )
        }
        self.assets = {
            native.code: AssetSettings(
                code=native.code,
                network=network,
                decimals=native.decimals,
                confirmations=(ConfirmationTier(from_units=0, confirmations=2),),
                withdrawal_units_min=10_000,
            )
        }
        self.chains = {network: chain}
        self.policy = load_policy(tomllib.loads(POLICY.read_text()))
        self.deriver = OwnDeriver([vault], {network: chain.params})
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
            vaults={vault.name: vault},
            params={network: chain.params},
            deriver=self.deriver,
            signers={
                "hot-a": SignerSettings(
                    id="hot-a",
                    command=("signer",),
                    public_key=signer.public_key.hex(),
                    sources=(vault.name,),
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
        rules = {native.code: DepositRules(asset=self.assets[native.code])}
        start = chain.tip().height
        self.watchers = {network: Watcher(chain, database, rules, start, self.keep.clock, pass_by)}
