"""Why money is not moved between the parts of an account; each reason has its own code."""

from wallet.errors import Conflict, Invalid, NotFound


class SamePart(Invalid):
    """From a part to itself."""

    code = "transfer.same_sub_account"


class ExternalIdTaken(Conflict):
    """An external id names one transfer for ever, and this one asks for something else."""

    code = "transfer.external_id_taken"


class TransferNotFound(NotFound):
    """No transfer has this external id."""

    code = "transfer.not_found"
