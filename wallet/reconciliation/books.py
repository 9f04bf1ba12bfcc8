"""The ledger beside the statements, per asset and to the base unit.

The ledger follows a chain late, on purpose: a deposit is booked when it is deep enough, a payment
when it is final. What lies between are lines of statements whose records are not booked yet. What
is left over is a difference, and a difference is never all right.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from signer.protocol import Purpose
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.payments.states import PaymentStatus
from wallet.reconciliation.settling import promises
from wallet.reconciliation.statements import last_closings
from wallet.store.schema import payments

CHAIN_OWNERS = (chart.HOT, chart.DEPOSIT, chart.COLD)
"""The ledger accounts that stand for coins on a chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something the chain did and the ledger will book: `units` is what it adds to ours.

    Of a final payment whose block a reorganisation took it is what the ledger booked too much.
    """

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


def compare(
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


def holdings_by_statements(
    tx: Connection, network: str, assets: Iterable[str]
) -> Mapping[str, int]:
    """What a network's wallets hold together at the head, by asset."""
    totals = dict.fromkeys(assets, 0)
    for (_, asset), closing in last_closings(tx, network).items():
        totals[asset] = totals.get(asset, 0) + closing
    return totals


def items_under_way(tx: Connection, network: str, native: str) -> Sequence[Item]:
    """What the blocks up to the head did to our money that the ledger has not booked yet.

    `native` is the asset that fees of the network are paid in.
    """
    found = [
        Item(
            asset=asset,
            what="deposit" if promise.payment is None else "payment",
            subject=promise.subject,
            units=units,
        )
        for promise in promises(tx, network)
        if not promise.is_booked
        for asset, units in promise.units.items()
        if units
    ]
    return [*found, *_lost(tx, network, native)]


def _lost(tx: Connection, network: str, native: str) -> Iterable[Item]:
    """Payments that were final when a reorganisation took their block: booked, and not there."""
    c = payments.c
    rows = tx.execute(
        select(c.id, c.asset, c.purpose, c.status, c.units, c.fee_units)
        .where(c.network == network, c.lost_s.is_not(None))
        .order_by(c.created_s, c.id)
    )
    for row in rows:
        paid = (row.purpose, row.status) == (Purpose.WITHDRAWAL, PaymentStatus.COMPLETED)
        if paid:
            yield Item(asset=row.asset, what="lost payment", subject=row.id, units=row.units)
        if row.fee_units:
            yield Item(asset=native, what="lost fee", subject=row.id, units=row.fee_units)
