"""How long hot money lasts, and the refill that is asked for before hot is empty."""

import json
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.payments_world import World, outside_address
from wallet.addresses.issuing import Purpose
from wallet.events import read_events
from wallet.payments.moves import Moves
from wallet.settings import AssetSettings
from wallet.store.database import Database
from wallet.treasury import requests, runway
from wallet.treasury.approvals import ApprovalDesk
from wallet.treasury.movements import Movements
from wallet.treasury.planning import Planner
from wallet.treasury.runway import HISTORY_HOURS, HOUR_S, forecast, hours_left, usual_units

NUMBERS = count()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def bitcoin(world: World, **changes: object) -> AssetSettings:
    bounds = {"hot_min": 1_000, "hot_target": 20_000_000, "hot_max": 90_000_000}
    return replace(world.assets["BTC"], **bounds, **changes)  # type: ignore[arg-type]


def movements(world: World, asset: AssetSettings) -> Movements:
    planner = Planner(
        networks=list(world.networks.values()),
        assets=[asset],
        policy=world.policy,
        approvals_required=2,
        deriver=world.deriver,
        new_id=world.keep.ids,
    )
    return Movements(
        database=world.database,
        clock=world.keep.clock,
        planner=planner,
        desk=ApprovalDesk([], lambda tx, withdrawal_id: None),
        movers=Moves(world.desk),
        milestone=lambda name: None,
    )


def spend_hourly(world: World, user: str, hours: int, units: int) -> None:
    for _ in range(hours):
        world.withdraw(user, "BTC", outside_address(0), units, f"w-{next(NUMBERS)}")
        world.settle()
        world.keep.clock.time_s += HOUR_S


def fund_cold(world: World, units: int) -> None:
    cold = world.own_address("bitcoin-regtest", "bitcoin-cold", Purpose.COLD)
    world.keep.btc.fund(cold.target, units)
    world.confirm()


def events(world: World) -> list[tuple[str, dict[str, object]]]:
    with world.database.read() as tx:
        found = read_events(tx, 0, 1000)
    return [(e.type, json.loads(e.body)) for e in found if "runway" in e.type]


def test_the_usual_hour_is_a_mean_in_which_whales_count_little() -> None:
    quiet = usual_units([100] * 100, 100)

    assert quiet == 100
    assert usual_units([*[100] * 99, 1_000_000], 100) == quiet


def test_hours_without_withdrawals_count_too() -> None:
    assert usual_units([240], 1) == 10  # a day at least
    assert usual_units([100, 100], 200) == 1


@given(st.lists(st.integers(1, 10**12), max_size=50), st.integers(0, HISTORY_HOURS))
def test_the_usual_hour_is_no_more_than_the_mean_and_not_nothing(
    by_hour: list[int], hours: int
) -> None:
    usual = usual_units(by_hour, hours)

    assert (usual > 0) is bool(by_hour)
    assert usual <= -(-sum(by_hour) // max(len(by_hour), hours, 24))


@pytest.mark.parametrize(
    ("hot", "queued", "usual", "hours"),
    [(100, 0, 0, None), (100, 101, 0, 0), (100, 40, 20, 3), (100, 90, 20, 0)],
)
def test_hours_until_empty(hot: int, queued: int, usual: int, hours: int | None) -> None:
    assert hours_left(hot, queued, usual) == hours


def test_the_forecast_counts_what_left_and_what_waits(world: World) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    spend_hourly(world, user, 3, 240_000)
    world.withdraw(user, "BTC", outside_address(0), 1_000_000, "waiting")

    with world.database.read() as tx:
        found = forecast(tx, bitcoin(world), world.keep.clock.now_s())

    assert found.queued_units == 1_000_000
    assert found.usual_units_hour == 30_000  # three hours of a day
    assert found.hours == (found.hot_units - 1_000_000) // 30_000


def test_old_outflow_is_forgotten(world: World) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    spend_hourly(world, user, 1, 240_000)
    world.keep.clock.time_s += HISTORY_HOURS * HOUR_S

    with world.database.read() as tx:
        assert forecast(tx, bitcoin(world), world.keep.clock.now_s()).hours is None


def test_people_are_told_once_when_hot_gets_short_and_once_when_it_is_good_again(
    world: World,
) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    spend_hourly(world, user, 2, 1_200_000)
    moving = movements(world, bitcoin(world, runway_hours_min=100))

    moving.forecast()
    moving.forecast()
    assert [kind for kind, _ in events(world)] == ["alert.runway_low"]
    assert events(world)[0][1]["hours_min"] == 100

    world.deposit(user, "BTC", 100_000_000)
    moving.forecast()
    moving.forecast()
    assert [kind for kind, _ in events(world)] == ["alert.runway_low", "treasury.runway_recovered"]


def test_a_refill_is_asked_for_before_the_minimum_is_reached(world: World) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    fund_cold(world, 500_000_000)
    spend_hourly(world, user, 2, 1_200_000)
    moving = movements(world, bitcoin(world, runway_hours_min=100))
    assert moving.step().made == ()  # far above hot_min, and no forecast yet

    moving.forecast()
    (made,) = moving.step().made
    assert moving.step().made == ()  # what is on its way counts

    with world.database.read() as tx:
        request = requests.get(tx, made)
    held = world.books("chain:hot", "BTC")
    assert (request.purpose, request.units) == ("refill", 20_000_000 - held)


def test_without_a_wanted_runway_nothing_is_asked_for(world: World) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    fund_cold(world, 500_000_000)
    spend_hourly(world, user, 2, 1_200_000)
    moving = movements(world, bitcoin(world))

    moving.forecast()

    assert moving.step().made == ()
    assert events(world) == []


def test_a_forecast_repeats_itself_after_a_restart(world: World) -> None:
    user = world.account("ann")
    world.deposit(user, "BTC", 10_000_000)
    spend_hourly(world, user, 2, 1_200_000)
    asset = bitcoin(world, runway_hours_min=100)
    movements(world, asset).forecast()

    movements(World(world.database, world.keep), asset).forecast()

    with world.database.read() as tx:
        assert runway.is_low(tx, "BTC")
    assert len(events(world)) == 1
