"""How deep, how final, how many nodes: the rule for one deposit, and what splitting one gains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.depth import (
    CreditFacts,
    CreditRules,
    Waits,
    confirmations_needed,
    final_depth,
    judge,
)


@dataclass(frozen=True)
class Tier:
    """A step of a table."""

    from_units: int
    confirmations: int


TIERS = (Tier(0, 2), Tier(100, 4), Tier(1_000, 6))
RULES = CreditRules(tiers=TIERS, safe_from=500, finalized_from=700, second_node_from=900)
PROVEN = CreditFacts(exposed_units=5_000, depth=6, is_safe=True, is_finalized=True, is_agreed=True)


@pytest.mark.parametrize(
    ("units", "expected"), [(0, 2), (99, 2), (100, 4), (999, 4), (1_000, 6), (10**30, 6)]
)
def test_the_sum_says_how_deep(units: int, expected: int) -> None:
    assert confirmations_needed(TIERS, units) == expected


def test_a_sum_below_every_step_waits_longest() -> None:
    assert confirmations_needed(TIERS[1:], 99) == 6
    assert final_depth(()) == confirmations_needed((), 5) == 1


def test_what_is_fully_proven_is_credited() -> None:
    assert judge(RULES, PROVEN).waits is Waits.NOTHING


@pytest.mark.parametrize(
    ("facts", "waits"),
    [
        (replace(PROVEN, depth=5), Waits.DEPTH),
        (replace(PROVEN, alarm_confirmations=1), Waits.DEPTH),
        (replace(PROVEN, is_finalized=False), Waits.FINALIZED),
        (replace(PROVEN, is_safe=False), Waits.SAFE),
        (replace(PROVEN, is_agreed=False), Waits.SECOND_NODE),
        (replace(PROVEN, is_agreed=False, depth=1), Waits.DEPTH),
    ],
)
def test_each_missing_proof_keeps_it_waiting(facts: CreditFacts, waits: Waits) -> None:
    assert judge(RULES, facts).waits is waits


@pytest.mark.parametrize(
    ("units", "waits"),
    [
        (499, Waits.NOTHING),
        (500, Waits.SAFE),
        (699, Waits.SAFE),
        (700, Waits.FINALIZED),
    ],
)
def test_proofs_are_asked_from_their_sum_on(units: int, waits: Waits) -> None:
    assert judge(RULES, CreditFacts(exposed_units=units, depth=9)).waits is waits


def test_a_proof_that_is_not_configured_is_never_asked() -> None:
    rules = CreditRules(tiers=TIERS)

    assert judge(rules, CreditFacts(exposed_units=10**30, depth=6)).waits is Waits.NOTHING


def test_an_alarm_asks_for_more_blocks_of_everyone() -> None:
    calm = judge(RULES, CreditFacts(exposed_units=50, depth=1))
    alarmed = judge(RULES, CreditFacts(exposed_units=50, depth=1, alarm_confirmations=10))

    assert (2, 12) == (calm.confirmations, alarmed.confirmations)


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_more_money_never_needs_fewer_blocks(one: int, more: int) -> None:
    assert confirmations_needed(TIERS, one + more) >= confirmations_needed(TIERS, one)


@dataclass
class Deposit:
    """One deposit of the attacker."""

    height: int
    units: int
    exposed: int = 0
    is_credited: bool = False


def _advance(sent: Sequence[Deposit], tip: int) -> None:
    """What the gate does with each block, by the same two functions."""
    window = [one for one in sent if tip - one.height + 1 < final_depth(TIERS)]
    for one in sent:
        if not one.is_credited:
            one.exposed = max(one.exposed, one.units, sum(each.units for each in window))
            depth = tip - one.height + 1
            facts = CreditFacts(exposed_units=one.exposed, depth=depth)
            one.is_credited = judge(CreditRules(tiers=TIERS), facts).waits is Waits.NOTHING


@given(st.lists(st.lists(st.integers(1, 600), max_size=4), min_size=1, max_size=20))
def test_no_reorg_takes_back_more_than_its_depth_is_good_for(blocks: list[list[int]]) -> None:
    """However deposits are split and timed: what was credited and a reorg of `depth` would undo
    is a sum that asks for no more than `depth` confirmations."""
    sent: list[Deposit] = []
    for tip, amounts in enumerate([*blocks, *[[]] * 8]):
        sent += [Deposit(tip, units) for units in amounts]
        _advance(sent, tip)
        for depth in range(1, 10):
            lost = [one for one in sent if one.is_credited and tip - one.height + 1 <= depth]
            if lost:
                assert confirmations_needed(TIERS, sum(one.units for one in lost)) <= depth
    assert all(one.is_credited for one in sent)


@given(st.integers(1, 50), st.integers(1, 50))
def test_splitting_a_large_deposit_gains_no_block(parts: int, units: int) -> None:
    sent = [Deposit(0, units) for _ in range(parts)]
    tip = 0
    while not all(one.is_credited for one in sent):
        _advance(sent, tip)
        tip += 1

    assert tip == confirmations_needed(TIERS, parts * units)
