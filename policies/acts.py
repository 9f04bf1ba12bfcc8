"""What is decided beside payments: changing a Safe, letting a sweeper gather, proving reserves.

None of them pays anybody; the first two decide who can move money later, a batch costs a fee, and a
proof tells the world which coins are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from policies import fees, tiers
from policies.decision import Decision, Reason, allow, ask, deny, strictest
from policies.facts import OrderFacts, PaymentFacts, Purpose
from policies.policy import GovernanceRule, Policy

GOVERNANCE = "governance"
UNSTICK = "unstick"
DELEGATION = "delegation"
BATCH = "batch"
RESERVES = "reserves"


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceFacts:
    """A change of a Safe. `approvers` are verified names and their roles.

    `binds` says what the change ties the Safe to ("modules", "guards", "fallback_handlers", or ""),
    and `address` is that contract's EIP-55 address.
    """

    network: str
    source: str
    action: str
    requester: str
    approvers: Mapping[str, str]
    binds: str = ""
    address: str = ""


def decide_governance(policy: Policy, facts: GovernanceFacts) -> Decision:
    """Whether a Safe may be changed; without a rule for exactly this Safe it may not."""
    rule = policy.governance_rule(facts.network, facts.source)
    if rule is None:
        text = f"got {facts.action} of {facts.source}, expected a Safe the policy lets change"
        return _decision(policy, 0, [deny(GOVERNANCE, "no_rule", text)])
    found = [*_binding(rule, facts), *_quorum(rule, facts)]
    if not found:
        found.append(allow(GOVERNANCE, f"{rule.approvals} people of {sorted(rule.roles)} agree"))
    return _decision(policy, rule.approvals, found)


def decide_delegation(
    policy: Policy, network: str, asset: str, source: str, order: OrderFacts
) -> Decision:
    """Whether a deposit address may run the sweeper: where the policy lets it be gathered."""
    needed, found = _gathering(policy, DELEGATION, (network, asset, source), order)
    return _decision(policy, needed, found)


def decide_batch(policy: Policy, payment: PaymentFacts, order: OrderFacts) -> Decision:
    """Whether hot may let the sweeper empty deposit addresses: as they are gathered, and its fee.

    The fee caps are those of gathering; what moves stays ours and has no cap.
    """
    flow = (payment.network, payment.asset, payment.source)
    needed, found = _gathering(policy, BATCH, flow, order)
    found.extend(fees.check(policy.fee_rule(payment.network, Purpose.GATHER), payment))
    return _decision(policy, needed, found)


def decide_reserves(policy: Policy, network: str, source: str, order: OrderFacts) -> Decision:
    """Whether a vault may be shown to be ours; without a rule for exactly it, it may not."""
    rule = policy.reserves_rule(network, source)
    if rule is None:
        text = f"got a proof of {source}, expected a vault that the policy lets be shown"
        return _decision(policy, 0, [deny(RESERVES, "no_rule", text)])
    have = order.approvers - {order.requester}
    if len(have) < rule.approvals:
        text = f"got {len(have)} approvals, expected {rule.approvals}"
        return _decision(policy, rule.approvals, [ask(RESERVES, "quorum", text)])
    return _decision(policy, rule.approvals, [allow(RESERVES, f"{source} may be shown")])


def _gathering(
    policy: Policy, what: str, flow: tuple[str, str, str], order: OrderFacts
) -> tuple[int, list[Reason]]:
    """Approvals that the first tier of a gather asks for, and whether they are there."""
    network, asset, source = flow
    rule = policy.payment_rule(network, asset, Purpose.GATHER, source)
    if rule is None:
        text = f"got a {what} of {source}, expected a source the policy lets gather"
        return 0, [deny(what, "no_rule", text)]
    needed = tiers.required(rule.tiers, 0)
    if len(order.approvers - {order.requester}) < needed:
        text = f"got {len(order.approvers)} approvals, expected {needed}"
        return needed, [ask(what, "quorum", text)]
    return needed, [allow(what, f"{source} may be gathered")]


def decide_unstick(policy: Policy, facts: PaymentFacts) -> Decision:
    """Whether a fee may be spent to free a nonce: up to the rule's amounts, as if it were paid.

    `facts.spent_units` is what was spent so before. Without a rule nothing may be.
    """
    rule = policy.payment_rule(facts.network, facts.asset, Purpose.UNSTICK, facts.source)
    if rule is None or facts.fee is None:
        text = f"got a fee for a nonce of {facts.source}, expected a source with a rule for it"
        return _decision(policy, 0, [deny(UNSTICK, "no_rule", text)])
    fee_units = facts.fee.units
    found = list(fees.check(policy.fee_rule(facts.network, Purpose.UNSTICK), facts))
    if fee_units > rule.tx_units_max:
        text = f"got a fee of {fee_units}, expected at most {rule.tx_units_max}"
        found.append(deny(UNSTICK, "fee", text))
    for window in rule.windows:
        spent = facts.spent_units.get(window.seconds)
        if spent is None or spent + fee_units > window.units_max:
            text = f"got {spent} + {fee_units} in {window.seconds} s, at most {window.units_max}"
            found.append(deny(UNSTICK, "window", text))
    return _decision(policy, 0, found)


def _binding(rule: GovernanceRule, facts: GovernanceFacts) -> list[Reason]:
    pinned: Mapping[str, frozenset[str]] = {
        "modules": rule.modules,
        "guards": rule.guards,
        "fallback_handlers": rule.fallback_handlers,
    }
    if facts.binds and facts.address not in pinned.get(facts.binds, frozenset()):
        text = f"got {facts.action} of {facts.address}, expected one pinned in {facts.binds}"
        return [deny(GOVERNANCE, "not_pinned", text)]
    return []


def _quorum(rule: GovernanceRule, facts: GovernanceFacts) -> list[Reason]:
    if facts.requester in facts.approvers:
        text = f"got {facts.requester} as requester and approver"
        return [deny(GOVERNANCE, "requester", text)]
    have = sorted(name for name, role in facts.approvers.items() if role in rule.roles)
    if len(have) < rule.approvals:
        text = f"got {len(have)} approvals by {sorted(rule.roles)}, expected {rule.approvals}"
        return [ask(GOVERNANCE, "quorum", text)]
    return []


def _decision(policy: Policy, approvals: int, reasons: list[Reason]) -> Decision:
    return Decision(
        outcome=strictest(tuple(reasons)),
        reasons=tuple(reasons),
        approvals_required=approvals,
        policy_hash=policy.hash,
    )
