"""Whether a token payment paid: a receipt says only that a call did not fail.

A plain token paid when its only Transfer log from our address is exactly ours and the balance lost
exactly that. A token with fees is judged by the balance alone, a rebasing one may be off by its
rounding. When nothing moved the payment failed. Everything else is unproven: it stays as it is,
people are told, and one of them decides.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chains.evm.addresses import from_text
from chains.evm.erc20 import TokenTransfer
from chains.types import BlockRef, TokenOutcome, TxSighting, TxState
from signer.protocol import Purpose
from wallet.payments.context import PaymentContext
from wallet.payments.evidence import depth_needed
from wallet.payments.journal import Payment
from wallet.payments.replacing.versions import scanned_height
from wallet.payments.states import PaymentStatus
from wallet.settings import AssetSettings, TokenKind

ROUNDING_UNITS_MAX = 10
"""What a rebasing token's shares may lose or win when they are turned into units."""

UNPROVEN = "token:"
"""How the sub-status of a payment begins whose token does not show that it paid."""


BALANCE_UNKNOWN = "balance_unknown"
"""The one doubt that may go by itself: a node may tell later."""


class Verdict(StrEnum):
    """What a token payment turned out to be."""

    PAID = "paid"
    NOTHING_MOVED = "nothing_moved"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProof:
    """The verdict, base units that left us and that arrived as meant, and `why` it is unproven."""

    verdict: Verdict
    left_units: int = 0
    arrived_units: int = 0
    why: str = ""


class TokenChain(Protocol):
    """The question that token payments ask beyond the common port."""

    def token_outcome(
        self, txid: str, asset: str, expected: TokenTransfer, at: BlockRef
    ) -> TokenOutcome:
        """What a mined transaction really did with a token. Raises NodeError."""
        ...


def is_token(context: PaymentContext, payment: Payment) -> bool:
    """Whether what a payment moves is a token."""
    return context.assets[payment.asset].contract is not None and bool(_payees(payment))


def is_unproven(payment: Payment) -> bool:
    """Whether a payment was found unproven for a reason that asking again does not change."""
    unknown = f"{UNPROVEN}{BALANCE_UNKNOWN}"
    return payment.sub_status.startswith(UNPROVEN) and payment.sub_status != unknown


def prove_if_due(
    context: PaymentContext, payment: Payment, sighting: TxSighting | None
) -> TokenProof | None:
    """The proof of a token payment that is deep enough for one, else None. Raises NodeError."""
    if payment.status is not PaymentStatus.CONFIRMING or not is_token(context, payment):
        return None
    if sighting is None or sighting.state is not TxState.MINED or not sighting.succeeded:
        return None
    block = sighting.block
    if block is None:
        return None
    with context.database.read() as tx:
        depth = scanned_height(tx, payment.network) - block.height + 1
        needed = depth_needed(tx, context, payment)
    if depth < needed:
        return None
    outcome = outcome_of(context, payment, block)
    return prove(payment, outcome, context.assets[payment.asset])


def outcome_of(context: PaymentContext, payment: Payment, at: BlockRef) -> TokenOutcome:
    """What the chain shows of a mined token payment. Raises NodeError."""
    chain: TokenChain = context.chains[payment.network]  # type: ignore[assignment]
    payee = _payees(payment)[0]
    expected = TokenTransfer(
        sender=from_text(_holder(context, payment)),
        to=context.chains[payment.network].destination(payee).target,
        units=payment.units,
    )
    return chain.token_outcome(payment.txid or "", payment.asset, expected, at)


def prove(payment: Payment, outcome: TokenOutcome, asset: AssetSettings) -> TokenProof:
    """What an outcome means for a payment; pure."""
    left, arrived = outcome.left, outcome.arrived
    if not asset.balance_check:
        left = arrived = payment.units if outcome.is_logged else None
    if left is None or arrived is None:
        return _unproven("no_log" if not outcome.is_logged else BALANCE_UNKNOWN)
    if left == 0 and arrived <= 0:
        return TokenProof(verdict=Verdict.NOTHING_MOVED)
    if payment.purpose is Purpose.WITHDRAWAL:
        return _prove_paid(payment, outcome.is_logged, left, arrived, asset.token_kind)
    if 0 <= arrived <= left:
        return TokenProof(verdict=Verdict.PAID, left_units=left, arrived_units=arrived)
    return _unproven("more_arrived", left, arrived)


def _prove_paid(
    payment: Payment, is_logged: bool, left: int, arrived: int, kind: str
) -> TokenProof:
    """Somebody else is paid: what left us counts; where it went on to is their business."""
    if not is_logged and kind != TokenKind.FEE_ON_TRANSFER:
        return _unproven("no_log", left, arrived)
    tolerated = ROUNDING_UNITS_MAX if kind == TokenKind.REBASING else 0
    if abs(left - payment.units) > tolerated:
        return _unproven("other_amount", left, arrived)
    return TokenProof(verdict=Verdict.PAID, left_units=left, arrived_units=arrived)


def _unproven(why: str, left: int = 0, arrived: int = 0) -> TokenProof:
    return TokenProof(
        verdict=Verdict.UNPROVEN, left_units=left, arrived_units=arrived, why=UNPROVEN + why
    )


def _payees(payment: Payment) -> list[str]:
    return [payee.address for intent in payment.request.intents for payee in intent.payees]


def _holder(context: PaymentContext, payment: Payment) -> str:
    """The address whose tokens move: the sender's, or the Safe's whose payload it executes."""
    if payment.parent_id is None:
        return payment.sender or ""
    source = payment.request.intents[0].source
    return context.deriver.address_at(payment.network, source, 0, 0).address
