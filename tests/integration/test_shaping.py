"""The hot vault's stock of coins: change cut into a pool, fan-out, consolidation, quarantine."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from chains.types import OutPoint
from tests.payments_world import BTC, Keep, World, outside_address
from wallet.coins import quarantine
from wallet.coins.quarantine import NotQuarantined, dusting_units
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.events import read_events
from wallet.milestones import pass_by
from wallet.payments.building.utxo import spendable
from wallet.settings import CoinClass
from wallet.shaping import REFUSED_PAUSE_S, Shaper
from wallet.store.database import Database
from wallet.store.schema import deposits, payments
from wallet.withdrawals.states import WithdrawalStatus


@dataclass
class Hours:
    """Cheap or not, as a test says."""

    cheap: bool = True
    asked: tuple[str, int, int] | None = None

    def is_cheap(self, network: str, percent: int, ceiling: int) -> bool:
        self.asked = (network, percent, ceiling)
        return self.cheap


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def configure(world: World, **settings: Any) -> None:
    settings = {"feerate_long_term": 10_000, **settings}
    world.networks[BTC] = replace(world.networks[BTC], **settings)


def shape(world: World, hours: Hours | None = None) -> int:
    return Shaper(world.desk, hours or Hours()).run(BTC)


def held(world: World) -> list[int]:
    with world.database.read() as tx:
        return sorted(coin.sats for coin in spendable(tx, BTC, "bitcoin-hot"))


def pay(world: World, user: str, number: int, units: int = 50_000) -> None:
    world.withdraw(user, "BTC", outside_address(number), units, f"w-{number}")
    assert world.payer.pay_queued(BTC) == 1


def test_change_is_cut_into_what_the_pool_lacks(world: World) -> None:
    configure(world, coin_pool=(CoinClass(units=1_000_000, count=3),))
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)

    pay(world, user, 0)
    world.settle()

    assert held(world)[:3] == [1_000_000] * 3
    assert len(held(world)) == 4
    world.check_books()


def test_change_stays_whole_while_block_space_is_dear(world: World) -> None:
    configure(world, coin_pool=(CoinClass(units=1_000_000, count=3),), feerate_long_term=4_999)
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)

    pay(world, user, 0)
    world.settle()

    assert len(held(world)) == 1


def test_change_outputs_are_bounded(world: World) -> None:
    configure(world, coin_pool=(CoinClass(units=100_000, count=50),), change_outputs_max=3)
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)

    pay(world, user, 0)
    world.settle()

    assert len(held(world)) == 3


def test_change_stays_whole_where_cutting_would_break_a_cap(world: World) -> None:
    configure(world, coin_pool=(CoinClass(units=1_000_000, count=3),), fee_units_max=100_000)
    world.networks[BTC] = replace(world.networks[BTC], fee_ppm_max=22_000)
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)

    pay(world, user, 0)
    world.settle()

    assert len(held(world)) == 1


def test_a_large_coin_is_fanned_out_and_only_the_fee_leaves(world: World) -> None:
    configure(world, coin_pool=(CoinClass(units=1_000_000, count=4),))
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    before = world.books("chain:hot", "BTC")

    assert shape(world) == 1
    assert shape(world) == 0  # one at a time
    world.settle()

    assert held(world)[:3] == [1_000_000] * 3
    assert shape(world) == 0  # nothing is missing now
    fee = before - world.books("chain:hot", "BTC")
    assert 0 < fee < 5_000
    assert world.available(user, "BTC") == 10_000_000
    world.check_books()


def test_nothing_is_fanned_out_that_would_leave_as_much_missing(world: World) -> None:
    configure(
        world, coin_pool=(CoinClass(units=10_000_000, count=1), CoinClass(units=9_000_000, count=1))
    )
    world.deposit(world.account("ann"), "BTC", 10_500_000)

    assert shape(world) == 0


def test_nothing_is_fanned_out_while_block_space_is_dear(world: World) -> None:
    configure(world, coin_pool=(CoinClass(units=1_000_000, count=4),), feerate_long_term=4_999)
    world.deposit(world.account("ann"), "BTC", 10_000_000)

    assert shape(world) == 0


def crumbs(world: World, count: int) -> None:
    user = world.account("ann")
    for _ in range(count):
        address = world.address(user, BTC)
        world.keep.btc.fund(address.target, 20_000)
    world.confirm()


def test_many_small_coins_become_one_in_a_cheap_hour(world: World) -> None:
    configure(world, small_coin_units=50_000, small_coins_max=9)
    crumbs(world, 10)
    hours = Hours()

    assert shape(world, hours) == 1
    world.settle()

    (whole,) = held(world)
    assert 180_000 < whole < 200_000
    assert hours.asked == (BTC, 20, 10_000)
    world.check_books()


def test_small_coins_wait_for_a_cheap_hour(world: World) -> None:
    configure(world, small_coin_units=50_000, small_coins_max=9)
    crumbs(world, 10)

    assert shape(world, Hours(cheap=False)) == 0


def test_few_small_coins_are_left_alone(world: World) -> None:
    configure(world, small_coin_units=50_000, small_coins_max=10)
    crumbs(world, 10)

    assert shape(world) == 0


def test_coins_not_worth_their_input_are_not_consolidated(world: World) -> None:
    configure(world, small_coin_units=50_000, small_coins_max=9)
    world.keep.btc.feerate = 190_000  # about 20,000 sats an input
    crumbs(world, 10)

    assert shape(world) == 0


def test_a_consolidation_stays_within_the_fee_cap(world: World) -> None:
    configure(world, small_coin_units=50_000, small_coins_max=9, fee_units_max=3_000)
    crumbs(world, 10)

    assert shape(world) == 1

    (payment,) = world.payment_rows()
    assert payment.fee_units_max <= 3_000  # type: ignore[attr-defined]


def test_after_a_refusal_the_network_rests(world: World) -> None:
    configure(world, small_coin_units=50_000, small_coins_max=9, fee_ppm_max=1)
    crumbs(world, 10)
    shaper = Shaper(world.desk, Hours())

    assert shaper.run(BTC) == 0
    world.networks[BTC] = replace(world.networks[BTC], fee_ppm_max=0)
    assert shaper.run(BTC) == 0
    world.keep.clock.time_s += REFUSED_PAUSE_S
    assert shaper.run(BTC) == 1


def test_a_restart_before_signing_continues_the_reshape(database: Database) -> None:
    keep = Keep()
    world = World(database, keep)
    configure(world, small_coin_units=50_000, small_coins_max=9)
    crumbs(world, 10)
    assert shape(world) == 1

    again = World(database, keep)
    configure(again, small_coin_units=50_000, small_coins_max=9)
    assert shape(again) == 0
    again.settle()

    with database.read() as tx:
        statuses = tx.execute(select(payments.c.purpose, payments.c.status)).all()
    assert [tuple(row) for row in statuses] == [("reshape", "completed")]
    again.check_books()


# Quarantine


def watch_dusting(world: World, times: int = 10) -> int:
    """Let the watcher hold back dusting; returns the limit in sats."""
    configure(world, dusting_times=times)
    limit = dusting_units(world.networks[BTC], world.context.vaults)
    asset = replace(world.assets["BTC"], deposit_units_min=50_000)
    world.watchers[BTC] = Watcher(
        world.keep.btc,
        world.database,
        {"BTC": DepositRules(asset=asset, dusting_units=limit)},
        0,
        world.keep.clock,
        pass_by,
    )
    return limit


def dusted(world: World, sats: int = 600) -> OutPoint:
    """A used deposit address that a stranger sends a tiny coin."""
    user = world.account("ann")
    address = world.deposit(user, "BTC", 1_000_000)
    txid = world.keep.btc.fund(address.target, sats)
    world.confirm()
    return OutPoint(txid, 0)


def test_the_limit_is_so_many_times_the_cost_of_spending(world: World) -> None:
    assert 10_000 < watch_dusting(world) < 12_000
    assert watch_dusting(world, times=0) == 0


def test_dusting_is_booked_and_never_chosen(world: World) -> None:
    watch_dusting(world)
    dusted(world)

    assert held(world) == [1_000_000]
    with world.database.read() as tx:
        rows = tx.execute(select(deposits.c.units, deposits.c.status, deposits.c.sub_status)).all()
    assert (600, "below_minimum", "booked") in [tuple(row) for row in rows]
    assert world.books("chain:hot", "BTC") == 1_000_600
    assert world.books("liability:unallocated", "BTC") == 600
    world.check_books()


def test_staff_release_a_coin_once(world: World) -> None:
    watch_dusting(world)
    outpoint = dusted(world)
    with world.database.read() as tx:
        assert [coin.outpoint for coin in quarantine.quarantined(tx)] == [outpoint]

    with world.database.write() as tx:
        quarantine.release(tx, BTC, outpoint, "ada", world.keep.clock.now_s())
    assert held(world) == [600, 1_000_000]

    with pytest.raises(NotQuarantined) as caught, world.database.write() as tx:
        quarantine.release(tx, BTC, outpoint, "ada", world.keep.clock.now_s())
    assert caught.value.code == "coin.not_quarantined"
    with world.database.read() as tx:
        types = [event.type for event in read_events(tx, 0, 1000)]
    assert types.count("coin.quarantined") == types.count("coin.released") == 1


def test_a_released_coin_stays_released_when_its_block_comes_again(world: World) -> None:
    watch_dusting(world)
    outpoint = dusted(world)
    with world.database.write() as tx:
        quarantine.release(tx, BTC, outpoint, "ada", world.keep.clock.now_s())

    world.keep.btc.reorg(2)
    world.confirm(3)

    assert held(world) == [600, 1_000_000]


def test_the_first_coin_of_an_address_is_a_deposit_however_small(world: World) -> None:
    watch_dusting(world)
    address = world.address(world.account("ann"), BTC)
    world.keep.btc.fund(address.target, 600)
    world.confirm()

    assert held(world) == [600]


def test_a_real_deposit_to_a_used_address_is_not_held_back(world: World) -> None:
    limit = watch_dusting(world)
    dusted(world, limit)

    assert held(world) == [limit, 1_000_000]


def test_our_own_payments_are_never_dusting(database: Database) -> None:
    """A withdrawal may pay the used deposit address of another user."""
    world = World(database)
    watch_dusting(world, times=100)  # below about 100,000 sats
    user, other = world.account("ann"), world.account("bob")
    world.deposit(user, "BTC", 1_000_000)
    address = world.deposit(other, "BTC", 500_000)

    asked = world.withdraw(user, "BTC", address.address, 60_000, "w-1")
    world.settle()

    assert world.read(asked.id).status is WithdrawalStatus.COMPLETED
    with world.database.read() as tx:
        assert quarantine.quarantined(tx) == []
