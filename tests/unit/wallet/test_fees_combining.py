"""Many fee sources, one price: the median between floor and ceiling, and who was outvoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.feerates import FeeQuote, Feerate, FeeUnit, MixedFeeUnits
from wallet.fees.combining import Bound, Bounds, NoEstimate, combine

SATS = FeeUnit.SATS_PER_KVB
OPEN = Bounds(floor=1_000, ceiling=0)


def quotes(*said: int | None, unit: FeeUnit = SATS) -> list[FeeQuote]:
    return [
        FeeQuote(
            source=f"s{place}",
            feerate=None if amount is None else Feerate(amount=amount, unit=unit),
            why="" if amount is not None else "no answer",
        )
        for place, amount in enumerate(said)
    ]


def test_the_median_is_the_answer() -> None:
    assert combine(quotes(5_000, 9_000, 7_000), SATS, 3, OPEN).amount == 7_000


def test_of_an_even_number_the_lower_middle_one() -> None:
    assert combine(quotes(5_000, 9_000, 7_000, 8_000), SATS, 3, OPEN).amount == 7_000


def test_a_source_that_is_missing_is_named_and_ignored() -> None:
    found = combine(quotes(5_000, None, 6_000), SATS, 3, OPEN)

    assert (found.amount, found.missing) == (5_000, ("s1",))


@pytest.mark.parametrize("lie", [0, 9_000_000, 10**18])
def test_one_liar_is_outvoted_and_named(lie: int) -> None:
    found = combine(quotes(8_000, lie, 9_000), SATS, 3, OPEN)

    assert found.amount in (8_000, 9_000)
    assert found.outvoted == ("s1",)


def test_never_below_the_floor() -> None:
    found = combine(quotes(10, 20, 30), SATS, 3, OPEN)

    assert (found.amount, found.bound, found.outvoted) == (1_000, Bound.FLOOR, ())


def test_never_above_the_ceiling() -> None:
    bounds = Bounds(floor=1_000, ceiling=50_000)

    found = combine(quotes(60_000, 70_000, 80_000), SATS, 3, bounds)

    assert (found.amount, found.bound) == (50_000, Bound.CEILING)


def test_without_any_source_the_floor_answers() -> None:
    found = combine(quotes(None, None), SATS, 3, OPEN)

    assert (found.amount, found.median, found.bound) == (1_000, None, Bound.FLOOR)


def test_without_source_and_floor_there_is_no_price() -> None:
    with pytest.raises(NoEstimate) as caught:
        combine(quotes(None), SATS, 3, Bounds(floor=0, ceiling=0))

    assert caught.value.code == "fees.no_estimate"


def test_prices_of_another_unit_are_never_combined() -> None:
    with pytest.raises(MixedFeeUnits) as caught:
        combine(quotes(5_000, unit=FeeUnit.WEI_PER_GAS), SATS, 3, OPEN)

    assert caught.value.code == "fees.mixed_units"


@given(
    honest=st.lists(st.integers(2_000, 4_000), min_size=2, max_size=5),
    lie=st.integers(0, 10**12),
)
def test_one_liar_never_leaves_what_honest_sources_say(honest: list[int], lie: int) -> None:
    found = combine(quotes(*honest, lie), SATS, 3, OPEN)

    assert min(honest) <= found.amount <= max(honest)
