"""The composition root: the only place where the parts of the service meet.

`Deployment` holds what every command needs of one settings file; the service, the staff's desk and
the reconciliation are put together from it.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from chains.ports import Chain
from chains.types import Family
from chains.utxo.params import UtxoParams
from chains.utxo.second_parser import SecondParser
from chains.vaults import Vault, load_vault
from policies.loader import load_policy
from policies.policy import Policy
from wallet.addresses.derivation import OwnDeriver
from wallet.assets.authority import ScopeAuthority
from wallet.assets.context import AssetContext
from wallet.clock import Clock, SystemClock
from wallet.coins.quarantine import dusting_units
from wallet.deposits.rules import DepositRules
from wallet.fees.desk import FeeDesk
from wallet.hosted_keys.context import HK0, HK1, HostedContext, MadeOutput, SpentCoin
from wallet.hosted_keys.desk import HostedDesk
from wallet.leases import Leases
from wallet.ledger.writer import LedgerWriter
from wallet.milestones import Milestone, kill_at, pass_by
from wallet.networks import (
    DeploymentError,
    evm_rules,
    is_development,
    open_chain,
    open_market,
    utxo_rules,
)
from wallet.payments.context import PaidOutput, PaymentContext, SpentOutput
from wallet.payments.desk import PaymentDesk
from wallet.reserves.context import ReservesContext
from wallet.settings import AssetSettings, NetworkSettings, Settings
from wallet.settings_file import load_settings
from wallet.signing.coordinator import load_coordinator
from wallet.signing.hot import HotSigner
from wallet.store.database import Database
from wallet.store.schema import addresses
from wallet.treasury.approvals import ApprovalDesk
from wallet.treasury.planning import Planner
from wallet.treasury.staff_desk import StaffDesk
from wallet.webhooks.secrets import load_service_key
from wallet.withdrawals.requests import Withdrawals

FILE_BYTES_MAX = 1024 * 1024
"""No policy or vault file is larger; checked before parsing."""


@dataclass(frozen=True)
class Deployment:
    """One settings file and what it describes, opened when first needed."""

    settings: Settings
    clock: Clock

    @cached_property
    def database(self) -> Database:
        """The database, migrated."""
        database = Database.open(self.settings.database_url)
        database.migrate()
        return database

    @cached_property
    def networks(self) -> Mapping[str, NetworkSettings]:
        """Networks by id."""
        return {network.id: network for network in self.settings.networks}

    @cached_property
    def assets(self) -> Mapping[str, AssetSettings]:
        """Assets by code."""
        return {asset.code: asset for asset in self.settings.assets}

    @cached_property
    def params(self) -> Mapping[str, UtxoParams]:
        """Parameters of the UTXO networks by id."""
        found = {}
        for network in self.settings.networks:
            if network.family == Family.UTXO:
                found[network.id] = utxo_rules(network)
        return found

    @cached_property
    def chains(self) -> Mapping[str, Chain]:
        """Every network's chain by id; nothing is asked of a node yet."""
        return {
            network.id: self._chain(network, network.node_url) for network in self.settings.networks
        }

    @cached_property
    def second_chains(self) -> Mapping[str, Chain]:
        """The same networks through their second nodes, where they have one."""
        return {
            network.id: self._chain(network, network.second_node_url)
            for network in self.settings.networks
            if network.second_node_url
        }

    @cached_property
    def fees(self) -> FeeDesk:
        """The fee desk, over every source of each network."""
        return FeeDesk(
            database=self.database,
            clock=self.clock,
            networks=self.networks,
            markets={network.id: open_market(network) for network in self.settings.networks},
        )

    @cached_property
    def vaults(self) -> Mapping[str, Vault]:
        """Every registered vault by name."""
        found: dict[str, Vault] = {}
        for path in self.settings.vault_files:
            vault = load_vault(_toml(path), self.params)
            if vault.name in found:
                raise DeploymentError(f"got two vaults named {vault.name}, expected one")
            found[vault.name] = vault
        return found

    @cached_property
    def deriver(self) -> OwnDeriver:
        """Addresses of our vaults, from public keys."""
        return OwnDeriver(self.vaults.values(), self.params)

    @cached_property
    def policy(self) -> Policy:
        """The service's own policy."""
        return load_policy(_toml(self.settings.policy_file))

    @cached_property
    def milestone(self) -> Milestone:
        """Nothing, or death at a named moment: a crash drill for development chains only."""
        if not self.settings.kill_at:
            return pass_by
        public = [n.id for n in self.settings.networks if not is_development(n)]
        if public:
            raise DeploymentError(
                f"got kill_at with public networks {public}, expected development chains only"
            )
        return kill_at(self.settings.kill_at)

    @cached_property
    def doors(self) -> Mapping[str, HotSigner]:
        """The hot signers by id; each child process starts with its first question."""
        return {
            signer.id: HotSigner(
                signer_id=signer.id,
                command=signer.command,
                public_key=bytes.fromhex(signer.public_key),
            )
            for signer in self.settings.signers
            if signer.command
        }

    @cached_property
    def second_parser(self) -> SecondParser:
        """The view that bitcoinlib takes of what we send; loaded late, as that takes seconds."""
        return SecondParser(self.settings.data_dir / "bitcoinlib")

    @cached_property
    def leases(self) -> Leases:
        """The roles that this run of this process holds; none until its worker takes one."""
        return Leases(self.database, self.clock, new_id())

    @cached_property
    def payments(self) -> PaymentDesk:
        """The payment desk."""
        settings = self.settings
        return PaymentDesk(
            PaymentContext(
                database=self.database,
                clock=self.clock,
                new_id=new_id,
                policy=self.policy,
                coordinator=load_coordinator(settings.coordinator_key_file),
                networks=self.networks,
                assets=self.assets,
                chains=self.chains,
                vaults=self.vaults,
                params=self.params,
                deriver=self.deriver,
                signers={signer.id: signer for signer in settings.signers},
                doors=self.doors,
                second_parser=self._check_bytes,
                milestone=self.milestone,
                prices=self.fees,
                fence=self.leases.check,
            )
        )

    @cached_property
    def ledger(self) -> LedgerWriter:
        """The writer that commits many callers' batches together."""
        return LedgerWriter(self.database, self.clock)

    @cached_property
    def withdrawals(self) -> Withdrawals:
        """The withdrawal desk."""
        return Withdrawals(
            networks=self.networks,
            assets=self.assets,
            chains=self.chains,
            policy=self.policy,
            clock=self.clock,
            new_id=new_id,
        )

    @cached_property
    def hosted(self) -> HostedDesk:
        """Users' own keys, of which we have only ciphertext, and their payments."""
        return HostedDesk(
            HostedContext(
                database=self.database,
                clock=self.clock,
                new_id=new_id,
                random=random_bytes,
                chains=self.chains,
                params=self.params,
                assets=self.assets,
                second_parser=self._check_hosted,
                milestone=self.milestone,
                blob_formats=frozenset(
                    {HK1, HK0} if self.settings.hosted_keys_legacy_allowed else {HK1}
                ),
                authenticator_delay_s=self.settings.hosted_keys_authenticator_delay_s,
                service_key=load_service_key(self.settings.service_key_file),
            )
        )

    @cached_property
    def reserves(self) -> ReservesContext:
        """What publications of reserves are made from."""
        return ReservesContext(
            database=self.database,
            clock=self.clock,
            new_id=new_id,
            random=random_bytes,
            coordinator=load_coordinator(self.settings.coordinator_key_file),
            chains=self.chains,
            chain_ids={
                network.id: evm_rules(network).chain_id if network.family == Family.EVM else None
                for network in self.settings.networks
            },
            vaults=self.vaults,
            signers={signer.id: signer for signer in self.settings.signers},
            doors=self.doors,
            milestone=self.milestone,
        )

    @cached_property
    def approvals(self) -> ApprovalDesk:
        """Where staff approvals are checked."""
        return ApprovalDesk(self.settings.staff, self.withdrawals.approved)

    @cached_property
    def registered(self) -> AssetContext:
        """What gateways' assets are held against."""
        return AssetContext(
            native={asset.code: asset.decimals for asset in self.settings.assets},
            authority=ScopeAuthority(),
            clock=self.clock,
        )

    @cached_property
    def planner(self) -> Planner:
        """What should move between hot and cold."""
        return Planner(
            networks=self.settings.networks,
            assets=self.settings.assets,
            policy=self.policy,
            approvals_required=self.settings.approvals_required,
            deriver=self.deriver,
            new_id=new_id,
        )

    def deposit_rules(self, network: NetworkSettings) -> Mapping[str, DepositRules]:
        """What the configuration says of deposits on a network, by asset."""
        dusting = dusting_units(network, self.vaults)
        return {
            asset.code: DepositRules(asset=asset, dusting_units=dusting)
            for asset in self.settings.assets
            if asset.network == network.id
        }

    def close(self) -> None:
        """Give nodes, signers and database back."""
        opened = vars(self)
        for name in ("chains", "second_chains"):
            for chain in opened.get(name, {}).values():
                chain.close()
        for door in opened.get("doors", {}).values():
            door.close()
        if "fees" in opened:
            self.fees.close()
        if "ledger" in opened:
            self.ledger.close()
        if "database" in opened:
            self.database.close()

    def _check_bytes(
        self,
        network: str,
        raw: bytes,
        spent: tuple[SpentOutput, ...],
        paid: tuple[PaidOutput, ...],
    ) -> None:
        self.second_parser(network, raw, spent, paid)

    def _check_hosted(
        self, network: str, raw: bytes, spent: Sequence[SpentCoin], made: Sequence[MadeOutput]
    ) -> None:
        self.second_parser(network, raw, spent, made)

    def _chain(self, network: NetworkSettings, node_url: str) -> Chain:
        ours = [asset for asset in self.settings.assets if asset.network == network.id]
        return open_chain(network, node_url, ours, self._watched(network.id))

    def _watched(self, network: str) -> Callable[[], Iterable[bytes]]:
        def targets() -> Iterable[bytes]:
            with self.database.read() as tx:
                rows = tx.execute(select(addresses.c.target).where(addresses.c.network == network))
                return [bytes(target) for (target,) in rows]

        return targets


def open_deployment(config: Path, *, kill_at_milestone: str = "") -> Deployment:
    """The deployment of a settings file. Raises WalletError naming what is wrong with it."""
    settings = load_settings(config)
    if kill_at_milestone:
        settings = replace(settings, kill_at=kill_at_milestone)
    return Deployment(settings=settings, clock=SystemClock())


@contextmanager
def opened(config: Path) -> Any:
    """A deployment that is closed at the end."""
    deployment = open_deployment(config)
    try:
        yield deployment
    finally:
        deployment.close()


def open_staff_desk(config: Path) -> StaffDesk:
    """The staff's desk over the service's own database."""
    deployment = open_deployment(config)
    return StaffDesk(
        database=deployment.database,
        clock=deployment.clock,
        planner=deployment.planner,
        approvals_desk=deployment.approvals,
        offline=deployment.payments,
        reject=deployment.withdrawals.reject,
        staff=deployment.settings.staff,
    )


def new_id() -> str:
    """A fresh identifier."""
    return str(uuid4())


def random_bytes(count: int) -> bytes:
    """The operating system's generator."""
    return os.urandom(count)


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise DeploymentError(f"got no file {path}, expected a TOML file") from error
    if len(data) > FILE_BYTES_MAX:
        raise DeploymentError(f"got {path} of over {FILE_BYTES_MAX} bytes, expected less")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeploymentError(f"{path}: got no valid TOML: {error}") from error
