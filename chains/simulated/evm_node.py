"""A simulated EVM node: the answers of go-ethereum to the RPC that we use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import CodecError
from chains.evm import abi, erc20
from chains.evm.node import EvmNode, refusal
from chains.evm.safe import SafeVault
from chains.evm.safe_state import MODULES, NONCE, OWNERS, SINGLETON_SLOT, THRESHOLD, VERSION
from chains.evm.sweeper import delegation_code, runtime_code
from chains.simulated.evm_blocks import EvmBlock, show_transaction
from chains.simulated.evm_history import EvmHistory
from chains.simulated.evm_state import execute, gas_of
from chains.simulated.line import Lie, Line
from chains.simulated.utxo_history import Refused

METHOD_MISSING = -32601
_REVERTED = 3


@dataclass(frozen=True, slots=True)
class Finality:
    """How many blocks behind the tip the tags of the same names stand."""

    safe: int = 2
    finalized: int = 4


class SimulatedEvmNode(EvmNode):
    """One node over a chain's history, behind a line of its own.

    Only `call` is simulated: every check of a node's answers runs as against a real one. A lagging
    node knows the older blocks only, and no transaction of the newer ones.
    """

    def __init__(self, history: EvmHistory, line: Line, finality: Finality) -> None:
        # The network client of the real node is never made.
        self._history = history
        self._line = line
        self._finality = finality
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(history.chain_id),
            "eth_syncing": lambda: False,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockReceipts": self._receipts,
            "debug_traceBlockByHash": self._traces,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": self._nonce,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_maxPriorityFeePerGas": lambda: hex(history.tip_wei),
            "eth_feeHistory": self._fee_history,
            "eth_sendRawTransaction": self._send,
        }

    def __repr__(self) -> str:
        return f"SimulatedEvmNode({self._history.network})"

    def close(self) -> None:
        """Nothing to give back."""

    def call(self, method: str, *params: Any) -> Any:
        """The result of one call. Raises NodeUnavailable, RpcRefused or UnexpectedAnswer."""
        try:
            return self.answer(method, *params)
        except Refused as refused:
            error = {"code": refused.rpc_code, "message": refused.words}
            raise refusal(method, error) from None

    def answer(self, method: str, *params: Any) -> Any:
        """The same with the node's own error. Raises NodeUnavailable or Refused."""
        self._line.carry(method)
        if method not in self._methods:
            raise Refused(METHOD_MISSING, "the method does not exist")
        return self._methods[method](*params)

    @property
    def _blocks(self) -> Sequence[EvmBlock]:
        seen = max(1, len(self._history.blocks) - self._line.lag)
        return self._history.blocks[:seen]

    def _block_by_number(self, tag: str, full: bool) -> Any:
        block = self._at(tag)
        return None if block is None else _shown(block, full)

    def _block_by_hash(self, name: str, full: bool) -> Any:
        block = self._history.known.get(name[2:])
        if block is None:
            return None
        if self._line.lie is Lie.OTHER_BLOCK:
            return _shown(self._history.blocks[0], full)
        answer = _shown(block, full)
        if full and self._line.lie is Lie.OMITS:
            answer["transactions"] = answer["transactions"][:-1]
        if full and self._line.lie is Lie.INFLATES:
            answer["transactions"] = [{**tx, "value": "0xde0b6b3a7640000"} for tx in answer[_TXS]]
        return answer

    def _at(self, tag: Any) -> EvmBlock | None:
        blocks = self._blocks
        if isinstance(tag, dict):
            return self._history.known.get(tag["blockHash"][2:])
        behind = {
            "latest": 0,
            "pending": 0,
            "safe": self._finality.safe,
            "finalized": self._finality.finalized,
        }
        if tag in behind:
            return blocks[max(0, len(blocks) - 1 - behind[tag])]
        height = int(tag, 16)
        return blocks[height] if height < len(blocks) else None

    def _state_at(self, tag: Any) -> Any:
        block = self._at(tag)
        if block is None:
            raise Refused(-32000, "header not found")
        return block.state

    def _receipts(self, name: str) -> Any:
        block = self._history.known.get(name[2:])
        if block is None:
            return None
        if self._line.lie is Lie.OMITS:
            return block.receipts[:-1]
        return block.receipts

    def _traces(self, name: str, _options: object = None) -> Any:
        block = self._history.known.get(name[2:])
        if block is None:
            raise Refused(-32000, f"block {name} not found")
        return block.traces

    def _transaction(self, txid: str) -> Any:
        if txid in self._history.mempool:
            return show_transaction(self._history.mempool[txid], None, None)
        block, index = self._seen(txid)
        return None if block is None else block.transactions[index]

    def _receipt(self, txid: str) -> Any:
        block, index = self._seen(txid)
        return None if block is None else block.receipts[index]

    def _seen(self, txid: str) -> tuple[EvmBlock | None, int]:
        """The block of a mined transaction as this node sees it, and the place in it."""
        found = self._history.find(txid)
        if found is None or found[1].ref.height >= len(self._blocks):
            return None, 0
        return found[1], found[1].done.index(found[0])

    def _nonce(self, address: str, tag: str) -> str:
        sender = _bytes(address)
        nonce = self._state_at(tag).nonces.get(sender, 0)
        if tag == "pending":
            waiting = self._history.waiting(sender)
            while nonce in waiting:
                nonce += 1
        return hex(nonce)

    def _balance(self, address: str, tag: Any) -> str:
        return hex(self._state_at(tag).held(_bytes(address), self._history.native))

    def _code(self, address: str, _tag: Any) -> str:
        contracts = self._history.contracts
        target = _bytes(address)
        if target in contracts.sweepers:
            return _hex(runtime_code(contracts.sweepers[target]))
        delegate = self._state_at("latest").delegates.get(target)
        if delegate is not None:
            return _hex(delegation_code(delegate))
        return "0xfe" if target in contracts.tokens or target in contracts.safes else "0x"

    def _storage(self, address: str, slot: str, _tag: Any) -> str:
        safe = self._history.safes.get(_bytes(address))
        kept = safe.singleton if safe and int(slot, 16) == SINGLETON_SLOT else b""
        return "0x" + kept.rjust(32, b"\x00").hex()

    def _call(self, call: dict[str, str], tag: Any) -> str:
        to, data, state = _bytes(call["to"]), _bytes(call["data"]), self._state_at(tag)
        token = self._history.contracts.tokens.get(to)
        safe = self._history.safes.get(to)
        if token is not None and data == erc20.DECIMALS:
            return _hex(abi.word(token.decimals))
        if token is not None and data[:4] == erc20.BALANCE_OF:
            return _hex(abi.word(state.held(abi.read_address(data[4:], 0), token.code)))
        if token is not None and data[:4] == erc20.TRANSFER:
            return _hex(self._history.contracts.answers.get(to, abi.word(1)))
        if safe is not None:
            return _hex(_safe_view(safe, state.safe_nonces.get(to, 0), data[:4]))
        return "0x"

    def _estimate(self, call: dict[str, str]) -> str:
        data, state = _bytes(call["data"]), self._state_at("latest").copy()
        sender, to, value = _bytes(call["from"]), _bytes(call["to"]), int(call["value"], 16)
        if execute(state, self._history.contracts, sender, to, value, data) is None:
            raise Refused(_REVERTED, "execution reverted")
        return hex(gas_of(data))

    def _fee_history(self, count: str, tag: str, _percentiles: object = None) -> dict[str, Any]:
        """Flat base fees: the next block's is what this chain was told last."""
        newest = self._at(tag)
        last = 0 if newest is None else newest.ref.height
        first = max(0, last + 1 - int(count, 16))
        bases = [block.header["baseFeePerGas"] for block in self._blocks[first : last + 1]]
        tip = hex(self._history.tip_wei)
        return {
            "oldestBlock": hex(first),
            "baseFeePerGas": [*bases, hex(self._history.base_fee_wei)],
            "gasUsedRatio": [0] * len(bases),
            "reward": [[tip] for _ in bases],
        }

    def _send(self, raw: str) -> str:
        def take() -> str:
            try:
                return self._history.take(_bytes(raw))
            except CodecError:
                raise Refused(-32000, "rlp: expected another transaction") from None

        def refuse() -> str:
            raise Refused(-32000, "transaction underpriced")

        return str(self._line.deliver("eth_sendRawTransaction", take, refuse))


_TXS = "transactions"


def _shown(block: EvmBlock, full: bool) -> dict[str, Any]:
    txs = block.transactions if full else [tx["hash"] for tx in block.transactions]
    return {**block.header, _TXS: txs, "uncles": []}


def _safe_view(safe: SafeVault, nonce: int, selector: bytes) -> bytes:
    """What the Safe's view functions answer; one that is not here answers nothing."""
    owners = abi.word(len(safe.owners)) + b"".join(map(abi.address_word, safe.owners))
    modules = abi.word(64) + abi.word(1) + abi.word(0)
    return {
        NONCE: abi.word(nonce),
        THRESHOLD: abi.word(safe.threshold),
        OWNERS: abi.word(32) + owners,
        VERSION: abi.word(32) + abi.tail(safe.version.encode()),
        MODULES: modules,
    }.get(selector, b"")


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
