"""What the configuration says of deposits in one asset."""

from dataclasses import dataclass

from policies.depth import CreditRules, confirmations_needed
from wallet.settings import AssetSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRules:
    """What the configuration says of deposits in one asset.

    A coin below `dusting_units` on an address used before is dusting; 0 is never.
    """

    asset: AssetSettings
    dusting_units: int = 0

    @property
    def credit(self) -> CreditRules:
        """What a deposit needs before it is credited."""
        return CreditRules(
            tiers=self.asset.confirmations,
            safe_from=self.asset.safe_from,
            finalized_from=self.asset.finalized_from,
            second_node_from=self.asset.second_node_from,
        )

    def confirmations(self, units: int) -> int:
        """Blocks that a deposit must be deep, if it is all that its owner sent."""
        return confirmations_needed(self.asset.confirmations, units)
