"""Checks of the request itself, the same for every chain, before its payload is looked at."""

from collections.abc import Sequence

from chains.evm.accounts import KeyAccount
from chains.evm.safe import SafeVault
from chains.utxo.descriptors import DescriptorVault
from signer.errors import Refused
from signer.guards.facts import GuardContext, RegisteredVault
from signer.protocol import Intent, Kind, Purpose, SignRequest

_ACTS = frozenset({Kind.EVM_AUTH, Kind.EVM_BATCH, Kind.RESERVES})

PAYEES_IN_REQUEST_MAX = 500
"""Payees of all intents of a request together."""


def check_times(request: SignRequest, now_s: int, skew_s: int, lifetime_s_max: int) -> None:
    """Raise Refused unless the request and all its intents are of now."""
    if request.created_s > now_s + skew_s:
        raise Refused("request.from_future", f"created {request.created_s}, it is {now_s}")
    if request.expires_s <= now_s:
        raise Refused("request.expired", f"expired {request.expires_s}, it is {now_s}")
    lifetime_s = request.expires_s - request.created_s
    if lifetime_s > lifetime_s_max:
        raise Refused("request.lifetime", f"got {lifetime_s} s, expected at most {lifetime_s_max}")
    for intent in request.intents:
        if intent.expires_s <= now_s:
            raise Refused("intent.expired", f"{intent.intent_id} expired {intent.expires_s}")
        if intent.created_s > now_s + skew_s:
            raise Refused("intent.from_future", f"{intent.intent_id} created {intent.created_s}")


def check_source(request: SignRequest, context: GuardContext, signer_id: str) -> RegisteredVault:
    """The registered vault that pays. Raises Refused."""
    if request.signers and signer_id not in request.signers:
        raise Refused("request.not_for_us", f"got signers {list(request.signers)}")
    if request.network not in context.networks:
        raise Refused("request.network_unknown", f"got network {request.network!r}")
    vault = context.vaults.get(request.source)
    if vault is None:
        raise Refused("request.source_unknown", f"got source {request.source!r}, not registered")
    if vault.network != request.network:
        raise Refused(
            "request.network", f"got {request.network}, {vault.name} is of {vault.network}"
        )
    if vault.own is None:
        raise Refused("request.not_our_key", f"no key of ours is in {vault.name}")
    if request.kind not in kinds_of(vault):
        raise Refused(
            "request.kind", f"got {request.kind}, {vault.name} needs {sorted(kinds_of(vault))}"
        )
    return vault


def kinds_of(vault: RegisteredVault) -> frozenset[Kind]:
    """What is signed for a vault; only deposit addresses delegate, only single accounts batch.

    Every vault can be shown to be ours.
    """
    match vault.vault:
        case DescriptorVault():
            return frozenset({Kind.PSBT, Kind.RESERVES})
        case SafeVault():
            return frozenset({Kind.SAFE_TX, Kind.RESERVES})
        case KeyAccount():
            return frozenset({Kind.EVM_TX, Kind.EVM_AUTH, Kind.RESERVES})
        case _:
            return frozenset({Kind.EVM_TX, Kind.EVM_BATCH, Kind.RESERVES})


def check_intents(request: SignRequest, context: GuardContext) -> None:
    """Raise Refused unless the intents fit together and to the request."""
    intents = request.intents
    if not intents:
        raise Refused("intent.none", "got no intent, expected at least one")
    _check_distinct(intents)
    first = intents[0]
    for intent in intents:
        if intent.network != request.network:
            raise Refused("intent.network", f"{intent.intent_id} is of {intent.network}")
        if (intent.purpose, intent.asset) != (first.purpose, first.asset):
            raise Refused("intent.mixed", f"{intent.intent_id} is of another purpose or asset")
        if intent.source != first.source:
            raise Refused("intent.mixed", f"{intent.intent_id} is of another source")
        _check_what(request, intent)
        if any(payee.units <= 0 for payee in intent.payees):
            raise Refused("intent.nothing", f"{intent.intent_id} pays 0 units")
    if sum(len(intent.payees) for intent in intents) > PAYEES_IN_REQUEST_MAX:
        raise Refused("intent.too_many_payees", f"expected at most {PAYEES_IN_REQUEST_MAX}")
    _check_asset(first, context)
    if first.source != request.source and not _carries_safe(request, first, context):
        raise Refused("intent.source", f"{first.intent_id} is paid by {first.source}")


def _check_what(request: SignRequest, intent: Intent) -> None:
    """An intent pays somebody, or approves exact bytes that pay nobody; never both or neither."""
    is_act = request.kind in _ACTS or intent.purpose is Purpose.GOVERNANCE
    if is_act and (intent.payees or not intent.call):
        raise Refused("intent.act", f"{intent.intent_id} must name a call and no payee")
    if is_act and request.kind is Kind.PSBT:
        raise Refused("intent.act", f"{intent.intent_id} cannot be done by a PSBT")
    if not is_act and intent.call:
        raise Refused("intent.call", f"{intent.intent_id} approves bytes that pay nobody")
    if intent.purpose is Purpose.UNSTICK:
        if intent.payees or request.kind is not Kind.EVM_TX or len(request.intents) != 1:
            raise Refused(
                "intent.unstick", f"{intent.intent_id} must pay nobody, in an EVM account"
            )
        return
    if not is_act and not intent.payees:
        raise Refused("intent.no_payee", f"{intent.intent_id} pays nobody")


def _check_distinct(intents: Sequence[Intent]) -> None:
    ids = {intent.intent_id for intent in intents}
    if len(ids) != len(intents) or len({intent.digest for intent in intents}) != len(intents):
        raise Refused("intent.twice", "got an intent twice in one request")


def _check_asset(intent: Intent, context: GuardContext) -> None:
    rules = context.networks[intent.network]
    if intent.asset != rules.asset and intent.asset not in rules.tokens:
        raise Refused("intent.asset_unknown", f"got asset {intent.asset!r} on {rules.id}")


def _carries_safe(request: SignRequest, intent: Intent, context: GuardContext) -> bool:
    """An account of ours may carry a Safe's signed transaction to the chain."""
    paying = context.vaults.get(intent.source)
    return (
        request.kind is Kind.EVM_TX
        and paying is not None
        and paying.network == request.network
        and isinstance(paying.vault, SafeVault)
    )
