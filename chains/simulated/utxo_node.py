"""A simulated node of the Bitcoin family: the answers of Bitcoin Core to the RPC that we use."""

from collections.abc import Callable, Sequence
from typing import Any

from chains.errors import CodecError
from chains.simulated.line import Line
from chains.simulated.utxo_blocks import MinedBlock, untrue
from chains.simulated.utxo_history import RELAY_FEERATE, Refused, UtxoHistory
from chains.types import OutPoint
from chains.units import to_text
from chains.utxo.node import UtxoNode, refusal
from chains.utxo.transactions import Transaction, parse

DECIMALS = 8
_NOT_FOUND = -5
_OUT_OF_RANGE = -8


class SimulatedUtxoNode(UtxoNode):
    """One node over a chain's history, behind a line of its own.

    Only `call` is simulated: every check of a node's answers runs as against a real one. A lagging
    node knows the older blocks only, and no transaction of the newer ones.
    """

    def __init__(self, history: UtxoHistory, line: Line) -> None:
        # The network client of the real node is never made.
        self._history = history
        self._line = line
        self._methods: dict[str, Callable[..., Any]] = {
            "getblockchaininfo": self._chain_info,
            "getblockhash": self._block_hash,
            "getblockheader": self._header,
            "getblock": self._block,
            "getmempoolentry": self._mempool_entry,
            "getmempoolinfo": self._mempool_info,
            "getrawmempool": self._raw_mempool,
            "getrawtransaction": self._transaction,
            "gettxout": self._unspent,
            "sendrawtransaction": self._send,
            "estimatesmartfee": self._estimate,
        }

    def __repr__(self) -> str:
        return f"SimulatedUtxoNode({self._history.params.id})"

    def close(self) -> None:
        """Nothing to give back."""

    def call(self, method: str, *params: object) -> Any:
        """The result of one call. Raises NodeUnavailable, Refusal or UnexpectedAnswer."""
        try:
            return self.answer(method, *params)
        except Refused as refused:
            error = {"code": refused.rpc_code, "message": refused.words}
            raise refusal(method, error) from None

    def answer(self, method: str, *params: object) -> Any:
        """The same with the node's own error. Raises NodeUnavailable or Refused."""
        self._line.carry(method)
        if method not in self._methods:
            raise Refused(-32601, "Method not found")
        return self._methods[method](*params)

    @property
    def _blocks(self) -> Sequence[MinedBlock]:
        seen = max(1, len(self._history.blocks) - self._line.lag)
        return self._history.blocks[:seen]

    def _chain_info(self) -> dict[str, Any]:
        blocks = self._blocks
        tip = blocks[-1].ref
        return {
            "chain": self._history.params.id.rpartition("-")[2],
            "blocks": tip.height,
            "headers": tip.height,
            "bestblockhash": tip.hash,
            "initialblockdownload": False,
        }

    def _block_hash(self, height: int) -> str:
        blocks = self._blocks
        if not 0 <= height < len(blocks):
            raise Refused(_OUT_OF_RANGE, "Block height out of range")
        return blocks[height].ref.hash

    def _header(self, block_hash: str, verbose: bool = True) -> Any:
        block = self._known(block_hash)
        if not verbose:
            return block.header.hex()
        height, tip = block.ref.height, len(self._blocks) - 1
        best = height <= tip and self._blocks[height].ref.hash == block_hash
        return {
            "hash": block_hash,
            "height": height,
            "confirmations": tip - height + 1 if best else -1,
            "time": block.ref.time_s,
            "previousblockhash": block.ref.parent,
        }

    def _block(self, block_hash: str, _verbosity: object = False) -> str:
        block = self._known(block_hash)
        if self._line.lie is not None:
            return untrue(block, self._line.lie, self._history.blocks[0]).hex()
        return block.raw.hex()

    def _known(self, block_hash: str) -> MinedBlock:
        block = self._history.known.get(block_hash)
        if block is None:
            raise Refused(_NOT_FOUND, "Block not found")
        return block

    def _mempool_entry(self, txid: str) -> dict[str, Any]:
        tx = self._history.mempool.get(txid)
        if tx is None:
            raise Refused(_NOT_FOUND, "Transaction not in mempool")
        return self._entry(tx)

    def _entry(self, tx: Transaction) -> dict[str, Any]:
        behind = self._history.descendants(tx)
        return {
            "vsize": tx.vsize,
            "fees": {"base": to_text(self._history.fee_sats(tx), DECIMALS)},
            "depends": [o.txid for o in tx.outpoints() if o.txid in self._history.mempool],
            "descendantcount": len(behind),
            "descendantsize": sum(one.vsize for one in behind),
        }

    def _mempool_info(self) -> dict[str, Any]:
        waiting = self._history.mempool.values()
        return {
            "loaded": True,
            "size": len(waiting),
            "bytes": sum(tx.vsize for tx in waiting),
            "mempoolminfee": to_text(RELAY_FEERATE, DECIMALS),
            "minrelaytxfee": to_text(RELAY_FEERATE, DECIMALS),
        }

    def _raw_mempool(self, verbose: bool = False) -> Any:
        waiting = self._history.mempool
        return {txid: self._entry(tx) for txid, tx in waiting.items()} if verbose else list(waiting)

    def _transaction(self, txid: str, verbose: bool = False, _block: str = "") -> Any:
        tx, block = self._seen(txid)
        if tx is None:
            raise Refused(_NOT_FOUND, "No such mempool or blockchain transaction")
        if not verbose:
            return tx.serialize().hex()
        answer: dict[str, Any] = {"txid": txid, "hex": tx.serialize().hex()}
        if block is not None:
            answer["blockhash"] = block.ref.hash
        return answer

    def _seen(self, txid: str) -> tuple[Transaction | None, MinedBlock | None]:
        """A transaction as this node sees it."""
        found = self._history.find(txid)
        if found is None or (found[1] is not None and found[1].ref.height >= len(self._blocks)):
            return None, None
        return found

    def _unspent(self, txid: str, vout: int, include_mempool: bool = True) -> Any:
        tx, block = self._seen(txid)
        outpoint = OutPoint(txid, vout)
        waiting = include_mempool and any(
            outpoint in other.outpoints() for other in self._history.mempool.values()
        )
        if tx is None or vout >= len(tx.outputs) or self._history.spender(outpoint) or waiting:
            return None
        if block is None and not include_mempool:
            return None
        tip = self._blocks[-1].ref
        return {
            "bestblock": tip.hash,
            "confirmations": 0 if block is None else tip.height - block.ref.height + 1,
            "value": to_text(tx.outputs[vout].sats, DECIMALS),
            "scriptPubKey": {"hex": tx.outputs[vout].script.hex()},
            "coinbase": False,
        }

    def _send(self, raw: str, _feerate_max: object = None) -> str:
        try:
            tx = parse(bytes.fromhex(raw))
        except CodecError:
            raise Refused(-22, "TX decode failed") from None

        def take() -> str:
            self._history.take(tx)
            return tx.txid

        def refuse() -> str:
            raise Refused(-26, self._line.rejection)

        return str(self._line.deliver("sendrawtransaction", take, refuse))

    def _estimate(self, blocks: int, _mode: str = "") -> dict[str, Any]:
        return {"feerate": to_text(self._history.feerate, DECIMALS), "blocks": blocks}
