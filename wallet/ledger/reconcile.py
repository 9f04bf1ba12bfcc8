"""Books against chain, per asset and to the base unit.

The ledger follows a chain late, on purpose: a deposit is booked when it is deep enough, a payment
when it is final. What lies between is explained item by item; what is left over is a difference,
and a difference is never all right.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.store.schema import deposits, payments

CHAIN_OWNERS = (chart.HOT, chart.DEPOSIT, chart.COLD)
"""The ledger accounts that stand for coins on a chain."""

_WAITING = ("seen", "confirming", "held")
"""Deposit states whose coins are on the chain and not in the books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something the chain already did and the ledger will book: `units` is what it adds to ours."""

    asset: str
    what: str
    subject: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One asset: what the books say, what is under way, what the chain says, in base units."""

    asset: str
    ledger: int
    chain: int
    items: tuple[Item, ...] = ()

    @property
    def under_way(self) -> int:
        """The sum of the explained items."""
        return sum(item.units for item in self.items)

    @property
    def difference(self) -> int:
        """What nothing explains; positive when the chain holds more than it should."""
        return self.chain - self.ledger - self.under_way


def reconcile(
    tx: Connection, holdings: Mapping[str, int], items: Iterable[Item] = ()
) -> Sequence[Row]:
    """One row for every asset of `holdings` (what the chains hold, by asset code)."""
    explained = list(items)
    return [
        Row(
            asset=asset,
            ledger=sum(balance(tx, owner, asset).net for owner in CHAIN_OWNERS),
            chain=units,
            items=tuple(item for item in explained if item.asset == asset),
        )
        for asset, units in sorted(holdings.items())
    ]


def open_items(tx: Connection, network: str, native: str, height: int) -> Sequence[Item]:
    """What blocks up to `height` did to our money that the ledger has not booked yet.

    `native` is the asset that fees of the network are paid in.
    """
    return [*_deposits(tx, network, height), *_payments(tx, network, native, height)]


def _deposits(tx: Connection, network: str, height: int) -> Iterable[Item]:
    c = deposits.c
    unbooked = c.status.in_(_WAITING) | ((c.status == "below_minimum") & (c.sub_status != "booked"))
    query = select(c.id, c.asset, c.units).where(
        c.network == network, c.height.is_not(None), c.height <= height, unbooked
    )
    for row in tx.execute(query.order_by(c.height, c.id)):
        yield Item(asset=row.asset, what="deposit", subject=row.id, units=row.units)


def _payments(tx: Connection, network: str, native: str, height: int) -> Iterable[Item]:
    """Mined payments that are not settled: withdrawals leave us, all others only move; fees go."""
    c = payments.c
    query = select(c.id, c.asset, c.purpose, c.units, c.fee_units).where(
        c.network == network, c.status == "confirming", c.height <= height
    )
    for row in tx.execute(query.order_by(c.height, c.id)):
        if row.purpose == "withdrawal":
            yield Item(asset=row.asset, what="payment", subject=row.id, units=-row.units)
        if row.fee_units:
            yield Item(asset=native, what="fee", subject=row.id, units=-row.fee_units)
