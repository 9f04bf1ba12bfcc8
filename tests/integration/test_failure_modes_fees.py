"""Failure modes of fees and coins: wrong units, stalled chains of payments, fragments and dust."""

from dataclasses import replace
from typing import Any

import pytest

from chains.feerates import FeeUnit, MixedFeeUnits
from tests.fee_markets import FakeMarket
from tests.payments_world import BTC, ETH, World, outside_address
from wallet.coins.quarantine import dusting_units
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.fees.desk import FRESH_S, HISTORY_MIN, FeeDesk
from wallet.fees.history import RECORD_S
from wallet.milestones import pass_by
from wallet.payments.building.utxo import spendable
from wallet.payments.desk import PaymentDesk
from wallet.payments.paying import WithdrawalPayer
from wallet.settings import CoinClass
from wallet.shaping import Shaper
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


def test_mode_16_a_burst_is_paid_from_confirmed_coins_without_waiting(world: World) -> None:
    """Five payments one after another before any block: none spends unconfirmed change."""
    world.networks[BTC] = replace(
        world.networks[BTC],
        feerate_long_term=10_000,
        coin_pool=(CoinClass(units=1_000_000, count=8),),
        change_outputs_max=8,
        batch_payees_max=1,
    )
    user = world.account("ann")
    world.deposit(user, "BTC", 50_000_000)
    world.withdraw(user, "BTC", outside_address(0), 50_000, "first")
    world.settle()

    asked = [world.withdraw(user, "BTC", outside_address(n), 50_000, f"w-{n}") for n in range(1, 6)]
    world.work()

    assert len(world.keep.btc.mempool) == 5
    assert all(
        i.txid not in world.keep.btc.mempool
        for tx in world.keep.btc.mempool.values()
        for i in tx.inputs
    )
    world.settle()
    assert {str(world.read(one.id).status) for one in asked} == {"completed"}
    world.check_books()


def test_mode_16_without_a_pool_the_second_payment_waits_instead_of_chaining(
    world: World,
) -> None:
    world.networks[BTC] = replace(world.networks[BTC], batch_payees_max=1)
    user = world.account("ann")
    world.deposit(user, "BTC", 50_000_000)
    for n in range(3):
        world.withdraw(user, "BTC", outside_address(n), 50_000, f"w-{n}")

    world.work()

    assert len(world.keep.btc.mempool) == 1
    world.settle()
    assert len(world.keep.btc.sent) == 3


def test_mode_19_fragments_become_one_coin_only_in_a_cheap_hour(world: World) -> None:
    world.networks[BTC] = replace(
        world.networks[BTC],
        feerate_long_term=10_000,
        small_coin_units=50_000,
        small_coins_max=20,
    )
    user = world.account("ann")
    for _ in range(30):
        world.keep.btc.fund(world.address(user, BTC).target, 20_000)
    world.confirm()
    market = FakeMarket(says={"node": 9_000})
    fees = FeeDesk(
        database=world.database,
        clock=world.keep.clock,
        networks=world.networks,
        markets={BTC: market},
    )
    shaper = Shaper(PaymentDesk(replace(world.context, prices=fees)), fees)
    for _ in range(HISTORY_MIN):
        fees.watch(BTC)
        world.keep.clock.time_s += RECORD_S
    market.says = {"node": 9_500}
    assert shaper.run(BTC) == 0

    world.keep.clock.time_s += FRESH_S
    market.says = {"node": 2_000}
    assert shaper.run(BTC) == 1
    world.settle()

    with world.database.read() as tx:
        (whole,) = spendable(tx, BTC, "bitcoin-hot")
    assert 30 * 20_000 - 30 * 300 < whole.sats < 30 * 20_000
    world.check_books()


def test_mode_19_dusting_is_never_spent_beside_real_coins(world: World) -> None:
    """Also not by the ride-along consolidation of a cheap hour."""
    world.networks[BTC] = replace(
        world.networks[BTC],
        feerate_long_term=10_000,
        consolidate_inputs_max=8,
        dusting_times=5,
    )
    limit = dusting_units(world.networks[BTC], world.context.vaults)
    rules = {"BTC": DepositRules(asset=world.assets["BTC"], dusting_units=limit)}
    world.watchers[BTC] = Watcher(
        world.keep.btc, world.database, rules, 0, world.keep.clock, pass_by
    )
    user = world.account("ann")
    address = world.deposit(user, "BTC", 10_000_000)
    dust = world.keep.btc.fund(address.target, limit - 1)
    world.confirm()
    world.withdraw(user, "BTC", outside_address(0), 50_000, "w-1")

    world.settle()

    (sent,) = [
        tx for block in world.keep.btc.blocks for tx in block.txs if tx.txid in world.keep.btc.sent
    ]
    assert dust not in {i.txid for i in sent.inputs}
    world.check_books()
