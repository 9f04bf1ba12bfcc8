"""How many people must approve an order of its size."""

from collections.abc import Sequence

from policies.decision import Reason, allow, ask, deny
from policies.facts import OrderFacts, PaymentFacts
from policies.policy import PaymentRule, Tier

RULE = "approvals"


def required(tiers: Sequence[Tier], units: int) -> int:
    """Approvals that an order of `units` needs: the tier with the highest bound it reaches."""
    return max((t.approvals for t in tiers if units >= t.from_units), default=0)


def check(rule: PaymentRule, facts: PaymentFacts) -> tuple[Reason, ...]:
    """Every order that lacks approvals or was approved by its requester, or one reason for all."""
    found = [reason for order in facts.orders for reason in _order(rule, order)]
    if found:
        return tuple(found)
    most = max((required(rule.tiers, order.units) for order in facts.orders), default=0)
    return (allow(RULE, f"every order has the approvals it needs (at most {most})"),)


def _order(rule: PaymentRule, order: OrderFacts) -> list[Reason]:
    found = []
    if order.requester in order.approvers:
        text = f"order {order.order_id}: got {order.requester} as requester and approver"
        found.append(deny(RULE, "requester", text))
    need = required(rule.tiers, order.units)
    have = len(order.approvers - {order.requester})
    if have < need:
        text = f"order {order.order_id}: got {have} approvals, expected {need}"
        found.append(ask(RULE, "quorum", text))
    return found
