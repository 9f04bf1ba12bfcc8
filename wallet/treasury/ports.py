"""What treasury needs of the parts around it."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from sqlalchemy import Connection

from signer.protocol import Approval, Intent

Attach: TypeAlias = Callable[[Connection, str], None]
"""Called with the new payment's id in the transaction that writes the payment."""


class OwnAddresses(Protocol):
    """Addresses of ours that are nobody's deposit address."""

    def own(self, tx: Connection, network: str, source: str, purpose: str, now_s: int) -> str:
        """The text of a fresh (UTXO) or the only (EVM) address of a vault; it is watched."""
        ...


class MoveBuilder(Protocol):
    """Builds the exact transaction of an intent between our own vaults."""

    def build_move(self, intent: Intent, approvals: Sequence[Approval], attach: Attach) -> None:
        """Write a payment with its sealed request and call `attach` in the same transaction.

        Raises a WalletError or ChainError when it cannot be built now; then nothing was written.
        """
        ...
