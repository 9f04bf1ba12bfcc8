"""The people whose approvals this signer accepts, from its own file, and the checks on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from signer.errors import ProtocolError, Refused, SignerError
from signer.protocol import APPROVAL, Approval, digest, verify
from signer.protocol.wire import Fields

GOVERNANCE = "governance"
"""The role of those whose approvals change what this signer allows."""


class Approvable(Protocol):
    """What people approve: an intent, or a rollback of the service's ledger."""

    @property
    def digest(self) -> bytes:
        """What approvals name."""
        ...

    @property
    def requester(self) -> str:
        """Who asked, and so does not approve."""
        ...

    @property
    def created_s(self) -> int:
        """No approval is older."""
        ...


class RosterError(SignerError):
    """A roster in which one person could count twice."""

    code = "roster.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """A person: a name, a role, and their 32-byte Ed25519 key."""

    id: str
    role: str
    key: bytes


class Roster:
    """Distinct people with distinct keys. Raises RosterError."""

    def __init__(self, approvers: Sequence[Approver]) -> None:
        self._by_id = {approver.id: approver for approver in approvers}
        if len(self._by_id) != len(approvers):
            raise RosterError("got an approver twice, expected distinct names")
        if len({approver.key for approver in approvers}) != len(approvers):
            raise RosterError("got one key for two approvers, expected distinct keys")

    def role_of(self, approver: str) -> str:
        """The role of a verified approver."""
        return self._by_id[approver].role

    def verified(
        self, intents: Sequence[Approvable], approvals: Sequence[Approval], until_s: int
    ) -> dict[bytes, frozenset[str]]:
        """Who approved each intent, by digest. Any approval that fails a check refuses it all."""
        by_digest = {intent.digest: intent for intent in intents}
        found: dict[bytes, set[str]] = {key: set() for key in by_digest}
        for approval in approvals:
            intent = by_digest.get(approval.intent_digest)
            if intent is None:
                raise Refused(
                    "approval.other_intent", f"{approval.approver} approved something else"
                )
            self._check(approval, intent, until_s)
            if approval.approver in found[intent.digest]:
                raise Refused("approval.twice", f"{approval.approver} approved twice")
            found[intent.digest].add(approval.approver)
        return {key: frozenset(names) for key, names in found.items()}

    def made_by(self, approval: Approval) -> Approver:
        """The person whose key signed it. Raises Refused."""
        approver = self._known(approval.approver)
        try:
            verify(approver.key, digest(APPROVAL, approval.body), approval.sig)
        except ProtocolError as error:
            raise Refused(
                "approval.bad_signature", f"approval of {approver.id}: {error}"
            ) from error
        return approver

    def _known(self, name: str) -> Approver:
        approver = self._by_id.get(name)
        if approver is None:
            raise Refused("approval.unknown_person", f"got approver {name!r}, not in the roster")
        return approver

    def _check(self, approval: Approval, intent: Approvable, until_s: int) -> None:
        name = self._known(approval.approver).id
        if name == intent.requester:
            raise Refused("approval.by_requester", f"{name} asked for it and approved it")
        self.made_by(approval)
        time_s = Fields(approval.body, "approval").units("time_s")
        if not intent.created_s <= time_s <= until_s:
            raise Refused(
                "approval.time",
                f"approval of {name} is of {time_s}, expected {intent.created_s} to {until_s}",
            )
