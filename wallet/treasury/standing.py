"""Where an asset stands: hot, cold, owed, and what is on its way, all from our own books."""

from sqlalchemy import Connection, select

from policies import HotFacts
from signer.protocol import Purpose
from wallet.ledger import chart
from wallet.ledger.posting import balance, liabilities_units
from wallet.settings import AssetSettings
from wallet.store.schema import payments, treasury_requests, withdrawals
from wallet.treasury import requests
from wallet.treasury.states import UNDONE

PROMISED = ("queued", "blocked", "signing", "broadcast", "confirming")
"""Withdrawal states whose money has to leave the hot wallet and is not booked out yet."""

_PAYMENT_FINAL = ("completed", "failed", "abandoned")


def hot_facts(tx: Connection, asset: AssetSettings, cold_reserve_units: int) -> HotFacts:
    """The facts that thresholds are held against, in base units.

    `cold_reserve_units` stays in the cold vault, to pay the network for taking the rest out.
    """
    sweeps = requests.unfinished_units(tx, asset.code, Purpose.SWEEP)
    refills = requests.unfinished_units(tx, asset.code, Purpose.REFILL)
    return HotFacts(
        hot_units=balance(tx, chart.HOT, asset.code).net,
        arriving_units=refills + _paying_units(tx, asset.code, Purpose.GATHER),
        leaving_units=sweeps
        + promised_units(tx, asset.code)
        + _paying_units(tx, asset.code, Purpose.TOP_UP),
        cold_units=balance(tx, chart.COLD, asset.code).net - refills - cold_reserve_units,
        liabilities_units=liabilities_units(tx, asset.code),
    )


def promised_units(tx: Connection, asset: str) -> int:
    """What withdrawals past their approvals are going to take out of the hot wallet."""
    rows = tx.execute(
        select(withdrawals.c.units).where(
            withdrawals.c.asset == asset, withdrawals.c.status.in_(PROMISED)
        )
    )
    return sum(row.units for row in rows)


def asked_units(tx: Connection, asset: str, purpose: Purpose, after_s: int) -> int:
    """What treasury asked for since `after_s` and did not give up."""
    rows = tx.execute(
        select(treasury_requests.c.units).where(
            treasury_requests.c.asset == asset,
            treasury_requests.c.purpose == str(purpose),
            treasury_requests.c.created_s > after_s,
            treasury_requests.c.status.not_in([str(state) for state in UNDONE]),
        )
    )
    return sum(row.units for row in rows)


def _paying_units(tx: Connection, asset: str, purpose: Purpose) -> int:
    rows = tx.execute(
        select(payments.c.units).where(
            payments.c.asset == asset,
            payments.c.purpose == str(purpose),
            payments.c.status.not_in(_PAYMENT_FINAL),
        )
    )
    return sum(row.units for row in rows)
