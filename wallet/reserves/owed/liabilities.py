"""What is owed at one height of the ledger, read in one snapshot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from sqlalchemy import Connection

from wallet.ledger import balances
from wallet.ledger.chart import Kind
from wallet.reserves.errors import NegativeLiability
from wallet.reserves.owed.leaves import account_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Height:
    """A height of the ledger; `state_hash` names the state it stands for."""

    height: int
    state_hash: str


class Liabilities(Protocol):
    """All that is owed at a height: to users, and to payees and depositors not yet settled."""

    def height(self) -> Height:
        """Which height this is."""
        ...

    def totals(self) -> Mapping[str, int]:
        """What the ledger says is owed in all, by asset code, in base units."""
        ...

    def owed(self, asset: str) -> Iterator[tuple[str, int]]:
        """Every account that is owed something, and how much. Raises NegativeLiability."""
        ...


class LedgerLiabilities:
    """The ledger as one transaction's snapshot shows it."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def height(self) -> Height:
        """The last height of the snapshot."""
        head = balances.head(self._tx)
        return Height(height=head.height, state_hash=head.state_hash.hex())

    def totals(self) -> Mapping[str, int]:
        """The ledger's own totals, which it keeps beside the balances."""
        found = balances.asset_totals(self._tx)
        return {asset: kinds[Kind.LIABILITY].net for asset, kinds in found.items()}

    def owed(self, asset: str) -> Iterator[tuple[str, int]]:
        """Every liability of an asset, by owner; the parts of a user's account together."""
        rows = balances.balances_in(self._tx, asset, Kind.LIABILITY)
        for account, parts in groupby(rows, lambda row: account_name(row[0])):
            units = 0
            for owner, one in parts:
                if one.net < 0:
                    raise NegativeLiability(f"got {one.net} {asset} owed to {owner}")
                units += one.net
            if units:
                yield account, units
