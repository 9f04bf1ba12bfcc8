"""What a new policy changes, and which way: nothing may change unseen."""

from dataclasses import fields, replace
from typing import Any

import pytest

from policies import Effect, Policy, load_policy, policy_changes
from policies.policy import Destinations, PaymentRule


def document(**changes: Any) -> dict[str, Any]:
    payment = {
        "network": "n", "asset": "A", "purposes": ["withdrawal"],
        "order_units_max": 100, "tx_units_max": 200, "payees_max": 5,
        "windows": [{"seconds": 60, "units_max": 500}],
        "per_signatures": [{"signatures": 3, "units_max": 300}],
        "tiers": [{"from_units": 0, "approvals": 1}, {"from_units": 50, "approvals": 2}],
        "destinations": "book", "age_s_min": 10, "owners": ["none"],
    }  # fmt: skip
    payment.update(changes.pop("payment", {}))
    fee = {"network": "n", "purposes": ["withdrawal"], "units_max": 9, "ppm_max": 8, "rate_max": 7}
    fee.update(changes.pop("fee", {}))
    entry = {"network": "n", "address": "x", "added_s": 5, "label": "l"}
    whole = {"version": 1, "name": "p", "payments": [payment], "fees": [fee], "book": [entry]}
    return {**whole, **changes}


def policy(**changes: Any) -> Policy:
    return load_policy(document(**changes))


LOOSER: list[dict[str, Any]] = [
    {"unattended": True},
    {"payment": {"order_units_max": 101}},
    {"payment": {"tx_units_max": 201}},
    {"payment": {"payees_max": 6}},
    {"payment": {"windows": [{"seconds": 60, "units_max": 501}]}},
    {"payment": {"windows": []}},
    {"payment": {"per_signatures": [{"signatures": 3, "units_max": 301}]}},
    {"payment": {"per_signatures": []}},
    {"payment": {"tiers": [{"from_units": 0, "approvals": 1}]}},
    {"payment": {"tiers": [{"from_units": 0, "approvals": 1}, {"from_units": 60, "approvals": 2}]}},
    {"payment": {"destinations": "any"}},
    {"payment": {"age_s_min": 9}},
    {"payment": {"owners": ["none", "deposit"]}},
    {"payment": {"purposes": ["withdrawal", "sweep"], "owners": None}},
    {"fee": {"units_max": 10}},
    {"fee": {"ppm_max": 9}},
    {"fee": {"rate_max": 8}},
    {"fee": {"purposes": ["withdrawal", "sweep"]}},
    {"book": [
        {"network": "n", "address": "x", "added_s": 5, "label": "l"},
        {"network": "n", "address": "y", "added_s": 5},
    ]},
    {"book": [{"network": "n", "address": "x", "added_s": 4, "label": "l"}]},
]  # fmt: skip


def made(changes: dict[str, Any]) -> Policy:
    whole = document(**changes)
    for payment in whole["payments"]:
        if payment["owners"] is None:
            del payment["owners"]
    return load_policy(whole)


@pytest.mark.parametrize("changes", LOOSER, ids=str)
def test_more_freedom_is_looser_and_the_way_back_tighter(changes: dict[str, Any]) -> None:
    before, after = policy(), made(changes)

    assert {change.effect for change in policy_changes(before, after)} == {Effect.LOOSER}
    assert {change.effect for change in policy_changes(after, before)} == {Effect.TIGHTER}


OTHER: list[dict[str, Any]] = [
    {"name": "q"},
    {"payment": {"tiers": [{"from_units": 0, "approvals": 0}, {"from_units": 9, "approvals": 2}]}},
    {"payment": {"owners": ["deposit"]}},
    {"book": [{"network": "n", "address": "x", "added_s": 5, "label": "m"}]},
]


@pytest.mark.parametrize("changes", OTHER, ids=str)
def test_what_cannot_be_told_is_shown_all_the_same(changes: dict[str, Any]) -> None:
    found = policy_changes(policy(), policy(**changes))

    assert [change.effect for change in found] == [Effect.OTHER]
    assert found[0].before != found[0].after


def test_a_denied_address_is_tighter() -> None:
    denied = [{"network": "n", "address": "x", "added_s": 5, "label": "l", "listing": "deny"}]

    assert policy_changes(policy(), policy(book=denied))[0].effect is Effect.TIGHTER
    assert policy_changes(policy(book=[]), policy(book=denied))[0].effect is Effect.TIGHTER
    assert policy_changes(policy(book=denied), policy(book=[]))[0].effect is Effect.LOOSER


def test_a_rule_for_one_source_may_only_narrow() -> None:
    narrow = document()
    narrow["payments"].append({**narrow["payments"][0], "source": "s", "tx_units_max": 1})

    found = policy_changes(policy(), load_policy(narrow))

    assert [(change.effect, change.after) for change in found] == [
        (Effect.OTHER, "up to 1 units in a transaction")
    ]
    assert policy_changes(load_policy(narrow), policy())[0].effect is Effect.OTHER


def test_equal_policies_differ_in_nothing_and_the_first_is_all_new() -> None:
    assert policy_changes(policy(), policy()) == ()
    assert policy_changes(None, policy())[0].before == "not there"


def test_no_field_of_a_rule_can_change_unseen() -> None:
    """Two rules that differ in any one field show it, whatever fields there are."""
    before = policy()
    rule = before.payments[0]
    for each in fields(PaymentRule):
        if each.name in ("network", "asset", "purpose", "source"):
            continue
        value = getattr(rule, each.name)
        other: Any = Destinations.ANY
        if isinstance(value, int):
            other = value + 1
        elif isinstance(value, tuple | frozenset):
            other = type(value)()
        after = replace(before, payments=(replace(rule, **{each.name: other}),), hash="other")
        assert policy_changes(before, after)[0].place != "policy hash", each.name


def test_a_hash_that_changed_for_no_reason_shown_is_shown_itself() -> None:
    before = policy()

    assert policy_changes(before, replace(before, hash="other"))[0].place == "policy hash"
