"""Fee caps: absolute, as a share of what moves, and as a rate; all three hold together."""

from policies.decision import Reason, allow, deny
from policies.facts import FeeFacts, PaymentFacts
from policies.policy import FeeRule

RULE = "fees"

PPM = 1_000_000
"""Parts per million in a whole."""


def check(rule: FeeRule | None, facts: PaymentFacts) -> tuple[Reason, ...]:
    """Every cap that the fee is over, or one reason saying that it is within all of them."""
    if rule is None:
        text = f"got no fee caps for {facts.purpose} on {facts.network}, expected some"
        return (deny(RULE, "no_rule", text),)
    if facts.fee is None:
        return (deny(RULE, "unknown", "got no fee, expected the fee of the exact transaction"),)
    found = _over(rule, facts.fee)
    if found:
        return tuple(found)
    return (allow(RULE, f"fee {facts.fee.units}, at most {rule.units_max}"),)


def _over(rule: FeeRule, fee: FeeFacts) -> list[Reason]:
    found = []
    if fee.units < 0:
        found.append(deny(RULE, "negative", f"got a fee of {fee.units}, expected 0 or more"))
    if fee.units > rule.units_max:
        text = f"got a fee of {fee.units} units, expected at most {rule.units_max}"
        found.append(deny(RULE, "absolute", text))
    # A token transfer moves no native value to take a share of; the other two caps still hold.
    if fee.basis_units is not None and fee.units * PPM > fee.basis_units * rule.ppm_max:
        text = f"got a fee of {fee.units} on {fee.basis_units} units, expected at most"
        found.append(deny(RULE, "share", f"{text} {rule.ppm_max} parts per million"))
    if fee.rate_units > rule.rate_max:
        text = f"got a fee rate of {fee.rate_units}, expected at most {rule.rate_max}"
        found.append(deny(RULE, "rate", text))
    return found
