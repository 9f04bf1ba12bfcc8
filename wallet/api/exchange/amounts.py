"""Amounts as callers give them: decimal text or base units, never both."""

from wallet.api.services import Services
from wallet.errors import Invalid
from wallet.ledger.transfers import UNITS_MAX


class AmountMissing(Invalid):
    """Neither `amount` nor `amount_units` was given, or both."""

    code = "request.amount_missing"


class AmountOutOfRange(Invalid):
    """An amount of nothing, or of more than any asset has."""

    code = "request.amount_out_of_range"


def asked_units(
    services: Services, asset: str, amount: str | None, amount_units: str | None
) -> int:
    """Base units of what was asked for. Raises AmountMissing, AmountOutOfRange or CodecError."""
    match (amount, amount_units):
        case (str(text), None):
            units = services.units(asset, text)
        case (None, str(text)):
            units = int(text)
        case _:
            raise AmountMissing("got both or neither of amount and amount_units, expected one")
    if not 0 < units <= UNITS_MAX:
        raise AmountOutOfRange(f"got {units} units, expected 1 to {UNITS_MAX}")
    return units
