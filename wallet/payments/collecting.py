"""Collecting answers: ask each signer once, recall after a crash, then combine or give up.

Between a request leaving and its answer being stored the process may die. What a signer said then
is recalled by the request's digest; it is never asked to sign anything else instead.
"""

from dataclasses import dataclass

from signer.protocol import ProtocolError, Result, Sealed, SignAnswer
from signer.protocol.wire import ANSWER
from wallet import pauses
from wallet.errors import WalletError
from wallet.payments import journal, settle
from wallet.payments.combining import BadSignatures, combine, signatures_needed
from wallet.payments.context import PaymentContext
from wallet.payments.errors import NotOffline, WithdrawalsPaused
from wallet.payments.journal import LostRace, Payment, SignerForked
from wallet.payments.replacing import versions
from wallet.payments.states import PaymentStatus
from wallet.settings import SignerSettings
from wallet.signing.coordinator import check_answer
from wallet.signing.errors import AnswerRefused, SignerRolledBack, SignerSilent, SignerUnready
from wallet.signing.ports import CheckedAnswer, SignerDoor

REPLAYED = "request.replayed"
"""A signer's code for a request that it has answered before: its answer is there to recall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Obtained:
    """What one signer had to say; not definite when it may have signed without our knowing."""

    checked: CheckedAnswer | None
    is_definite: bool


class Collector:
    """Takes payments from built to signed, or gives them up."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context
        self._begun_here: set[str] = set()
        self._asked_here: set[tuple[str, str]] = set()

    def begin(self, payment: Payment) -> bool:
        """Mark that signers may see the request from now on."""
        context = self._context
        if context.is_offline(payment.request.source):
            return self._give_up_if_late(payment)
        now_s = context.clock.now_s()
        if now_s >= payment.request.expires_s:
            self._abandon(payment, "expired", refused=False)
            return True
        with context.write(payment.network) as tx:
            if pauses.holds_back(tx, payment.purpose, payment.network, payment.asset):
                journal.note(tx, payment, WithdrawalsPaused.code, now_s)
                return False
            journal.move(tx, payment, PaymentStatus.SIGNING, now_s)
        self._begun_here.add(payment.request.request_id)
        context.milestone("payment.signing")
        return True

    def export(self, payment_id: str) -> bytes:
        """The sealed request for offline signers; from now on they may have seen it.

        Raises NotOffline, or Paused while the asset stands still.
        """
        with self._context.database.write() as tx:
            payment = journal.get(tx, payment_id)
            self._check_offline(payment)
            pauses.require_none(tx, payment.purpose, payment.network, payment.asset)
            if payment.status is PaymentStatus.BUILT:
                journal.move(tx, payment, PaymentStatus.SIGNING, self._context.clock.now_s())
        self._context.milestone("payment.signing")
        return payment.sealed.encode()

    def attach(self, payment_id: str, data: bytes) -> SignAnswer:
        """Keep an answer that a person carried from an offline signer.

        The same answer again changes nothing. Raises AnswerRefused, NotOffline or AnswerConflict;
        SignerRolledBack or SignerForked, with an alert, for a signer that was put back or copied.
        """
        context = self._context
        with context.database.read() as tx:
            payment = journal.get(tx, payment_id)
        self._check_offline(payment)
        signer = self._named_signer(payment, data)
        try:
            key = bytes.fromhex(signer.public_key)
            checked = check_answer(data, payment.sealed, signer.id, key)
            self._save(payment, checked)
        except (SignerRolledBack, SignerForked) as error:
            self._alert(payment, error)
            raise
        return checked.answer

    def collect(self, payment: Payment) -> bool:
        """One pass over the signers, then combine or give up. True when the state changed."""
        context = self._context
        with context.database.read() as tx:
            answers = _decoded(journal.answers(tx, payment.id, payment.version))
            held_back = pauses.holds_back(tx, payment.purpose, payment.network, payment.asset)
        if held_back and context.clock.now_s() < payment.request.expires_s:
            self._note(payment, WithdrawalsPaused.code)
            return False
        silent = False
        for signer_id in payment.request.signers:
            door = context.doors.get(signer_id)
            if door is None or signer_id in answers or self._is_lost(payment, answers):
                continue
            obtained = self._obtain(payment, door)
            silent = silent or not obtained.is_definite
            if obtained.checked is None:
                continue
            try:
                self._save(payment, obtained.checked)
            except SignerForked as error:
                self._alert(payment, error)
                silent = True
                continue
            answers[signer_id] = obtained.checked.answer
        return self._conclude(payment, answers, silent=silent)

    def abandon(self, payment_id: str, why: str) -> None:
        """Give up a payment of offline signers that people called off.

        Raises NotOffline, or ForbiddenPaymentArrow once valid bytes exist.
        """
        with self._context.database.read() as tx:
            payment = journal.get(tx, payment_id)
        self._check_offline(payment)
        self._abandon(payment, why, refused=False)

    def _obtain(self, payment: Payment, door: SignerDoor) -> _Obtained:
        """A signer's answer to this request, if there is one now."""
        asked = (payment.request.request_id, door.signer_id)
        fresh = payment.request.request_id in self._begun_here and asked not in self._asked_here
        self._asked_here.add(asked)
        try:
            if not fresh:
                recalled = door.recall(payment.sealed)
                if recalled is not None:
                    return _Obtained(checked=recalled, is_definite=True)
            if self._context.clock.now_s() >= payment.request.expires_s:
                return _Obtained(checked=None, is_definite=True)
            checked = door.sign(payment.sealed)
            if checked.answer.code == REPLAYED:
                return _Obtained(checked=door.recall(payment.sealed), is_definite=True)
        except SignerRolledBack as error:
            self._alert(payment, error)
            return _Obtained(checked=None, is_definite=False)
        except (SignerSilent, SignerUnready, AnswerRefused) as error:
            self._note(payment, f"{error.code}:{door.signer_id}")
            return _Obtained(checked=None, is_definite=False)
        return _Obtained(checked=checked, is_definite=True)

    def _is_lost(self, payment: Payment, answers: dict[str, SignAnswer]) -> bool:
        """True when so many refused that the rest cannot make the payment valid."""
        refused = sum(a.result is Result.REFUSED for a in answers.values())
        needed = signatures_needed(self._context, payment.request)
        return len(payment.request.signers) - refused < needed

    def _conclude(self, payment: Payment, answers: dict[str, SignAnswer], *, silent: bool) -> bool:
        signed = [a for a in answers.values() if a.result is Result.SIGNED]
        needed = signatures_needed(self._context, payment.request)
        if len(signed) >= needed and self._finish(payment, signed):
            return True
        if self._is_lost(payment, answers):
            codes = sorted(a.code for a in answers.values() if a.result is Result.REFUSED)
            self._abandon(payment, f"refused:{codes[0]}", refused=True)
            return True
        # A silent signer may have signed: only when each has said what it knows is it over.
        if self._context.clock.now_s() >= payment.request.expires_s and not silent:
            self._abandon(payment, "expired", refused=False)
            return True
        return False

    def _finish(self, payment: Payment, signed: list[SignAnswer]) -> bool:
        """Combine and store the bytes; bytes that do not check out are never stored."""
        context = self._context
        try:
            combined = combine(context, payment, signed)
        except BadSignatures as error:
            with context.write(payment.network) as tx:
                settle.alert(tx, payment, error.code, context.clock.now_s())
            return False
        with context.write(payment.network) as tx:
            versions.keep_signed(tx, payment.id, payment.version, combined.raw, combined.txid)
            if payment.status is PaymentStatus.SIGNING:
                journal.move(
                    tx,
                    payment,
                    PaymentStatus.SIGNED,
                    context.clock.now_s(),
                    raw=combined.raw,
                    txid=combined.txid,
                )
            else:
                # A replacement: from now on it is the version that is sent and that counts.
                fresh = journal.get(tx, payment.id)
                if fresh.status is not PaymentStatus.BROADCAST:
                    raise LostRace(f"got payment {payment.id} mined meanwhile")
                journal.count(tx, fresh, versions.signed(tx, payment.id)[-1])
        context.milestone("payment.signed")
        return True

    def _abandon(self, payment: Payment, why: str, *, refused: bool) -> None:
        context = self._context
        if payment.version > 1:
            self._give_up_version(payment, why)
            return
        with context.write(payment.network) as tx:
            answers = _decoded(journal.answers(tx, payment.id))
            versions.give_up(tx, payment.id, payment.version, why)
            settle.abandon(
                tx,
                payment,
                why,
                refused=refused,
                any_signature=any(a.result is Result.SIGNED for a in answers.values()),
                now_s=context.clock.now_s(),
            )
        context.milestone("payment.abandoned")

    def _give_up_version(self, payment: Payment, why: str) -> None:
        """A replacement that too few sign: the earlier versions go on, and people are told."""
        with self._context.write(payment.network) as tx:
            versions.give_up(tx, payment.id, payment.version, why)
            settle.alert(tx, payment, f"replacement:{why}", self._context.clock.now_s())
        self._context.milestone("payment.version_given_up")

    def _give_up_if_late(self, payment: Payment) -> bool:
        if self._context.clock.now_s() < payment.request.expires_s:
            return False
        self._abandon(payment, "expired", refused=False)
        return True

    def _save(self, payment: Payment, checked: CheckedAnswer) -> None:
        context, signer_id = self._context, checked.answer.signer_id
        with context.write(payment.network) as tx:
            new = journal.save_answer(
                tx, payment.id, signer_id, checked.data, context.clock.now_s(), payment.version
            )
        if new:
            context.milestone(f"payment.answered:{signer_id}")

    def _alert(self, payment: Payment, error: WalletError) -> None:
        """Tell people; nothing that such a signer says is kept."""
        with self._context.write(payment.network) as tx:
            settle.alert(tx, payment, error.code, self._context.clock.now_s())

    def _note(self, payment: Payment, sub_status: str) -> None:
        with self._context.write(payment.network) as tx:
            journal.note(tx, payment, sub_status[:64], self._context.clock.now_s())

    def _check_offline(self, payment: Payment) -> None:
        if not self._context.is_offline(payment.request.source):
            raise NotOffline(f"got a payment from {payment.source}, expected one of a cold vault")

    def _named_signer(self, payment: Payment, data: bytes) -> SignerSettings:
        """Who an answer says it is from; whether that is true is checked with that one's key."""
        try:
            name = SignAnswer.decode(Sealed.decode(data, ANSWER).body).signer_id
        except ProtocolError as error:
            raise AnswerRefused(f"got a file that is no answer: {error}") from error
        signer = self._context.signers.get(name)
        if signer is None or name not in payment.request.signers:
            expected = ", ".join(payment.request.signers)
            raise AnswerRefused(f"got an answer of {name[:40]!r}, expected one of: {expected}")
        return signer


def _decoded(answers: dict[str, bytes]) -> dict[str, SignAnswer]:
    """Answers as stored; each was verified before it was."""
    return {
        signer_id: SignAnswer.decode(Sealed.decode(data, ANSWER).body)
        for signer_id, data in answers.items()
    }
