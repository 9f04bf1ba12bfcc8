"""One question: may this payment be made? Every rule runs and the strictest answer wins."""

from enum import StrEnum

from policies import caps, destinations, fees, tiers
from policies.decision import Decision, Reason, deny, strictest
from policies.facts import PaymentFacts
from policies.policy import Policy


class Stage(StrEnum):
    """An order is judged when it is asked for (no fee yet) and again as an exact transaction."""

    ORDER = "order"
    TRANSACTION = "transaction"


def decide(policy: Policy, facts: PaymentFacts, stage: Stage = Stage.TRANSACTION) -> Decision:
    """The decision with all its reasons; without a rule for the payment it is denied."""
    rule = policy.payment_rule(facts.network, facts.asset, facts.purpose, facts.source)
    found: list[Reason] = []
    approvals_required = 0
    if rule is None:
        what = f"{facts.purpose} of {facts.asset} on {facts.network} from {facts.source}"
        found.append(deny("default", "no_rule", f"got {what}, expected a payment the policy names"))
    else:
        found.extend(caps.check(rule, facts))
        found.extend(destinations.check(policy, rule, facts))
        found.extend(tiers.check(rule, facts))
        needs = [tiers.required(rule.tiers, order.units) for order in facts.orders]
        approvals_required = max(needs, default=0)
    if stage is Stage.TRANSACTION:
        found.extend(fees.check(policy.fee_rule(facts.network, facts.purpose), facts))
    reasons = tuple(found)
    return Decision(
        outcome=strictest(reasons),
        reasons=reasons,
        approvals_required=approvals_required,
        policy_hash=policy.hash,
    )


def windows_s(
    policy: Policy, network: str, asset: str, purpose: str, source: str
) -> tuple[int, ...]:
    """The windows, in seconds, whose spending `PaymentFacts.spent_units` must hold."""
    rule = policy.payment_rule(network, asset, purpose, source)
    return tuple(window.seconds for window in rule.windows) if rule is not None else ()


def windows_signatures(
    policy: Policy, network: str, asset: str, purpose: str, source: str
) -> tuple[int, ...]:
    """The windows, in payments, whose spending `PaymentFacts.spent_signatures` must hold."""
    rule = policy.payment_rule(network, asset, purpose, source)
    return tuple(window.signatures for window in rule.counts) if rule is not None else ()
