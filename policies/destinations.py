"""Where money may go: our own addresses by purpose, the book, the deny list, and age."""

from policies.decision import Reason, allow, deny
from policies.facts import Owner, PayeeFacts, PaymentFacts
from policies.policy import Destinations, Listing, PaymentRule, Policy

RULE = "destinations"


def check(policy: Policy, rule: PaymentRule, facts: PaymentFacts) -> tuple[Reason, ...]:
    """Every payee that may not be paid, or one reason saying that all may."""
    found = [reason for payee in facts.payees for reason in _payee(policy, rule, facts, payee)]
    if found:
        return tuple(found)
    return (allow(RULE, f"{len(facts.payees)} payees, all allowed"),)


def _payee(
    policy: Policy, rule: PaymentRule, facts: PaymentFacts, payee: PayeeFacts
) -> list[Reason]:
    found = []
    entry = policy.listed(facts.network, payee.address)
    if entry is not None and entry.listing is Listing.DENY:
        text = f"{payee.address}: got an address on the deny list ({entry.label})"
        found.append(deny(RULE, "denied", text))
    if payee.owner not in rule.owners:
        return [*found, _wrong_owner(rule, payee)]
    if payee.owner is Owner.NONE:
        listed_s = entry.added_s if entry is not None and entry.listing is Listing.ALLOW else None
        found.extend(_known(rule, facts.now_s, payee, listed_s))
    return found


def _wrong_owner(rule: PaymentRule, payee: PayeeFacts) -> Reason:
    expected = ", ".join(sorted(rule.owners))
    text = f"{payee.address}: got a payee of kind {payee.owner}, expected {expected}"
    if payee.owner is Owner.DEPOSIT:
        return deny(RULE, "own_deposit", text)
    if payee.owner is Owner.NONE:
        return deny(RULE, "not_ours", text)
    return deny(RULE, "owner", text)


def _known(rule: PaymentRule, now_s: int, payee: PayeeFacts, listed_s: int | None) -> list[Reason]:
    known = [since for since in (listed_s, payee.known_since_s) if since is not None]
    if not known:
        if rule.destinations is Destinations.ANY and rule.age_s_min == 0:
            return []
        text = f"{payee.address}: got an address that no book holds, expected a known one"
        return [deny(RULE, "not_in_book", text)]
    age_s = now_s - min(known)
    if age_s < rule.age_s_min:
        text = f"{payee.address}: got an address known for {age_s} s, expected {rule.age_s_min} s"
        return [deny(RULE, "too_new", text)]
    return []
