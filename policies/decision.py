"""What a policy says about a payment, and why."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """From mild to strict; the strictest of all reasons is the decision."""

    ALLOW = "allow"
    NEEDS_APPROVAL = "needs_approval"
    DENY = "deny"


_STRICTNESS = {Outcome.ALLOW: 0, Outcome.NEEDS_APPROVAL: 1, Outcome.DENY: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What one rule found. `code` is stable ("caps.tx"); `text` says got and expected."""

    rule: str
    code: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The strictest outcome, every rule's reasons, and which policy said so.

    `approvals_required` is the most that any order needs in all, whether or not they are there.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...]
    approvals_required: int
    policy_hash: str

    @property
    def code(self) -> str:
        """The first of the reasons that decided: what a short answer names."""
        return next(reason.code for reason in self.reasons if reason.outcome is self.outcome)

    @property
    def text(self) -> str:
        """The reasons that decided, in words."""
        return "; ".join(r.text for r in self.reasons if r.outcome is self.outcome)


def strictest(reasons: tuple[Reason, ...]) -> Outcome:
    """The strictest outcome; no reason at all is a denial, because then nothing was checked."""
    if not reasons:
        return Outcome.DENY
    return max((reason.outcome for reason in reasons), key=_STRICTNESS.__getitem__)


def allow(rule: str, text: str) -> Reason:
    """A rule that found nothing against the payment."""
    return Reason(rule=rule, code=f"{rule}.passed", outcome=Outcome.ALLOW, text=text)


def deny(rule: str, what: str, text: str) -> Reason:
    """A rule that forbids the payment."""
    return Reason(rule=rule, code=f"{rule}.{what}", outcome=Outcome.DENY, text=text)


def ask(rule: str, what: str, text: str) -> Reason:
    """A rule that wants people to approve first."""
    return Reason(rule=rule, code=f"{rule}.{what}", outcome=Outcome.NEEDS_APPROVAL, text=text)
