"""One network of the Bitcoin family through one node: the Chain port."""

from collections.abc import Sequence

from chains.errors import (
    BroadcastUnknown,
    CodecError,
    InvariantError,
    NodeUnavailable,
    UnexpectedAnswer,
)
from chains.ports import Watched
from chains.types import (
    Asset,
    BlockRef,
    BlockScan,
    BroadcastAnswer,
    BroadcastOutcome,
    Destination,
    Evidence,
    Family,
    Pool,
    Relative,
    TxSighting,
    TxState,
)
from chains.units import to_units
from chains.utxo import addresses, blocks, transactions
from chains.utxo.node import ALREADY_KNOWN, NOT_FOUND, Refusal, UtxoNode
from chains.utxo.params import UtxoParams
from chains.utxo.pool import PoolView

ADAPTER_VERSION = 1
"""Grows whenever a scan may find in the same block what it did not find before."""

DECIMALS = 8
"""Every chain of this family counts in 10^-8 coins."""

HEADERS_AHEAD_MAX = 2
"""A node that knows of more blocks than these beyond its tip is still syncing."""

FEE_TARGET_BLOCKS = 3
"""How soon a payment should be mined, for fee estimates."""

OUTPUTS_PROBED = 16
"""Outputs of a transaction looked up to learn its block, on a node without an index."""

RELATIVES_MAX = 50
"""More waiting ancestors than any node takes are not looked at."""

PRESENCE_CHECKS = 200
"""Looks into the mempool after a broadcast, about half a second on a near node."""


class UtxoChain:
    """A chain's answers to the wallet's questions."""

    family = Family.UTXO
    adapter_version = ADAPTER_VERSION
    evidence_mode = Evidence.OUTPUT

    def __init__(
        self,
        params: UtxoParams,
        node: UtxoNode,
        *,
        feerate_min: int,
        network: str | None = None,
        asset: str | None = None,
        presence_checks: int = PRESENCE_CHECKS,
    ) -> None:
        """`feerate_min` (sats per 1000 vbytes) stands in for a missing or lower estimate.

        `network` and `asset` are this deployment's names, if other than those of `params`. After
        `presence_checks` looks without a sight of it a broadcast is unknown.
        """
        self.params = params
        self.network = network or params.id
        self._asset = asset or params.native
        self.assets: Sequence[Asset] = (
            Asset(code=self._asset, network=self.network, decimals=DECIMALS),
        )
        self._node = node
        self._pool = PoolView(node, self._asset)
        self._feerate_min = feerate_min
        self._presence_checks = presence_checks

    def destination(self, text: str) -> Destination:
        """Parse a payee's address. Raises AddressError with the reason's own code."""
        found = addresses.parse(self.params, text)
        return Destination(
            network=self.network, address=found.address, target=found.target, kind=found.kind
        )

    def tip(self) -> BlockRef:
        """The best block. Raises NodeUnavailable, also while the node is syncing."""
        info = self._node.chain_info()
        if info["chain"] not in _chain_names(self.params.id):
            raise UnexpectedAnswer(f"got a node of chain {info['chain']!r} for {self.network}")
        height, headers = info["blocks"], info["headers"]
        syncing = info.get("initialblockdownload") is True and info["chain"] != "regtest"
        if syncing or headers - height > HEADERS_AHEAD_MAX:
            raise NodeUnavailable(f"the node is syncing: block {height} of {headers}")
        return self._block_ref(height, info["bestblockhash"])

    def block_at(self, height: int) -> BlockRef:
        """The block of the best chain at `height`. Raises NodeRejected above the tip."""
        return self._block_ref(height, self._node.block_hash(height))

    def block_bytes(self, block_hash: str) -> bytes:
        """A raw block, unchecked."""
        return self._node.block(block_hash)

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        """All movements of one block to or from what is watched, all or nothing.

        Raises CodecError when hash, work or Merkle root of what the node sent do not hold.
        """
        raw = self._node.block(block.hash)
        return blocks.scan_block(
            self.params, raw, block.height, watched, block.hash, asset=self._asset
        )

    def pending(self, watched: Watched) -> Pool:
        """What waits to be mined and would pay what is watched. Raises NodeError."""
        return self._pool.look(watched)

    def relatives(self, txid: str) -> Sequence[Relative]:
        """A waiting transaction and the waiting ones that it builds on. Raises NodeError."""
        found: dict[str, Relative] = {}
        asked = [txid]
        while asked and len(found) < RELATIVES_MAX:
            one = self._node.relative(asked.pop())
            if one is not None:
                found[one.txid] = one
                asked += [parent for parent in one.parents if parent not in found]
        return list(found.values())

    def is_used_up(self, conflict: str, at: BlockRef) -> bool:  # noqa: ARG002
        """Never said here: the blocks' spends tell."""
        return False

    def balance_units(self, target: bytes, asset: str, at: BlockRef) -> int:  # noqa: ARG002
        """Never: outputs are counted from blocks."""
        raise InvariantError("a UTXO chain has no balances, count its outputs")

    def broadcast(self, raw: bytes) -> BroadcastAnswer:
        """Send signed bytes, and look whether the node has them.

        A rejection for missing inputs may also mean that this very transaction was mined long ago
        and all its outputs are spent: look for it in our own records before giving up on it.
        Raises BroadcastUnknown when no definite answer came, NodeUnavailable before sending.
        """
        txid = transactions.parse(raw).txid
        if self.sighting(txid).state is not TxState.UNKNOWN:
            return BroadcastAnswer(outcome=BroadcastOutcome.ALREADY_KNOWN, txid=txid)
        try:
            named = self._node.send(raw)
        except NodeUnavailable as error:
            raise BroadcastUnknown(f"no answer to the broadcast of {txid}: {error}") from None
        except UnexpectedAnswer as error:
            raise BroadcastUnknown(f"no clear answer to the broadcast of {txid}: {error}") from None
        except Refusal as refusal:
            if refusal.reason == ALREADY_KNOWN:
                return BroadcastAnswer(outcome=BroadcastOutcome.ALREADY_KNOWN, txid=txid)
            return BroadcastAnswer(
                outcome=BroadcastOutcome.REJECTED,
                txid=txid,
                reason=refusal.reason,
                detail=refusal.detail,
            )
        if named != txid:
            raise BroadcastUnknown(f"the node calls {txid} by another name, {named}")
        self._see(txid)
        return BroadcastAnswer(outcome=BroadcastOutcome.ACCEPTED, txid=txid)

    def sighting(self, txid: str, hint_height: int | None = None) -> TxSighting:
        """What the node knows of a transaction of ours; UNKNOWN is an answer, not an error.

        Without an index on the node, a mined transaction is found by its unspent outputs or in the
        block at `hint_height`. The block is read, and its Merkle root proves the answer.
        """
        if self._node.in_mempool(txid):
            return TxSighting(txid=txid, state=TxState.MEMPOOL)
        for block in self._candidates(txid, hint_height):
            if blocks.has_transaction(self.params, self._node.block(block.hash), block.hash, txid):
                return TxSighting(txid=txid, state=TxState.MINED, block=block)
        return TxSighting(txid=txid, state=TxState.UNKNOWN)

    def feerate_units(self) -> int:
        """Sats per 1000 vbytes for the next few blocks, never below the configured least."""
        text = self._node.feerate_text(FEE_TARGET_BLOCKS)
        if text is None or text.startswith("-"):
            return self._feerate_min
        try:
            return max(self._feerate_min, to_units(text, DECIMALS))
        except CodecError:
            raise UnexpectedAnswer(f"estimatesmartfee: got {text[:40]!r}") from None

    def close(self) -> None:
        """Give connections back."""
        self._node.close()

    def _block_ref(self, height: int, block_hash: str) -> BlockRef:
        header = blocks.parse_header(self.params, self._node.header(block_hash))
        if header.hash != block_hash:
            raise UnexpectedAnswer(f"got header {header.hash}, expected {block_hash}")
        return header.ref(height)

    def _candidates(self, txid: str, hint_height: int | None) -> list[BlockRef]:
        """Blocks that may hold a transaction."""
        indexed = self._node.indexed_block(txid)
        if indexed is not None:
            height = self._node.height_of(indexed)
            return [] if height is None else [self._block_ref(height, indexed)]
        heights = [] if hint_height is None else [hint_height]
        for vout in range(OUTPUTS_PROBED):
            output = self._node.unspent(txid, vout)
            if output is not None:
                tip = self._node.height_of(output["bestblock"])
                if tip is not None:
                    heights.append(tip - output["confirmations"] + 1)
                break
        return [block for height in heights if (block := self._known_block(height)) is not None]

    def _known_block(self, height: int) -> BlockRef | None:
        try:
            return self.block_at(height)
        except Refusal as refusal:
            if refusal.reason == NOT_FOUND:
                return None
            raise

    def _see(self, txid: str) -> None:
        """Wait until the node shows an accepted transaction: some say yes before they check it."""
        try:
            for _ in range(self._presence_checks):
                if self._node.in_mempool(txid):
                    return
            if self.sighting(txid).state is not TxState.UNKNOWN:
                return
        except (NodeUnavailable, UnexpectedAnswer) as error:
            raise BroadcastUnknown(f"sent {txid}, then lost the node: {error}") from None
        raise BroadcastUnknown(f"the node took {txid} but does not show it")


def _chain_names(network: str) -> tuple[str, ...]:
    """What a node of this network calls its chain."""
    _, _, kind = network.rpartition("-")
    return {
        "regtest": ("regtest",),
        "testnet": ("test",),
        "testnet4": ("testnet4",),
        "signet": ("signet",),
    }.get(kind, ("main",))
