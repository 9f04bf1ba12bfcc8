"""The broadcast journal: every attempt, written before a node sees the bytes, and its answer.

With the version's row (bytes, txid, what it consumes) it is all that is needed to send the very
same bytes again, and to say later who was told what.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, func, insert, select, update

from chains.broadcast_errors import Rule, rule_of
from chains.types import BroadcastAnswer, BroadcastOutcome
from wallet.store.schema import payment_broadcasts

_LAST = select(func.max(payment_broadcasts.c.attempt)).where(
    payment_broadcasts.c.payment_id == bindparam("of")
)
_INSERT = insert(payment_broadcasts)
_END = update(payment_broadcasts).where(
    payment_broadcasts.c.payment_id == bindparam("of"),
    payment_broadcasts.c.attempt == bindparam("this"),
)
_OF = (
    select(payment_broadcasts)
    .where(payment_broadcasts.c.payment_id == bindparam("of"))
    .order_by(payment_broadcasts.c.attempt)
)


class Outcome(StrEnum):
    """How an attempt ended."""

    STARTED = "started"  # the process did not live to record it: anything may have happened
    UNKNOWN = "unknown"  # no definite answer came
    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One broadcast of one version; `reason` is of `chains.broadcast_errors` when rejected."""

    number: int
    version: int
    started_s: int
    outcome: Outcome
    reason: str
    detail: str

    @property
    def is_with_node(self) -> bool:
        """Whether a node said that it has the bytes."""
        return self.outcome in (Outcome.ACCEPTED, Outcome.ALREADY_KNOWN)

    @property
    def rule(self) -> Rule | None:
        """What follows from a rejection; None for any other outcome."""
        return rule_of(self.reason) if self.outcome is Outcome.REJECTED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What to write at the end of an attempt."""

    outcome: Outcome
    reason: str = ""
    detail: str = ""

    @classmethod
    def of(cls, answer: BroadcastAnswer) -> "Answered":
        """A node's definite answer."""
        return cls(outcome=_OUTCOMES[answer.outcome], reason=answer.reason, detail=answer.detail)


_OUTCOMES = {
    BroadcastOutcome.ACCEPTED: Outcome.ACCEPTED,
    BroadcastOutcome.ALREADY_KNOWN: Outcome.ALREADY_KNOWN,
    BroadcastOutcome.REJECTED: Outcome.REJECTED,
}


def start(tx: Connection, payment_id: str, version: int, now_s: int) -> int:
    """Write that a node is about to see the bytes; returns the attempt's number."""
    last = tx.execute(_LAST, {"of": payment_id}).scalar_one()
    number = int(last or 0) + 1
    tx.execute(
        _INSERT,
        {
            "payment_id": payment_id,
            "attempt": number,
            "version": version,
            "started_s": now_s,
            "outcome": str(Outcome.STARTED),
            "reason": "",
            "detail": "",
        },
    )
    return number


def end(tx: Connection, payment_id: str, number: int, answered: Answered) -> None:
    """Write what the node answered."""
    tx.execute(
        _END,
        {
            "of": payment_id,
            "this": number,
            "outcome": str(answered.outcome),
            "reason": answered.reason,
            "detail": answered.detail[:2000],
        },
    )


def of(tx: Connection, payment_id: str) -> list[Attempt]:
    """All broadcasts of a payment, oldest first."""
    rows = tx.execute(_OF, {"of": payment_id})
    return [
        Attempt(
            number=row.attempt,
            version=row.version,
            started_s=row.started_s,
            outcome=Outcome(row.outcome),
            reason=row.reason,
            detail=row.detail,
        )
        for row in rows
    ]
