"""Nonces only rise. The same one again is the same payment at a higher fee, or nothing.

At most one transaction of a nonce is ever executed, so paying the same people the same amounts
under it cannot pay them twice.
"""

from signer.errors import Refused
from signer.guards.facts import GuardContext, NetworkRules


def check_account_nonce(
    nonce: int,
    address: str,
    network: str,
    rules: NetworkRules,
    context: GuardContext,
    payment: tuple[bytes, int] = (b"", 0),
) -> bool:
    """Whether it replaces an earlier transaction. Raises Refused.

    `payment` is the digest of its payees and its most fee, in native base units.
    """
    last = context.memory.last_nonce(network, address)
    if last is None:
        return False
    if nonce > last + 1 + rules.nonce_gap_max:
        raise Refused("nonce.gap", f"got nonce {nonce}, signed up to {last} for {address}")
    if nonce > last:
        return False
    before = context.memory.signed_payment(network, address, nonce)
    digest, fee_units = payment
    if before is None or not digest or before.payees_digest != digest:
        raise Refused("nonce.used", f"got nonce {nonce}, signed up to {last} for {address}")
    if fee_units <= before.fee_units:
        raise Refused(
            "nonce.replacement_fee", f"got a fee of {fee_units}, expected above {before.fee_units}"
        )
    return True


def check_freed_nonce(
    nonce: int,
    address: str,
    network: str,
    rules: NetworkRules,
    context: GuardContext,
    fee_units: int,
) -> bool:
    """Whether a payment of nothing takes the nonce of an earlier transaction. Raises Refused.

    It may fill any hole below the highest nonce, and replace whatever was signed, at a higher fee.
    """
    last = context.memory.last_nonce(network, address)
    if last is not None and nonce > last + 1 + rules.nonce_gap_max:
        raise Refused("nonce.gap", f"got nonce {nonce}, signed up to {last} for {address}")
    before = context.memory.signed_payment(network, address, nonce)
    if before is not None and fee_units <= before.fee_units:
        raise Refused(
            "nonce.replacement_fee", f"got a fee of {fee_units}, expected above {before.fee_units}"
        )
    return before is not None
