"""The same intents once more: only by bytes that can never be mined beside the earlier ones.

An intent is signed once, for ever, with one exception: bytes that conflict with all that was signed
for it before. Of transactions that share an input, or a sender's nonce, a chain takes at most one.
So the payees are paid once, whichever is mined, and only the fee can differ.
"""

from collections.abc import Sequence
from typing import Protocol

from signer.errors import Refused
from signer.guards.facts import SignedBytes, SpendFacts
from signer.protocol import Kind, SignRequest

REPLACEABLE = frozenset({Kind.PSBT, Kind.EVM_TX, Kind.EVM_BATCH})
"""Kinds that a chain itself takes at most once of several that conflict."""


class SignedBefore(Protocol):
    """What the signer remembers of intents."""

    def intent_signed(self, intent_id: str, intent_digest: bytes) -> bool:
        """Whether an intent, or another with its id, was signed before."""
        ...

    def signed_for(self, intent_digests: Sequence[bytes]) -> Sequence[SignedBytes]:
        """All that was signed for any of these intents, oldest first."""
        ...


def check_again(request: SignRequest, memory: SignedBefore) -> None:
    """Raise Refused for an intent that was signed before and that nothing may replace.

    That is one whose id was used for other contents, and any of a kind that nothing replaces.
    """
    for intent in request.intents:
        known = memory.intent_signed(intent.intent_id, intent.digest)
        replaceable = memory.signed_for((intent.digest,))
        if known and (request.kind not in REPLACEABLE or not replaceable):
            raise Refused("intent.already_signed", f"got intent {intent.intent_id!r} again")


def check_replacement(
    request: SignRequest, facts: SpendFacts, memory: SignedBefore
) -> SignedBytes | None:
    """The first of the bytes that these replace; None where the intents are new. Raises Refused."""
    intents = frozenset(intent.digest for intent in request.intents)
    earlier = memory.signed_for(tuple(intents))
    for before in earlier:
        if before.intents != intents or before.payees_digest != facts.payees_digest:
            raise Refused("replacement.payees", "got other payments than were signed before")
        if not before.consumes & facts.consumes:
            raise Refused(
                "replacement.no_conflict",
                "got an intent again in bytes that could be mined beside the earlier ones",
            )
    _check_fee(earlier, facts)
    return earlier[0] if earlier else None


def _check_fee(earlier: Sequence[SignedBytes], facts: SpendFacts) -> None:
    most = max((before.fee_units for before in earlier), default=-1)
    if facts.fee_units <= most:
        raise Refused("replacement.fee", f"got a fee of {facts.fee_units}, expected above {most}")
