"""What an EVM call moves: native money, a listed token, or nothing that this signer will sign."""

from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm import erc20
from chains.evm.addresses import RESERVED_MAX, checksum, from_text
from signer.errors import Refused
from signer.guards.facts import NetworkRules

DENIED_SELECTORS = {
    bytes.fromhex("095ea7b3"): ("evm.approve", "approve lets somebody else take tokens later"),
    bytes.fromhex("39509351"): ("evm.increase_allowance", "increaseAllowance is an approve"),
    bytes.fromhex("d505accf"): ("evm.permit", "permit is an approve by signature"),
    bytes.fromhex("23b872dd"): ("evm.transfer_from", "transferFrom moves another account's tokens"),
    bytes.fromhex("a22cb465"): ("evm.approval_for_all", "setApprovalForAll gives every token away"),
}
"""Token calls that hand over control; each has its own code so that an attack is recognised."""

_NOBODY = bytes(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A payment inside a call: base units of `asset` to 20 address bytes. `note` is for people."""

    asset: str
    payee: bytes
    units: int
    note: str = ""


def decode_call(to: bytes, value_wei: int, data: bytes, rules: NetworkRules) -> Call:
    """The one payment that a call makes. Raises Refused for everything else."""
    call = _token_call(to, value_wei, data, rules) if data else _native_call(to, value_wei, rules)
    if call.payee == _NOBODY:
        raise Refused("evm.zero_payee", "the zero address burns what it is sent")
    if int.from_bytes(call.payee, "big") <= RESERVED_MAX:
        raise Refused("evm.reserved_payee", "a precompiled contract keeps what it is sent")
    if call.payee in _contracts(rules):
        raise Refused("evm.token_contract_payee", f"{checksum(call.payee)} is a token contract")
    if call.units == 0:
        raise Refused("evm.zero_units", "got a payment of nothing, expected an amount")
    return call


def _native_call(to: bytes, value_wei: int, rules: NetworkRules) -> Call:
    return Call(asset=rules.asset, payee=to, units=value_wei)


def _token_call(to: bytes, value_wei: int, data: bytes, rules: NetworkRules) -> Call:
    denied = DENIED_SELECTORS.get(data[:4])
    if denied is not None:
        raise Refused(*denied)
    if data[:4] != erc20.TRANSFER:
        raise Refused("evm.unknown_selector", f"got call {data[:4].hex()}, expected a transfer")
    token = _contracts(rules).get(to)
    if token is None:
        raise Refused("evm.unlisted_token", f"{checksum(to)} is not a token this signer knows")
    if value_wei:
        raise Refused("evm.value_with_token", f"got {value_wei} wei beside a token transfer")
    try:
        payee, units = erc20.decode_transfer(data)
    except CodecError as error:
        raise Refused("evm.calldata", str(error)) from error
    rule = rules.tokens[token]
    note = f"token {rule.symbol}, {rule.decimals} decimals, contract {rule.contract}"
    return Call(asset=rule.code, payee=payee, units=units, note=note)


def _contracts(rules: NetworkRules) -> dict[bytes, str]:
    return {from_text(rule.contract): code for code, rule in rules.tokens.items()}
