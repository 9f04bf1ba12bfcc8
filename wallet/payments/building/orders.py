"""What is to be paid: intents with their source, before any byte of a transaction exists."""

from dataclasses import dataclass

from chains.types import OutPoint
from signer.protocol import Approval, Intent, OwnOutput, Purpose
from wallet.payments.errors import BadOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendOrder:
    """Intents that one transaction shall fulfil.

    `own` says where payees of ours derive from, so that signers can re-derive them. `sender` is the
    paying address on an EVM chain (the key's origin); a UTXO vault has none. `approvals` travel to
    the signers inside the request. `coins` names the coins to spend, all of them and no other;
    empty leaves the choice to the builder. `safe_nonce` is the nonce that a Safe's owners signed
    for, where an account executes what they signed.
    """

    network: str
    asset: str
    source: str
    purpose: Purpose
    intents: tuple[Intent, ...]
    approvals: tuple[Approval, ...] = ()
    own: tuple[OwnOutput, ...] = ()
    sender: OwnOutput | None = None
    safe_nonce: int | None = None
    coins: tuple[OutPoint, ...] = ()

    def __post_init__(self) -> None:
        if not self.intents:
            raise BadOrder("got no intent, expected at least one")
        for intent in self.intents:
            got = (intent.network, intent.asset, intent.source, intent.purpose)
            expected = (self.network, self.asset, self.source, self.purpose)
            if got != expected:
                raise BadOrder(f"got an intent of {got}, expected {expected}")

    @property
    def units(self) -> int:
        """What all payees get, in base units of the asset."""
        return sum(intent.total_units for intent in self.intents)

    @property
    def fee_units_max(self) -> int:
        """What the intents allow the chain to take, in native base units."""
        return sum(intent.fee_units_max for intent in self.intents)

    @property
    def expires_s(self) -> int:
        """When the first intent ends."""
        return min(intent.expires_s for intent in self.intents)

    def approvers_of(self, intent: Intent) -> frozenset[str]:
        """Who approved one intent; the approvals were verified when they came in."""
        return frozenset(a.approver for a in self.approvals if a.intent_digest == intent.digest)
