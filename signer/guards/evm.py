"""Guard of EVM transactions: everything is refused except the payments that are listed here."""

import hashlib
from dataclasses import replace
from typing import TypeAlias

from chains.errors import CodecError
from chains.evm.addresses import checksum
from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.safe import EXEC_TRANSACTION, SafeTx, SafeVault
from chains.evm.safe_signatures import recover_owners
from chains.evm.transactions import UnsignedTx
from signer.errors import Refused
from signer.guards.evm_calls import decode_call
from signer.guards.evm_fees import check_fee_share, check_gas
from signer.guards.evm_nonces import check_account_nonce
from signer.guards.evm_payees import account_job, rules_of, sender_of
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    RegisteredVault,
    SpendFacts,
    payees_digest,
)
from signer.guards.safe import pinned_safe
from signer.guards.safe_deeds import Deed, inner_deed
from signer.guards.told import told
from signer.guards.unsticking import unstick_facts
from signer.protocol import Kind, Purpose, SignRequest

LEGACY_FROM = 0xC0
"""First byte of a bare RLP list: a transaction from before EIP-2718."""

AnyTx: TypeAlias = UnsignedTx | UnsignedLegacyTx


def check_evm_tx(request: SignRequest, context: GuardContext) -> SpendFacts:
    """What a transaction really does and the signature it needs. Raises Refused."""
    rules = rules_of(request, context, Kind.EVM_TX)
    if not request.intents:
        raise Refused("intent.count", "got no intent, expected at least one")
    tx = _decode(request.payload, rules)
    if tx.chain_id != rules.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {tx.chain_id}, expected {rules.chain_id}")
    sender, key, own = sender_of(request, context)
    if request.intents[0].purpose is Purpose.UNSTICK:
        check_gas(tx.gas_limit, tx.max_fee_wei, request, rules.gas_limit_max, rules)
        job = account_job(tx.signing_hash, sender, key, own)
        return unstick_facts(tx, job, sender, request, context)
    deed, source = _deed(tx, sender, request, context, rules)
    payees, act, notes = told(deed, source, request, context)
    asset = deed.calls[0].asset if deed.calls else rules.asset
    check_gas(tx.gas_limit, tx.max_fee_wei, request, rules.gas_limit_max, rules)
    check_fee_share(tx.fee_wei_max, request, asset, sum(payee.units for payee in payees), rules)
    payment = (payees_digest(asset, payees), tx.fee_wei_max)
    replaces = check_account_nonce(tx.nonce, own.address, request.network, rules, context, payment)
    if replaces:
        notes = (*notes, f"REPLACES nonce {tx.nonce}: the same payment at a higher fee")
    return SpendFacts(
        purpose=request.intents[0].purpose,
        network=request.network,
        asset=asset,
        source=source.name,
        payees=payees,
        change=(),
        fee_units=tx.fee_wei_max,
        size=tx.gas_limit,
        feerate=tx.max_fee_wei,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=(account_job(tx.signing_hash, sender, key, own),),
        nonce=(own.address, tx.nonce),
        notes=notes,
        act=act,
    )


def _decode(payload: bytes, rules: NetworkRules) -> AnyTx:
    try:
        if rules.legacy and payload[:1] >= bytes([LEGACY_FROM]):
            return UnsignedLegacyTx.decode(payload)
        return UnsignedTx.decode(payload)
    except CodecError as error:
        code = error.code if error.code.startswith("evm.") else "evm.malformed"
        raise Refused(code, str(error)) from error


def _deed(
    tx: AnyTx,
    sender: RegisteredVault,
    request: SignRequest,
    context: GuardContext,
    rules: NetworkRules,
) -> tuple[Deed, RegisteredVault]:
    """What a transaction does and the vault whose money it is. Raises Refused."""
    if tx.data[:4] != EXEC_TRANSACTION:
        call = decode_call(tx.to, tx.value_wei, tx.data, rules)
        return Deed(calls=(call,), notes=(call.note,) if call.note else ()), sender
    safes = [
        entry
        for entry in context.vaults.values()
        if entry.network == request.network
        and isinstance(entry.vault, SafeVault)
        and entry.vault.address == tx.to
    ]
    if not safes:
        raise Refused("safe.unregistered", f"{checksum(tx.to)} is not a Safe this signer knows")
    vault = pinned_safe(safes[0], rules)
    inner = _executed(tx, vault, request)
    deed = inner_deed(inner, vault, request.intents[0].purpose, rules)
    note = f"executes Safe {vault.name}, {checksum(vault.address)}, nonce {inner.nonce}"
    return replace(deed, notes=(note, *deed.notes)), safes[0]


def _executed(tx: AnyTx, vault: SafeVault, request: SignRequest) -> SafeTx:
    """The SafeTx that execTransaction carries, signed by enough of its owners. Raises Refused."""
    if tx.value_wei:
        raise Refused("safe.value", f"got {tx.value_wei} wei sent to the Safe beside its call")
    if request.safe_nonce is None:
        raise Refused("safe.nonce_missing", "got no Safe nonce, which its owners' signatures cover")
    try:
        inner, packed = SafeTx.decode_execution(
            tx.data, chain_id=vault.chain_id, safe=vault.address, nonce=request.safe_nonce
        )
        owners = recover_owners(inner.safe_tx_hash, packed)
    except CodecError as error:
        code = error.code if error.code.startswith("safe.") else "safe.malformed"
        raise Refused(code, str(error)) from error
    strangers = set(owners) - set(vault.owners)
    if strangers:
        raise Refused(
            "safe.signature_owner",
            f"signed by {[checksum(one) for one in sorted(strangers)]}, not owners of {vault.name}",
        )
    if len(owners) < vault.threshold:
        raise Refused(
            "safe.signatures", f"got {len(owners)} signatures, expected {vault.threshold}"
        )
    return inner
