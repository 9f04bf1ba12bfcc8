"""What an EVM transaction may cost: gas, its price, and both together; every cap holds at once."""

from signer.errors import Refused
from signer.guards.facts import NetworkRules
from signer.protocol import Purpose, SignRequest

PPM = 1_000_000
"""Shares are parts per million."""


def check_gas(
    gas_limit: int, max_fee_wei: int, request: SignRequest, gas_limit_max: int, rules: NetworkRules
) -> None:
    """Raise Refused for more gas, a higher price or a larger fee than limits and intents allow."""
    fee, promised = (
        gas_limit * max_fee_wei,
        sum(intent.fee_units_max for intent in request.intents),
    )
    if gas_limit > gas_limit_max:
        raise Refused("fee.gas_limit", f"got gas {gas_limit}, expected {gas_limit_max}")
    if max_fee_wei > rules.feerate_max:
        raise Refused("fee.rate", f"got {max_fee_wei} wei for gas, cap {rules.feerate_max}")
    if fee > rules.fee_units_max:
        raise Refused("fee.absolute", f"got up to {fee} wei, cap {rules.fee_units_max}")
    if fee > promised:
        raise Refused("fee.intent", f"got up to {fee} wei, approved {promised}")


def check_fee_share(
    fee: int, request: SignRequest, asset: str, units: int, rules: NetworkRules
) -> None:
    """Raise Refused for a fee that is too large a share of the ether paid."""
    # A top-up is only as large as the fee it pays for, so a share of it says nothing.
    shared = asset == rules.asset and units and request.intents[0].purpose is not Purpose.TOP_UP
    if shared and fee * PPM > rules.fee_ppm_max * units:
        raise Refused("fee.share", f"got up to {fee} wei for {units}, cap {rules.fee_ppm_max}")
