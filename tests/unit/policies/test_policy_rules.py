"""Every rule's refusals, each by its own code, and that the strictest answer wins."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import (
    FeeFacts,
    OrderFacts,
    Outcome,
    Owner,
    PayeeFacts,
    PaymentFacts,
    Policy,
    PolicyInvalid,
    Stage,
    decide,
    load_policy,
    windows_s,
)

NOW_S = 1_000_000
NET = "bitcoin-regtest"
TIER_0 = [{"from_units": 0, "approvals": 0}]


def document(**changes: Any) -> dict[str, Any]:
    """A policy that allows one kind of payment, with some keys of it changed."""
    payment = {
        "network": NET,
        "asset": "BTC",
        "purposes": ["withdrawal"],
        "order_units_max": 1000,
        "tx_units_max": 2500,
        "payees_max": 4,
        "windows": [{"seconds": 3600, "units_max": 5000}],
        "tiers": [{"from_units": 0, "approvals": 0}, {"from_units": 800, "approvals": 2}],
    }
    return {
        "version": 1,
        "name": "test",
        "payments": [{**payment, **changes}],
        "fees": [{"network": NET, "units_max": 50, "ppm_max": 100_000, "rate_max": 9000}],
        "book": [
            {"network": NET, "address": "Bad", "listing": "deny", "added_s": 1, "label": "theft"},
            {"network": NET, "address": "Good", "added_s": NOW_S - 100},
        ],
    }


def order(units: int = 100, order_id: str = "o", **changes: Any) -> OrderFacts:
    payee = PayeeFacts(address="Somebody", units=units)
    base = OrderFacts(order_id=order_id, requester="api", payees=(payee,))
    return replace(base, **changes)


def pay(address: str = "Somebody", **changes: Any) -> OrderFacts:
    payee = replace(PayeeFacts(address=address, units=100), **changes)
    return OrderFacts(order_id="o", requester="api", payees=(payee,))


def facts(*orders: OrderFacts, spent: Mapping[int, int] | None = None, **changes: Any) -> Any:
    base = PaymentFacts(
        purpose="withdrawal",
        network=NET,
        asset="BTC",
        source="bitcoin-hot",
        orders=orders or (order(),),
        now_s=NOW_S,
        fee=FeeFacts(units=10, rate_units=1000, basis_units=100),
        spent_units={3600: 0} if spent is None else spent,
    )
    return replace(base, **changes)


@pytest.fixture
def policy() -> Policy:
    return load_policy(document())


def test_a_payment_within_every_rule_is_allowed_and_says_why(policy: Policy) -> None:
    decision = decide(policy, facts())
    assert decision.outcome is Outcome.ALLOW
    assert [reason.rule for reason in decision.reasons] == [
        "caps",
        "destinations",
        "approvals",
        "fees",
    ]
    assert decision.policy_hash == policy.hash
    assert decision.approvals_required == 0


REFUSALS = {
    "caps.order": facts(order(1001)),
    "caps.tx": facts(*(order(700, str(n)) for n in range(4))),
    "caps.payees": facts(*(order(1, str(n)) for n in range(5))),
    "caps.window": facts(spent={3600: 4901}),
    "caps.window_unknown": facts(spent={60: 0}),
    "caps.nothing": facts(order(0)),
    "destinations.denied": facts(pay("Bad")),
    "destinations.own_deposit": facts(pay(owner=Owner.DEPOSIT)),
    "destinations.owner": facts(pay(owner=Owner.COLD)),
    "approvals.requester": facts(order(approvers=frozenset({"api"}))),
    "fees.absolute": facts(fee=FeeFacts(units=51, rate_units=1, basis_units=None)),
    "fees.share": facts(fee=FeeFacts(units=11, rate_units=1, basis_units=100)),
    "fees.rate": facts(fee=FeeFacts(units=10, rate_units=9001, basis_units=100)),
    "fees.negative": facts(fee=FeeFacts(units=-1, rate_units=1, basis_units=100)),
    "fees.unknown": facts(fee=None),
    "default.no_rule": facts(asset="DOGE"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_payment_over_a_rule_is_denied_by_that_code_alone(policy: Policy, code: str) -> None:
    decision = decide(policy, REFUSALS[code])
    assert decision.outcome is Outcome.DENY
    assert [r.code for r in decision.reasons if r.outcome is Outcome.DENY] == [code]
    assert decision.code == code


@pytest.mark.parametrize(
    "changes",
    [{"purpose": "sweep"}, {"purpose": "gift"}, {"network": "bitcoin"}, {"asset": "XYZ"}],
)
def test_what_the_policy_does_not_name_is_denied(policy: Policy, changes: dict[str, Any]) -> None:
    codes = {reason.code for reason in decide(policy, facts(**changes)).reasons}
    assert "default.no_rule" in codes


def test_a_network_without_fee_caps_is_denied() -> None:
    text = document()
    text["fees"] = []
    assert decide(load_policy(text), facts()).code == "fees.no_rule"


def test_exactly_at_every_cap_is_allowed(policy: Policy) -> None:
    at = facts(
        order(500, "1"),
        order(500, "2"),
        order(750, "3"),
        order(750, "4"),
        spent={3600: 2500},
        fee=FeeFacts(units=50, rate_units=9000, basis_units=500),
    )
    assert decide(policy, at).outcome is Outcome.ALLOW


def test_an_order_of_a_tier_needs_its_approvals(policy: Policy) -> None:
    asked = decide(policy, facts(order(800)))
    assert (asked.outcome, asked.code) == (Outcome.NEEDS_APPROVAL, "approvals.quorum")
    assert asked.approvals_required == 2
    one = decide(policy, facts(order(800, approvers=frozenset({"anna"}))))
    assert one.outcome is Outcome.NEEDS_APPROVAL
    two = decide(policy, facts(order(800, approvers=frozenset({"anna", "ben"}))))
    assert two.outcome is Outcome.ALLOW
    assert two.approvals_required == 2


def test_approvals_of_one_order_do_not_serve_another(policy: Policy) -> None:
    approved = order(800, "1", approvers=frozenset({"anna", "ben"}))
    decision = decide(policy, facts(approved, order(800, "2")))
    assert decision.outcome is Outcome.NEEDS_APPROVAL
    assert "order 2" in decision.text


def test_small_orders_in_one_batch_need_no_approval_for_their_sum(policy: Policy) -> None:
    orders = [order(700, str(n)) for n in range(3)]
    assert decide(policy, facts(*orders)).outcome is Outcome.ALLOW


def test_a_denial_is_stricter_than_a_missing_approval_and_both_are_told(policy: Policy) -> None:
    decision = decide(policy, facts(order(900), spent={3600: 5000}))
    assert decision.outcome is Outcome.DENY
    assert {"caps.window", "approvals.quorum"} <= {reason.code for reason in decision.reasons}


def test_an_order_is_judged_without_a_fee_when_it_is_asked_for(policy: Policy) -> None:
    assert decide(policy, facts(fee=None), Stage.ORDER).outcome is Outcome.ALLOW


def test_a_denied_address_is_denied_in_any_spelling(policy: Policy) -> None:
    assert decide(policy, facts(pay("BAD"))).code == "destinations.denied"


def test_book_only_pays_known_addresses() -> None:
    policy = load_policy(document(destinations="book"))
    assert decide(policy, facts(pay("Stranger"))).code == "destinations.not_in_book"
    assert decide(policy, facts(pay("GOOD"))).code == "destinations.not_in_book"
    assert decide(policy, facts(pay("Good"))).outcome is Outcome.ALLOW
    assert decide(policy, facts(pay("Mine", known_since_s=1))).outcome is Outcome.ALLOW


def test_an_address_must_have_its_age() -> None:
    policy = load_policy(document(age_s_min=101))
    assert decide(policy, facts(pay("Good"))).code == "destinations.too_new"
    assert decide(policy, facts(pay("Stranger"))).code == "destinations.not_in_book"
    assert decide(policy, facts(pay("Good", known_since_s=NOW_S - 101))).outcome is Outcome.ALLOW
    later = facts(pay("Good"), now_s=NOW_S + 1)
    assert decide(policy, later).outcome is Outcome.ALLOW


def test_own_payees_by_purpose() -> None:
    text = document(purposes=["sweep", "refill"])
    policy = load_policy(text)
    sweep: dict[str, Any] = {"purpose": "sweep"}
    assert decide(policy, facts(pay(owner=Owner.COLD), **sweep)).outcome is Outcome.ALLOW
    assert decide(policy, facts(pay(), **sweep)).code == "destinations.not_ours"
    assert decide(policy, facts(pay(owner=Owner.HOT), **sweep)).code == "destinations.owner"
    refill = facts(pay(owner=Owner.HOT), purpose="refill")
    assert decide(policy, refill).outcome is Outcome.ALLOW


def test_a_rule_for_the_source_goes_before_the_one_for_any() -> None:
    text = document()
    text["payments"].append({**text["payments"][0], "source": "small", "order_units_max": 50})
    policy = load_policy(text)
    assert decide(policy, facts(source="small")).code == "caps.order"
    assert decide(policy, facts()).outcome is Outcome.ALLOW


def test_the_windows_that_must_be_counted_are_named(policy: Policy) -> None:
    assert windows_s(policy, NET, "BTC", "withdrawal", "bitcoin-hot") == (3600,)
    assert windows_s(policy, NET, "BTC", "sweep", "bitcoin-hot") == ()


@given(st.lists(st.integers(0, 2000), max_size=6), st.integers(0, 6000), st.integers(0, 100))
def test_what_is_allowed_is_within_every_cap(
    amounts: list[int], spent_units: int, fee_units: int
) -> None:
    orders = [order(units, str(position)) for position, units in enumerate(amounts)]
    fee = FeeFacts(units=fee_units, rate_units=1, basis_units=sum(amounts))
    asked = replace(facts(spent={3600: spent_units}, fee=fee), orders=tuple(orders))
    if decide(load_policy(document()), asked).outcome is Outcome.ALLOW:
        assert amounts
        assert all(0 < units < 800 for units in amounts)
        assert sum(amounts) <= 2500
        assert sum(amounts) + spent_units <= 5000
        assert fee_units <= 50
        assert fee_units * 10 <= sum(amounts)


@pytest.mark.parametrize(
    ("hot", "units", "code"),
    [
        (None, 100, "caps.hot_unknown"),
        (901, 100, "caps.hot_max"),
        (900, 100, "caps.passed"),
        (0, 1000, "caps.passed"),
        (1, 1000, "caps.hot_max"),
    ],
)
def test_a_refill_fills_hot_up_to_its_maximum(hot: int | None, units: int, code: str) -> None:
    policy = load_policy(document(purposes=["refill"], hot_max=1000, tiers=TIER_0))
    payee = PayeeFacts(address="Hot", units=units, owner=Owner.HOT)

    decision = decide(policy, facts(order(units, payees=(payee,)), purpose="refill", hot_units=hot))

    assert code == next(reason.code for reason in decision.reasons)


def test_only_refills_have_a_hot_maximum() -> None:
    for purposes in (["withdrawal"], ["refill", "withdrawal"]):
        with pytest.raises(PolicyInvalid):
            load_policy(document(purposes=purposes, hot_max=1000, tiers=TIER_0))


def test_new_rules_change_the_hash_and_old_policies_keep_theirs() -> None:
    plain = document(purposes=["refill"], tiers=TIER_0)
    bounded = document(purposes=["refill"], tiers=TIER_0, hot_max=1000)
    governed = {
        **plain,
        "governance": [{"network": NET, "source": "cold", "approvals": 2, "roles": ["officer"]}],
    }

    hashes = {load_policy(one).hash for one in (plain, bounded, governed)}

    assert 3 == len(hashes)
