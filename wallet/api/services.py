"""What the routes need of the rest of the wallet, gathered once at start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chains.ports import Chain
from chains.units import to_text, to_units
from wallet.addresses.derivation import Deriver
from wallet.api.tips import Tips
from wallet.assets.context import AssetContext
from wallet.clock import Clock
from wallet.errors import Invalid
from wallet.hosted_keys.desk import HostedDesk
from wallet.milestones import Milestone, pass_by
from wallet.settings import AssetSettings, NetworkSettings, Settings
from wallet.settlements.known import KnownAccounts
from wallet.settlements.posting import Ledger
from wallet.store.database import Database
from wallet.treasury.approvals import ApprovalDesk
from wallet.webhooks.targets import Resolve
from wallet.withdrawals.requests import Withdrawals


class AssetUnknown(Invalid):
    """No asset of this deployment has the code."""

    code = "asset.unknown"


class NetworkUnknown(Invalid):
    """No network of this deployment has the id."""

    code = "network.unknown"


class AssetOnOtherNetwork(Invalid):
    """The asset exists, on another network than the one named."""

    code = "asset.other_network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The wallet behind the API.

    `random` gives that many bytes, `resolver` a host's addresses; `service_key` (32 bytes) closes
    stored secrets.
    """

    db: Database
    clock: Clock
    settings: Settings
    chains: Mapping[str, Chain]
    deriver: Deriver
    tips: Tips
    withdrawals: Withdrawals
    approvals: ApprovalDesk
    registered: AssetContext
    hosted: HostedDesk
    random: Callable[[int], bytes]
    resolver: Resolve
    service_key: bytes = field(repr=False)
    ledger: Ledger
    milestone: Milestone = pass_by
    known_accounts: KnownAccounts = field(default_factory=KnownAccounts)
    known_decimals: dict[str, int] = field(default_factory=dict)

    def asset(self, code: str) -> AssetSettings:
        """The asset of this code. Raises AssetUnknown."""
        for asset in self.settings.assets:
            if asset.code == code:
                return asset
        raise AssetUnknown(f"got asset {code}, expected one of GET /v1/assets")

    def network(self, network_id: str) -> NetworkSettings:
        """The network of this id. Raises NetworkUnknown."""
        for network in self.settings.networks:
            if network.id == network_id:
                return network
        raise NetworkUnknown(f"got network {network_id}, expected one of GET /v1/assets")

    def text(self, asset: str, units: int) -> str:
        """Decimal text of base units."""
        return to_text(units, self.asset(asset).decimals)

    def units(self, asset: str, text: str) -> int:
        """Base units of decimal text. Raises CodecError when it has too many decimals."""
        return to_units(text, self.asset(asset).decimals)
