"""Failure modes of fees and coins: wrong units, stalled chains of payments, fragments and dust."""

from dataclasses import replace
from typing import Any

import pytest

from chains.feerates import FeeUnit, MixedFeeUnits
from tests.fee_markets import FakeMarket
from tests.payments_world import BTC, ETH, World, outside_address
from wallet.fees.desk import FeeDesk
from wallet.payments.desk import PaymentDesk
from wallet.payments.paying import WithdrawalPayer
from wallet.store.database import Database


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def priced(world: World, market: FakeMarket, **settings: Any) -> WithdrawalPayer:
    """The world's payer, asking a fee desk over this market."""
    networks = {name: replace(one, **settings) for name, one in world.networks.items()}
    fees = FeeDesk(
        database=world.database,
        clock=world.keep.clock,
        networks=networks,
        markets={BTC: market, ETH: market},
    )
    return WithdrawalPayer(PaymentDesk(replace(world.context, networks=networks, prices=fees)))


def test_mode_15_a_source_in_another_unit_cannot_set_the_price(world: World) -> None:
    """One source counts in sats per vbyte, one in bitcoins per vbyte: a thousand times off."""
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    world.withdraw(user, "BTC", outside_address(0), 100_000, "w-1")
    market = FakeMarket(
        says={"right": 9_000, "per_vbyte": 9, "also right": 8_000, "huge": 9 * 10**9}
    )

    assert priced(world, market).pay_queued(BTC) == 1

    (payment,) = world.payment_rows()
    assert payment.fee_units_max < 5_000  # type: ignore[attr-defined]


def test_mode_15_gas_prices_never_price_bytes(world: World) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    world.withdraw(user, "BTC", outside_address(0), 100_000, "w-1")
    market = FakeMarket(says={"node": 9_000}, unit=FeeUnit.WEI_PER_GAS)

    fees = FeeDesk(
        database=world.database,
        clock=world.keep.clock,
        networks=world.networks,
        markets={BTC: market},
    )
    with pytest.raises(MixedFeeUnits):
        fees.feerate_units(world.keep.btc)


def test_mode_15_a_fee_spike_is_paid_only_up_to_the_ceiling(world: World) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    world.withdraw(user, "BTC", outside_address(0), 100_000, "w-1")
    market = FakeMarket(says={"a": 10**7, "b": 10**7, "c": 10**7})

    assert priced(world, market, feerate_ceiling=20_000).pay_queued(BTC) == 1

    (payment,) = world.payment_rows()
    assert payment.fee_units_max <= 20 * 250  # type: ignore[attr-defined]
