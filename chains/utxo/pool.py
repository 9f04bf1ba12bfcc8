"""What waits in a node's mempool and would pay us; each transaction is fetched and read once."""

from chains.errors import CodecError
from chains.ports import Watched
from chains.types import Evidence, Inflow, PendingTx, Pool
from chains.utxo.node import UtxoNode
from chains.utxo.transactions import Transaction

LOOKS_MAX = 2_000
"""Transactions fetched in one look; the rest of a large pool follows with the next."""


class PoolView:
    """A node's mempool as seen so far. Not for several threads at once."""

    def __init__(self, node: UtxoNode, asset: str) -> None:
        self._node = node
        self._asset = asset
        self._known: dict[str, PendingTx | None] = {}

    def look(self, watched: Watched) -> Pool:
        """The pool now. Addresses must be watched before anybody is told them. Raises NodeError."""
        present = frozenset(self._node.mempool())
        self._known = {txid: tx for txid, tx in self._known.items() if txid in present}
        for txid in [txid for txid in sorted(present) if txid not in self._known][:LOOKS_MAX]:
            raw = self._node.transaction(txid)
            if raw is not None:
                self._known[txid] = self._read(txid, raw, watched)
        found = tuple(tx for tx in self._known.values() if tx is not None)
        return Pool(txids=present, found=found)

    def _read(self, txid: str, raw: bytes, watched: Watched) -> PendingTx | None:
        """A transaction that pays us; None for any other, and for what is no plain transaction."""
        try:
            tx = Transaction.parse(raw)
        except CodecError:
            return None  # such as a Litecoin transaction with MWEB parts: its block will tell
        if tx.txid != txid:
            return None
        inflows = tuple(
            Inflow(
                txid=txid,
                position=f"out:{vout}",
                asset=self._asset,
                target=output.script,
                units=output.sats,
                evidence=Evidence.MEMPOOL,
            )
            for vout, output in enumerate(tx.outputs)
            if output.script in watched.targets
        )
        if not inflows:
            return None
        return PendingTx(
            txid=txid, inflows=inflows, conflicts=tuple(str(one) for one in tx.outpoints())
        )
