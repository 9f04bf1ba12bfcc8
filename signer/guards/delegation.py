"""Guard of EIP-7702 authorisations: an own deposit address may run the pinned sweeper, no more.

An authorisation hands an account over to code. The sweeper's code can only pay hot, and deposit
addresses hold nothing for long; for every other contract and account the answer is no.
"""

import hashlib

from chains.errors import CodecError
from chains.evm.addresses import checksum, from_text
from chains.evm.authorizations import Authorization
from signer.errors import Refused
from signer.guards.evm_nonces import check_account_nonce
from signer.guards.evm_payees import (
    account_job,
    act_intent,
    check_source,
    rules_of,
    sender_of,
)
from signer.guards.facts import (
    DelegationFact,
    GuardContext,
    Role,
    SpendFacts,
)
from signer.guards.sweepers import pays_only
from signer.protocol import Kind, Purpose, SignRequest


def check_authorization(request: SignRequest, context: GuardContext) -> SpendFacts:
    """Whom an authorisation gives power over which address. Raises Refused."""
    rules = rules_of(request, context, Kind.EVM_AUTH)
    one = _decode(request.payload)
    if one.chain_id != rules.chain_id:
        raise Refused("evm.wrong_chain", f"got chain {one.chain_id}, expected {rules.chain_id}")
    if not rules.sweeper:
        raise Refused("delegation.no_sweeper", f"no sweeper is configured for {rules.id}")
    if not any(pays_only(vault, rules) for vault in context.vaults.values()):
        raise Refused("delegation.treasury", f"{rules.sweeper} pays no hot account of ours")
    if one.delegate != from_text(rules.sweeper):
        raise Refused(
            "delegation.not_sweeper", f"got {checksum(one.delegate)}, expected {rules.sweeper}"
        )
    sender, key, own = sender_of(request, context)
    if sender.role is not Role.DEPOSIT:
        raise Refused("delegation.role", f"got a {sender.role} vault, expected a deposit address")
    intent = act_intent(request, request.payload)
    check_source(intent, sender)
    if intent.purpose is not Purpose.GATHER or intent.asset != rules.asset:
        raise Refused("delegation.purpose", f"got {intent.purpose} of {intent.asset}")
    check_account_nonce(one.nonce, own.address, request.network, rules, context)
    return SpendFacts(
        purpose=intent.purpose,
        network=request.network,
        asset=rules.asset,
        source=sender.name,
        payees=(),
        change=(),
        fee_units=0,
        size=0,
        feerate=0,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=(account_job(one.signing_hash, sender, key, own),),
        nonce=(own.address, one.nonce),
        notes=(f"EIP-7702: {own.address} lets the sweeper {rules.sweeper} act for it",),
        act=DelegationFact(delegate=rules.sweeper),
    )


def _decode(payload: bytes) -> Authorization:
    try:
        return Authorization.decode(payload)
    except CodecError as error:
        code = error.code if error.code.startswith("delegation.") else "delegation.malformed"
        raise Refused(code, str(error)) from error
