"""Sending signed bytes, and finding out what became of them. The bytes are never rebuilt.

An attempt is written down before the node sees it. Whatever the answer, or none: the next step
looks first, then sends the very same bytes again.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from chains.broadcast_errors import Next, rule_of
from chains.errors import NodeError, invariant
from chains.types import Family, TxSighting, TxState
from signer.protocol import Kind, Purpose
from wallet import pauses
from wallet.payments import journal, settle
from wallet.payments.context import PaymentContext
from wallet.payments.errors import WithdrawalsPaused
from wallet.payments.evidence import (
    Evidence,
    Found,
    Sightings,
    ask_node,
    depth_needed,
    evidence,
    scanned_tip,
)
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.versions import Act
from wallet.payments.sending import attempts
from wallet.payments.sending.attempts import Answered, Outcome
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """When a node was asked about a payment: until one of these changes it shows nothing new."""

    tip: str
    status: PaymentStatus
    version: int


class Broadcaster:
    """Takes payments from signed to final."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context
        self._looks: dict[str, _Look] = {}

    def start(self, payment: Payment) -> bool:
        """The first broadcast: from here on nodes may have seen the bytes. Not while paused."""
        context = self._context
        now_s = context.clock.now_s()
        with context.write(payment.network) as tx:
            if pauses.holds_back(tx, payment.purpose, payment.network, payment.asset):
                journal.note(tx, payment, WithdrawalsPaused.code, now_s)
                return False
            number = attempts.start(tx, payment.id, payment.version, now_s)
            settle.move_with_withdrawals(
                tx, payment, PaymentStatus.BROADCAST, WithdrawalStatus.BROADCAST, now_s
            )
            tip = scanned_tip(tx, payment.network)
        context.milestone("payment.broadcast_started")
        if self._send(payment, number):
            # No block of before can hold it.
            sent = _Look(tip=tip, status=PaymentStatus.BROADCAST, version=payment.version)
            self._looks[payment.id] = sent
        return True

    def follow(self, payment: Payment) -> bool:
        """Look for evidence of a broadcast or mined payment, and act on it."""
        context = self._context
        chain = context.chains[payment.network]
        with context.database.read() as tx:
            tip = scanned_tip(tx, payment.network)
            look = _Look(tip=tip, status=payment.status, version=payment.version)
            is_seen = chain.family is Family.EVM and self._looks.get(payment.id) == look
            signed = [] if is_seen else versions.signed(tx, payment.id)
        if is_seen:
            if payment.status is PaymentStatus.BROADCAST:
                self.resend_if_due(payment, {})
            return False
        sightings = ask_node(chain, signed)
        shown = sightings.get(payment.version)
        proof = None if is_unproven(payment) else prove_if_due(context, payment, shown)
        with context.write(payment.network) as tx:
            seen = evidence(tx, payment, signed, sightings)
            milestone = self._act(tx, payment, seen, proof, context.clock.now_s())
        self._looks.pop(payment.id, None)
        if not milestone and proof is None and _are_known(sightings):
            self._looks[payment.id] = look
        if milestone:
            context.milestone(milestone)
        elif payment.status is PaymentStatus.BROADCAST and seen.found is Found.NOTHING:
            self.resend_if_due(payment, sightings)
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
        if payment.status is PaymentStatus.BROADCAST and seen.version is not None:
            journal.count(tx, payment, seen.version)
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
        if seen.version is None or seen.version.number != payment.version:
            # A reorg took the block away: the bytes are still good and are sent again, unless
            # another version was mined instead, which the next look finds.
            settle.move_with_withdrawals(
                tx,
                payment,
                PaymentStatus.BROADCAST,
                WithdrawalStatus.BROADCAST,
                now_s,
                height=None,
            )
            return "payment.unconfirmed"
        if seen.depth < depth_needed(tx, self._context, payment):
            return ""
        if seen.version.act is Act.DROP and payment.purpose is not Purpose.UNSTICK:
            settle.fail(tx, self._context, payment, "dropped", seen.fee_units, now_s)
            return "payment.failed"
        if not seen.succeeded:
            settle.fail(tx, self._context, payment, "reverted", seen.fee_units, now_s)
            return "payment.failed"
        if payment.request.kind is Kind.EVM_BATCH:
            # What each address gave is not in its bytes: wallet.gathers looks, and books it.
            return ""
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
        if seen.depth < depth_needed(tx, self._context, payment):
            settle.alert(tx, payment, "conflict", now_s)
            return ""
        settle.fail(tx, self._context, payment, "conflict", 0, now_s)
        return "payment.failed"

    def resend_if_due(self, payment: Payment, sightings: Sightings) -> None:
        """Send the same bytes again when the last attempt has no good outcome, with pauses."""
        context = self._context
        with context.database.read() as tx:
            tried = [a for a in attempts.of(tx, payment.id) if a.version == payment.version]
        if tried:
            last, waited_s = tried[-1], context.clock.now_s() - tried[-1].started_s
            if last.is_with_node and waited_s < RESEND_S:
                return
            pause_s = min(2 ** min(len(tried), 10), RETRY_S_MAX)
            if last.outcome is not Outcome.STARTED and waited_s < pause_s:
                return
            sighting = sightings.get(payment.version) or self._look(payment)
            if sighting is not None and sighting.state is not TxState.UNKNOWN:
                if not last.is_with_node:
                    found = Answered(outcome=Outcome.ALREADY_KNOWN, detail="found")
                    self._record(payment, last.number, found)
                return
        with context.write(payment.network) as tx:
            number = attempts.start(tx, payment.id, payment.version, context.clock.now_s())
        context.milestone("payment.broadcast_restarted")
        self._send(payment, number)

    def _look(self, payment: Payment) -> TxSighting | None:
        """What a node knows of the bytes; None while it cannot say."""
        if payment.txid is None:
            return None
        try:
            return self._context.chains[payment.network].sighting(payment.txid)
        except NodeError:
            return None

    def _send(self, payment: Payment, number: int) -> bool:
        """Send the bytes and record the answer; True when the node has them for certain."""
        invariant(payment.raw is not None, "a payment is sent only after its bytes were stored")
        raw = payment.raw or b""
        try:
            answered = Answered.of(self._context.chains[payment.network].broadcast(raw))
        except NodeError as error:
            # Also when the node was not reached: that nothing left us cannot be proven.
            answered = Answered(outcome=Outcome.UNKNOWN, detail=f"{error.code}: {error}")
        self._context.milestone("payment.broadcast_sent")
        self._record(payment, number, answered, self._tip_height(payment))
        self._context.milestone("payment.broadcast")
        return answered.outcome in (Outcome.ACCEPTED, Outcome.ALREADY_KNOWN)

    def _tip_height(self, payment: Payment) -> int | None:
        """The node's best block; None while it cannot say."""
        try:
            return self._context.chains[payment.network].tip().height
        except NodeError:
            return None

    def _record(
        self, payment: Payment, number: int, answered: Answered, height: int | None = None
    ) -> None:
        """Keep the answer, and do what the table of rejections says: never more than that."""
        now_s = self._context.clock.now_s()
        with self._context.write(payment.network) as tx:
            attempts.end(tx, payment.id, number, answered)
            tried = [a for a in attempts.of(tx, payment.id) if a.version == payment.version]
            if height is not None and sum(one.is_with_node for one in tried) == 1:
                # Blocks that came before a node had the bytes were no chance to mine them.
                versions.waits_from(tx, payment.id, payment.version, height)
            fresh = journal.get(tx, payment.id)
            match answered.outcome:
                case Outcome.REJECTED:
                    self._rejected(tx, fresh, answered, now_s)
                case Outcome.UNKNOWN:
                    journal.note(tx, fresh, str(Outcome.UNKNOWN), now_s)
                case _:
                    journal.note(tx, fresh, "", now_s)

    def _rejected(self, tx: Connection, payment: Payment, answered: Answered, now_s: int) -> None:
        what = f"rejected:{answered.reason}"
        if rule_of(answered.reason).next is Next.PEOPLE:
            settle.alert(tx, payment, what, now_s)
        else:
            journal.note(tx, payment, what[:64], now_s)


def _are_known(sightings: Sightings) -> bool:
    """Whether the node knows every version: one that it does not know it may yet be told of."""
    return all(one.state is not TxState.UNKNOWN for one in sightings.values())
