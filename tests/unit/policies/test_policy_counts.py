"""Windows by counter: what may be paid in so many payments in a row, whatever the clock says."""

from typing import Any

import pytest

from policies import (
    FeeFacts,
    OrderFacts,
    Outcome,
    PayeeFacts,
    PaymentFacts,
    PolicyInvalid,
    decide,
    load_policy,
    windows_signatures,
)


def document(**changes: Any) -> dict[str, Any]:
    payment = {
        "network": "n", "asset": "A", "purposes": ["withdrawal"],
        "order_units_max": 100, "tx_units_max": 200,
        "per_signatures": [{"signatures": 3, "units_max": 300}],
        "tiers": [{"from_units": 0, "approvals": 1}],
        **changes,
    }  # fmt: skip
    fee = {"network": "n", "units_max": 9, "ppm_max": 8, "rate_max": 7}
    return {"version": 1, "name": "p", "payments": [payment], "fees": [fee]}


def facts(spent: dict[int, int]) -> PaymentFacts:
    payee = PayeeFacts(address="x", units=40)
    order = OrderFacts(
        order_id="o", requester="r", payees=(payee,), approvers=frozenset({"a", "b"})
    )
    return PaymentFacts(
        purpose="withdrawal", network="n", asset="A", source="s", orders=(order,), now_s=100,
        fee=FeeFacts(units=0, rate_units=0, basis_units=None),
        spent_signatures=spent,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spent", "code"),
    [
        ({3: 0}, None),
        ({3: 260}, None),
        ({3: 261}, "caps.count"),
        ({}, "caps.count_unknown"),
        ({3: -1}, "caps.count_unknown"),
    ],
)
def test_so_many_payments_in_a_row_are_capped(spent: dict[int, int], code: str | None) -> None:
    decision = decide(load_policy(document()), facts(spent))

    assert (decision.outcome is Outcome.ALLOW) == (code is None)
    assert code is None or decision.code == code


def test_the_engine_names_the_counts_it_needs() -> None:
    policy = load_policy(document())

    assert windows_signatures(policy, "n", "A", "withdrawal", "s") == (3,)
    assert windows_signatures(policy, "n", "B", "withdrawal", "s") == ()


@pytest.mark.parametrize(
    "rows",
    [
        [{"signatures": 0, "units_max": 1}],
        [{"signatures": 1001, "units_max": 1}],
        [{"signatures": 2, "units_max": 1}, {"signatures": 2, "units_max": 2}],
        [{"signatures": 2}],
    ],
)
def test_a_count_that_says_no_clear_thing_is_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(PolicyInvalid):
        load_policy(document(per_signatures=rows))


def test_only_policies_with_counts_hash_them() -> None:
    """So that every policy that was activated before keeps its hash."""
    without = load_policy(document(per_signatures=[]))
    plain = document()
    del plain["payments"][0]["per_signatures"]

    assert without.hash == load_policy(plain).hash
    assert without.hash != load_policy(document()).hash
