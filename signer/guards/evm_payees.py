"""Whose money an EVM request moves: its one intent, the paying vault's role, the sender's key."""

import hmac
from collections import Counter
from collections.abc import Sequence

from chains.errors import CodecError
from chains.evm.accounts import FixedAddress, KeyAccount
from chains.evm.addresses import checksum
from signer.errors import Refused
from signer.guards.evm_calls import Call
from signer.guards.facts import (
    GuardContext,
    NetworkRules,
    OwnKey,
    PayeeFact,
    RegisteredVault,
    Role,
    SignatureForm,
    SigningJob,
)
from signer.guards.owners import payee_facts
from signer.protocol import Intent, Kind, OwnOutput, Purpose, SignRequest

BRANCH = 0
"""EVM accounts derive on the external branch only."""

PAYING_ROLES = {
    Purpose.WITHDRAWAL: frozenset({Role.HOT, Role.COLD}),
    Purpose.GATHER: frozenset({Role.DEPOSIT}),
    Purpose.TOP_UP: frozenset({Role.HOT}),
    Purpose.SWEEP: frozenset({Role.HOT}),
    Purpose.REFILL: frozenset({Role.COLD}),
    Purpose.UNSTICK: frozenset({Role.HOT, Role.DEPOSIT}),
    Purpose.GOVERNANCE: frozenset({Role.COLD, Role.HOT}),
}
"""Which vaults may pay for what.

A deposit key can only gather, and gathering pays only hot or cold: whoever can ask a signer for
deposit signatures gains nothing.
"""


def rules_of(request: SignRequest, context: GuardContext, kind: Kind) -> NetworkRules:
    """The hard limits of the request's network, which must be an EVM chain. Raises Refused."""
    if request.kind is not kind:
        raise Refused("request.kind", f"got {request.kind}, expected {kind}")
    rules = context.networks.get(request.network)
    if rules is None:
        raise Refused("request.network_unknown", f"got network {request.network!r}")
    if rules.chain_id is None:
        raise Refused("request.network", f"{request.network} is not an EVM chain")
    return rules


def act_intent(request: SignRequest, call: bytes) -> Intent:
    """The only intent, which pays nobody and names exactly these bytes. Raises Refused."""
    if len(request.intents) != 1:
        raise Refused("intent.count", "got several intents, expected one for an act")
    intent = request.intents[0]
    if intent.network != request.network:
        raise Refused("intent.network", f"{intent.intent_id} is of {intent.network}")
    if intent.payees:
        raise Refused("intent.act_pays", f"{intent.intent_id} pays somebody, expected nobody")
    if not hmac.compare_digest(intent.call, call):
        raise Refused("intent.call", f"{intent.intent_id} approves other bytes than these")
    return intent


def registered(context: GuardContext, name: str, network: str) -> RegisteredVault:
    """A vault of this network by name. Raises Refused."""
    entry = context.vaults.get(name)
    if entry is None:
        raise Refused("request.source_unknown", f"got source {name!r}, not registered")
    if entry.network != network or entry.vault.network != network:
        raise Refused("request.network", f"{name} is of {entry.network}, expected {network}")
    return entry


def matched_payees(
    calls: Sequence[Call], source: RegisteredVault, request: SignRequest, context: GuardContext
) -> tuple[PayeeFact, ...]:
    """The payees that the bytes pay: exactly the intents', and allowed ones. Raises Refused."""
    intents = request.intents
    if sum(len(intent.payees) for intent in intents) != len(calls):
        raise Refused("intent.count", f"the bytes make {len(calls)} payments, the intents others")
    for intent in intents:
        _check_intent(intent, calls, source, request)
    paid = Counter((checksum(call.payee), call.units) for call in calls)
    facts = [(payee.address, payee.units) for intent in intents for payee in intent.payees]
    if paid != Counter(facts):
        raise Refused("payees.mismatch", f"the bytes pay {dict(paid - Counter(facts))}")
    return payee_facts(request, context)


def check_source(intent: Intent, source: RegisteredVault) -> None:
    """Raise Refused unless the intent is of this vault, and the vault may do what it is for."""
    if intent.source != source.name:
        raise Refused("intent.source", f"{intent.intent_id} is paid by {intent.source}")
    if source.role not in PAYING_ROLES.get(intent.purpose, frozenset()):
        raise Refused("purpose.wrong_source", f"a {source.role} vault may not {intent.purpose}")


def _check_intent(
    intent: Intent, calls: Sequence[Call], source: RegisteredVault, request: SignRequest
) -> None:
    if intent.network != request.network:
        raise Refused("intent.network", f"{intent.intent_id} is of {intent.network}")
    if intent.call:
        raise Refused("intent.call", f"{intent.intent_id} approves bytes that pay nobody")
    if intent.purpose is not request.intents[0].purpose:
        raise Refused("intent.mixed", f"{intent.intent_id} is of another purpose")
    check_source(intent, source)
    for call in calls:
        if intent.asset != call.asset:
            raise Refused("intent.asset", f"the bytes pay {call.asset}, the intent {intent.asset}")


def sender_of(
    request: SignRequest, context: GuardContext
) -> tuple[RegisteredVault, OwnKey, OwnOutput]:
    """The account that signs, our key in it, and its address derived anew. Raises Refused."""
    own = request.sender
    if own is None:
        raise Refused("sender.missing", "got no sender, expected the key's origin")
    if own.source != request.source:
        raise Refused("sender.source", f"got {own.source}, expected {request.source}")
    entry = registered(context, own.source, request.network)
    if not isinstance(entry.vault, KeyAccount | FixedAddress):
        raise Refused("sender.kind", f"{own.source} has no key that could sign a transaction")
    if entry.own is None:
        raise Refused("request.not_our_key", f"no key of ours is in {own.source}")
    try:
        address = entry.vault.address_text(own.index)
    except CodecError as error:
        raise Refused("sender.path", str(error)) from error
    if own.branch != BRANCH:
        raise Refused("sender.path", f"got branch {own.branch}, expected {BRANCH}")
    if address != own.address:
        raise Refused("sender.mismatch", f"got {own.address[:64]}, derived {address}")
    return entry, entry.own, own


def account_job(digest: bytes, sender: RegisteredVault, key: OwnKey, own: OwnOutput) -> SigningJob:
    """The one signature of an account that `sender_of` found."""
    return SigningJob(
        index=0,
        digest=digest,
        path=(*key.path, BRANCH, own.index),
        public_key=sender.vault.public_key_at(own.index),
        answer_key=sender.vault.address_at(own.index),
        form=SignatureForm.RSV,
    )
