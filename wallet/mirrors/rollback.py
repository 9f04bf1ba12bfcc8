"""Rolling back to a tag: asked for by one of the staff, approved by others, archived, then undone.

What people approve is exact: the image, and the heights that are undone down to it. The approvals
are those of treasury, over a digest of another kind than any payment's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from signer.protocol import Approval, LedgerRollback
from wallet.clock import Clock
from wallet.duties import DAY_S
from wallet.events import append_event
from wallet.milestones import Milestone, pass_by
from wallet.mirrors.archive import write_archive
from wallet.mirrors.checking import check_beside, check_image
from wallet.mirrors.errors import (
    LedgerMoved,
    NotAsked,
    NothingToUndo,
    RollbackExpired,
    RollbackQuorum,
    ServiceRunning,
    StateDiffers,
)
from wallet.mirrors.folder import ImageFolder
from wallet.mirrors.image import Image, Progress, open_image, silent
from wallet.mirrors.manifest import Attest
from wallet.mirrors.outside import check_alone
from wallet.mirrors.tails import Ends, ends_of, records_of
from wallet.mirrors.undoing import check_reach, undo
from wallet.settings import StaffSettings
from wallet.store.database import Database
from wallet.store.schema import approvals, leases, ledger_rollbacks
from wallet.treasury.approvals import check_signature, stored
from wallet.treasury.errors import AlreadyApproved, RequesterApproves, UnknownApprover
from wallet.treasury.staff_keys import StaffKey

_c = ledger_rollbacks.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One that was asked for. `approvers` are those that count; `ends` are what is undone."""

    id: str
    tag: str
    status: str
    ends: Ends
    image: bytes
    digest: bytes
    requester: str
    approvals_required: int
    approvers: tuple[str, ...]
    expires_s: int

    @property
    def reached(self) -> bool:
        """Whether the quorum is there."""
        return len(self.approvers) >= self.approvals_required


class RollbackDesk:
    """The staff's side of rollbacks. `key` is the service's own, which signed the images."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        folder: ImageFolder,
        key: bytes,
        attest: Attest,
        staff: Sequence[StaffSettings],
        approvals_required: int,
        new_id: Callable[[], str],
        milestone: Milestone = pass_by,
    ) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._key = key
        self._attest = attest
        self._roster = {member.id: bytes.fromhex(member.public_key) for member in staff}
        self._required = approvals_required
        self._new_id = new_id
        self._milestone = milestone

    def ask(self, tag: str, key: StaffKey) -> Rollback:
        """Ask for a rollback to a tag in one's own name; the asker cannot approve it.

        Raises UnknownApprover, NothingToUndo, StateDiffers, BeforeOrigin, PartitionSealed, and what
        check_alone raises.
        """
        self._check_member(key)
        image, now_s = open_image(self._folder.find(tag), self._key), self._clock.now_s()
        with self._database.write() as tx:
            ends = _undone(tx, image)
            id = self._new_id()
            asked = LedgerRollback(
                id=id,
                tag=tag,
                after=ends.after,
                after_hash=ends.after_hash,
                to=ends.to,
                to_hash=ends.to_hash,
                image=image.digest,
                requester=key.id,
                created_s=now_s,
                expires_s=now_s + DAY_S,
            )
            tx.execute(
                insert(ledger_rollbacks).values(
                    id=id,
                    tag=tag,
                    to_height=ends.after,
                    from_height=ends.to,
                    status="requested",
                    body=asked.encode(),
                    digest=asked.digest,
                    approvals_required=self._required,
                    requester=key.id,
                    created_s=now_s,
                    expires_s=asked.expires_s,
                )
            )
            found = self._get(tx, id)
            append_event(tx, "ledger.rollback_requested", id, _event(found), now_s)
            return found

    def approve(self, id: str, key: StaffKey) -> Rollback:
        """Say yes to exactly one rollback.

        Raises NotAsked, RollbackExpired, UnknownApprover, RequesterApproves, AlreadyApproved.
        """
        self._check_member(key)
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            found = self._waiting(tx, id)
            if key.id == found.requester:
                raise RequesterApproves(f"got an approval of {key.id}, who asked for the rollback")
            if any(kept.approver == key.id for kept in stored(tx, found.digest)):
                raise AlreadyApproved(f"got a second approval of {key.id}")
            approval = key.approve(found.digest, now_s)
            check_signature(self._roster, approval)
            tx.execute(
                insert(approvals).values(
                    intent_digest=found.digest,
                    approver=approval.approver,
                    body=approval.body,
                    sig=approval.sig,
                    received_s=now_s,
                )
            )
            found = self._get(tx, id)
            append_event(tx, "ledger.rollback_approved", id, _event(found), now_s)
            return found

    def newest(self, tag: str) -> Rollback:
        """The last rollback to a tag that was asked for and is not done. Raises NotAsked."""
        with self._database.read() as tx:
            waiting = (_c.tag == tag) & (_c.status == "requested")
            query = select(_c.id).where(waiting).order_by(_c.created_s.desc(), _c.id)
            id = tx.execute(query).scalars().first()
            if id is None:
                raise NotAsked(f"no rollback to {tag} waits: ask for one with --key")
            return self._get(tx, id)

    def carry_out(self, id: str, archive: Path, progress: Progress = silent) -> Rollback:
        """Archive the heights above the image, then take them back, in one transaction.

        Killed at any moment, either all of it was done or nothing but the archive was written.
        Raises NotAsked, RollbackExpired, RollbackQuorum, LedgerMoved, ServiceRunning,
        FileProblem, and what check_image and check_alone raise.
        """
        with self._database.read() as tx:
            found = self._waiting(tx, id)
        image = open_image(self._folder.find(found.tag), self._key)
        checked, now_s = check_image(image, progress), self._clock.now_s()
        with self._database.write() as tx:
            found = self._waiting(tx, id)
            self._check_quorum(found)
            if found.image != image.digest or _undone(tx, image) != found.ends:
                raise LedgerMoved(
                    "the image or the ledger's last height is not the one that was approved: "
                    "ask for the rollback again",
                    {"height": found.ends.to},
                )
            _check_quiet(tx, now_s)
            written = write_archive(archive, found.ends, records_of(tx, found.ends), self._attest)
            self._milestone("rollback:archived")
            row = update(ledger_rollbacks).where(_c.id == id)
            tx.execute(row.values(status="undoing", archive=written))
            undo(tx, image, checked)
            tx.execute(row.values(status="done", done_s=now_s))
            found = self._get(tx, id)
            body = {**_event(found), "archive_sha256": written.hex()}
            append_event(tx, "ledger.rolled_back", id, body, now_s)
            self._milestone("rollback:undone")
        self._milestone("rollback:done")
        return found

    def _check_member(self, key: StaffKey) -> None:
        if self._roster.get(key.id) != key.public_key:
            raise UnknownApprover(f"got the key of {key.id!r}, expected one of the staff's")

    def _check_quorum(self, found: Rollback) -> None:
        if not found.reached:
            raise RollbackQuorum(
                f"got {len(found.approvers)} approvals of rollback {found.id}, expected "
                f"{found.approvals_required}"
            )

    def _waiting(self, tx: Connection, id: str) -> Rollback:
        found = self._get(tx, id)
        if found.status != "requested":
            raise NotAsked(f"got rollback {id}, which is {found.status}")
        if self._clock.now_s() >= found.expires_s:
            raise RollbackExpired(f"got rollback {id} after its time was over: ask again")
        return found

    def _get(self, tx: Connection, id: str) -> Rollback:
        row: Any = tx.execute(select(ledger_rollbacks).where(_c.id == id)).one_or_none()
        if row is None:
            raise NotAsked(f"got id {id[:40]!r}, which no rollback has")
        asked = LedgerRollback.decode(bytes(row.body))
        return Rollback(
            id=row.id,
            tag=row.tag,
            status=row.status,
            ends=Ends(
                after=asked.after, after_hash=asked.after_hash, to=asked.to, to_hash=asked.to_hash
            ),
            image=asked.image,
            digest=asked.digest,
            requester=asked.requester,
            approvals_required=max(row.approvals_required, self._required),
            approvers=self._counting(stored(tx, bytes(row.digest)), asked),
            expires_s=asked.expires_s,
        )

    def _counting(self, kept: Sequence[Approval], asked: LedgerRollback) -> tuple[str, ...]:
        """Who approved these very bytes and is on the roster today, the requester never."""
        names = []
        for approval in kept:
            if approval.approver not in self._roster or approval.approver == asked.requester:
                continue
            check_signature(self._roster, approval)
            if approval.intent_digest == asked.digest:
                names.append(approval.approver)
        return tuple(names)


def _undone(tx: Connection, image: Image) -> Ends:
    """What a rollback to an image takes back now."""
    manifest = image.manifest
    check_reach(tx, manifest.height)
    if not check_beside(tx, manifest):
        raise StateDiffers(
            f"got an image of height {manifest.height}, which the ledger does not have",
            {"height": manifest.height},
        )
    ends = ends_of(tx, manifest.height)
    if ends.to == ends.after:
        raise NothingToUndo(f"the ledger is at height {ends.to}, where the image was taken")
    check_alone(tx, ends.after)
    return ends


def _check_quiet(tx: Connection, now_s: int) -> None:
    """No worker runs."""
    held = tx.execute(select(leases.c.role).where(leases.c.expires_s > now_s)).scalars().all()
    if held:
        raise ServiceRunning(
            f"workers hold {', '.join(sorted(held)[:5])}: stop every process of the service, API "
            "and workers, and try again"
        )


def _event(found: Rollback) -> dict[str, object]:
    return {
        "tag": found.tag,
        "to_height": found.ends.after,
        "from_height": found.ends.to,
        "requester": found.requester,
        "approvers": list(found.approvers),
        "digest": found.digest.hex(),
    }
