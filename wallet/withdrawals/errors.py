"""Why a withdrawal is not taken, or not changed; each reason has its own code."""

from wallet.errors import Conflict, Invalid, NotFound


class WithdrawalNotFound(NotFound):
    """No withdrawal has this id."""

    code = "withdrawal.not_found"


class ExternalIdTaken(Conflict):
    """An external id names one withdrawal for ever; `details` says which."""

    code = "withdrawal.external_id_taken"


class UnknownAsset(Invalid):
    """The deployment has no such asset."""

    code = "withdrawal.unknown_asset"


class BelowMinimum(Invalid):
    """Less than the asset's smallest withdrawal, in base units."""

    code = "withdrawal.below_minimum"


class MalformedOrder(Invalid):
    """An id or text that the service would not keep as it stands."""

    code = "withdrawal.malformed"


class NotCancellable(Conflict):
    """Signing has begun or it is over; from there only the chain decides."""

    code = "withdrawal.not_cancellable"


class WithdrawalMoved(Conflict):
    """Somebody else changed the withdrawal first: read it again."""

    code = "withdrawal.lost_race"
