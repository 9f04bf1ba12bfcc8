"""Amounts as callers give and read them, of assets of a chain and of registered ones alike."""

from chains.units import to_text, to_units
from wallet.api.services import Services
from wallet.assets.registration import decimals_of
from wallet.errors import Invalid
from wallet.ledger.transfers import UNITS_MAX

IN_BOOKS = "ledger"
"""The network of registered assets: they are in our books and on no chain."""


class AmountMissing(Invalid):
    """Neither `amount` nor `amount_units` was given, or both."""

    code = "request.amount_missing"


class AmountOutOfRange(Invalid):
    """An amount of nothing, or of more than any asset has."""

    code = "request.amount_out_of_range"


def decimals(services: Services, asset: str) -> int:
    """The decimals of an asset; they never change. Raises AssetUnknown."""
    known = services.known_decimals.get(asset)
    if known is None:
        with services.db.read() as tx:
            known = decimals_of(tx, services.registered, asset)
        services.known_decimals[asset] = known
    return known


def network_of(services: Services, asset: str) -> str:
    """The network that an asset is on."""
    found = [one.network for one in services.settings.assets if one.code == asset]
    return found[0] if found else IN_BOOKS


def text(services: Services, asset: str, units: int) -> str:
    """Decimal text of base units."""
    return to_text(units, decimals(services, asset))


def asked_units(
    services: Services, asset: str, amount: str | None, amount_units: str | None
) -> int:
    """Base units of what was asked for, of an asset that exists.

    Raises AssetUnknown, AmountMissing, AmountOutOfRange or CodecError.
    """
    places = decimals(services, asset)
    match (amount, amount_units):
        case (str(given), None):
            units = to_units(given, places)
        case (None, str(given)):
            units = int(given)
        case _:
            raise AmountMissing("got both or neither of amount and amount_units, expected one")
    if not 0 < units <= UNITS_MAX:
        raise AmountOutOfRange(f"got {units} units, expected 1 to {UNITS_MAX}")
    return units
