"""Everything the payment part is given: ports, vaults, policy and keys of identity."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from chains.ports import Chain
from chains.utxo.params import UtxoParams
from chains.vaults import Vault
from policies import Policy
from wallet.addresses.derivation import Deriver
from wallet.clock import Clock
from wallet.fees.desk import ChainPrices, Prices
from wallet.milestones import Milestone
from wallet.payments.errors import UnknownSource
from wallet.settings import AssetSettings, NetworkSettings, SignerSettings
from wallet.signing.coordinator import Coordinator
from wallet.signing.ports import SignerDoor
from wallet.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentOutput:
    """An output that a transaction of ours spends, as our own records have it."""

    txid: str
    vout: int
    units: int
    script: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidOutput:
    """An output that a transaction of ours makes."""

    units: int
    script: bytes


Fence = Callable[[Connection, str], None]
"""(tx, role): raises LeaseLost where another process does that role's work now."""


def unfenced(tx: Connection, role: str) -> None:
    """The only process there is."""


def role_of(network: str) -> str:
    """The role of the one process that moves a network's payments on."""
    return f"pay:{network}"


SecondParser = Callable[[str, bytes, tuple[SpentOutput, ...], tuple[PaidOutput, ...]], None]
"""(network, raw, spent, paid): raises ChainError unless an independent parser agrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentContext:
    """The payment part's world; nothing of it is looked up elsewhere.

    `doors` are the hot signers by id; `signers` names all of them, the offline ones too.
    """

    database: Database
    clock: Clock
    new_id: Callable[[], str]
    policy: Policy
    coordinator: Coordinator
    networks: Mapping[str, NetworkSettings]
    assets: Mapping[str, AssetSettings]
    chains: Mapping[str, Chain]
    vaults: Mapping[str, Vault]
    params: Mapping[str, UtxoParams]
    deriver: Deriver
    signers: Mapping[str, SignerSettings]
    doors: Mapping[str, SignerDoor]
    second_parser: SecondParser
    milestone: Milestone
    prices: Prices = field(default_factory=ChainPrices)
    fence: Fence = unfenced

    @contextmanager
    def write(self, network: str) -> Iterator[Connection]:
        """A writing transaction about payments of a network, by who may write now.

        Raises LeaseLost, and then nothing is written.
        """
        with self.database.write() as tx:
            self.fence(tx, role_of(network))
            yield tx

    def vault(self, source: str) -> Vault:
        """The vault of a name. Raises UnknownSource."""
        vault = self.vaults.get(source)
        if vault is None:
            raise UnknownSource(f"got source {source!r}, expected one of {sorted(self.vaults)}")
        return vault

    def native_asset(self, network: str) -> str:
        """The code of the asset that fees are paid in. Raises UnknownSource."""
        for asset in self.assets.values():
            if asset.network == network and asset.contract is None:
                return asset.code
        raise UnknownSource(f"got network {network!r} without a native asset")

    def signers_of(self, source: str) -> tuple[SignerSettings, ...]:
        """Who holds keys of a source, in the order of the settings. Raises UnknownSource."""
        found = tuple(s for s in self.signers.values() if source in s.sources)
        if not found:
            raise UnknownSource(f"got source {source!r}, expected one that a signer has keys of")
        return found

    def is_offline(self, source: str) -> bool:
        """True when a source's keys answer by files: the service waits, people carry."""
        return not any(s.id in self.doors for s in self.signers_of(source))
