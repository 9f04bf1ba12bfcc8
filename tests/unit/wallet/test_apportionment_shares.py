"""Sharing a loss out: worked examples with the numbers written out, and what always holds."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.apportionment.errors import (
    AccountTwice,
    BadGain,
    LossExceedsGains,
    NoGains,
    NoLoss,
)
from wallet.apportionment.shares import Gain, Share, apportion
from wallet.errors import WalletError


def gains(**units: int) -> list[Gain]:
    return [Gain(account_id=name, units=amount) for name, amount in units.items()]


def shared(loss_units: int, **units: int) -> dict[str, int]:
    return {share.account_id: share.units for share in apportion(loss_units, gains(**units))}


def test_a_loss_that_divides_evenly() -> None:
    # 600 of 1,200 gained: everybody bears one half.
    assert shared(600, ann=200, bob=400, cid=600) == {"ann": 100, "bob": 200, "cid": 300}


def test_the_missing_unit_goes_to_the_largest_fraction() -> None:
    # 100 * 300/700 = 42 6/7, 100 * 250/700 = 35 5/7, 100 * 150/700 = 21 3/7.
    # Whole units: 42 + 35 + 21 = 98. The 2 missing ones: ann (6/7), then bob (5/7).
    assert shared(100, ann=300, bob=250, cid=150) == {"ann": 43, "bob": 36, "cid": 21}


def test_of_equal_fractions_the_larger_gain_bears_first() -> None:
    # 2 * 1/8 = 2/8, 2 * 5/8 = 1 2/8, 2 * 2/8 = 4/8: cid's is the largest fraction.
    assert shared(2, ann=1, bob=5, cid=2) == {"ann": 0, "bob": 1, "cid": 1}
    # 6 * 1/8 = 6/8, 6 * 5/8 = 3 6/8, 6 * 2/8 = 1 4/8: 4 whole units; both 6/8 come first.
    assert shared(6, ann=1, bob=5, cid=2) == {"ann": 1, "bob": 4, "cid": 1}
    # 5 * 1/10 = 5/10, 5 * 3/10 = 1 5/10, 5 * 6/10 = 3: one is missing, bob gained more than ann.
    assert shared(5, ann=1, bob=3, cid=6) == {"ann": 0, "bob": 2, "cid": 3}


def test_of_equal_gains_the_account_that_sorts_first_bears_first() -> None:
    # 33 1/3 each; the missing unit is ann's, in whatever order they are given.
    assert shared(100, ann=50, bob=50, cid=50) == {"ann": 34, "bob": 33, "cid": 33}
    assert shared(100, cid=50, bob=50, ann=50) == {"ann": 34, "bob": 33, "cid": 33}
    # 149: 49 2/3 each; two are missing.
    assert shared(149, ann=50, bob=50, cid=50) == {"ann": 50, "bob": 50, "cid": 49}


def test_a_loss_of_all_gains_takes_each_gain_and_no_more() -> None:
    assert shared(60, ann=10, bob=20, cid=30) == {"ann": 10, "bob": 20, "cid": 30}


def test_wei_stay_exact() -> None:
    # A third of 10^18 wei and one: no number of 53 bits could tell these apart.
    shares = shared(10**18 + 1, ann=10**18, bob=10**18, cid=10**18)
    assert shares == {
        "ann": 333_333_333_333_333_334,
        "bob": 333_333_333_333_333_334,
        "cid": 333_333_333_333_333_333,
    }


def test_a_share_tells_whether_it_was_rounded_up() -> None:
    assert apportion(1, gains(ann=1, bob=2)) == (
        Share(account_id="ann", gain_units=1, units=0, rounded_up=False),
        Share(account_id="bob", gain_units=2, units=1, rounded_up=True),
    )


@pytest.mark.parametrize(
    ("loss_units", "of", "error"),
    [
        (0, gains(ann=5), NoLoss),
        (-1, gains(ann=5), NoLoss),
        (1, [], NoGains),
        (1, gains(ann=5, bob=0), BadGain),
        (1, gains(ann=5, bob=-3), BadGain),
        (1, [*gains(ann=5, bob=1), *gains(ann=2)], AccountTwice),
        (7, gains(ann=5, bob=1), LossExceedsGains),
    ],
)
def test_what_cannot_be_shared_out_is_refused(
    loss_units: int, of: list[Gain], error: type[WalletError]
) -> None:
    with pytest.raises(error) as refused:
        apportion(loss_units, of)
    assert refused.value.code == error.code


AMOUNTS = st.one_of(st.integers(1, 20), st.integers(1, 10**30))


@given(st.lists(AMOUNTS, min_size=1, max_size=40), st.data())
def test_what_holds_for_every_loss(amounts: list[int], data: st.DataObject) -> None:
    total = sum(amounts)
    loss = data.draw(st.integers(1, total))
    given_gains = [Gain(account_id=f"a{n:03}", units=units) for n, units in enumerate(amounts)]
    shares = apportion(loss, given_gains)
    assert loss == sum(share.units for share in shares)
    assert shares == apportion(loss, reversed(given_gains)), "order plays no part"
    for share in shares:
        exact = Fraction(loss * share.gain_units, total)
        assert abs(share.units - exact) < 1, "rounded down or up, never further"
        assert 0 <= share.units <= share.gain_units, "nobody loses more than they gained"
        assert share.rounded_up == (share.units > exact)
    up = [Fraction(loss * s.gain_units, total) % 1 for s in shares if s.rounded_up]
    down = [Fraction(loss * s.gain_units, total) % 1 for s in shares if not s.rounded_up]
    assert not up or not down or min(up) >= max(down), "the largest fractions bear the units"


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.data())
def test_a_larger_gain_never_bears_less(one: int, other: int, data: st.DataObject) -> None:
    loss = data.draw(st.integers(1, one + other))
    shares = shared(loss, ann=one, bob=other)
    if one > other:
        assert shares["ann"] >= shares["bob"]
    if one < other:
        assert shares["ann"] <= shares["bob"]
