"""What gathering asks of an EVM chain beyond what payments ask."""

from collections.abc import Sequence
from typing import Protocol

from chains.types import AssetMove
from wallet.payments.building.evm import EvmDoor


class GatherDoor(EvmDoor, Protocol):
    """A chain whose accounts may delegate."""

    def code_at(self, target: bytes) -> bytes:
        """The code of an address; of a delegated one 0xef0100 and its delegate."""
        ...

    def token_moves(self, txid: str) -> Sequence[AssetMove]:
        """Transfers of listed tokens that a mined transaction's receipt shows."""
        ...

    def gas_used(self, txid: str) -> int | None:
        """Gas of a mined transaction by its receipt, None while it is not mined."""
        ...
