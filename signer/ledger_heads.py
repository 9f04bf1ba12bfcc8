"""Noticing a ledger of the service that was put back or written anew, but for staff's approval.

Requests carry the head of the ledger they come from; the newest one that was signed with is kept
here, where nobody at the service can reach. A ledger that stands below it, or is another there, is
refused, unless the people of this signer's own roster approved exactly that rollback: each
approval is checked here, the requester's counts for nothing, and one rollback is accepted once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from signer.errors import Refused
from signer.protocol import ApprovedRollback, LedgerHead, LedgerRollback
from signer.roster import Roster
from signer.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRollback:
    """A rollback that explains the ledger a request comes from, and who approved it."""

    rollback: LedgerRollback
    approvers: tuple[str, ...]

    @property
    def words(self) -> str:
        """For the person at the signer."""
        undone = f"from height {self.rollback.to} to {self.rollback.after}"
        return f"THE LEDGER WENT BACK {undone}, approved by {', '.join(self.approvers)}"


def check_ledger_head(
    said: LedgerHead | None,
    rollbacks: Sequence[ApprovedRollback],
    state: State,
    roster: Roster,
    quorum: int,
) -> AcceptedRollback | None:
    """The approved rollback that a head is to be believed for; None where nothing contradicts it.

    Requests are made side by side and may come late: an older head is no contradiction. `quorum` is
    how many must have approved, 0 to believe no rollback. Raises Refused.
    """
    known = state.ledger_head
    if said is None or known is None:
        return None
    refusal = _contradiction(said, known)
    if refusal is None:
        return None
    for one in rollbacks if quorum else ():
        if _explains(one.rollback, said, known):
            return _accepted(one, state, roster, quorum)
    raise refusal


def _contradiction(said: LedgerHead, known: LedgerHead) -> Refused | None:
    if said.height == known.height and said.state_hash != known.state_hash:
        return Refused(
            "ledger.rewritten", f"got another hash of the ledger's height {said.height} than before"
        )
    if said.height < known.height and said.time_s > known.time_s:
        return Refused(
            "ledger.went_back", f"got a ledger at {said.height}, it was at {known.height} before"
        )
    return None


def _explains(rollback: LedgerRollback, said: LedgerHead, known: LedgerHead) -> bool:
    """The head known here was undone by it, in its time, and the one said stands on the rest."""
    was_undone = rollback.after < known.height <= rollback.to
    was_its_end = known.height < rollback.to or known.state_hash == rollback.to_hash
    is_above = said.height > rollback.after
    is_its_floor = said.height == rollback.after and said.state_hash == rollback.after_hash
    in_time = known.time_s < rollback.expires_s and known.time_s < said.time_s
    return was_undone and was_its_end and (is_above or is_its_floor) and in_time


def _accepted(one: ApprovedRollback, state: State, roster: Roster, quorum: int) -> AcceptedRollback:
    rollback = one.rollback
    if state.rollback_used(rollback.digest):
        raise Refused("ledger.rollback_used", f"got rollback {rollback.id} a second time")
    names = roster.verified([rollback], one.approvals, rollback.expires_s)[rollback.digest]
    if len(names) < quorum:
        raise Refused(
            "ledger.rollback_quorum",
            f"got {len(names)} approvals of rollback {rollback.id}, expected {quorum}",
        )
    return AcceptedRollback(rollback=rollback, approvers=tuple(sorted(names)))
