"""What treasury needs of the payments part, which gives it by `Moves` and `PaymentDesk`."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from sqlalchemy import Connection

from signer.protocol import Approval, Intent, SignAnswer

Attach: TypeAlias = Callable[[Connection, str], None]
"""Called with the new payment's id in the transaction that writes the payment."""


class Movers(Protocol):
    """Builds the exact transactions of intents between our own vaults."""

    def build_move(self, intent: Intent, approvals: Sequence[Approval], attach: Attach) -> None:
        """Write a payment with its sealed request and call `attach` in the same transaction.

        Raises NotBuilt, or NodeError, when it cannot be built now; then nothing was written.
        """
        ...


class OfflineSigning(Protocol):
    """Requests out to offline signers and answers back, for payments that people carry."""

    def export(self, payment_id: str) -> bytes:
        """The sealed request; from now on signers may have seen it. Raises NotOffline."""
        ...

    def attach(self, payment_id: str, data: bytes) -> SignAnswer:
        """Verify and keep an answer; the same again changes nothing. Raises AnswerRefused."""
        ...

    def abandon(self, payment_id: str, why: str) -> None:
        """Give a payment up. Raises ForbiddenPaymentArrow once valid bytes exist."""
        ...
