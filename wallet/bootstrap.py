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

from chains.evm import params as evm_params
from chains.evm.chain import EvmChain
from chains.evm.fee_market import EvmFeeMarket
from chains.evm.node import EvmNode
from chains.feerates import FeeMarket
from chains.ports import Chain
from chains.types import Asset, Family
from chains.utxo import params as utxo_params
from chains.utxo.chain import UtxoChain
from chains.utxo.fee_market import UtxoFeeMarket
from chains.utxo.node import UtxoNode
from chains.utxo.params import UtxoParams
from chains.utxo.second_parser import SecondParser
from chains.vaults import Vault, load_vault
from policies.loader import load_policy
from policies.policy import Policy
from wallet.addresses.derivation import OwnDeriver
from wallet.clock import Clock, SystemClock
from wallet.errors import Invalid
from wallet.fees.desk import FeeDesk
from wallet.hosted_keys.context import HK0, HK1, HostedContext, MadeOutput, SpentCoin
from wallet.hosted_keys.desk import HostedDesk
from wallet.leases import Leases
from wallet.milestones import Milestone, kill_at, pass_by
from wallet.payments.context import PaidOutput, PaymentContext, SpentOutput
from wallet.payments.desk import PaymentDesk
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


class DeploymentError(Invalid):
    """Settings that are well-formed but do not fit together."""

    code = "deployment.invalid"


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
                found[network.id] = _utxo_params(network)
        return found

    @cached_property
    def chains(self) -> Mapping[str, Chain]:
        """Every network's chain by id; nothing is asked of a node yet."""
        return {network.id: self._chain(network) for network in self.settings.networks}

    @cached_property
    def fees(self) -> FeeDesk:
        """The fee desk, over every source of each network."""
        return FeeDesk(
            database=self.database,
            clock=self.clock,
            networks=self.networks,
            markets={network.id: _market(network) for network in self.settings.networks},
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
        public = [n.id for n in self.settings.networks if not _is_development(n)]
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
                service_key=load_service_key(self.settings.service_key_file),
            )
        )

    @cached_property
    def approvals(self) -> ApprovalDesk:
        """Where staff approvals are checked."""
        return ApprovalDesk(self.settings.staff, self.withdrawals.approved)

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

    def close(self) -> None:
        """Give nodes, signers and database back."""
        opened = vars(self)
        for chain in opened.get("chains", {}).values():
            chain.close()
        for door in opened.get("doors", {}).values():
            door.close()
        if "fees" in opened:
            self.fees.close()
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

    def _chain(self, network: NetworkSettings) -> Chain:
        ours = [asset for asset in self.settings.assets if asset.network == network.id]
        if network.family == Family.UTXO:
            return UtxoChain(
                _utxo_params(network),
                UtxoNode(network.node_url),
                feerate_min=network.feerate_min,
                network=network.id,
                asset=ours[0].code if ours else None,
            )
        tokens = [
            Asset(
                code=a.code,
                network=a.network,
                decimals=a.decimals,
                contract=a.contract,
                balance_check=a.balance_check,
            )
            for a in ours
            if a.contract
        ]
        return EvmChain(
            _evm_params(network), EvmNode(network.node_url), tokens, self._watched(network.id)
        )

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


def _utxo_params(network: NetworkSettings) -> UtxoParams:
    if network.params == "custom":
        return utxo_params.params_from({"id": network.id, **network.custom})
    if network.params not in utxo_params.BUILTIN:
        raise DeploymentError(
            f"got params {network.params!r} for {network.id}, "
            f"expected custom or one of {sorted(utxo_params.BUILTIN)}"
        )
    return replace(utxo_params.BUILTIN[network.params], id=network.id)


def _evm_params(network: NetworkSettings) -> evm_params.EvmParams:
    if network.params == "custom":
        return evm_params.params_from({"id": network.id, **network.custom})
    if network.params not in evm_params.BUILTIN:
        raise DeploymentError(
            f"got params {network.params!r} for {network.id}, "
            f"expected custom or one of {sorted(evm_params.BUILTIN)}"
        )
    return replace(evm_params.BUILTIN[network.params], id=network.id)


def _market(network: NetworkSettings) -> FeeMarket:
    """Connections of its own: a slow answer about fees holds up no scan."""
    urls = {"node": network.node_url, "second": network.second_node_url}
    named = {name: url for name, url in urls.items() if url}
    if network.family == Family.UTXO:
        nodes = {name: UtxoNode(url) for name, url in named.items()}
        return UtxoFeeMarket(_utxo_params(network), nodes)
    return EvmFeeMarket({name: EvmNode(url) for name, url in named.items()})


def _is_development(network: NetworkSettings) -> bool:
    return network.params in ("bitcoin-regtest", "litecoin-regtest", "ethereum-31337")


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
