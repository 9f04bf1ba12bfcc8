"""What the hosted-key part is given; nothing of it is looked up elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chains.ports import Chain
from chains.utxo.params import UtxoParams
from wallet.clock import Clock
from wallet.errors import Invalid
from wallet.milestones import Milestone
from wallet.settings import AssetSettings
from wallet.store.database import Database


class AssetElsewhere(Invalid):
    """The asset is not one of the hosted key's network."""

    code = "hosted_payment.asset_unknown"


class SpentCoin(Protocol):
    """An output that a transaction is meant to spend."""

    @property
    def txid(self) -> str:
        """Lower-case hex."""
        ...

    @property
    def vout(self) -> int:
        """Which output of it."""
        ...

    @property
    def units(self) -> int:
        """Satoshi."""
        ...

    @property
    def script(self) -> bytes:
        """The output script."""
        ...


class MadeOutput(Protocol):
    """An output that a transaction is meant to make."""

    @property
    def units(self) -> int:
        """Satoshi."""
        ...

    @property
    def script(self) -> bytes:
        """The output script."""
        ...


HK1, HK0 = "HK1", "HK0"
"""AES-256-GCM, and the white paper's 3DES: what a blob says that it is."""

AUTHENTICATOR_DELAY_S = 48 * 3600
"""How long people have to notice that somebody asks for another authenticator."""

SecondParser = Callable[[str, bytes, Sequence[SpentCoin], Sequence[MadeOutput]], None]
"""(network, raw, spent, paid): raises ChainError unless an independent parser agrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedContext:
    """`random` gives that many bytes; `service_key` (32 bytes) closes second-factor secrets.

    `blob_formats` are those that the operator lets users store. A new authenticator counts
    `authenticator_delay_s` after it was asked for.
    """

    database: Database
    clock: Clock
    new_id: Callable[[], str]
    random: Callable[[int], bytes]
    chains: Mapping[str, Chain]
    params: Mapping[str, UtxoParams]
    assets: Mapping[str, AssetSettings]
    second_parser: SecondParser
    milestone: Milestone
    blob_formats: frozenset[str] = frozenset({HK1})
    authenticator_delay_s: int = AUTHENTICATOR_DELAY_S
    service_key: bytes = field(repr=False)

    def asset(self, network: str, code: str) -> AssetSettings:
        """An asset of a network. Raises AssetElsewhere."""
        asset = self.assets.get(code)
        if asset is None or asset.network != network:
            raise AssetElsewhere(f"got asset {code}, expected one of {network}")
        return asset

    def native(self, network: str) -> str:
        """The asset that fees are paid in. Raises AssetElsewhere."""
        for asset in self.assets.values():
            if asset.network == network and asset.contract is None:
                return asset.code
        raise AssetElsewhere(f"got network {network} without a native asset")
