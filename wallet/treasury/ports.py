"""What treasury needs of the payments part; `wallet.payments.desk.PaymentDesk` gives all of it."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from sqlalchemy import Connection

from signer.protocol import OwnOutput, SignAnswer
from wallet.payments.journal import Payment
from wallet.payments.orders import SpendOrder

Also: TypeAlias = Callable[[Connection, Payment], None]
"""Called with the new payment in the transaction that writes it."""


class PaymentStarter(Protocol):
    """Builds the exact transaction of an order."""

    def start(self, order: SpendOrder, also: Also) -> Payment:
        """Write a payment with its sealed request and call `also` in the same transaction.

        Raises NotBuilt, or NodeError, when it cannot be built now; then nothing was written.
        """
        ...

    def fixed_sender(self, network: str, source: str) -> OwnOutput:
        """The paying address of a hot account."""
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
