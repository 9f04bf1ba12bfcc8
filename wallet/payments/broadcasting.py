"""Sending signed bytes, and finding out what became of them. The bytes are never rebuilt.

An attempt is written down before the node sees it. Whatever the answer, or none: the next step
looks first, then sends the very same bytes again.
"""

from sqlalchemy import Connection

from chains.errors import NodeError, invariant
from chains.types import BroadcastOutcome, TxSighting, TxState
from wallet.payments import journal, settle
from wallet.payments.context import PaymentContext
from wallet.payments.evidence import Evidence, Found, ask_node, depth_needed, evidence
from wallet.payments.journal import Payment
from wallet.payments.states import PaymentStatus
from wallet.payments.token_evidence import (
    TokenProof,
    Verdict,
    is_token,
    is_unproven,
    prove_if_due,
)
from wallet.withdrawals.states import WithdrawalStatus

RETRY_S_MAX = 300
"""The longest pause between two broadcasts of the same bytes."""

RESEND_S = 120
"""Accepted bytes that no node knows any more are sent again after this."""

STARTED = "started"
"""Outcome of an attempt that the process did not live to record."""

UNKNOWN = "unknown"
"""Outcome of an attempt without a definite answer."""


class Broadcaster:
    """Takes payments from signed to final."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context

    def start(self, payment: Payment) -> bool:
        """The first broadcast: from here on nodes may have seen the bytes."""
        context = self._context
        now_s = context.clock.now_s()
        with context.write(payment.network) as tx:
            attempt = journal.start_attempt(tx, payment.id, now_s)
            settle.move_with_withdrawals(
                tx, payment, PaymentStatus.BROADCAST, WithdrawalStatus.BROADCAST, now_s
            )
        context.milestone("payment.broadcast_started")
        self._send(payment, attempt)
        return True

    def follow(self, payment: Payment) -> bool:
        """Look for evidence of a broadcast or mined payment, and act on it."""
        context = self._context
        sighting = ask_node(context.chains[payment.network], payment)
        proof = None if is_unproven(payment) else prove_if_due(context, payment, sighting)
        with context.write(payment.network) as tx:
            seen = evidence(tx, payment, sighting)
            milestone = self._act(tx, payment, seen, proof, context.clock.now_s())
        if milestone:
            context.milestone(milestone)
        elif payment.status is PaymentStatus.BROADCAST and seen.found is Found.NOTHING:
            self._resend_if_due(payment, sighting)
        return bool(milestone)

    def _act(
        self,
        tx: Connection,
        payment: Payment,
        seen: Evidence,
        proof: TokenProof | None,
        now_s: int,
    ) -> str:
        """Change what the evidence changes; returns the milestone reached, "" for none."""
        if seen.found is Found.CONFLICT:
            return self._shut_out(tx, payment, seen, now_s)
        if payment.status is PaymentStatus.BROADCAST and seen.found is Found.MINED:
            settle.move_with_withdrawals(
                tx,
                payment,
                PaymentStatus.CONFIRMING,
                WithdrawalStatus.CONFIRMING,
                now_s,
                height=seen.height,
                fee_units=seen.fee_units,
            )
            return "payment.confirming"
        if payment.status is not PaymentStatus.CONFIRMING:
            return ""
        if seen.found is Found.NOTHING:
            # A reorg took the block away: the bytes are still good and are sent again.
            settle.move_with_withdrawals(
                tx,
                payment,
                PaymentStatus.BROADCAST,
                WithdrawalStatus.BROADCAST,
                now_s,
                height=None,
            )
            return "payment.unconfirmed"
        if seen.depth < depth_needed(self._context, payment):
            return ""
        if not seen.succeeded:
            settle.fail(tx, self._context, payment, "reverted", seen.fee_units, now_s)
            return "payment.failed"
        if is_token(self._context, payment):
            return self._act_on_proof(tx, payment, seen, proof, now_s)
        settle.complete(tx, self._context, payment, seen.fee_units, now_s)
        return "payment.completed"

    def _act_on_proof(
        self,
        tx: Connection,
        payment: Payment,
        seen: Evidence,
        proof: TokenProof | None,
        now_s: int,
    ) -> str:
        """End a token payment as its token shows; without proof it waits for a person."""
        if proof is None:
            return ""
        if proof.verdict is Verdict.PAID:
            settle.complete(tx, self._context, payment, seen.fee_units, now_s, proof)
            return "payment.completed"
        if proof.verdict is Verdict.NOTHING_MOVED:
            settle.fail(tx, self._context, payment, str(proof.verdict), seen.fee_units, now_s)
            return "payment.failed"
        settle.alert(tx, payment, proof.why, now_s)
        return ""

    def _shut_out(self, tx: Connection, payment: Payment, seen: Evidence, now_s: int) -> str:
        """Another transaction spent an input of ours: once that is final, ours never comes."""
        if seen.depth < depth_needed(self._context, payment):
            settle.alert(tx, payment, "conflict", now_s)
            return ""
        settle.fail(tx, self._context, payment, "conflict", 0, now_s)
        return "payment.failed"

    def _resend_if_due(self, payment: Payment, sighting: TxSighting | None) -> None:
        """Send the same bytes again when the last attempt has no good outcome, with pauses."""
        context = self._context
        with context.database.read() as tx:
            tried = journal.attempts(tx, payment.id)
        last = tried[-1]
        waited_s = context.clock.now_s() - last.started_s
        known = last.outcome in (BroadcastOutcome.ACCEPTED, BroadcastOutcome.ALREADY_KNOWN)
        if known and waited_s < RESEND_S:
            return
        if last.outcome != STARTED and waited_s < min(2 ** min(len(tried), 10), RETRY_S_MAX):
            return
        sighting = sighting or self._look(payment)
        if sighting is not None and sighting.state is not TxState.UNKNOWN:
            if not known:
                self._record(payment, last.attempt, BroadcastOutcome.ALREADY_KNOWN, "found")
            return
        with context.write(payment.network) as tx:
            attempt = journal.start_attempt(tx, payment.id, context.clock.now_s())
        self._send(payment, attempt)

    def _look(self, payment: Payment) -> TxSighting | None:
        """What a node knows of the bytes; None while it cannot say."""
        if payment.txid is None:
            return None
        try:
            return self._context.chains[payment.network].sighting(payment.txid)
        except NodeError:
            return None

    def _send(self, payment: Payment, attempt: int) -> None:
        invariant(payment.raw is not None, "a payment is sent only after its bytes were stored")
        raw = payment.raw or b""
        try:
            answer = self._context.chains[payment.network].broadcast(raw)
            outcome, detail = str(answer.outcome), f"{answer.reason} {answer.detail}".strip()
        except NodeError as error:
            # Also when the node was not reached: that nothing left us cannot be proven.
            outcome, detail = UNKNOWN, f"{error.code}: {error}"
        self._context.milestone("payment.broadcast_sent")
        self._record(payment, attempt, outcome, detail)
        self._context.milestone("payment.broadcast")

    def _record(self, payment: Payment, attempt: int, outcome: str, detail: str) -> None:
        now_s = self._context.clock.now_s()
        with self._context.write(payment.network) as tx:
            journal.end_attempt(tx, payment.id, attempt, outcome, detail)
            fresh = journal.get(tx, payment.id)
            if outcome == BroadcastOutcome.REJECTED:
                settle.alert(tx, fresh, f"rejected:{detail}", now_s)
            else:
                journal.note(tx, fresh, "" if outcome != UNKNOWN else UNKNOWN, now_s)
