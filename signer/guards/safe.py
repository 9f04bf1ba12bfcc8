"""Guard of Safe transactions: decoded here, never believed from what a screen elsewhere showed."""

import hashlib

from chains.errors import CodecError
from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum
from chains.evm.safe import SafeTx, SafeVault
from chains.hd import ExtendedKey
from signer.errors import Refused
from signer.guards.evm_calls import Call, decode_call
from signer.guards.evm_payees import BRANCH, matched_payee, registered, rules_of, sole_intent
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    OwnKey,
    RegisteredVault,
    SignatureForm,
    SigningJob,
    SpendFacts,
)
from signer.protocol import Kind, SignRequest

_NOBODY = bytes(20)
_OWNER_PATH = (BRANCH, 0)


def check_safe_tx(request: SignRequest, context: GuardContext) -> SpendFacts:
    """What a SafeTx really does and the signature it needs. Raises Refused."""
    rules = rules_of(request, context, Kind.SAFE_TX)
    intent = sole_intent(request)
    entry = registered(context, request.source, request.network)
    vault = pinned_safe(entry, rules)
    tx = _decode(request.payload)
    if tx.chain_id != vault.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {tx.chain_id}, expected {vault.chain_id}")
    if tx.safe != vault.address:
        raise Refused("safe.wrong_safe", f"got {checksum(tx.safe)}, expected {entry.name}")
    call = inner_call(tx, rules)
    payee = matched_payee(intent, call, entry, request, context)
    replaces = _check_nonce(tx, request.network, rules, context)
    return SpendFacts(
        purpose=intent.purpose,
        network=request.network,
        asset=call.asset,
        source=entry.name,
        payees=(payee,),
        change=(),
        fee_units=0,
        size=0,
        feerate=0,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=(_job(tx, vault, entry.own),),
        nonce=(checksum(tx.safe), tx.nonce),
        notes=_notes(tx, vault, call, replaces),
    )


def pinned_safe(entry: RegisteredVault, rules: NetworkRules) -> SafeVault:
    """The registered Safe, its version, singleton and owners checked again. Raises Refused."""
    if not isinstance(entry.vault, SafeVault):
        raise Refused("safe.not_a_safe", f"{entry.name} is not a Safe")
    vault = entry.vault
    try:
        vault.check()
    except CodecError as error:
        raise Refused("safe.not_pinned", str(error)) from error
    if vault.chain_id != rules.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {vault.chain_id}, expected {rules.chain_id}")
    return vault


def inner_call(tx: SafeTx, rules: NetworkRules) -> Call:
    """The payment that a Safe makes: a plain call, no relayer, never to itself. Raises Refused."""
    if tx.operation != 0:
        raise Refused("safe.delegatecall", f"got operation {tx.operation}, expected 0 (call)")
    if (tx.safe_tx_gas, tx.base_gas, tx.gas_price_wei) != (0, 0, 0):
        raise Refused("safe.gas", "got gas to repay a relayer, expected zero")
    if (tx.gas_token, tx.refund_receiver) != (_NOBODY, _NOBODY):
        raise Refused("safe.refund", "got a refund receiver or gas token, expected none")
    if tx.to == tx.safe:
        raise Refused("safe.self_call", f"call {tx.data[:4].hex()} would change the Safe itself")
    return decode_call(tx.to, tx.value_wei, tx.data, rules)


def _decode(payload: bytes) -> SafeTx:
    try:
        return SafeTx.decode(payload)
    except CodecError as error:
        raise Refused("safe.malformed", str(error)) from error


def _check_nonce(tx: SafeTx, network: str, rules: NetworkRules, context: GuardContext) -> bool:
    """Whether it replaces an earlier one. Raises Refused.

    The same nonce again is safe: the contract executes only one of the two.
    """
    last = context.memory.last_nonce(network, checksum(tx.safe))
    if last is None:
        return False
    if tx.nonce < last:
        raise Refused("nonce.used", f"got Safe nonce {tx.nonce}, signed up to {last}")
    if tx.nonce > last + 1 + rules.nonce_gap_max:
        raise Refused("nonce.gap", f"got Safe nonce {tx.nonce}, signed up to {last}")
    return tx.nonce == last


def _job(tx: SafeTx, vault: SafeVault, own: OwnKey | None) -> SigningJob:
    if own is None:
        raise Refused("safe.not_an_owner", f"no key of this signer is in {vault.name!r}")
    key = ExtendedKey.parse(own.xpub).child(BRANCH).child_key(0)
    owner = address_of_key(key)
    if owner not in vault.owners:
        raise Refused("safe.not_an_owner", f"{checksum(owner)} is not an owner of {vault.name!r}")
    return SigningJob(
        index=0,
        digest=tx.safe_tx_hash,
        path=own.path + _OWNER_PATH,
        public_key=key,
        answer_key=owner,
        form=SignatureForm.RSV,
    )


def _notes(tx: SafeTx, vault: SafeVault, call: Call, replaces: bool) -> tuple[str, ...]:
    lines = [
        f"Safe {checksum(vault.address)} version {vault.version}, nonce {tx.nonce}",
        f"safeTxHash 0x{tx.safe_tx_hash.hex()}",
        f"domain hash 0x{tx.domain_hash.hex()}",
        f"message hash 0x{tx.message_hash.hex()}",
    ]
    if call.note:
        lines.append(call.note)
    if replaces:
        lines.append(f"REPLACES what this signer signed before with nonce {tx.nonce}")
    return tuple(lines)
