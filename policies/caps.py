"""Caps on an order, on a transaction and on what leaves in a window of time."""

from policies.decision import Reason, allow, deny
from policies.facts import PaymentFacts
from policies.policy import PaymentRule

RULE = "caps"


def check(rule: PaymentRule, facts: PaymentFacts) -> tuple[Reason, ...]:
    """Every cap that the payment is over, or one reason saying that it is within all of them."""
    found = [
        *_amounts(rule, facts),
        *_totals(rule, facts),
        *_windows(rule, facts),
        *_counts(rule, facts),
        *_hot(rule, facts),
    ]
    if found:
        return tuple(found)
    return (allow(RULE, f"{facts.units} units, at most {rule.tx_units_max} in a transaction"),)


def _amounts(rule: PaymentRule, facts: PaymentFacts) -> list[Reason]:
    found = []
    if not facts.orders:
        found.append(deny(RULE, "nothing", "got no order, expected at least one"))
    for order in facts.orders:
        if not order.payees or any(payee.units <= 0 for payee in order.payees):
            text = f"order {order.order_id}: got a payee of nothing, expected more than 0 units"
            found.append(deny(RULE, "nothing", text))
        if order.units > rule.order_units_max:
            text = f"order {order.order_id}: got {order.units} units, expected at most"
            found.append(deny(RULE, "order", f"{text} {rule.order_units_max}"))
    return found


def _totals(rule: PaymentRule, facts: PaymentFacts) -> list[Reason]:
    found = []
    if facts.units > rule.tx_units_max:
        text = f"got {facts.units} units in one transaction, expected at most {rule.tx_units_max}"
        found.append(deny(RULE, "tx", text))
    payees = len(facts.payees)
    if payees > rule.payees_max:
        text = f"got {payees} payees, expected at most {rule.payees_max}"
        found.append(deny(RULE, "payees", text))
    return found


def _windows(rule: PaymentRule, facts: PaymentFacts) -> list[Reason]:
    found = []
    for window in rule.windows:
        spent = facts.spent_units.get(window.seconds)
        if spent is None or spent < 0:
            text = f"got no count of what left in {window.seconds} s, expected one"
            found.append(deny(RULE, "window_unknown", text))
        elif spent + facts.units > window.units_max:
            text = f"got {spent} + {facts.units} units in {window.seconds} s, expected at most"
            found.append(deny(RULE, "window", f"{text} {window.units_max}"))
    return found


def _counts(rule: PaymentRule, facts: PaymentFacts) -> list[Reason]:
    found = []
    for window in rule.counts:
        spent = facts.spent_signatures.get(window.signatures)
        if spent is None or spent < 0:
            text = f"got no count of the last {window.signatures} payments, expected one"
            found.append(deny(RULE, "count_unknown", text))
        elif spent + facts.units > window.units_max:
            text = f"got {spent} + {facts.units} units in {window.signatures} payments"
            found.append(deny(RULE, "count", f"{text}, expected at most {window.units_max}"))
    return found


def _hot(rule: PaymentRule, facts: PaymentFacts) -> list[Reason]:
    """A refill fills hot up to its maximum and no further."""
    if rule.hot_max is None:
        return []
    if facts.hot_units is None:
        return [deny(RULE, "hot_unknown", "got no report of what hot holds, expected one")]
    if facts.hot_units + facts.units > rule.hot_max:
        text = f"got {facts.units} units for hot, which holds {facts.hot_units}, expected at most"
        return [deny(RULE, "hot_max", f"{text} {rule.hot_max} together")]
    return []
