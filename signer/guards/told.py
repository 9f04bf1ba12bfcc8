"""A deed as the intents approve it: whom it pays, or what it changes, and nothing else."""

from signer.guards.evm_payees import act_intent, check_source, matched_payees
from signer.guards.facts import GovernanceFact, GuardContext, PayeeFact, RegisteredVault
from signer.guards.governance import check_governance
from signer.guards.safe_deeds import Deed
from signer.protocol import SignRequest


def told(
    deed: Deed, source: RegisteredVault, request: SignRequest, context: GuardContext
) -> tuple[tuple[PayeeFact, ...], GovernanceFact | None, tuple[str, ...]]:
    """Payees, change of a Safe, and notes: as the intents approve them. Raises Refused."""
    if deed.governance is None:
        return matched_payees(deed.calls, source, request, context), None, deed.notes
    intent = act_intent(request, deed.governance.encode())
    check_source(intent, source)
    fact, lines = check_governance(deed.governance, source.vault, context)
    return (), fact, (*lines, *deed.notes)
