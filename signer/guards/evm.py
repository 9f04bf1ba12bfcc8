"""Guard of EVM transactions: everything is refused except the payments that are listed here."""

import hashlib

from chains.errors import CodecError
from chains.evm.addresses import checksum
from chains.evm.safe import EXEC_TRANSACTION, SafeTx, SafeVault
from chains.evm.transactions import UnsignedTx
from signer.errors import Refused
from signer.guards.evm_calls import Call, decode_call
from signer.guards.evm_payees import (
    BRANCH,
    matched_payee,
    rules_of,
    sender_of,
    sole_intent,
)
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    OwnKey,
    RegisteredVault,
    SignatureForm,
    SigningJob,
    SpendFacts,
)
from signer.guards.safe import inner_call, pinned_safe
from signer.protocol import Intent, Kind, OwnOutput, Purpose, SignRequest

PPM = 1_000_000
"""Shares are parts per million."""


def check_evm_tx(request: SignRequest, context: GuardContext) -> SpendFacts:
    """What an EIP-1559 transaction really does and the signature it needs. Raises Refused."""
    rules = rules_of(request, context, Kind.EVM_TX)
    intent = sole_intent(request)
    tx = _decode(request.payload)
    if tx.chain_id != rules.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {tx.chain_id}, expected {rules.chain_id}")
    sender, key, own = sender_of(request, context)
    call, source = _payment(tx, sender, request, context, rules)
    payee = matched_payee(intent, call, source, request, context)
    _check_fee(tx, intent, call, rules)
    _check_nonce(tx, own.address, request.network, rules, context)
    return SpendFacts(
        purpose=intent.purpose,
        network=request.network,
        asset=call.asset,
        source=source.name,
        payees=(payee,),
        change=(),
        fee_units=tx.fee_wei_max,
        size=tx.gas_limit,
        feerate=tx.max_fee_wei,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=(_job(tx, sender, key, own),),
        nonce=(own.address, tx.nonce),
        notes=(call.note,) if call.note else (),
    )


def _decode(payload: bytes) -> UnsignedTx:
    try:
        return UnsignedTx.decode(payload)
    except CodecError as error:
        code = error.code if error.code.startswith("evm.") else "evm.malformed"
        raise Refused(code, str(error)) from error


def _payment(
    tx: UnsignedTx,
    sender: RegisteredVault,
    request: SignRequest,
    context: GuardContext,
    rules: NetworkRules,
) -> tuple[Call, RegisteredVault]:
    """The payment in a transaction and the vault whose money it is. Raises Refused."""
    if tx.data[:4] != EXEC_TRANSACTION:
        return decode_call(tx.to, tx.value_wei, tx.data, rules), sender
    safes = [
        entry
        for entry in context.vaults.values()
        if entry.network == request.network
        and isinstance(entry.vault, SafeVault)
        and entry.vault.address == tx.to
    ]
    if not safes:
        raise Refused("safe.unregistered", f"{checksum(tx.to)} is not a Safe this signer knows")
    return _execution(tx, pinned_safe(safes[0], rules), rules), safes[0]


def _execution(tx: UnsignedTx, vault: SafeVault, rules: NetworkRules) -> Call:
    """The payment that execTransaction carries. Raises Refused.

    The owners' signatures are the Safe's to check: calldata lacks the nonce that they cover, and a
    wrong one only costs the gas.
    """
    if tx.value_wei:
        raise Refused("safe.value", f"got {tx.value_wei} wei sent to the Safe beside its call")
    try:
        inner, packed = SafeTx.decode_execution(
            tx.data, chain_id=vault.chain_id, safe=vault.address, nonce=0
        )
    except CodecError as error:
        raise Refused("safe.malformed", str(error)) from error
    count, rest = divmod(len(packed), 65)
    if rest or not vault.threshold <= count <= len(vault.owners):
        raise Refused(
            "safe.signatures", f"got {len(packed)} bytes, expected {vault.threshold} x 65"
        )
    call = inner_call(inner, rules)
    note = f"executes Safe {vault.name}, {checksum(vault.address)}"
    return Call(
        asset=call.asset,
        payee=call.payee,
        units=call.units,
        note=f"{note}; {call.note}" if call.note else note,
    )


def _check_fee(tx: UnsignedTx, intent: Intent, call: Call, rules: NetworkRules) -> None:
    """Every cap must hold at once. Raises Refused."""
    fee = tx.fee_wei_max
    if tx.gas_limit > rules.gas_limit_max:
        raise Refused("fee.gas_limit", f"got gas {tx.gas_limit}, expected {rules.gas_limit_max}")
    if tx.max_fee_wei > rules.feerate_max:
        raise Refused("fee.rate", f"got {tx.max_fee_wei} wei for gas, cap {rules.feerate_max}")
    if fee > rules.fee_units_max:
        raise Refused("fee.absolute", f"got up to {fee} wei, cap {rules.fee_units_max}")
    if fee > intent.fee_units_max:
        raise Refused("fee.intent", f"got up to {fee} wei, approved {intent.fee_units_max}")
    # A top-up is only as large as the fee it pays for, so a share of it says nothing.
    shared = call.asset == rules.asset and intent.purpose is not Purpose.TOP_UP
    if shared and fee * PPM > rules.fee_ppm_max * call.units:
        raise Refused("fee.share", f"got up to {fee} wei for {call.units}, cap {rules.fee_ppm_max}")


def _check_nonce(
    tx: UnsignedTx, address: str, network: str, rules: NetworkRules, context: GuardContext
) -> None:
    last = context.memory.last_nonce(network, address)
    if last is None:
        return
    if tx.nonce <= last:
        raise Refused("nonce.used", f"got nonce {tx.nonce}, signed up to {last} for {address}")
    if tx.nonce > last + 1 + rules.nonce_gap_max:
        raise Refused("nonce.gap", f"got nonce {tx.nonce}, signed up to {last} for {address}")


def _job(tx: UnsignedTx, sender: RegisteredVault, key: OwnKey, own: OwnOutput) -> SigningJob:
    return SigningJob(
        index=0,
        digest=tx.signing_hash,
        path=(*key.path, BRANCH, own.index),
        public_key=sender.vault.public_key_at(own.index),
        answer_key=sender.vault.address_at(own.index),
        form=SignatureForm.RSV,
    )
