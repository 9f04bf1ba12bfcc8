"""Coin selection: money is conserved, fees suffice, refusals are typed."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.utxo import fees
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import DescriptorVault, Template
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.selection import (
    DustPayout,
    InsufficientFunds,
    Market,
    SpendPlan,
    TooManyInputs,
    plan_spend,
)
from chains.utxo.strategies import (
    STRATEGIES,
    Candidate,
    Goal,
    Strategy,
    branch_and_bound,
    largest_first,
)
from chains.utxo.transactions import Transaction
from tests.utxo_world import coin, sign_all, vault

DUST = 546
VAULTS = {template: vault(template) for template in Template}
WSH = VAULTS[Template.WSH_MULTI]
SCRIPTS = (b"\x00\x14" + bytes(20), b"\x00\x20" + bytes(32), b"\xa9\x14" + bytes(20) + b"\x87")


def _plan(
    coins: list[Coin],
    payouts: list[int],
    feerate: int = 1000,
    owner: DescriptorVault = WSH,
    inputs_max: int = 400,
    long_term: int = 0,
    consolidate: int = 0,
) -> SpendPlan:
    change = Payout(
        script=owner.script_pubkey_at(1, 0),
        sats=0,
        place=OwnPlace(source=owner.name, branch=1, index=0),
    )
    return plan_spend(
        coins=coins,
        payouts=[Payout(script=SCRIPTS[at % 3], sats=sats) for at, sats in enumerate(payouts)],
        change=change,
        vaults={owner.name: owner},
        market=Market(
            feerate=feerate,
            feerate_long_term=long_term or feerate,
            consolidate_max=consolidate,
        ),
        dust_sats=DUST,
        inputs_max=inputs_max,
    )


AMOUNTS = st.lists(st.integers(1, 10**7), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(AMOUNTS, st.lists(st.integers(DUST, 10**6), min_size=1, max_size=5), st.integers(0, 200_000))
def test_money_is_conserved_and_the_fee_suffices(
    amounts: list[int], payouts: list[int], feerate: int
) -> None:
    coins = [coin(WSH, index, sats) for index, sats in enumerate(amounts)]
    try:
        plan = _plan(coins, payouts, feerate)
    except InsufficientFunds:
        rich = [*coins, coin(WSH, 99, 10**9)]

        assert _plan(rich, payouts, feerate).coins
        return

    spent = sum(one.sats for one in plan.coins)
    assert spent == sum(one.sats for one in plan.outputs) + plan.fee_sats
    assert payouts == [one.sats for one in plan.outputs[: len(payouts)]]
    assert len(set(plan.coins)) == len(plan.coins)
    assert plan.fee_sats >= fees.fee_sats(plan.vsize, feerate)
    assert plan.change_units == 0 or plan.change_units >= DUST
    assert (plan.change_units > 0) == (len(plan.outputs) > len(payouts))
    # What is given away instead of change is never worth a change output.
    assert plan.change_units or plan.fee_sats - fees.fee_sats(plan.vsize, feerate) <= (
        DUST + fees.fee_sats(50, feerate) + 100
    )


@given(st.permutations(range(8)))
def test_order_of_coins_does_not_matter(order: list[int]) -> None:
    coins = [coin(WSH, index, 10_000 * (index // 2 + 1)) for index in range(8)]

    assert _plan(coins, [25_000]) == _plan([coins[at] for at in order], [25_000])


def test_exact_match_needs_no_change() -> None:
    coins = [coin(WSH, index, sats) for index, sats in enumerate([90_000, 50_000, 31_000, 7_000])]
    fee = fees.fee_sats(fees.transaction_vsize([WSH, WSH], [SCRIPTS[0]]), 1000)
    plan = _plan(coins, [81_000 - fee - 20])

    assert [50_000, 31_000] == sorted((one.sats for one in plan.coins), reverse=True)
    assert 0 == plan.change_units


def test_coins_worth_less_than_their_input_are_left() -> None:
    coins = [coin(WSH, 0, 1_000_000), coin(WSH, 1, 5_000)]
    plan = _plan(coins, [500_000], feerate=100_000)

    assert coins[:1] == list(plan.coins)


def test_insufficient_funds_say_how_much_is_needed() -> None:
    with pytest.raises(InsufficientFunds) as caught:
        _plan([coin(WSH, 0, 100_000)], [100_000])

    assert ("utxo.insufficient_funds", True) == (
        caught.value.code,
        caught.value.needed_sats > 100_000 > caught.value.usable_sats,
    )


def test_no_coins_at_all() -> None:
    with pytest.raises(InsufficientFunds):
        _plan([], [1000])


def test_too_many_small_coins() -> None:
    coins = [coin(WSH, index, 1000) for index in range(10)]
    with pytest.raises(TooManyInputs) as caught:
        _plan(coins, [5000], inputs_max=3)

    assert "utxo.too_many_inputs" == caught.value.code


def test_dust_is_not_paid() -> None:
    with pytest.raises(DustPayout) as caught:
        _plan([coin(WSH, 0, 100_000)], [DUST - 1])

    assert "utxo.dust_payout" == caught.value.code


def test_search_without_luck_ends_soon() -> None:
    coins = [coin(WSH, index, 10_000_000 + 977 * index) for index in range(300)]
    plan = _plan(coins, [1_234_567_890])

    assert plan.change_units > 0
    assert len(plan.coins) < 130


@pytest.mark.parametrize("template", list(Template))
@pytest.mark.parametrize("inputs", [1, 3])
def test_estimate_is_never_below_and_close_to_the_signed_size(
    template: Template, inputs: int
) -> None:
    owner = VAULTS[template]
    coins = [coin(owner, index, 100_000) for index in range(inputs)]
    plan = _plan(coins, [inputs * 100_000 - 30_000], owner=owner)
    raw = build(coins=plan.coins, outputs=plan.outputs, vaults={owner.name: owner})
    signers = (1,) if len(owner.keys) == 1 else (1, 2)
    tx = Transaction.parse(finalize(add_signatures(raw, sign_all(raw, signers))))

    assert tx.vsize <= plan.vsize <= tx.vsize + 3 + 3 * inputs * len(signers)


def test_the_same_seed_gives_the_same_plan_and_order_of_coins_does_not_matter() -> None:
    coins = [coin(WSH, index, 30_000 + 7919 * index) for index in range(40)]
    first = _plan(coins, [400_000], long_term=3000)

    assert first == _plan(list(reversed(coins)), [400_000], long_term=3000)


def test_cheap_block_space_takes_small_coins_along() -> None:
    coins = [coin(WSH, 0, 5_000_000), *(coin(WSH, index, 20_000 + index) for index in range(1, 30))]
    plan = _plan(coins, [1_000_000], feerate=1000, long_term=20_000, consolidate=8)

    assert len(plan.coins) >= 9
    assert _plan(coins, [1_000_000], feerate=1000, long_term=20_000).waste_sats > plan.waste_sats


def test_dear_block_space_takes_few_coins_and_leaves_small_ones() -> None:
    coins = [coin(WSH, 0, 5_000_000), *(coin(WSH, index, 90_000) for index in range(1, 30))]
    plan = _plan(coins, [1_000_000], feerate=200_000, long_term=5_000, consolidate=8)

    assert coins[:1] == list(plan.coins)


@pytest.mark.parametrize("way", STRATEGIES)
@given(
    values=st.lists(st.integers(1, 10**6), max_size=12),
    target=st.integers(1, 3 * 10**6),
    slack=st.integers(1, 1000),
    inputs_max=st.integers(1, 12),
    seed=st.binary(max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_what_a_strategy_proposes_is_enough_and_once_each(
    way: Strategy, values: list[int], target: int, slack: int, inputs_max: int, seed: bytes
) -> None:
    pool = [
        Candidate(value=value, waste=at % 5 - 2, coin=coin(WSH, at, value))
        for at, value in enumerate(sorted(values, reverse=True))
    ]
    goal = Goal(target=target, slack=slack, inputs_max=inputs_max)
    chosen = way(pool, goal, seed)

    if chosen is None:
        # Largest first is the last resort: it fails only where nothing could succeed.
        reachable = sum(one.value for one in pool[:inputs_max])
        assert way is not largest_first or reachable < target
        return
    assert sum(one.value for one in chosen) >= target
    assert len(chosen) <= inputs_max
    assert len({one.coin.outpoint for one in chosen}) == len(chosen)


@given(
    values=st.lists(st.integers(1, 2000), min_size=1, max_size=10, unique=True),
    target=st.integers(1, 8000),
    dear=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_branch_and_bound_finds_the_least_waste_there_is(
    values: list[int], target: int, dear: bool
) -> None:
    waste = 7 if dear else -7
    pool = [
        Candidate(value=value, waste=waste, coin=coin(WSH, at, value))
        for at, value in enumerate(sorted(values, reverse=True))
    ]
    goal = Goal(target=target, slack=100, inputs_max=10)
    sums = (
        sum(one.value for one in some) - target + waste * len(some)
        for size in range(1, len(pool) + 1)
        for some in combinations(pool, size)
        if target <= sum(one.value for one in some) < target + 100
    )
    found = branch_and_bound(pool, goal, b"")
    wasted = None
    if found is not None:
        wasted = sum(one.value + one.waste for one in found) - target

    assert wasted == min(sums, default=None)
