"""What prepared bytes really pay, and the signature under exactly them.

The service prepares; it is not believed. Bytes that do anything but pay what the person asked for,
from the person's own address, are refused before a password is asked for.
"""

from collections import Counter
from dataclasses import dataclass

from chains.errors import ChainError, CodecError
from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum, from_text, parse
from chains.evm.erc20 import decode_transfer
from chains.evm.params import EvmParams
from chains.evm.transactions import UnsignedTx
from chains.utxo import addresses, fees
from chains.utxo.params import UtxoParams
from chains.utxo.psbt import SIGHASH_ALL, Psbt, Sighasher
from chains.utxo.psbt_roles import add_signatures, finalize
from chains.utxo.sources import SingleKey
from signer import secp
from signer.errors import Refused
from signer.hosted.blobs import OpenedHostedKey
from signer.hosted.networks import HostedNetwork
from signer.protocol import InputSignature

SEQUENCE_MIN = 0xFFFFFFFD
"""Lower sequences lock an input in time (BIP-68), so that a signature could be kept for later."""

INPUTS_MAX = 150
"""Coins of one payment; a person with more of them consolidates first."""

GAS_LIMIT_MAX = 2_000_000
"""More gas than any transfer of a token takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person wants: base units of an asset to an address, for at most this fee (native).

    Without `fee_units_max` the network's own limit holds alone.
    """

    asset: str
    address: str
    units: int
    fee_units_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedPayment:
    """What decoded bytes do. `feerate` is sats per 1000 vbytes or max wei per gas.

    `units` is in base units of `asset`; change and fee are in the native asset's. `size` is vbytes
    or the gas limit, `nonce` and `contract` are set on EVM chains.
    """

    network: HostedNetwork
    public_key: bytes
    sender: str
    asset: str
    payee: str
    units: int
    change_units: int
    fee_units: int
    feerate: int
    size: int
    inputs: int = 0
    nonce: int | None = None
    contract: str = ""
    payload: bytes


def check_payment(
    network: HostedNetwork, public_key: bytes, ask: Ask, payload: bytes
) -> HostedPayment:
    """What the bytes pay, if that is what was asked for. Raises Refused with the check's code."""
    network.decimals_of(ask.asset)
    if ask.units <= 0:
        raise Refused("amount.range", f"got {ask.units} to pay, expected more than nothing")
    if network.utxo is not None:
        payment = _check_psbt(network, network.utxo, public_key, ask, payload)
    elif network.evm is not None:
        payment = _check_evm(network, network.evm, public_key, ask, payload)
    else:
        raise Refused("request.kind", f"{network.id} is of no family that hosted keys have")
    _check_fee(payment, ask)
    return payment


def sign_payment(opened: OpenedHostedKey, payment: HostedPayment) -> bytes:
    """The signed transaction, ready to send. Raises Refused when key and payment do not belong."""
    if opened.key.public_key != payment.public_key:
        raise Refused("request.not_our_key", "the opened key is not the one that pays")
    if payment.network.utxo is not None:
        return _signed_psbt(opened, payment)
    unsigned = UnsignedTx.decode(payment.payload)
    signed = unsigned.with_signature(secp.sign_rsv(opened.secret, unsigned.signing_hash))
    if checksum(signed.sender) != payment.sender:
        raise Refused("signature.wrong", "the signature is not by the paying address")
    return signed.raw


def _check_psbt(
    network: HostedNetwork, params: UtxoParams, public_key: bytes, ask: Ask, payload: bytes
) -> HostedPayment:
    source = SingleKey(public_key)
    psbt = _parsed_psbt(payload)
    _check_shape(psbt)
    spent = sum(_own_input(psbt, at, source, params) for at in range(len(psbt.inputs)))
    change = _check_outputs(psbt, source, params, ask)
    paid = sum(output.sats for output in psbt.outputs)
    if paid > spent:
        raise Refused("amount.negative_fee", f"got {spent} sats in and {paid} out")
    vsize = fees.transaction_vsize(
        [source] * len(psbt.inputs), [output.script for output in psbt.outputs]
    )
    return HostedPayment(
        network=network,
        public_key=public_key,
        sender=addresses.encode(params, source.script_pubkey),
        asset=network.asset,
        payee=addresses.encode(params, _payee_script(params, ask)),
        units=ask.units,
        change_units=change,
        fee_units=spent - paid,
        feerate=-(-(spent - paid) * 1000 // vsize),
        size=vsize,
        inputs=len(psbt.inputs),
        payload=payload,
    )


def _parsed_psbt(payload: bytes) -> Psbt:
    try:
        return Psbt.parse(payload)
    except CodecError as error:
        code = error.code if error.code.startswith("psbt.") else "psbt.malformed"
        raise Refused(code, str(error)) from error


def _check_shape(psbt: Psbt) -> None:
    if not 1 <= len(psbt.inputs) <= INPUTS_MAX:
        raise Refused("tx.inputs", f"got {len(psbt.inputs)} inputs, expected 1-{INPUTS_MAX}")
    if psbt.tx.version not in (1, 2):
        raise Refused("tx.version", f"got version {psbt.tx.version}, expected 1 or 2")
    if psbt.tx.locktime != 0:
        raise Refused("tx.locktime", f"got lock time {psbt.tx.locktime}, expected none")
    if len({one.outpoint for one in psbt.inputs}) != len(psbt.inputs):
        raise Refused("input.twice", "got an outpoint twice")


def _own_input(psbt: Psbt, at: int, source: SingleKey, params: UtxoParams) -> int:
    """The proven satoshi of an input of the key's own script. Raises Refused."""
    one = psbt.inputs[at]
    taproot = one.internal_key or one.key_signature or one.has_leaves
    if taproot or one.is_final or one.partial_sigs:
        raise Refused("input.kind", f"input {at} is signed, final or of taproot")
    if one.sighash_type not in (None, SIGHASH_ALL):
        raise Refused("input.sighash", f"input {at} asks for signature type {one.sighash_type}")
    if one.sequence < SEQUENCE_MIN:
        raise Refused("input.sequence", f"input {at} has sequence {one.sequence:#x}")
    try:
        spent = psbt.spent_output(at)
    except CodecError as error:
        raise Refused("input.unproven", f"input {at}: {error}") from error
    if not 0 < spent.sats <= params.money_sats_max:
        raise Refused("amount.range", f"input {at} has {spent.sats} sats")
    if spent.script != source.script_pubkey:
        raise Refused("input.foreign", f"input {at} is not of this key's address")
    if one.redeem_script or one.witness_script:
        raise Refused("input.script", f"input {at} carries scripts that its address has not")
    return spent.sats


def _check_outputs(psbt: Psbt, source: SingleKey, params: UtxoParams, ask: Ask) -> int:
    """The change in satoshi: one output pays what was asked, at most one other comes back."""
    wanted = Counter({(_payee_script(params, ask), ask.units): 1})
    change: list[int] = []
    for at, output in enumerate(psbt.outputs):
        if not 0 < output.sats <= params.money_sats_max:
            raise Refused("amount.range", f"output {at} pays {output.sats} sats")
        if wanted[(output.script, output.sats)] > 0:
            wanted[(output.script, output.sats)] -= 1
        elif output.script == source.script_pubkey:
            change.append(output.sats)
        else:
            raise Refused("output.not_asked", f"output {at} pays {output.sats} to somebody else")
    if +wanted:
        raise Refused("payees.missing", f"{ask.units} to {ask.address[:100]} is not paid")
    if len(change) > 1:
        raise Refused("change.count", f"got {len(change)} change outputs, expected one at most")
    return sum(change)


def _payee_script(params: UtxoParams, ask: Ask) -> bytes:
    return addresses.parse(params, ask.address).target


def _check_evm(
    network: HostedNetwork, params: EvmParams, public_key: bytes, ask: Ask, payload: bytes
) -> HostedPayment:
    try:
        unsigned = UnsignedTx.decode(payload)
    except ChainError as error:
        code = error.code if error.code.startswith("evm.") else "evm.malformed"
        raise Refused(code, str(error)) from error
    if unsigned.chain_id != params.chain_id:
        raise Refused("evm.chain_id", f"got chain {unsigned.chain_id}, expected {params.chain_id}")
    if unsigned.gas_limit > GAS_LIMIT_MAX:
        raise Refused("evm.gas_limit", f"got {unsigned.gas_limit} gas, cap {GAS_LIMIT_MAX}")
    token = network.tokens.get(ask.asset)
    contracts = {from_text(each.contract) for each in network.tokens.values()}
    payee = parse(params, ask.address, contracts).target
    if token is None:
        _check_native(unsigned, payee, ask)
    else:
        _check_token(unsigned, from_text(token.contract), payee, ask)
    return HostedPayment(
        network=network,
        public_key=public_key,
        sender=checksum(address_of_key(public_key)),
        asset=ask.asset,
        payee=checksum(payee),
        units=ask.units,
        change_units=0,
        fee_units=unsigned.fee_wei_max,
        feerate=unsigned.max_fee_wei,
        size=unsigned.gas_limit,
        nonce=unsigned.nonce,
        contract=token.contract if token is not None else "",
        payload=payload,
    )


def _check_native(unsigned: UnsignedTx, payee: bytes, ask: Ask) -> None:
    if unsigned.data:
        raise Refused("evm.data", f"got {len(unsigned.data)} bytes of calldata, expected none")
    _check_paid(unsigned.to, unsigned.value_wei, payee, ask)


def _check_token(unsigned: UnsignedTx, contract: bytes, payee: bytes, ask: Ask) -> None:
    if unsigned.to != contract:
        raise Refused("evm.contract", f"got a call of {checksum(unsigned.to)}, not of {ask.asset}")
    if unsigned.value_wei:
        raise Refused("evm.value", f"got {unsigned.value_wei} wei beside a token, expected none")
    try:
        to, units = decode_transfer(unsigned.data)
    except CodecError as error:
        raise Refused("evm.call", str(error)) from error
    _check_paid(to, units, payee, ask)


def _check_paid(to: bytes, units: int, payee: bytes, ask: Ask) -> None:
    if to != payee or units != ask.units:
        raise Refused(
            "payees.missing",
            f"got {units} to {checksum(to)}, expected {ask.units} to {ask.address[:100]}",
        )


def _check_fee(payment: HostedPayment, ask: Ask) -> None:
    """Every limit must hold at once. Raises Refused."""
    network = payment.network
    if payment.fee_units > network.fee_units_max:
        raise Refused("fee.absolute", f"got {payment.fee_units}, cap {network.fee_units_max}")
    if payment.feerate > network.feerate_max:
        raise Refused("fee.rate", f"got {payment.feerate}, cap {network.feerate_max}")
    if ask.fee_units_max is not None and payment.fee_units > ask.fee_units_max:
        raise Refused("fee.asked", f"got {payment.fee_units}, you allowed {ask.fee_units_max}")


def _signed_psbt(opened: OpenedHostedKey, payment: HostedPayment) -> bytes:
    hasher = Sighasher(Psbt.parse(payment.payload))
    signatures = []
    for at in range(payment.inputs):
        der = secp.sign_low_r(opened.secret, hasher.digest(at))
        signatures.append(
            InputSignature(
                index=at, public_key=payment.public_key, signature=der + bytes((SIGHASH_ALL,))
            )
        )
    # Both verify every signature again before they use it.
    return finalize(add_signatures(payment.payload, signatures))
