"""Guard of batches: the hot account lets the sweeper empty deposit addresses of ours, to itself.

The calldata names a token and addresses; the sweeper's code pays only the account that its own
address is made of, so all that is left to check is that this is the sender, that every address is
ours, and what it costs.
"""

import hashlib

from chains.errors import CodecError
from chains.evm.addresses import checksum, from_text
from chains.evm.set_code import SweepTx, call_of, decode_sweep, deed_digest
from chains.evm.sweeper import ETHER, SweepCall
from chains.evm.transactions import UnsignedTx
from signer.errors import Refused
from signer.guards.evm_fees import check_gas
from signer.guards.evm_nonces import check_account_nonce
from signer.guards.evm_payees import account_job, act_intent, rules_of, sender_of
from signer.guards.facts import BatchFact, GuardContext, NetworkRules, Role, SpendFacts
from signer.guards.owners import derived_claims
from signer.guards.sweepers import pays_only
from signer.protocol import Kind, Purpose, SignRequest


def check_batch(request: SignRequest, context: GuardContext) -> SpendFacts:
    """Which addresses are emptied of what, by which sweeper, at what fee. Raises Refused."""
    rules = rules_of(request, context, Kind.EVM_BATCH)
    tx = _decode(request.payload)
    call = call_of(tx)
    _check_call(call, rules)
    sender, key, own = sender_of(request, context)
    if sender.role is not Role.HOT:
        raise Refused("batch.role", f"got a {sender.role} vault, expected the hot account")
    if not pays_only(sender, rules):
        raise Refused("batch.treasury", f"{rules.sweeper} does not pay {own.address}")
    sweep = _sweep(call.data)
    asset = _asset(sweep, rules)
    intent = act_intent(request, call.data)
    if intent.source != sender.name:
        raise Refused("intent.source", f"{intent.intent_id} is paid by {intent.source}")
    if intent.purpose is not Purpose.GATHER or intent.asset != asset:
        raise Refused("batch.purpose", f"got {intent.purpose} of {intent.asset}, the call {asset}")
    _check_accounts(sweep, request, context)
    granted = _check_authorizations(tx, sweep, rules)
    check_gas(call.gas_limit, call.max_fee_wei, request, rules.batch_gas_limit_max, rules)
    deed = deed_digest(tx)
    fee = call.fee_wei_max
    nonce = call.nonce
    notes = [f"sweeper {rules.sweeper}: {len(sweep.accounts)} deposit addresses, {granted} new"]
    if check_account_nonce(nonce, own.address, request.network, rules, context, (deed, fee)):
        notes.append(f"REPLACES nonce {nonce}: the same batch at a higher fee")
    notes += [f"  empties {checksum(account)}" for account in sweep.accounts]
    return SpendFacts(
        purpose=intent.purpose,
        network=request.network,
        asset=asset,
        source=sender.name,
        payees=(),
        change=(),
        fee_units=fee,
        size=call.gas_limit,
        feerate=call.max_fee_wei,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=(account_job(tx.signing_hash, sender, key, own),),
        nonce=(own.address, nonce),
        notes=tuple(notes),
        act=BatchFact(sweeper=rules.sweeper, accounts=len(sweep.accounts), authorizations=granted),
        act_digest=deed,
    )


def _decode(payload: bytes) -> SweepTx:
    try:
        return decode_sweep(payload)
    except CodecError as error:
        known = error.code.startswith(("evm.", "set_code.", "delegation."))
        raise Refused(error.code if known else "batch.malformed", str(error)) from error


def _check_call(call: UnsignedTx, rules: NetworkRules) -> None:
    if call.chain_id != rules.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {call.chain_id}, expected {rules.chain_id}")
    if not rules.sweeper:
        raise Refused("batch.no_sweeper", f"no sweeper is configured for {rules.id}")
    if call.to != from_text(rules.sweeper):
        raise Refused("batch.not_sweeper", f"got {checksum(call.to)}, expected {rules.sweeper}")
    if call.value_wei:
        raise Refused("batch.value", f"got {call.value_wei} wei beside a batch")


def _sweep(data: bytes) -> SweepCall:
    try:
        return SweepCall.decode(data)
    except CodecError as error:
        raise Refused("batch.calldata", str(error)) from error


def _asset(sweep: SweepCall, rules: NetworkRules) -> str:
    if sweep.token == ETHER:
        return rules.asset
    for code, token in rules.tokens.items():
        if from_text(token.contract) == sweep.token:
            return code
    raise Refused("batch.token_unknown", f"{checksum(sweep.token)} is not a token we know")


def _check_accounts(sweep: SweepCall, request: SignRequest, context: GuardContext) -> None:
    """Every address is a deposit address that we derived; no origin is left over."""
    claims = derived_claims(request, context)
    for account in sweep.accounts:
        claim = claims.pop(checksum(account), None)
        if claim is None or context.vaults[claim.source].role is not Role.DEPOSIT:
            raise Refused("batch.foreign_address", f"{checksum(account)} is no deposit address")
    if claims:
        raise Refused("batch.unused_origin", f"{sorted(claims)[:3]} are not of this batch")


def _check_authorizations(tx: SweepTx, sweep: SweepCall, rules: NetworkRules) -> int:
    """Each is by an address of this batch, for the sweeper, on this chain. Returns their number."""
    if isinstance(tx, UnsignedTx):
        return 0
    authorities: set[bytes] = set()
    for one in tx.authorizations:
        given = one.authorization
        if given.chain_id != rules.chain_id:
            raise Refused("batch.authorization_chain", f"got chain {given.chain_id}")
        if given.delegate != from_text(rules.sweeper):
            raise Refused("batch.delegate", f"got {checksum(given.delegate)}, not the sweeper")
        if one.authority not in sweep.accounts:
            raise Refused("batch.authority", f"{checksum(one.authority)} is not of this batch")
        if one.authority in authorities:
            raise Refused("batch.authority_twice", f"{checksum(one.authority)} gives leave twice")
        authorities.add(one.authority)
    return len(authorities)
