"""What treasury staff can do: read, approve, ask, call off, change bounds, carry files.

Whoever acts proves it by unlocking their own key; its public half must be on the roster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from policies import Threshold
from signer.protocol import Intent, ProtocolError, Result, Sealed, SignAnswer
from signer.protocol.wire import ANSWER
from wallet import pauses
from wallet.clock import Clock
from wallet.pauses import Pause, Scope
from wallet.payments import journal
from wallet.reconciliation.breaks import Break, explain_break, newest_breaks
from wallet.settings import AssetSettings, StaffSettings
from wallet.store.database import Database
from wallet.store.schema import payments
from wallet.treasury import approvals, requests
from wallet.treasury.approvals import ApprovalDesk, Subject, Tally
from wallet.treasury.errors import (
    NotExported,
    NotWaiting,
    QuorumMissing,
    UnknownAnswer,
    UnknownApprover,
    UnknownSubject,
    WrongIntent,
)
from wallet.treasury.following import CALLED_OFF, carrier_of, follow
from wallet.treasury.planning import Look, Planner, Wanted
from wallet.treasury.ports import OfflineSigning
from wallet.treasury.requests import TreasuryRequest
from wallet.treasury.runway import Runway, forecast
from wallet.treasury.staff_keys import StaffKey
from wallet.treasury.states import RequestStatus
from wallet.treasury.thresholds import asset_named, change_threshold

Reject = Callable[[Connection, str, str], object]
"""What the withdrawals part does when a person says no: (tx, withdrawal id, why)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A request or withdrawal as staff see it. `answers` maps offline signers to what they said."""

    tally: Tally
    request: TreasuryRequest | None
    answers: Mapping[str, str]
    txid: str | None

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return self.tally.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A request file's content and its digest, to compare by eye at the signer."""

    request_id: str
    data: bytes
    digest: bytes
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """An answer that was taken in. `code` is the signer's when it refused."""

    request_id: str
    signer_id: str
    signed: bool
    code: str


class StaffDesk:
    """The staff's side of treasury."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        planner: Planner,
        approvals_desk: ApprovalDesk,
        offline: OfflineSigning,
        reject: Reject,
        staff: Sequence[StaffSettings],
    ) -> None:
        self._database = database
        self._clock = clock
        self._planner = planner
        self._desk = approvals_desk
        self._offline = offline
        self._reject = reject
        self._roster = {member.id: member.public_key.lower() for member in staff}

    @property
    def assets(self) -> tuple[AssetSettings, ...]:
        """Every asset, for amounts in words."""
        return self._planner.assets

    def runways(self) -> list[Runway]:
        """How long each asset's hot money lasts."""
        now_s = self._clock.now_s()
        with self._database.read() as tx:
            return [forecast(tx, a, now_s) for a in self.assets if self._planner.runs(a)]

    def waiting(self) -> list[Tally]:
        """All that waits for people's approval, oldest first: withdrawals and refills."""
        with self._database.read() as tx:
            asked = requests.in_states(tx, [RequestStatus.REQUESTED])
            subjects = [approvals.subject_by_id(tx, request.id) for request in asked]
            subjects += approvals.waiting_withdrawals(tx)
            return [self._desk.tally(tx, subject) for subject in subjects]

    def recent(self, limit: int) -> list[TreasuryRequest]:
        """The newest treasury requests of any state."""
        with self._database.read() as tx:
            return requests.recent(tx, limit)

    def show(self, subject_id: str) -> Shown:
        """One request or withdrawal. Raises RequestNotFound or WrongIntent."""
        with self._database.read() as tx:
            subject = approvals.subject_by_id(tx, subject_id)
            tally = self._desk.tally(tx, subject)
            if subject.kind != "treasury":
                return Shown(tally=tally, request=None, answers={}, txid=None)
            request = requests.get(tx, subject_id)
            answers, txid = {}, None
            if request.payment_id is not None:
                stored = journal.answers(tx, request.payment_id)
                answers = {name: _said(data) for name, data in stored.items()}
                txid = carrier_of(tx, request.payment_id).txid
            return Shown(tally=tally, request=request, answers=answers, txid=txid)

    def approve(self, shown: Intent, key: StaffKey) -> Tally:
        """Sign a yes to the intent that was shown and hand it in.

        Raises WrongIntent when it is not what is stored now, or an approval error.
        """
        self.member(key)
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            if approvals.subject_by_id(tx, shown.intent_id).intent != shown:
                raise WrongIntent("got another intent than the one shown: look at it again")
            return self._desk.receive(tx, key.approve(shown.digest, now_s), now_s)

    def ask(self, wanted: Wanted, key: StaffKey) -> TreasuryRequest:
        """Ask for a movement in one's own name; the asker cannot approve it."""
        self.member(key)
        if wanted.requester != key.id:
            raise UnknownApprover(f"got requester {wanted.requester}, expected {key.id}")
        with self._database.write() as tx:
            follow(tx, self._clock.now_s())
            return self._planner.ask(tx, wanted, self._clock.now_s())

    def call_off(self, subject_id: str, key: StaffKey) -> str:
        """Cancel a request, or reject a withdrawal that waits; returns its new state.

        Raises NotWaiting or ForbiddenPaymentArrow once it is too late.
        """
        self.member(key)
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            subject = approvals.subject_by_id(tx, subject_id)
            if subject.kind == "withdrawal":
                if not subject.waits:
                    raise NotWaiting(f"got {subject_id}, which is {subject.status}")
                self._reject(tx, subject_id, f"by:{key.id}")
                return approvals.subject_by_id(tx, subject_id).status
            request = requests.get(tx, subject_id)
            if request.status is not RequestStatus.EXPORTED or request.payment_id is None:
                why = f"by:{key.id}"
                moved = requests.move(tx, request, RequestStatus.CANCELLED, now_s, sub_status=why)
                return str(moved.status)
        self._offline.abandon(request.payment_id, CALLED_OFF)
        with self._database.write() as tx:
            follow(tx, now_s)
            return str(requests.get(tx, subject_id).status)

    def looks(self) -> list[Look]:
        """Where every asset stands against its bounds."""
        with self._database.read() as tx:
            return [self._planner.look(tx, asset) for asset in self._planner.assets]

    def change_bounds(self, asset_code: str, bounds: Threshold, key: StaffKey) -> None:
        """Put new hot bounds of an asset in force."""
        self.member(key)
        asset = asset_named(self._planner.assets, asset_code)
        with self._database.write() as tx:
            change_threshold(tx, asset, bounds, key.id, self._clock.now_s())

    def pause(self, subject: str, reason: str, key: StaffKey) -> Pause:
        """Let withdrawals of an asset or network stand still. Raises UnknownSubject, BadReason."""
        self.member(key)
        scope = self._scope(subject)
        with self._database.write() as tx:
            return pauses.pause(tx, scope, subject, reason, key.id, self._clock.now_s())

    def resume(self, subject: str, key: StaffKey) -> Sequence[Pause]:
        """Lift every pause of an asset or a network. Raises UnknownSubject or NotPaused."""
        self.member(key)
        scope = self._scope(subject)
        with self._database.write() as tx:
            return pauses.resume(tx, scope, subject, key.id, self._clock.now_s())

    def pauses(self, limit: int) -> Sequence[Pause]:
        """The newest pauses, lifted ones too."""
        with self._database.read() as tx:
            return pauses.listed(tx, limit)

    def breaks(self, limit: int) -> Sequence[Break]:
        """The newest breaks of the reconciliation, of any state."""
        with self._database.read() as tx:
            return newest_breaks(tx, limit)

    def explain(self, break_id: str, reason: str, key: StaffKey) -> Break:
        """Say why a break is one. Raises BreakUnknown, BadExplanation or ForbiddenBreakArrow."""
        self.member(key)
        with self._database.write() as tx:
            return explain_break(tx, break_id, reason, key.id, self._clock.now_s())

    def export(self, request_id: str) -> Exported:
        """The file for the offline signers. Raises QuorumMissing or NotExported."""
        with self._database.read() as tx:
            request = requests.get(tx, request_id)
        if request.status is RequestStatus.REQUESTED:
            raise QuorumMissing(f"got request {request_id} without its approvals")
        if request.status is not RequestStatus.EXPORTED or request.payment_id is None:
            why = f": {request.sub_status}" if request.sub_status else ""
            raise NotExported(f"got request {request_id} that is {request.status}{why}")
        data = self._offline.export(request.payment_id)
        with self._database.read() as tx:
            payment = journal.get(tx, request.payment_id)
        return Exported(
            request_id=request_id,
            data=data,
            digest=payment.sealed.digest,
            signers=payment.request.signers,
        )

    def take_answer(self, data: bytes) -> Imported:
        """Take in an answer file of an offline signer; the same file twice is no harm.

        Raises UnknownAnswer, AnswerRefused or AnswerConflict; then nothing is kept.
        """
        try:
            claimed = SignAnswer.decode(Sealed.decode(data, ANSWER).body)
        except ProtocolError as error:
            raise UnknownAnswer(f"got a file that is no signer's answer: {error}") from error
        with self._database.read() as tx:
            payment_id = tx.execute(
                select(payments.c.id).where(payments.c.request_id == claimed.request_id)
            ).scalar_one_or_none()
            request = requests.by_payment(tx, payment_id) if payment_id else None
        if payment_id is None or request is None:
            raise UnknownAnswer("got an answer to a request that treasury never exported")
        answer = self._offline.attach(payment_id, data)
        return Imported(
            request_id=request.id,
            signer_id=answer.signer_id,
            signed=answer.result is Result.SIGNED,
            code=answer.code,
        )

    def _scope(self, subject: str) -> Scope:
        """What a name is the name of."""
        codes = sorted(asset.code for asset in self.assets)
        networks = sorted({asset.network for asset in self.assets})
        if subject in codes:
            return Scope.ASSET
        if subject in networks:
            return Scope.NETWORK
        known = ", ".join([*codes, *networks])
        raise UnknownSubject(f"got {subject[:64]!r}, expected one of: {known}")

    def member(self, key: StaffKey) -> None:
        """Raise UnknownApprover unless this very key is on the roster under its name."""
        if self._roster.get(key.id) != key.public_key.hex():
            raise UnknownApprover(f"got the key of {key.id!r}, expected one of the staff's")


def _said(data: bytes) -> str:
    answer = SignAnswer.decode(Sealed.decode(data, ANSWER).body)
    return "signed" if answer.result is Result.SIGNED else f"refused ({answer.code})"
