"""The escrow's machine: every arrow is taken, every other pair refused; and its fee, in numbers."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.escrow.errors import ForbiddenArrow
from wallet.escrow.fees import FEE_BASIS_POINTS_MAX, fee_of_next, fee_units
from wallet.escrow.states import ARROWS, FINAL, check_arrow
from wallet.escrow.states import EscrowStatus as E

ALLOWED = [
    (E.HELD, E.HELD),
    (E.HELD, E.RELEASED),
    (E.HELD, E.RETURNED),
    (E.HELD, E.EXPIRED),
    (E.HELD, E.DISPUTED),
    (E.DISPUTED, E.RELEASED),
    (E.DISPUTED, E.RETURNED),
]
FORBIDDEN = [pair for pair in product(E, E) if pair not in ALLOWED]


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_an_arrow_of_the_machine_is_taken(before: E, after: E) -> None:
    check_arrow(before, after)


@pytest.mark.parametrize(("before", "after"), FORBIDDEN)
def test_any_other_arrow_is_refused(before: E, after: E) -> None:
    with pytest.raises(ForbiddenArrow, match=f"got {before} -> {after}"):
        check_arrow(before, after)


def test_ends_are_ends() -> None:
    assert set(ARROWS) == set(E)
    assert frozenset({E.RELEASED, E.RETURNED, E.EXPIRED}) == FINAL


@pytest.mark.parametrize(
    ("released_units", "basis_points", "fee"),
    [
        (10_000, 25, 25),  # a quarter of a percent
        (9_999, 25, 24),  # 24.9975
        (399, 25, 0),  # 0.9975
        (400, 25, 1),
        (1, 1_000, 0),
        (10**18 + 9, 1_000, 10**17),  # a tenth of a unit is nobody's
        (10_000, 0, 0),
    ],
)
def test_the_fee_in_numbers(released_units: int, basis_points: int, fee: int) -> None:
    assert fee_units(released_units, basis_points) == fee


@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=20),
    st.integers(0, FEE_BASIS_POINTS_MAX),
)
def test_fees_add_up_the_same_in_whatever_parts(parts: list[int], basis_points: int) -> None:
    done = paid = 0
    for part in parts:
        fee = fee_of_next(done, part, basis_points)
        assert 0 <= fee <= part, "a release pays its own fee"
        done, paid = done + part, paid + fee
    assert paid == fee_units(sum(parts), basis_points)
