"""Whose money an EVM request moves: its one intent, the paying vault's role, the sender's key."""

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


def sole_intent(request: SignRequest) -> Intent:
    """The only intent, with its only payee: an EVM transaction makes one payment."""
    if len(request.intents) != 1 or len(request.intents[0].payees) != 1:
        raise Refused("intent.count", "got several payments, expected one in an EVM transaction")
    intent = request.intents[0]
    if intent.network != request.network:
        raise Refused("intent.network", f"{intent.intent_id} is of {intent.network}")
    return intent


def registered(context: GuardContext, name: str, network: str) -> RegisteredVault:
    """A vault of this network by name. Raises Refused."""
    entry = context.vaults.get(name)
    if entry is None:
        raise Refused("request.source_unknown", f"got source {name!r}, not registered")
    if entry.network != network or entry.vault.network != network:
        raise Refused("request.network", f"{name} is of {entry.network}, expected {network}")
    return entry


def matched_payee(
    intent: Intent, call: Call, source: RegisteredVault, request: SignRequest, context: GuardContext
) -> PayeeFact:
    """The payee that the bytes pay: exactly the intent's, and one it may pay. Raises Refused."""
    if intent.source != source.name:
        raise Refused("intent.source", f"{intent.intent_id} is paid by {intent.source}")
    if source.role not in PAYING_ROLES[intent.purpose]:
        raise Refused("purpose.wrong_source", f"a {source.role} vault may not {intent.purpose}")
    if intent.asset != call.asset:
        raise Refused("intent.asset", f"the bytes pay {call.asset}, the intent {intent.asset}")
    wanted, address = intent.payees[0], checksum(call.payee)
    if (wanted.address, wanted.units) != (address, call.units):
        raise Refused(
            "payees.mismatch",
            f"the bytes pay {call.units} to {address}, "
            f"the intent {wanted.units} to {wanted.address[:64]}",
        )
    return payee_facts(request, context)[0]


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
