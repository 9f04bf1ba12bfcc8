"""Freeing a nonce: a transaction that pays nothing, to its own sender, and spends its fee alone.

It pays nobody, so it can pay nobody twice: it may take any nonce of the account, also one that a
payment was signed with, whose bytes it then shuts out or is shut out by. What it spends is a fee,
bounded by the hard limits and by the policy's windows, which count it as they count payments.
The payment that it shuts out is not signed again for that: its intent stays bound to its nonce.
"""

import hashlib

from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.transactions import UnsignedTx
from signer.errors import Refused
from signer.guards.evm_nonces import check_freed_nonce
from signer.guards.evm_payees import check_source
from signer.guards.facts import (
    GuardContext,
    RegisteredVault,
    SigningJob,
    SpendFacts,
    UnstickFact,
)
from signer.protocol import SignRequest


def unstick_facts(
    tx: UnsignedTx | UnsignedLegacyTx,
    job: SigningJob,
    sender: RegisteredVault,
    request: SignRequest,
    context: GuardContext,
) -> SpendFacts:
    """What is spent to free a nonce. Raises Refused."""
    rules, own = context.networks[request.network], request.sender
    intent = request.intents[0]
    check_source(intent, sender)
    if intent.asset != rules.asset:
        raise Refused("unstick.asset", f"got an intent of {intent.asset}, expected {rules.asset}")
    if own is None or tx.to != job.answer_key or tx.value_wei or tx.data:
        raise Refused("unstick.call", "got a transaction that does more than use up its nonce")
    replaces = check_freed_nonce(
        tx.nonce, own.address, request.network, rules, context, tx.fee_wei_max
    )
    notes = (f"REPLACES what this signer signed before with nonce {tx.nonce}",) if replaces else ()
    return SpendFacts(
        purpose=intent.purpose,
        network=request.network,
        asset=rules.asset,
        source=sender.name,
        payees=(),
        change=(),
        fee_units=tx.fee_wei_max,
        size=tx.gas_limit,
        feerate=tx.max_fee_wei,
        snapshot=hashlib.sha256(request.payload).digest(),
        jobs=(job,),
        nonce=(own.address, tx.nonce),
        notes=notes,
        act=UnstickFact(),
    )
