"""Hot bounds: what moves, how much, and never twice."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies import Direction, HotFacts, Mode, PolicyInvalid, Threshold, move

BOUNDS = Threshold(mode=Mode.ABSOLUTE, hot_min=100, hot_target=200, hot_max=300)


def standing(
    hot: int, arriving: int = 0, leaving: int = 0, cold: int = 10_000, owed: int = 0
) -> HotFacts:
    return HotFacts(
        hot_units=hot,
        arriving_units=arriving,
        leaving_units=leaving,
        cold_units=cold,
        liabilities_units=owed,
    )


@pytest.mark.parametrize(
    ("facts", "direction", "units", "short"),
    [
        (standing(301), Direction.SWEEP, 101, 0),
        (standing(400, leaving=50), Direction.SWEEP, 150, 0),
        (standing(99), Direction.REFILL, 101, 0),
        (standing(0, cold=50), Direction.REFILL, 50, 150),
        (standing(150, leaving=60), Direction.REFILL, 110, 0),
        (standing(0, arriving=50), Direction.REFILL, 150, 0),
    ],
)
def test_what_is_out_of_bounds_moves_to_the_target(
    facts: HotFacts, direction: Direction, units: int, short: int
) -> None:
    found = move(BOUNDS, facts)
    assert found is not None
    assert (found.direction, found.units, found.short_units) == (direction, units, short)


@pytest.mark.parametrize(
    "facts",
    [
        standing(300),
        standing(100),
        standing(0, arriving=200),
        standing(0, cold=0),
        standing(250, arriving=200),
        standing(400, leaving=100),
    ],
)
def test_what_is_within_bounds_or_already_moving_stays(facts: HotFacts) -> None:
    assert move(BOUNDS, facts) is None


def test_a_share_follows_what_we_owe() -> None:
    share = Threshold(mode=Mode.SHARE, hot_min=50_000, hot_target=100_000, hot_max=200_000)
    assert share.bounds(1_000) == (50, 100, 200)
    assert share.bounds(-5) == (0, 0, 0)
    found = move(share, standing(201, owed=1_000))
    assert found is not None
    assert (found.direction, found.units) == (Direction.SWEEP, 101)


@pytest.mark.parametrize("bounds", [(-1, 0, 0), (2, 1, 3), (1, 3, 2)])
def test_bounds_out_of_order_are_refused(bounds: tuple[int, int, int]) -> None:
    low, target, high = bounds
    with pytest.raises(PolicyInvalid):
        Threshold(mode=Mode.ABSOLUTE, hot_min=low, hot_target=target, hot_max=high)


def test_a_share_of_more_than_all_is_refused() -> None:
    with pytest.raises(PolicyInvalid):
        Threshold(mode=Mode.SHARE, hot_min=0, hot_target=1, hot_max=1_000_001)


units = st.integers(0, 10**30)


@given(units, units, units, units, units, units, units)
def test_a_move_ends_within_bounds_and_is_not_repeated(
    hot: int, arriving: int, leaving: int, cold: int, low: int, target: int, high: int
) -> None:
    low, target, high = sorted((low, target, high))
    bounds = Threshold(mode=Mode.ABSOLUTE, hot_min=low, hot_target=target, hot_max=high)
    found = move(bounds, standing(hot, arriving, leaving, cold))
    assume(found is not None)
    assert found is not None
    assert found.units > 0
    if found.direction is Direction.SWEEP:
        assert found.units <= hot - leaving
        after = standing(hot, arriving, leaving + found.units, cold)
        assert hot - leaving - found.units == target
    else:
        assert found.units + found.short_units == target - (hot - leaving + arriving)
        after = standing(hot, arriving + found.units, leaving, cold - found.units)
    again = move(bounds, after)
    if found.direction is Direction.REFILL and found.short_units:
        assert again is None
    else:
        assert again is None or again.direction is found.direction
        assert again is None
