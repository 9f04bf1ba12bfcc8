"""Cutting change and spending exact coins: sums hold, nothing becomes dust."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.types import OutPoint
from chains.utxo import fees
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import Template
from chains.utxo.selection import DustPayout, InsufficientFunds, SpendPlan
from chains.utxo.shaping import plan_exact, split_change
from tests.utxo_world import vault
from wallet.coins.pool import cuts, missing_sizes
from wallet.settings import CoinClass

HOT = vault(Template.WSH_MULTI, (1, 2, 3), name="hot")
SCRIPT = HOT.script_pubkey_at(1, 0)
DUST = 546


def coin(sats: int, number: int = 0) -> Coin:
    place = OwnPlace(source="hot", branch=0, index=number)
    return Coin(outpoint=OutPoint(f"{number:064x}", 0), sats=sats, place=place, raw_tx=b"")


def a_plan(change: int) -> SpendPlan:
    payout = Payout(script=SCRIPT, sats=50_000)
    outputs = (payout, Payout(script=SCRIPT, sats=change)) if change else (payout,)
    return SpendPlan(
        coins=(coin(50_000 + change + 1_000),),
        outputs=outputs,
        change_units=change,
        fee_sats=1_000,
        vsize=200,
        waste_sats=0,
    )


@given(
    change=st.integers(0, 10**7),
    sizes=st.lists(st.integers(1, 10**6), max_size=8),
    feerate=st.integers(1, 500_000),
)
def test_split_change_keeps_the_sum_and_makes_no_dust(
    change: int, sizes: list[int], feerate: int
) -> None:
    plan = a_plan(change if change >= DUST else 0)

    split, changes = split_change(plan, sizes, feerate=feerate, dust_sats=DUST)

    pieces = [output.sats for output in split.outputs[1:]]
    assert len(pieces) == changes
    assert all(piece >= DUST for piece in pieces)
    assert sum(pieces) == split.change_units
    assert split.change_units + split.fee_sats == plan.change_units + plan.fee_sats
    assert split.fee_sats - plan.fee_sats == fees.fee_sats(split.vsize - plan.vsize, feerate)
    assert split.outputs[0] == plan.outputs[0]


def test_change_is_cut_into_what_is_asked_and_a_rest() -> None:
    split, changes = split_change(a_plan(100_000), [20_000, 30_000], feerate=1_000, dust_sats=DUST)

    assert [o.sats for o in split.outputs[1:]] == [20_000, 30_000, 100_000 - 50_000 - 86]
    assert changes == 3


def test_change_too_small_to_cut_stays_whole() -> None:
    plan = a_plan(30_000)

    assert split_change(plan, [20_000], feerate=1_000, dust_sats=DUST) == (plan, 1)


def test_exact_coins_pay_exact_payouts() -> None:
    coins = [coin(60_000, 1), coin(50_000, 2)]

    plan = plan_exact(
        coins=coins,
        payouts=[Payout(script=SCRIPT, sats=105_000)],
        vaults={"hot": HOT},
        feerate=5_000,
        dust_sats=DUST,
    )

    assert (plan.fee_sats, plan.change_units, plan.coins) == (5_000, 0, tuple(coins))


@pytest.mark.parametrize(
    ("sats", "feerate", "error"),
    [(109_000, 5_000, InsufficientFunds), (DUST - 1, 1_000, DustPayout)],
)
def test_exact_plans_refuse_too_little_fee_and_dust(
    sats: int, feerate: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        plan_exact(
            coins=[coin(60_000, 1), coin(50_000, 2)],
            payouts=[Payout(script=SCRIPT, sats=sats)],
            vaults={"hot": HOT},
            feerate=feerate,
            dust_sats=DUST,
        )


POOL = (CoinClass(units=100, count=3), CoinClass(units=1_000, count=2))


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        ([], [1_000, 1_000, 100, 100, 100]),
        ([1_000, 1_000, 100, 100, 100], []),
        ([5_000, 99], [1_000, 100, 100, 100]),
        ([2_000, 2_000, 2_000], [100, 100]),
    ],
)
def test_what_a_pool_lacks(held: list[int], missing: list[int]) -> None:
    assert missing_sizes(POOL, held) == missing


def test_a_change_is_cut_into_the_smallest_that_are_missing_and_no_more_than_allowed() -> None:
    assert cuts(POOL, [100], 4) == [100, 100, 1_000]
    assert cuts(POOL, [100], 1) == []
