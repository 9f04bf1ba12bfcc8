"""All that making a publication needs; nothing of it is looked up elsewhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chains.evm.safe import SafeVault
from chains.ports import Chain
from chains.types import Asset
from chains.utxo.descriptors import DescriptorVault
from chains.vaults import Vault
from wallet.clock import Clock
from wallet.milestones import Milestone, pass_by
from wallet.settings import SignerSettings
from wallet.signing.coordinator import Coordinator
from wallet.signing.ports import SignerDoor
from wallet.store.database import Database

Progress = Callable[[str, int, int], None]
"""Told (what, done, total) while something long goes on; a total of 0 is not known yet."""


def ignore_progress(what: str, done: int, total: int) -> None:
    """For callers that show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservesContext:
    """The world of a publication. `doors` are the hot signers; `chain_ids` are None on UTXO."""

    database: Database
    clock: Clock
    new_id: Callable[[], str]
    random: Callable[[int], bytes]
    coordinator: Coordinator
    chains: Mapping[str, Chain]
    chain_ids: Mapping[str, int | None]
    vaults: Mapping[str, Vault]
    signers: Mapping[str, SignerSettings]
    doors: Mapping[str, SignerDoor]
    milestone: Milestone = pass_by

    @property
    def assets(self) -> Mapping[str, Asset]:
        """Every asset that lies on a chain, by code."""
        return {asset.code: asset for chain in self.chains.values() for asset in chain.assets}

    def native_asset(self, network: str) -> str:
        """The code of the asset that a network itself counts in."""
        assets = self.chains[network].assets
        return next(asset.code for asset in assets if asset.contract is None)

    def signers_of(self, source: str) -> tuple[SignerSettings, ...]:
        """Who holds keys of a vault, in the order of the settings."""
        return tuple(one for one in self.signers.values() if source in one.sources)

    def signatures_needed(self, source: str) -> int:
        """How many of them must answer."""
        vault = self.vaults[source]
        return vault.threshold if isinstance(vault, DescriptorVault | SafeVault) else 1
