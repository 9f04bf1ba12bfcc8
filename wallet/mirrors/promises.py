"""What an image's users, assets and escrows say that its accounts and holds have to show."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from wallet.escrow.records import escrow_of
from wallet.ledger import chart
from wallet.mirrors.errors import StandingWrong
from wallet.mirrors.image import Image, Progress, silent
from wallet.mirrors.standing import IN_ORDER, TABLES, parsed
from wallet.store.schema import account_terms, asset_issues, escrows, registered_assets

_ISSUED = f"{chart.ISSUED_PREFIX}:"


@dataclass(slots=True)
class Promised:
    """What is not met yet: open holds by id, and what gateways have issued by owner and asset."""

    height: int
    holds: dict[str, int] = field(default_factory=dict)
    issued: dict[tuple[str, str], int] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=dict)

    def take(self, table: Table, row: Any) -> None:
        """What a row promises. Raises StandingWrong for what cannot be."""
        if table is registered_assets:
            self.gateways[row["code"]] = row["gateway"]
        elif table is asset_issues:
            # In the order of their numbers, so that the last one's sums stay.
            if row["asset"] not in self.gateways:
                raise StandingWrong(f"{row['asset']} was issued, and is not registered")
            owner = chart.issued(self.gateways[row["asset"]])
            self.issued[owner, row["asset"]] = row["issued_units"] - row["redeemed_units"]
        elif table is account_terms and row["since_height"] > self.height:
            raise StandingWrong(f"terms of {row['owner']} begin after height {self.height}")
        elif table is escrows:
            escrow = escrow_of(row)
            if escrow.held_units:
                self.holds[escrow.hold_id] = escrow.held_units

    def meet_account(self, owner: str, asset: str, net_units: int) -> None:
        """Take notice of an account. Raises StandingWrong where a gateway's is of other units."""
        if owner.startswith(_ISSUED):
            issued = self.issued.pop((owner, asset), 0)
            if issued != net_units:
                raise StandingWrong(
                    f"{owner} answers for {net_units} units of {asset}, and {issued} were issued"
                )

    def meet_holds(self, holds: Iterable[list[str]]) -> Iterator[list[str]]:
        """Take notice of open holds as they pass. Raises StandingWrong for one of other units."""
        for hold in holds:
            units = self.holds.pop(hold[0], None)
            if units is not None and str(units) != hold[3]:
                raise StandingWrong(
                    f"escrow hold {hold[0]} is of {hold[3]} units, expected {units}"
                )
            yield hold

    def check_met(self) -> None:
        """Raise StandingWrong where something was promised that is not there."""
        if self.holds:
            raise StandingWrong(f"an escrow holds by {min(self.holds)}, which no hold has")
        if any(self.issued.values()):
            owner, asset = min(key for key, units in self.issued.items() if units)
            raise StandingWrong(f"{asset} was issued, and {owner} has no account that shows it")


def promised_by(image: Image, progress: Progress = silent) -> Promised:
    """All that an image's rows beside the ledger promise. Raises StandingWrong, PartDamaged."""
    promised, done = Promised(image.manifest.height), 0
    last: tuple[int, Sequence[Any]] = (0, ())
    for table, row in parsed(image.lines("standing")):
        place = TABLES.index(table), tuple(row[name] for name in IN_ORDER[table])
        if place <= last:
            raise StandingWrong(f"got a row of {table.name} out of order, or twice")
        last = place
        try:
            promised.take(table, row)
        except ValueError as error:
            raise StandingWrong(
                f"got a row of {table.name} with a word it does not know"
            ) from error
        done += 1
    progress("standing", done, image.manifest.part("standing").rows)
    return promised
