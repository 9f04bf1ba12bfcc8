"""A hosted payment in words, for the person who is about to sign it."""

from collections.abc import Sequence

from chains.units import to_text
from signer.display import grouped
from signer.hosted.payments import HostedPayment
from signer.protocol.words import clean


def payment_lines(payment: HostedPayment) -> Sequence[str]:
    """One fact a line, from decoded bytes only."""
    network = payment.network
    lines = [
        f"PAYMENT of {clean(payment.asset)} on {network.id}",
        f"from {grouped(payment.sender)}",
        f"pays {_amount(payment, payment.asset, payment.units)}",
        f"  to {grouped(payment.payee)}",
        f"  in one piece: {clean(payment.payee)}",
    ]
    if payment.contract:
        lines.append(f"  token contract {grouped(payment.contract)}")
    if payment.change_units:
        back = _amount(payment, network.asset, payment.change_units)
        lines.append(f"change {back}, back to the same address")
    lines.append(_fee_line(payment))
    if payment.nonce is not None:
        lines.append(f"nonce {payment.nonce}")
    return lines


def _amount(payment: HostedPayment, asset: str, units: int) -> str:
    return f"{to_text(units, payment.network.decimals_of(asset))} {clean(asset)} ({units})"


def _fee_line(payment: HostedPayment) -> str:
    line = f"fee at most {_amount(payment, payment.network.asset, payment.fee_units)}"
    if payment.asset == payment.network.asset:
        line += f", {to_text(payment.fee_units * 1_000_000 // payment.units, 4)} %"
    if payment.nonce is None:
        return f"{line}, {to_text(payment.feerate, 3)} sat/vB, {payment.size} vB"
    return f"{line}, {payment.feerate} wei/gas, {payment.size} gas"
