"""Who may put new limits in force: the governance quorum of the configuration that counts now."""

from collections.abc import Sequence

from signer.config import SignerConfig
from signer.errors import SignerError
from signer.protocol import APPROVAL, Approval, Sealed
from signer.roster import GOVERNANCE, Roster


class ActivationRefused(SignerError):
    """Root of the reasons why new limits are not put in force."""

    code = "activation.refused"


class QuorumMissing(ActivationRefused):
    """Fewer approvals than the activated configuration asks for."""

    code = "activation.quorum"


class OtherProposal(ActivationRefused):
    """An approval of another change, another signer, or of one that was activated before."""

    code = "activation.other_proposal"


class NotGovernance(ActivationRefused):
    """An approval by somebody whose role is not to change limits."""

    code = "activation.not_governance"


class ApprovedTwice(ActivationRefused):
    """Two approvals by one person."""

    code = "activation.twice"


class PreviousMissing(ActivationRefused):
    """The activated files are not there: nobody can say what changes or who may approve it."""

    code = "activation.previous_missing"


def check_quorum(
    digest: bytes, approvals: Sequence[Approval], active: SignerConfig | None, quorum: int
) -> None:
    """Raise unless enough distinct governance people of the *active* roster approved this digest.

    `quorum` comes from the log, not from the file, so that losing the file lowers nothing.
    """
    roster = active.roster if active is not None else Roster(())
    people: set[str] = set()
    for approval in approvals:
        approver = roster.made_by(approval)
        if approval.intent_digest != digest:
            raise OtherProposal(f"got an approval by {approver.id} of another proposal")
        if approver.role != GOVERNANCE:
            raise NotGovernance(f"got {approver.id}, a {approver.role}, expected {GOVERNANCE}")
        if approver.id in people:
            raise ApprovedTwice(f"got two approvals by {approver.id}, expected distinct people")
        people.add(approver.id)
    if len(people) < quorum:
        raise QuorumMissing(f"got {len(people)} approvals, expected {quorum} of the governance")


def read_approval(data: bytes) -> Approval:
    """An approval file. Raises ProtocolError; who made it is checked against the roster."""
    sealed = Sealed.decode(data, APPROVAL)
    approval = Approval(body=sealed.body, sig=sealed.sig)
    approval.check()
    return approval
