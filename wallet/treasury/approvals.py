"""Staff approvals: a signed yes to an intent's digest, checked against the roster, M of N.

The same approvals serve treasury requests and withdrawals that wait for people. The offline signer
checks them again against its own roster, so nothing here is trusted for cold money.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, insert, select

from signer.protocol import APPROVAL, Approval, Intent, ProtocolError, digest, verify
from signer.protocol.wire import Fields
from wallet.events import append_event
from wallet.settings import StaffSettings
from wallet.store.schema import approvals, withdrawals
from wallet.treasury import requests
from wallet.treasury.errors import (
    AlreadyApproved,
    BadSignature,
    BadTime,
    Expired,
    NotWaiting,
    RequesterApproves,
    RequestNotFound,
    UnknownApprover,
    WrongIntent,
)
from wallet.treasury.states import RequestStatus

CLOCK_SKEW_S = 300
"""How far a staff member's clock may be off."""

PENDING_APPROVAL = "pending_approval"
"""The withdrawal state that waits for people."""


Release: TypeAlias = Callable[[Connection, str], object]
"""What the withdrawals part does when a withdrawal (by id) has its approvals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an approval is about. `kind` is "treasury" or "withdrawal"."""

    kind: str
    id: str
    status: str
    intent: Intent
    approvals_required: int
    requester: str
    expires_s: int

    @property
    def waits(self) -> bool:
        """Whether people still have to say yes."""
        return self.status in (RequestStatus.REQUESTED, PENDING_APPROVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far an approval has got."""

    subject: Subject
    approvers: tuple[str, ...]

    @property
    def reached(self) -> bool:
        """Whether the quorum is there."""
        return len(self.approvers) >= self.subject.approvals_required


class ApprovalDesk:
    """Takes approvals in. `release` is told when a withdrawal has its quorum."""

    def __init__(self, staff: Sequence[StaffSettings], release: Release) -> None:
        self._roster: Mapping[str, bytes] = {
            member.id: bytes.fromhex(member.public_key) for member in staff
        }
        self._release = release

    def receive(self, tx: Connection, approval: Approval, now_s: int) -> Tally:
        """Check one approval, keep it, and act when it completes the quorum.

        Raises one of this package's approval errors; then nothing is kept.
        """
        check_signature(self._roster, approval)
        subject = subject_by_digest(tx, approval.intent_digest)
        self._check_subject(tx, subject, approval, now_s)
        tx.execute(
            insert(approvals).values(
                intent_digest=approval.intent_digest,
                approver=approval.approver,
                body=approval.body,
                sig=approval.sig,
                received_s=now_s,
            )
        )
        tally = self.tally(tx, subject)
        body = {
            "subject": subject.kind,
            "intent_digest": approval.intent_digest.hex(),
            "approver": approval.approver,
            "approvals": len(tally.approvers),
            "approvals_required": subject.approvals_required,
        }
        append_event(tx, "approval.received", subject.id, body, now_s)
        if tally.reached:
            self._act(tx, subject, now_s)
        return tally

    def tally(self, tx: Connection, subject: Subject) -> Tally:
        """Who has approved and still counts: on the roster today, and not the requester."""
        kept = stored(tx, subject.intent.digest)
        counting = [a.approver for a in kept if a.approver in self._roster]
        return Tally(
            subject=subject,
            approvers=tuple(name for name in counting if name != subject.requester),
        )

    def _check_subject(
        self, tx: Connection, subject: Subject, approval: Approval, now_s: int
    ) -> None:
        if not subject.waits:
            raise NotWaiting(f"got an approval of {subject.id}, which is {subject.status}")
        if now_s >= subject.expires_s:
            raise Expired(f"got an approval of {subject.id} after its time was over")
        if approval.approver == subject.requester:
            raise RequesterApproves(
                f"got an approval of {approval.approver}, who requested it; expected another"
            )
        if any(kept.approver == approval.approver for kept in stored(tx, approval.intent_digest)):
            raise AlreadyApproved(f"got a second approval of {approval.approver}")
        signed_s = Fields(approval.body, "approval").units("time_s")
        if not subject.intent.created_s - CLOCK_SKEW_S <= signed_s <= now_s + CLOCK_SKEW_S:
            raise BadTime(
                f"got an approval dated {signed_s}, expected {subject.intent.created_s} to {now_s}"
            )

    def _act(self, tx: Connection, subject: Subject, now_s: int) -> None:
        if subject.kind == "withdrawal":
            self._release(tx, subject.id)
            return
        requests.move(tx, requests.get(tx, subject.id), RequestStatus.APPROVED, now_s)


def check_signature(roster: Mapping[str, bytes], approval: Approval) -> None:
    """An approval is by one of the roster. Raises UnknownApprover or BadSignature."""
    try:
        approval.check()
        key = roster.get(approval.approver)
        if key is None:
            raise UnknownApprover(
                f"got an approval of {approval.approver[:40]!r}, expected one of the staff"
            )
        verify(key, digest(APPROVAL, approval.body), approval.sig)
    except ProtocolError as error:
        raise BadSignature(f"got an approval that does not verify: {error}") from error


def stored(tx: Connection, intent_digest: bytes) -> tuple[Approval, ...]:
    """The approvals of an intent, as they go into a signing request, by approver's name."""
    rows = tx.execute(
        select(approvals.c.body, approvals.c.sig)
        .where(approvals.c.intent_digest == intent_digest)
        .order_by(approvals.c.approver)
    )
    return tuple(Approval(body=bytes(row.body), sig=bytes(row.sig)) for row in rows)


def subject_by_digest(tx: Connection, intent_digest: bytes) -> Subject:
    """What this digest names. Raises RequestNotFound."""
    request = requests.by_digest(tx, intent_digest)
    if request is not None:
        return _of_request(request)
    row = tx.execute(
        select(withdrawals).where(withdrawals.c.intent_digest == intent_digest)
    ).one_or_none()
    if row is None:
        raise RequestNotFound("got an approval of an intent that nothing here has")
    return _of_withdrawal(row)


def subject_by_id(tx: Connection, subject_id: str) -> Subject:
    """The treasury request or withdrawal of this id. Raises RequestNotFound."""
    row = tx.execute(select(withdrawals).where(withdrawals.c.id == subject_id)).one_or_none()
    if row is not None:
        return _of_withdrawal(row)
    return _of_request(requests.get(tx, subject_id))


def waiting_withdrawals(tx: Connection) -> list[Subject]:
    """Withdrawals that wait for people, oldest first."""
    rows = tx.execute(
        select(withdrawals)
        .where(withdrawals.c.status == PENDING_APPROVAL)
        .order_by(withdrawals.c.created_s, withdrawals.c.id)
    )
    return [_of_withdrawal(row) for row in rows]


def _of_request(request: requests.TreasuryRequest) -> Subject:
    return Subject(
        kind="treasury",
        id=request.id,
        status=str(request.status),
        intent=_same(request.intent, request.intent_digest),
        approvals_required=request.approvals_required,
        requester=request.requester,
        expires_s=request.expires_s,
    )


def _of_withdrawal(row: Row[Any]) -> Subject:
    intent = Intent.decode(bytes(row.intent))
    return Subject(
        kind="withdrawal",
        id=row.id,
        status=row.status,
        intent=_same(intent, bytes(row.intent_digest)),
        approvals_required=row.approvals_required,
        requester=row.requester,
        expires_s=row.deadline_s,
    )


def _same(intent: Intent, intent_digest: bytes) -> Intent:
    """People read the intent and sign the digest: the stored two must be one thing."""
    if intent.digest != intent_digest:
        raise WrongIntent(f"got an intent {intent.intent_id} that its stored digest is not of")
    return intent
