"""Why an escrow is not taken, or not changed; each reason has its own code."""

from wallet.errors import Conflict, Invalid, NotFound


class EscrowNotFound(NotFound):
    """No escrow has this id."""

    code = "escrow.not_found"


class ExternalIdTaken(Conflict):
    """An external id names one escrow for ever, and this one asks for something else."""

    code = "escrow.external_id_taken"


class SameAccount(Invalid):
    """Payer and payee are one user."""

    code = "escrow.same_account"


class BadDeadline(Invalid):
    """A deadline that is not ahead, or too far ahead."""

    code = "escrow.bad_deadline"


class BadFee(Invalid):
    """A fee below nothing or above the most a fee may be, in basis points."""

    code = "escrow.bad_fee"


class PastDeadline(Conflict):
    """The deadline has passed: the money goes back to the payer."""

    code = "escrow.past_deadline"


class NotDisputed(Conflict):
    """A decision about an escrow that nobody disputes."""

    code = "escrow.not_disputed"


class Disputed(Conflict):
    """The escrow is disputed: only a person's decision ends it."""

    code = "escrow.disputed"


class BadRelease(Invalid):
    """A release of less than nothing, or of more than is held; `details` says how much that is."""

    code = "escrow.bad_release"


class ForbiddenArrow(Conflict):
    """A change of state that the machine does not have."""

    code = "escrow.forbidden_transition"


class EscrowMoved(Conflict):
    """Somebody else changed the escrow first: read it again."""

    code = "escrow.lost_race"
