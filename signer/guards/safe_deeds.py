"""What a Safe's transaction does: one payment, several in a multisend, or a change of itself.

A delegatecall runs foreign code as the Safe (Bybit lost 1.5 billion dollars to one), so only the
published MultiSendCallOnly of the Safe's own release may be called that way, and every call in it
is read as if it stood alone.
"""

from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm.addresses import checksum, from_text
from chains.evm.multisend import MULTI_SEND, MultiSendItem, decode_multisend
from chains.evm.safe import SafeTx, SafeVault
from chains.evm.safe_contracts import RELEASES
from chains.evm.safe_governance import GovernanceCall
from signer.errors import Refused
from signer.guards.evm_calls import Call, decode_call
from signer.guards.facts import NetworkRules
from signer.protocol import Purpose

_NOBODY = bytes(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Payments, or a change of the Safe. `notes` are for people."""

    calls: tuple[Call, ...] = ()
    governance: GovernanceCall | None = None
    notes: tuple[str, ...] = ()


def inner_deed(tx: SafeTx, vault: SafeVault, purpose: Purpose, rules: NetworkRules) -> Deed:
    """What a Safe would do: never with a relayer, never foreign code. Raises Refused."""
    if (tx.safe_tx_gas, tx.base_gas, tx.gas_price_wei) != (0, 0, 0):
        raise Refused("safe.gas", "got gas to repay a relayer, expected zero")
    if (tx.gas_token, tx.refund_receiver) != (_NOBODY, _NOBODY):
        raise Refused("safe.refund", "got a refund receiver or gas token, expected none")
    if tx.operation != 0:
        return _multisend(tx, vault, rules)
    if tx.to == tx.safe:
        return _self_call(tx, purpose)
    if purpose is Purpose.GOVERNANCE:
        raise Refused("governance.no_self_call", f"got a call of {checksum(tx.to)}, not the Safe")
    call = decode_call(tx.to, tx.value_wei, tx.data, rules)
    return Deed(calls=(call,), notes=(call.note,) if call.note else ())


def _self_call(tx: SafeTx, purpose: Purpose) -> Deed:
    if purpose is not Purpose.GOVERNANCE:
        raise Refused("safe.self_call", f"call {tx.data[:4].hex()} would change the Safe itself")
    if tx.value_wei:
        raise Refused("governance.value", f"got {tx.value_wei} wei beside a change of the Safe")
    try:
        return Deed(governance=GovernanceCall.decode(tx.data))
    except CodecError as error:
        raise Refused(error.code, str(error)) from error


def _multisend(tx: SafeTx, vault: SafeVault, rules: NetworkRules) -> Deed:
    pinned = from_text(RELEASES[vault.version].multisend)
    if tx.operation != 1 or tx.to != pinned:
        raise Refused(
            "safe.delegatecall",
            f"got operation {tx.operation} of {checksum(tx.to)}, expected a plain call",
        )
    if tx.value_wei:
        raise Refused("multisend.value", f"got {tx.value_wei} wei, which a delegatecall ignores")
    try:
        items = decode_multisend(tx.data)
    except CodecError as error:
        raise Refused(error.code, str(error)) from error
    calls = tuple(_item_call(item, tx, pinned, rules) for item in items)
    head = f"MultiSendCallOnly {checksum(pinned)}: {len(items)} payments"
    lines = tuple(
        f"  {number}. {call.units} {call.asset} to {checksum(call.payee)}"
        + (f" ({call.note})" if call.note else "")
        for number, call in enumerate(calls, start=1)
    )
    return Deed(calls=calls, notes=(head, *lines))


def _item_call(item: MultiSendItem, tx: SafeTx, pinned: bytes, rules: NetworkRules) -> Call:
    if item.operation != 0:
        raise Refused("multisend.inner_operation", f"got operation {item.operation}, expected 0")
    # The multisend of 1.5.0 takes the zero address for the Safe itself.
    if item.to in (tx.safe, _NOBODY):
        raise Refused("multisend.self_call", "got a call of the Safe itself in a multisend")
    if item.to == pinned or item.data[:4] == MULTI_SEND:
        raise Refused("multisend.nested", "got a multisend in a multisend")
    return decode_call(item.to, item.value_wei, item.data, rules)
