"""The fee desk over a real database: blocks as a source, answers remembered, cheap hours."""

from dataclasses import replace
from typing import Any

import pytest

from chains.feerates import FeeUnit
from chains.types import BlockRef
from tests.fee_markets import FakeMarket
from tests.payments_world import BTC, ETH, World
from wallet.fees import history
from wallet.fees.desk import FRESH_S, HISTORY_MIN, OWN_BLOCKS, FeeDesk
from wallet.store.database import Database


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def desk_of(world: World, market: FakeMarket, **settings: Any) -> FeeDesk:
    networks = {name: replace(one, **settings) for name, one in world.networks.items()}
    return FeeDesk(
        database=world.database,
        clock=world.keep.clock,
        networks=networks,
        markets={BTC: market, ETH: market},
    )


def block_refs(world: World) -> list[BlockRef]:
    return [block.ref for block in world.keep.btc.blocks]


def remember(world: World, amounts: list[int]) -> None:
    for amount in amounts:
        with world.database.write() as tx:
            assert history.record_estimate(tx, BTC, amount, world.keep.clock.now_s())
        world.keep.clock.time_s += history.RECORD_S


def test_mined_blocks_are_a_source_of_their_own(world: World) -> None:
    world.confirm(3)
    market = FakeMarket(says={"node": 9_000})
    market.blocks = {ref.hash: 1_000 * ref.height for ref in block_refs(world)}
    desk = desk_of(world, market)

    desk.watch(BTC)
    world.keep.clock.time_s += FRESH_S
    estimate = desk.answer(BTC).estimate

    (mined,) = [q for q in estimate.quotes if q.source == OWN_BLOCKS]
    assert mined.feerate is not None
    assert mined.feerate.amount == 1_000  # heights 0 to 3


def test_a_replaced_block_loses_its_price(world: World) -> None:
    world.confirm(2)
    market = FakeMarket(says={"node": 9_000})
    market.blocks = {ref.hash: 50_000 for ref in block_refs(world)}
    desk = desk_of(world, market)
    desk.watch(BTC)
    world.keep.btc.reorg(2)
    world.scan()
    market.blocks = {ref.hash: 700 for ref in block_refs(world)}

    desk.watch(BTC)

    with world.database.read() as tx:
        found = history.blocks_median(tx, BTC, FeeUnit.SATS_PER_KVB)
    assert found is not None
    assert found.amount == 700


def test_a_burst_asks_the_sources_once(world: World) -> None:
    market = FakeMarket(says={"node": 9_000})
    desk = desk_of(world, market)

    for _ in range(50):
        desk.feerate_units(world.keep.btc)
    assert market.asked == 1

    world.keep.clock.time_s += FRESH_S
    desk.feerate_units(world.keep.btc)
    assert market.asked == 2


def test_a_clock_that_jumps_back_asks_anew(world: World) -> None:
    market = FakeMarket(says={"node": 9_000})
    desk = desk_of(world, market)
    desk.answer(BTC)
    world.keep.clock.time_s -= 3_600

    desk.answer(BTC)

    assert market.asked == 2


def test_the_answer_never_falls_below_what_the_node_relays(world: World) -> None:
    desk = desk_of(world, FakeMarket(says={"a": 100, "b": 200}, relay_floor=3_000))

    assert desk.feerate_units(world.keep.btc) == 3_000


def test_a_relay_floor_above_the_ceiling_is_not_believed(world: World) -> None:
    market = FakeMarket(says={"a": 100, "b": 200}, relay_floor=10**9)

    assert desk_of(world, market, feerate_ceiling=5_000).feerate_units(world.keep.btc) == 5_000


def test_gas_prices_are_the_base_fee_and_the_tip_on_top(world: World) -> None:
    market = FakeMarket(says={"a": 7}, unit=FeeUnit.WEI_PER_GAS, base=1_000)

    fees = desk_of(world, market).evm_fees(ETH, world.keep.eth)

    assert (fees.max_fee_wei, fees.priority_fee_wei) == (1_007, 7)


def test_only_a_known_cheap_hour_is_cheap(world: World) -> None:
    market = FakeMarket(says={"node": 4_000})
    desk = desk_of(world, market)
    remember(world, [5_000] * (HISTORY_MIN - 1))
    assert not desk.is_cheap(BTC, percent=20, ceiling=10_000)  # too little is known

    remember(world, [3_000])
    assert desk.is_cheap(BTC, percent=20, ceiling=10_000)
    assert not desk.is_cheap(BTC, percent=20, ceiling=3_999)  # cheap, and yet above the ceiling

    market.says = {"node": 5_001}
    world.keep.clock.time_s += FRESH_S
    assert not desk.is_cheap(BTC, percent=20, ceiling=10_000)


def test_old_answers_are_forgotten(world: World) -> None:
    remember(world, [5_000, 6_000])
    world.keep.clock.time_s += history.KEEP_S - history.RECORD_S

    remember(world, [7_000])

    with world.database.read() as tx:
        assert history.estimates(tx, BTC) == [7_000]


def test_answers_are_kept_one_each_ten_minutes(world: World) -> None:
    with world.database.write() as tx:
        assert history.record_estimate(tx, BTC, 5_000, 1_000_000)
        assert not history.record_estimate(tx, BTC, 5_000, 1_000_000 + history.RECORD_S - 1)
