"""A whole small deployment on fake chains: real database, ledger, policy, vaults and watchers."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import coincurve
from sqlalchemy import Connection, select

from chains.evm.addresses import checksum
from chains.evm.hashing import keccak256
from chains.evm.params import BUILTIN as EVM_BUILTIN
from chains.evm.safe import SafeTx
from chains.ports import Chain
from chains.types import Asset, Family
from chains.utxo.descriptors import Template
from chains.vaults import Vault
from policies import load_policy
from signer.protocol import InputSignature, Kind, SignRequest
from tests import evm_world, utxo_world
from tests.fakes import FakeClock, FakeSigner, Ids, SimulatedEvmChain, SimulatedUtxoChain
from tests.reconciling import reporter
from wallet.addresses.accounts import create_account
from wallet.addresses.derivation import OwnDeriver
from wallet.addresses.issuing import Address, Purpose, issue, issue_own
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Seen, Watcher, last_scanned
from wallet.gathers.gatherer import Gatherer
from wallet.ledger import chart
from wallet.ledger.balances import off_balance
from wallet.ledger.posting import asset_totals, balance
from wallet.milestones import Milestone, pass_by
from wallet.payments.context import Fence, PaidOutput, PaymentContext, SpentOutput, unfenced
from wallet.payments.desk import PaymentDesk
from wallet.payments.moves import Moves
from wallet.payments.paying import WithdrawalPayer
from wallet.reconciliation.reconciler import odd_assets
from wallet.settings import AssetSettings, ConfirmationTier, NetworkSettings, SignerSettings
from wallet.signing.coordinator import Coordinator
from wallet.signing.ports import SignerDoor
from wallet.store.database import Database
from wallet.store.schema import addresses, payments, utxos
from wallet.withdrawals import records
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.requests import WithdrawalOrder, Withdrawals

BTC, ETH = "bitcoin-regtest", evm_world.NETWORK
POLICY = Path(__file__).parents[1] / "config" / "policies" / "service.toml"
OUTSIDE = utxo_world.vault(Template.WPKH, (9,), name="outside")
"""Somebody else's wallet, to pay to."""


DUSD = Asset(code="DUSD", network=ETH, decimals=6, contract=checksum(evm_world.DUSD))
CUSTOMER = checksum(evm_world.CUSTOMER)
"""Somebody else's account on the ETH chain."""


def outside_address(index: int) -> str:
    """An address of somebody else on the BTC chain."""
    return OUTSIDE.address_at(utxo_world.REGTEST, 0, index)


def psbt_signer(number: int) -> Callable[[SignRequest], Sequence[InputSignature]]:
    """Signs PSBTs with the test key of a number."""

    def sign(request: SignRequest) -> Sequence[InputSignature]:
        return [
            InputSignature(index=s.index, public_key=s.public_key, signature=s.signature)
            for s in utxo_world.sign_all(request.payload, [number])
        ]

    return sign


def evm_signer(
    keys: Mapping[str, evm_world.TestKey],
) -> Callable[[SignRequest], Sequence[InputSignature]]:
    """Signs EVM transactions and Safe payloads with the key of each source."""

    def sign(request: SignRequest) -> Sequence[InputSignature]:
        key, index = keys[request.source], request.sender.index if request.sender else 0
        if request.kind is Kind.SAFE_TX:
            hashed = SafeTx.decode(request.payload).safe_tx_hash
        else:
            hashed = keccak256(request.payload)
        made = coincurve.PrivateKey(key.secret(index)).sign_recoverable(hashed, hasher=None)
        signature = made[:64] + bytes([27 + made[64]])
        owner = bytes.fromhex(key.address(index)[2:])
        return [InputSignature(index=0, public_key=owner, signature=signature)]

    return sign


def both(
    psbt: Callable[[SignRequest], Sequence[InputSignature]],
    evm: Callable[[SignRequest], Sequence[InputSignature]],
) -> Callable[[SignRequest], Sequence[InputSignature]]:
    """One signer with keys of both families."""
    return lambda request: (psbt if request.kind is Kind.PSBT else evm)(request)


@dataclass
class SecondParserStub:
    """Agrees, counts, and disagrees on request."""

    calls: int = 0
    disagrees: Exception | None = None

    def __call__(
        self,
        network: str,
        raw: bytes,
        spent: tuple[SpentOutput, ...],
        paid: tuple[PaidOutput, ...],
    ) -> None:
        self.calls += 1
        if self.disagrees is not None:
            raise self.disagrees


@dataclass
class Keep:
    """What outlives a killed process beside the database: chains, signers, the clock."""

    clock: FakeClock = field(default_factory=FakeClock)
    ids: Ids = field(default_factory=Ids)
    btc: SimulatedUtxoChain = field(
        default_factory=lambda: SimulatedUtxoChain(params=utxo_world.REGTEST, asset="BTC")
    )
    eth: SimulatedEvmChain = field(
        default_factory=lambda: SimulatedEvmChain(
            params=EVM_BUILTIN[ETH],
            tokens=[DUSD],
            safes={evm_world.SAFE: evm_world.SAFE_VAULT},
        )
    )
    signers: dict[str, FakeSigner] = field(default_factory=dict)
    second_parser: SecondParserStub = field(default_factory=SecondParserStub)


VAULTS: dict[str, Vault] = {
    "bitcoin-hot": utxo_world.vault(Template.WSH_MULTI, (1, 2, 3), name="bitcoin-hot"),
    "bitcoin-cold": utxo_world.vault(Template.WSH_MULTI, (4, 5, 6), name="bitcoin-cold"),
    "ethereum-hot": evm_world.HOT_VAULT,
    "ethereum-deposit": evm_world.DEPOSIT_VAULT,
    "ethereum-cold": evm_world.SAFE_VAULT,
}
COORDINATOR = Coordinator(b"\xc0" * 32)
SOURCES = {
    "hot-a": ("bitcoin-hot", "ethereum-hot"),
    "hot-b": ("bitcoin-hot", "ethereum-deposit"),
    "keyholder-1": ("bitcoin-cold", "ethereum-cold"),
    "keyholder-2": ("bitcoin-cold", "ethereum-cold"),
    "keyholder-3": ("bitcoin-cold", "ethereum-cold"),
}


def make_signers(keep: Keep) -> None:
    """The two hot signers and the three keyholders."""
    signing = {
        "hot-a": both(psbt_signer(1), evm_signer({"ethereum-hot": evm_world.HOT_KEY})),
        "hot-b": both(psbt_signer(2), evm_signer({"ethereum-deposit": evm_world.DEPOSIT_KEY})),
    }
    for place, person in enumerate(evm_world.PEOPLE):
        signing[f"keyholder-{place + 1}"] = both(
            psbt_signer(4 + place), evm_signer({"ethereum-cold": person})
        )
    for number, (name, sign_with) in enumerate(signing.items()):
        keep.signers[name] = FakeSigner(
            signer_id=name,
            sign_with=sign_with,
            coordinator=COORDINATOR.public_key,
            clock=keep.clock,
            seed=bytes([0xE0 + number]) * 32,
        )


def network_settings(bump_after_blocks: int = 0) -> dict[str, NetworkSettings]:
    """BTC and ETH as the tests have them."""
    btc = NetworkSettings(
        id=BTC,
        family="utxo",
        params=BTC,
        node_url="",
        fee_units_max=100_000,
        feerate_max=100_000,
        bump_after_blocks=bump_after_blocks,
        hot="bitcoin-hot",
        cold="bitcoin-cold",
        deposit="bitcoin-hot",
    )
    eth = NetworkSettings(
        id=ETH,
        family="evm",
        params=ETH,
        node_url="",
        fee_units_max=10**16,
        bump_after_blocks=bump_after_blocks,
        hot="ethereum-hot",
        cold="ethereum-cold",
        deposit="ethereum-deposit",
    )
    return {BTC: btc, ETH: eth}


def asset_settings() -> dict[str, AssetSettings]:
    """Two confirmations everywhere."""
    two = (ConfirmationTier(from_units=0, confirmations=2),)
    return {
        "BTC": AssetSettings(
            code="BTC",
            network=BTC,
            decimals=8,
            confirmations=two,
            withdrawal_units_min=10_000,
            withdrawal_fee_units=500,
        ),
        "ETH": AssetSettings(
            code="ETH",
            network=ETH,
            decimals=18,
            confirmations=two,
            withdrawal_units_min=10**12,
            withdrawal_fee_units=10**12,
            gather_units_min=10**16,
        ),
        "DUSD": AssetSettings(
            code="DUSD",
            network=ETH,
            decimals=6,
            contract=checksum(evm_world.DUSD),
            confirmations=two,
            withdrawal_units_min=10_000,
            gather_units_min=1_000_000,
        ),
    }


class World:
    """One process over what is kept; make another one to restart."""

    def __init__(
        self,
        database: Database,
        keep: Keep | None = None,
        milestone: Milestone = pass_by,
        vaults: Mapping[str, Vault] | None = None,
        doors: Mapping[str, SignerDoor] | None = None,
        public_keys: Mapping[str, str] | None = None,
        sweeper: str = "",
        assets: Mapping[str, AssetSettings] | None = None,
        fence: Fence = unfenced,
        bump_after_blocks: int = 0,
    ) -> None:
        self.database = database
        self.keep = keep or Keep()
        if not self.keep.signers:
            make_signers(self.keep)
        self.networks = network_settings(bump_after_blocks)
        self.assets = dict(assets or asset_settings())
        self.networks[ETH] = replace(self.networks[ETH], sweeper=sweeper)
        self.chains: dict[str, Chain] = {BTC: self.keep.btc, ETH: self.keep.eth}
        self.policy = load_policy(tomllib.loads(POLICY.read_text()))
        vaults = VAULTS if vaults is None else vaults
        deriver = OwnDeriver(vaults.values(), {BTC: utxo_world.REGTEST})
        hot = {n: s for n, s in self.keep.signers.items() if n.startswith("hot")}
        self.context = PaymentContext(
            database=database,
            clock=self.keep.clock,
            new_id=self.keep.ids,
            policy=self.policy,
            coordinator=COORDINATOR,
            networks=self.networks,
            assets=self.assets,
            chains=self.chains,
            vaults=vaults,
            params={BTC: utxo_world.REGTEST},
            deriver=deriver,
            signers={
                name: SignerSettings(
                    id=name,
                    command=("signer",) if name.startswith("hot") else (),
                    public_key=(public_keys or {}).get(name, signer.public_key.hex()),
                    sources=SOURCES[name],
                )
                for name, signer in self.keep.signers.items()
            },
            doors=hot if doors is None else doors,
            second_parser=self.keep.second_parser,
            milestone=milestone,
            fence=fence,
        )
        self.deriver = deriver
        self.desk = PaymentDesk(self.context)
        self.payer = WithdrawalPayer(self.desk)
        self.gatherer = Gatherer(self.desk)
        self.moves = Moves(self.desk)
        self.withdrawals = Withdrawals(
            networks=self.networks,
            assets=self.assets,
            chains=self.chains,
            policy=self.policy,
            clock=self.keep.clock,
            new_id=self.keep.ids,
        )
        self.watchers = {
            name: Watcher(
                chain,
                database,
                {a.code: DepositRules(asset=a) for a in self.assets.values() if a.network == name},
                0,
                self.keep.clock,
                pass_by,
            )
            for name, chain in self.chains.items()
        }

    def scan(self) -> None:
        """Follow both chains to their tips."""
        for watcher in self.watchers.values():
            while watcher.step().seen is not Seen.SAME:
                pass

    def work(self) -> None:
        """What the service's jobs do, once."""
        self.scan()
        for network in self.chains:
            self.payer.pay_queued(network)
            self.desk.run(network)

    def settle(self, blocks: int = 4) -> None:
        """Blocks and work until everything that can end has ended."""
        for _ in range(blocks):
            self.work()
            self.keep.btc.mine()
            self.keep.eth.mine()
            self.keep.clock.time_s += 10
        self.work()

    def account(self, name: str) -> str:
        """A new user."""
        with self.database.write() as tx:
            return create_account(tx, name, self.keep.clock.now_s())

    def address(self, account_id: str, network: str) -> Address:
        """A deposit address of a user."""
        with self.database.write() as tx:
            return issue(
                tx,
                self.deriver,
                network=network,
                source=self.networks[network].deposit,
                account_id=account_id,
                now_s=self.keep.clock.now_s(),
            )

    def own_address(self, network: str, source: str, purpose: Purpose) -> Address:
        """An address of our own."""
        with self.database.write() as tx:
            return issue_own(
                tx,
                self.deriver,
                network=network,
                source=source,
                purpose=purpose,
                now_s=self.keep.clock.now_s(),
            )

    def deposit(self, account_id: str, asset: str, units: int) -> Address:
        """Money from outside to a fresh address of a user, credited."""
        network = self.assets[asset].network
        address = self.address(account_id, network)
        if network == BTC:
            self.keep.btc.fund(address.target, units)
        else:
            self.keep.eth.fund(address.target, asset, units)
        self.confirm()
        return address

    def fund_hot_gas(self, units: int = 10**18) -> Address:
        """The house's own ether on the hot account."""
        hot = self.own_address(ETH, "ethereum-hot", Purpose.HOT)
        self.keep.eth.fund(hot.target, "ETH", units)
        self.confirm()
        return hot

    def confirm(self, blocks: int = 2) -> None:
        """Blocks, scanned."""
        self.keep.btc.mine(blocks)
        self.keep.eth.mine(blocks)
        self.scan()

    def withdraw(
        self, account_id: str, asset: str, address: str, units: int, external_id: str
    ) -> Withdrawal:
        """A withdrawal as the API submits it."""
        order = WithdrawalOrder(
            external_id=external_id,
            account_id=account_id,
            asset=asset,
            address=address,
            units=units,
            requester="api-key-1",
        )
        with self.database.write() as tx:
            return self.withdrawals.submit(tx, order)

    def read(self, withdrawal_id: str) -> Withdrawal:
        """A withdrawal as it stands."""
        with self.database.read() as tx:
            return records.get(tx, withdrawal_id)

    def payment_rows(self) -> Sequence[object]:
        """Every payment, oldest first."""
        with self.database.read() as tx:
            return tx.execute(select(payments).order_by(payments.c.created_s, payments.c.id)).all()

    def available(self, account_id: str, asset: str) -> int:
        """What a user may still take."""
        with self.database.read() as tx:
            return balance(tx, chart.user(account_id), asset).available

    def books(self, owner: str, asset: str) -> int:
        """The ledger balance of an owner."""
        with self.database.read() as tx:
            return balance(tx, owner, asset).net

    def check_books(self) -> None:
        """The sum of every asset is zero, and the chain accounts equal the chains."""
        with self.database.read() as tx:
            assert off_balance(asset_totals(tx)) == []
            for asset in self.assets.values():
                ours = sum(
                    balance(tx, owner, asset.code).net
                    for owner in (chart.HOT, chart.DEPOSIT, chart.COLD)
                )
                assert ours == self._on_chain(tx, asset), asset.code
        self.check_statements()

    def check_statements(self) -> None:
        """Statements explain every block of what is scanned, and the books agree with them."""
        odd = odd_assets(self.assets.values())
        for chain in self.chains.values():
            with self.database.read() as tx:
                if last_scanned(tx, chain.network) is None:
                    continue
            report = reporter(chain, self.database, self.keep.clock, odd).report()
            found = [(str(one.code), one.asset, one.units) for one in report.breaks]
            off = {row.asset: row.difference for row in report.rows if row.difference}
            assert (found, off, report.faults) == ([], {}, ()), chain.network

    def _on_chain(self, tx: Connection, asset: AssetSettings) -> int:
        if self.chains[asset.network].family is Family.UTXO:
            rows = tx.execute(
                select(utxos.c.units).where(
                    utxos.c.spent_txid.is_(None), utxos.c.height.is_not(None)
                )
            )
            return sum(row.units for row in rows)
        rows = tx.execute(select(addresses.c.target).where(addresses.c.network == ETH))
        return sum(self.keep.eth.held(bytes(row.target), asset.code) for row in rows)
