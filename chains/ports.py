"""The wallet's questions to any chain: the one door behind which the differences are hidden."""

from collections.abc import Container, Sequence
from typing import Protocol, runtime_checkable

from chains.types import (
    Asset,
    BlockRef,
    BlockScan,
    BroadcastAnswer,
    Destination,
    Family,
    FinalityTag,
    Movement,
    OutPoint,
    Pool,
    Relative,
    TxSighting,
)


class Watched(Protocol):
    """What a scan looks for. A hit may be false (fingerprints); a miss never is."""

    @property
    def targets(self) -> Container[bytes]:
        """Scripts or account addresses."""
        ...

    @property
    def outpoints(self) -> Container[OutPoint]:
        """Outputs whose spending matters; empty on EVM chains."""
        ...


class Chain(Protocol):
    """One network through one node."""

    @property
    def network(self) -> str:
        """The network's id."""
        ...

    @property
    def family(self) -> Family:
        """How this chain keeps money."""
        ...

    @property
    def assets(self) -> Sequence[Asset]:
        """The native asset first, then listed tokens."""
        ...

    def destination(self, text: str) -> Destination:
        """Parse a payee's address. Raises AddressError with the reason's own code."""
        ...

    def tip(self) -> BlockRef:
        """The best block. Raises NodeUnavailable (also while the node is syncing)."""
        ...

    def block_at(self, height: int) -> BlockRef:
        """The block of the best chain at `height`."""
        ...

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        """All movements of one block to or from what is watched, all or nothing."""
        ...

    def balance_units(self, target: bytes, asset: str, at: BlockRef) -> int:
        """What the chain itself says a target holds at a block (EVM only).

        UTXO chains raise InvariantError: outputs are counted from blocks.
        """
        ...

    def broadcast(self, raw: bytes) -> BroadcastAnswer:
        """Send signed bytes. Raises BroadcastUnknown when no definite answer came."""
        ...

    def sighting(self, txid: str) -> TxSighting:
        """What the node knows of a transaction of ours; UNKNOWN is an answer, not an error."""
        ...

    def feerate_units(self) -> int:
        """The price of block space now: sats per 1000 vbytes (UTXO) or max wei per gas (EVM)."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


@runtime_checkable
class FinalityTags(Protocol):
    """A chain whose nodes know which blocks are safe and finalized."""

    def tagged(self, tag: FinalityTag) -> BlockRef:
        """The highest block with this tag. Raises NodeError when the node knows none."""
        ...


@runtime_checkable
class PoolFamilies(Protocol):
    """A chain whose nodes limit how many waiting transactions may build on each other."""

    def relatives(self, txid: str) -> Sequence[Relative]:
        """A waiting transaction and the waiting ones that it builds on, as far as nodes allow.

        Empty when the node's pool lacks it. Raises NodeError.
        """
        ...


@runtime_checkable
class MempoolSight(Protocol):
    """A chain whose node shows what waits to be mined; for display only, as it may never be."""

    def pending(self, watched: Watched) -> Pool:
        """The pool now; large pools are looked through over several calls. Raises NodeError."""
        ...

    def is_used_up(self, conflict: str, at: BlockRef) -> bool:
        """Whether a block up to `at` used a `PendingTx.conflicts` entry and no scan would show it.

        False on UTXO chains, where the blocks' spends tell.
        """
        ...


@runtime_checkable
class AccountMoves(Protocol):
    """A chain of accounts, whose blocks show every side of a movement: in, out and what it cost."""

    def movements(self, block: BlockRef, watched: Watched) -> tuple[Movement, ...]:
        """All that one block moved into or out of what is watched, all or nothing.

        Raises NodeError.
        """
        ...


@runtime_checkable
class Versioned(Protocol):
    """A chain that says how it reads blocks, so that old blocks can be read again after a change.

    One that does not say counts as version 0.
    """

    @property
    def adapter_version(self) -> int:
        """Grows whenever the adapter may find in the same block what it did not find before."""
        ...

    @property
    def evidence_mode(self) -> str:
        """How movements are found; it may depend on what the node offers."""
        ...
