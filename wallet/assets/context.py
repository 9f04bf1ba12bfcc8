"""What registered assets need of the rest of the service."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from wallet.assets.authority import Actor, Authority
from wallet.assets.errors import BadUnits
from wallet.clock import Clock
from wallet.ledger.balances import head
from wallet.ledger.terms.stated import Change
from wallet.ledger.transfers import UNITS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetContext:
    """`native` maps the code of each asset of a chain to its decimals."""

    native: Mapping[str, int]
    authority: Authority
    clock: Clock

    def change(self, tx: Connection, actor: Actor, reason: str) -> Change:
        """A change of terms that this actor makes now."""
        return Change(
            changed_by=actor.key_id,
            reason=reason,
            since_height=head(tx).height,
            since_s=self.clock.now_s(),
        )


def check_units(units: int, least: int) -> None:
    """Raise BadUnits unless a ledger account can be worth so much."""
    if not least <= units <= UNITS_MAX:
        raise BadUnits(f"got another amount, expected {least} to {UNITS_MAX} base units")
