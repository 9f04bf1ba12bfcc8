"""What treasury refuses, each refusal with its own stable code."""

from wallet.errors import Conflict, Invalid, NotFound, WalletError


class TreasuryError(WalletError):
    """Root of this package's errors."""

    code = "treasury.error"


class RequestNotFound(NotFound):
    """No treasury request, and no withdrawal that waits for approval, has this id."""

    code = "treasury.not_found"


class ForbiddenArrow(Conflict):
    """A change of state that the machine does not have."""

    code = "treasury.forbidden_transition"


class LostRace(Conflict):
    """Somebody else changed the request first: read it again."""

    code = "treasury.lost_race"


class DeniedByPolicy(Conflict):
    """The policy does not allow this movement; `details` holds the reasons."""

    code = "treasury.denied"


class NotRunning(Conflict):
    """A network or asset that this deployment does not have, or that has no cold vault."""

    code = "treasury.not_configured"


class Expired(Conflict):
    """The request's time is over; nothing may be approved or exported any more."""

    code = "treasury.expired"


class QuorumMissing(Conflict):
    """Fewer approvals than the request needs."""

    code = "treasury.quorum_missing"


class UnknownApprover(Invalid):
    """Nobody of this name is on the roster of treasury staff."""

    code = "approval.unknown_approver"


class BadSignature(Invalid):
    """The signature is not of the approver's key over this approval."""

    code = "approval.bad_signature"


class WrongIntent(Invalid):
    """An approval of something else than the request asks for."""

    code = "approval.wrong_intent"


class BadTime(Invalid):
    """An approval dated before the request, or in the future."""

    code = "approval.bad_time"


class RequesterApproves(Conflict):
    """Who asks for money to move may not be one of those who approve it."""

    code = "approval.requester"


class AlreadyApproved(Conflict):
    """A person who has approved already: a second yes counts for nothing."""

    code = "approval.repeated"


class NotWaiting(Conflict):
    """The request does not wait for approvals."""

    code = "approval.not_waiting"


class NotExported(Conflict):
    """There is no exact transaction to carry: not built yet, signed already, or over."""

    code = "treasury.not_exported"


class FileProblem(TreasuryError):
    """A file that cannot be read, is too large, or is there already."""

    code = "treasury.file"


class UnknownAnswer(Invalid):
    """A file that is not an answer of a known signer to an exported request."""

    code = "treasury.unknown_answer"


class StaffKeyError(WalletError):
    """A staff key file that is missing, malformed, or does not open with this passphrase."""

    code = "staff_key.invalid"


class UnknownSubject(Invalid):
    """Neither an asset nor a network of this deployment."""

    code = "treasury.unknown_subject"
