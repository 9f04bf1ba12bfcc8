"""Whose address a payee is: every claim of the request is derived again from our own vaults."""

from collections import Counter
from collections.abc import Mapping

from chains.errors import ChainError
from chains.evm.accounts import FixedAddress
from chains.evm.safe import SafeVault
from signer.errors import Refused, SignerError
from signer.guards.facts import GuardContext, Owner, PayeeFact, RegisteredVault, Role
from signer.protocol import Intent, OwnOutput, Purpose, SignRequest
from signer.registry import address_at

_PURPOSE_OWNERS: Mapping[Purpose, frozenset[Owner]] = {
    Purpose.WITHDRAWAL: frozenset({Owner.NONE, Owner.DEPOSIT}),
    Purpose.GATHER: frozenset({Owner.HOT, Owner.COLD}),
    Purpose.TOP_UP: frozenset({Owner.DEPOSIT}),
    Purpose.SWEEP: frozenset({Owner.COLD}),
    Purpose.REFILL: frozenset({Owner.HOT}),
    Purpose.RESHAPE: frozenset({Owner.HOT}),
}
"""Whom each purpose may ever pay; the policy can only be stricter."""

_OWNER_OF_ROLE = {Role.HOT: Owner.HOT, Role.COLD: Owner.COLD, Role.DEPOSIT: Owner.DEPOSIT}

INDEX_MAX = 2**31 - 1
"""Largest unhardened index."""


def payee_facts(request: SignRequest, context: GuardContext) -> tuple[PayeeFact, ...]:
    """Every payee of the intents with its owner. Raises Refused."""
    own = derived_claims(request, context)
    claims = {**_fixed_claims(request.network, context), **own}
    facts = tuple(
        _fact(intent, payee.address, payee.units, claims.get(payee.address), context)
        for intent in request.intents
        for payee in intent.payees
    )
    unused = set(own) - {fact.address for fact in facts}
    if unused:
        raise Refused("own.unused", f"got origins of {sorted(unused)[:3]}, which nobody pays")
    allowed = _PURPOSE_OWNERS.get(request.intents[0].purpose, frozenset())
    for fact in facts:
        if fact.owner not in allowed:
            raise Refused(
                "purpose.wrong_payee",
                f"{request.intents[0].purpose} pays {fact.address}, owner {fact.owner}",
            )
        if request.intents[0].purpose is Purpose.RESHAPE and fact.source != request.source:
            # Between two hot vaults the caps of one would be spent by the rules of the other.
            raise Refused("reshape.other_vault", f"{fact.address} is of {fact.source}")
    return facts


def fixed_addresses(network: str, context: GuardContext) -> dict[str, RegisteredVault]:
    """Addresses of our vaults that have only one: known without any claim."""
    return {
        vault.vault.address_text(0): vault
        for vault in context.vaults.values()
        if vault.network == network and isinstance(vault.vault, FixedAddress | SafeVault)
    }


def count_payees(facts: tuple[PayeeFact, ...]) -> Counter[tuple[str, int]]:
    """Payments as a multiset: what the payload must pay, exactly."""
    return Counter((fact.address, fact.units) for fact in facts)


def derived_claims(request: SignRequest, context: GuardContext) -> dict[str, OwnOutput]:
    """The request's origins by address, each derived anew from our own vaults. Raises Refused."""
    found: dict[str, OwnOutput] = {}
    for claim in request.own:
        vault = context.vaults.get(claim.source)
        if vault is None or vault.network != request.network:
            raise Refused("own.source_unknown", f"got origin in {claim.source!r}")
        if claim.address in found:
            raise Refused("own.twice", f"got two origins of {claim.address}")
        try:
            address = address_at(vault.vault, context.networks, claim.branch, claim.index)
        except (ChainError, SignerError) as error:
            raise Refused("own.path", f"{claim.address}: {error}") from error
        if address != claim.address:
            raise Refused("own.mismatch", f"got {claim.address}, derived {address}")
        found[claim.address] = claim
    return found


def _fixed_claims(network: str, context: GuardContext) -> dict[str, OwnOutput]:
    return {
        address: OwnOutput(address=address, source=vault.name, branch=0, index=0)
        for address, vault in fixed_addresses(network, context).items()
    }


def _fact(
    intent: Intent, address: str, units: int, claim: OwnOutput | None, context: GuardContext
) -> PayeeFact:
    if claim is None:
        return PayeeFact(intent_id=intent.intent_id, address=address, units=units, owner=Owner.NONE)
    return PayeeFact(
        intent_id=intent.intent_id,
        address=address,
        units=units,
        owner=_OWNER_OF_ROLE[context.vaults[claim.source].role],
        source=claim.source,
        path=f"{claim.branch}/{claim.index}",
    )
