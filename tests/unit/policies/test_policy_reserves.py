"""Proofs of reserves: only vaults that the policy names may be shown, with enough approvals."""

from collections.abc import Mapping

import pytest

from policies import Effect, OrderFacts, Outcome, Policy, PolicyInvalid, load_policy, policy_changes
from policies.acts import decide_reserves

NET = "bitcoin-regtest"
RULE = {"network": NET, "source": "cold", "approvals": 2}


def a_policy(*rules: Mapping[str, object]) -> Policy:
    return load_policy({"version": 1, "name": "p", "reserves": list(rules)})


def an_order(*approvers: str) -> OrderFacts:
    return OrderFacts(order_id="i", requester="service", payees=(), approvers=frozenset(approvers))


def test_a_named_vault_is_shown_with_enough_approvals() -> None:
    decision = decide_reserves(a_policy(RULE), NET, "cold", an_order("anna", "boris"))
    assert (Outcome.ALLOW, "reserves.passed", 2) == (
        decision.outcome,
        decision.code,
        decision.approvals_required,
    )


@pytest.mark.parametrize("approvers", [(), ("anna",), ("anna", "service")])
def test_fewer_approvals_are_asked_for(approvers: tuple[str, ...]) -> None:
    """Who asks is not counted among those who agree."""
    decision = decide_reserves(a_policy(RULE), NET, "cold", an_order(*approvers))
    assert (Outcome.NEEDS_APPROVAL, "reserves.quorum") == (decision.outcome, decision.code)


@pytest.mark.parametrize(("network", "source"), [(NET, "hot"), ("litecoin-regtest", "cold")])
def test_without_a_rule_for_exactly_it_no_vault_is_shown(network: str, source: str) -> None:
    decision = decide_reserves(a_policy(RULE), network, source, an_order("anna", "boris"))
    assert (Outcome.DENY, "reserves.no_rule") == (decision.outcome, decision.code)


def test_one_vault_has_one_rule() -> None:
    with pytest.raises(PolicyInvalid):
        a_policy(RULE, {**RULE, "approvals": 0})
    with pytest.raises(PolicyInvalid):
        a_policy({**RULE, "roles": ["officer"]})


def test_the_rules_are_part_of_the_hash_and_of_what_changed() -> None:
    none, first = a_policy(), a_policy(RULE)
    other = a_policy({**RULE, "approvals": 0})
    assert 3 == len({none.hash, first.hash, other.hash})
    assert first.hash == a_policy(dict(reversed(RULE.items()))).hash
    assert [Effect.OTHER] == [change.effect for change in policy_changes(none, first)]
