"""Why a whole settlement is not taken; what becomes of a single transfer has a result instead."""

from wallet.errors import Conflict, Invalid, NotFound, WalletError


class Malformed(Invalid):
    """A body that is no settlement; the message says where."""

    code = "settlement.malformed"


class MediaTypeUnknown(WalletError):
    """A body that is neither JSON nor MessagePack."""

    code = "settlement.media_type"


class ExternalIdTaken(Conflict):
    """An external id names one settlement for ever, and this one has another body."""

    code = "settlement.external_id_taken"


class SettlementNotFound(NotFound):
    """No settlement has this external id."""

    code = "settlement.not_found"
