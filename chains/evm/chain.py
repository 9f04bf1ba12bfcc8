"""One EVM network behind the `Chain` port: scans by block hash, balances, broadcast, sightings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import (
    InvariantError,
    NodeUnavailable,
    UnexpectedAnswer,
    invariant,
)
from chains.evm import addresses, erc20, movements, pool, proofs, scan, traces
from chains.evm import blocks as read
from chains.evm.balances import BalanceWitness
from chains.evm.broadcasting import send
from chains.evm.lies import WrongContents
from chains.evm.node import EvmNode, MethodMissing, RpcRefused
from chains.evm.params import EvmParams
from chains.evm.scan import EvidenceMode
from chains.evm.token_witness import TokenWitness
from chains.ports import Watched
from chains.types import (
    Asset,
    AssetMove,
    BlockRef,
    BlockScan,
    BroadcastAnswer,
    Destination,
    Family,
    FinalityTag,
    Inflow,
    Movement,
    Pool,
    TokenOutcome,
    TxSighting,
    TxState,
)

ADAPTER_VERSION = 1
"""Grows whenever a scan may find in the same block what it did not find before."""

PROVEN_KEPT = 4
"""Blocks that are not asked for and checked again."""

_NO_BLOCK = "0x" + "00" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """What a unit of gas costs now, in wei; `max_fee_wei` outlives six full blocks."""

    max_fee_wei: int
    priority_fee_wei: int


class EvmChain:
    """One network through one node.

    `delta_targets` gives the addresses whose balances are compared block by block; it is needed
    only where the node offers no traces.
    """

    family = Family.EVM
    adapter_version = ADAPTER_VERSION

    def __init__(
        self,
        params: EvmParams,
        node: EvmNode,
        tokens: Sequence[Asset] = (),
        delta_targets: Callable[[], Iterable[bytes]] | None = None,
        *,
        balance_proof_from: int = 0,
    ) -> None:
        """Ether from contracts is held against the state from `balance_proof_from` wei in a block.

        0 is never.
        """
        self.network = params.id
        self.params = params
        self.assets: Sequence[Asset] = (params.native_asset, *tokens)
        self.evidence_mode = EvidenceMode.UNKNOWN
        self._node = node
        self._tokens = {_contract(asset): asset for asset in tokens}
        self._codes = {contract: asset.code for contract, asset in self._tokens.items()}
        self._delta_targets = delta_targets
        self._balances = BalanceWitness(self._ask, balance_proof_from)
        self._proven: dict[str, tuple[read.Block, tuple[read.Receipt, ...]]] = {}
        self._witness = TokenWitness(self._ask, self._tokens)
        invariant(len(self._tokens) == len(tokens), "got a token contract twice")

    @property
    def chain_id(self) -> int:
        """The EIP-155 chain id of this network."""
        return self.params.chain_id

    def destination(self, text: str) -> Destination:
        """A payee's address. Raises AddressError with the reason's own code."""
        return addresses.parse(self.params, text, self._tokens.keys())

    def ready(self) -> None:
        """Check once what every later answer depends on. Raises NodeError; all questions ask first.

        This is the right chain, every token has the decimals we were told, and the node offers a
        way to find internal ether.
        """
        if self.evidence_mode is not EvidenceMode.UNKNOWN:
            return
        chain_id = read.quantity(self._node.call("eth_chainId"), "chain id")
        if chain_id != self.params.chain_id:
            raise UnexpectedAnswer(f"got chain id {chain_id}, expected {self.params.chain_id}")
        for contract, asset in self._tokens.items():
            self._check_decimals(contract, asset)
        self.evidence_mode = self._offered_evidence()

    def tip(self) -> BlockRef:
        """The best block. Raises NodeUnavailable, also while the node is syncing."""
        if self._ask("eth_syncing") is not False:
            raise NodeUnavailable(f"{self.network}: the node is syncing")
        return self._block_by("eth_getBlockByNumber", "latest")

    def block_at(self, height: int) -> BlockRef:
        """The best chain's block at `height`. Raises NodeUnavailable when there is none yet."""
        return self._block_by("eth_getBlockByNumber", hex(height))

    def tagged(self, tag: FinalityTag) -> BlockRef:
        """The highest block that the node calls safe or finalized. Raises NodeError."""
        return self._block_by("eth_getBlockByNumber", str(tag))

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        """All movements of one block to watched addresses, all or nothing. Raises NodeError."""
        whole, receipts = self._whole(block)
        native = self.params.native
        found = (
            *scan.token_inflows(receipts, watched.targets, self._codes),
            *scan.direct_inflows(whole, receipts, watched.targets, native),
            *self._internal(whole, receipts, watched),
        )
        moves, codes = self._witness.look(whole, receipts, watched)
        odd = tuple(scan.unreadable_logs(receipts, self._codes))
        return BlockScan(
            ref=block, inflows=found, spends=(), moves=moves, codes=codes, unreadable=odd
        )

    def movements(self, block: BlockRef, watched: Watched) -> tuple[Movement, ...]:
        """All that one block moved into or out of watched addresses. Raises NodeError."""
        whole, receipts = self._whole(block)
        is_traced = self.evidence_mode is not EvidenceMode.BALANCE_DELTA and whole.transactions
        inside = self._traced(whole) if is_traced else ()
        names = movements.Names(native=self.params.native, tokens=self._codes)
        return tuple(movements.of_block(whole, receipts, inside, watched.targets, names))

    def token_outcome(
        self, txid: str, asset: str, expected: erc20.TokenTransfer, at: BlockRef
    ) -> TokenOutcome:
        """What a mined transaction really did with a token. Raises NodeError."""
        whole, receipts = self._whole(at)
        return self._witness.outcome(whole, receipts, txid, self._contract_of(asset), expected)

    def token_code(self, asset: str, at: BlockRef) -> str:
        """The fingerprint of the code that answers for a token at a block. Raises NodeError."""
        return self._witness.code(self._contract_of(asset), at)

    def pending(self, watched: Watched) -> Pool:
        """What waits to be mined and would pay what is watched. Raises NodeError."""
        return pool.look(self._ask, watched.targets, self.params.native, self._codes)

    def is_used_up(self, conflict: str, at: BlockRef) -> bool:
        """Whether the sender's nonce was used by a block up to `at`. Raises NodeError."""
        sender, _, nonce = conflict.rpartition(":")
        answer = self._ask("eth_getTransactionCount", sender, {"blockHash": "0x" + at.hash})
        return read.quantity(answer, "nonce") > int(nonce)

    def balance_units(self, target: bytes, asset: str, at: BlockRef) -> int:
        """What an address holds at a block: wei, or base units of a token. Raises NodeError."""
        where = {"blockHash": "0x" + at.hash}
        if asset == self.params.native:
            answer = self._ask("eth_getBalance", "0x" + target.hex(), where)
            return read.quantity(answer, "balance")
        call = {
            "to": "0x" + self._contract_of(asset).hex(),
            "data": "0x" + erc20.balance_calldata(target).hex(),
        }
        return read.one_number(self._ask("eth_call", call, where), asset)

    def broadcast(self, raw: bytes) -> BroadcastAnswer:
        """Send signed bytes. Raises BroadcastUnknown when no definite answer came."""
        return send(self._node, raw, self.sighting)

    def sighting(self, txid: str) -> TxSighting:
        """What the node knows of a transaction; UNKNOWN is an answer. Raises NodeError.

        That it was mined, succeeded and cost so much is proven by its block.
        """
        answer = self._ask("eth_getTransactionByHash", txid)
        if answer is None:
            return TxSighting(txid=txid, state=TxState.UNKNOWN)
        if read.field(answer, "blockHash") is None:
            return TxSighting(txid=txid, state=TxState.MEMPOOL)
        block_hash = read.data_bytes(answer["blockHash"], "block hash", 32).hex()
        known = self._proven.get(block_hash)
        block = known[0].ref if known else self._block_by("eth_getBlockByHash", "0x" + block_hash)
        _, receipts = self._whole(block)
        found = [receipt for receipt in receipts if receipt.txid == txid]
        if not found:
            raise WrongContents(f"got block {block_hash} for {txid}, which it does not hold")
        return TxSighting(
            txid=txid,
            state=TxState.MINED,
            block=block,
            fee_units=found[0].fee_wei,
            succeeded=found[0].succeeded,
        )

    def token_moves(self, txid: str) -> tuple[AssetMove, ...]:
        """Transfers of listed tokens in a mined transaction that succeeded. Raises NodeError."""
        answer = self._receipt(txid)
        if answer is None:
            raise NodeUnavailable(f"{txid}: the node has no receipt")
        return tuple(scan.token_moves(read.receipt(answer), self._codes))

    def gas_used(self, txid: str) -> int | None:
        """Gas that a mined transaction took, None while it is not mined. Raises NodeError."""
        answer = self._receipt(txid)
        return None if answer is None else read.quantity(read.field(answer, "gasUsed"), "gas")

    def feerate_units(self) -> int:
        """Max wei for a unit of gas now."""
        return self.fees().max_fee_wei

    def fees(self) -> Fees:
        """The fees to offer now: twice the base fee, and the tip that the node suggests."""
        answer = self._ask("eth_getBlockByNumber", "latest", False)
        base = read.quantity(read.field(answer, "baseFeePerGas"), "base fee")
        tip = read.quantity(self._ask("eth_maxPriorityFeePerGas"), "priority fee")
        return Fees(max_fee_wei=2 * base + tip, priority_fee_wei=tip)

    def nonce(self, address: bytes, *, pending: bool = False) -> int:
        """The next nonce of an account: by mined transactions, or by the node's pool too."""
        where = "pending" if pending else "latest"
        answer = self._ask("eth_getTransactionCount", "0x" + address.hex(), where)
        return read.quantity(answer, "nonce")

    def estimate_gas(self, sender: bytes, to: bytes, value_wei: int, data: bytes = b"") -> int:
        """Gas that a transaction would use now. Raises RpcRefused when it would revert."""
        call = {
            "from": "0x" + sender.hex(),
            "to": "0x" + to.hex(),
            "value": hex(value_wei),
            "data": "0x" + data.hex(),
        }
        return read.quantity(self._ask("eth_estimateGas", call), "gas")

    def call(self, to: bytes, data: bytes, at: BlockRef | None = None) -> bytes:
        """What a contract's view function answers. Raises RpcRefused when it reverts."""
        where = "latest" if at is None else {"blockHash": "0x" + at.hash}
        call = {"to": "0x" + to.hex(), "data": "0x" + data.hex()}
        return read.data_bytes(self._ask("eth_call", call, where), "answer of a call")

    def answer_to(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        """What a call would answer now, were it sent. Raises RpcRefused when it would revert."""
        call = {"from": "0x" + sender.hex(), "to": "0x" + to.hex(), "data": "0x" + data.hex()}
        return read.data_bytes(self._ask("eth_call", call, "latest"), "answer of a call")

    def code_at(self, target: bytes) -> bytes:
        """The code of an address, empty for a plain account."""
        answer = self._ask("eth_getCode", "0x" + target.hex(), "latest")
        return read.data_bytes(answer, "code")

    def storage_at(self, target: bytes, slot: int) -> bytes:
        """One 32-byte storage slot of a contract."""
        answer = self._ask("eth_getStorageAt", "0x" + target.hex(), hex(slot), "latest")
        return read.data_bytes(answer, "storage", 32)

    def close(self) -> None:
        """Give connections back."""
        self._node.close()

    def _ask(self, method: str, *params: object) -> Any:
        """A question to a node that is known to be the right one."""
        self.ready()
        return self._node.call(method, *params)

    def _receipt(self, txid: str) -> Any:
        answer = self._ask("eth_getTransactionReceipt", txid)
        if answer is not None and read.receipt(answer).txid != txid:
            raise UnexpectedAnswer(f"got another receipt, expected {txid}'s")
        return answer

    def _whole(self, block: BlockRef) -> tuple[read.Block, tuple[read.Receipt, ...]]:
        """A block and its receipts, checked against each other and against the block's hash."""
        if block.hash in self._proven:
            return self._proven[block.hash]
        name = "0x" + block.hash
        shown = self._ask("eth_getBlockByHash", name, True)
        if shown is None:
            raise NodeUnavailable(f"{self.network}: the node has no block {name}")
        whole = read.block(shown)
        if whole.ref != block:
            raise UnexpectedAnswer(f"got block {whole.ref.hash}, expected {block.hash}")
        answer = self._ask("eth_getBlockReceipts", name) if whole.transactions else []
        if answer is None:
            raise NodeUnavailable(f"{self.network}: the node has no receipts of {name}")
        receipts = read.receipts_of(answer, whole)
        if self.params.proven:
            proofs.check_header(shown, block.hash)
            proofs.check_contents(shown)
            proofs.check_receipts(shown, answer)
            proofs.check_costs(shown, answer)
        # The few last ones: a payment that waits is looked at again with every poll.
        latest = list(self._proven.items())[1 - PROVEN_KEPT :]
        self._proven = {**dict(latest), block.hash: (whole, receipts)}
        return whole, receipts

    def _contract_of(self, asset: str) -> bytes:
        for contract, code in self._codes.items():
            if code == asset:
                return contract
        raise InvariantError(f"got asset {asset}, which {self.network} does not have")

    def _block_by(self, method: str, name: str) -> BlockRef:
        answer = self._ask(method, name, False)
        if answer is None:
            raise NodeUnavailable(f"{self.network}: the node has no block {name}")
        return read.block_ref(answer)

    def _check_decimals(self, contract: bytes, asset: Asset) -> None:
        call = {"to": "0x" + contract.hex(), "data": "0x" + erc20.DECIMALS.hex()}
        decimals = read.one_number(self._node.call("eth_call", call, "latest"), asset.code)
        if decimals != asset.decimals:
            raise UnexpectedAnswer(
                f"{asset.code} has {decimals} decimals on chain, expected {asset.decimals}"
            )

    def _offered_evidence(self) -> EvidenceMode:
        """The best evidence that the node offers; asked with a block that cannot exist."""
        if self._offers("debug_traceBlockByHash", _NO_BLOCK, {"tracer": "callTracer"}):
            return EvidenceMode.CALL_TRACER
        if self._offers("trace_block", "latest"):
            return EvidenceMode.TRACE_BLOCK
        if self._delta_targets is not None:
            return EvidenceMode.BALANCE_DELTA
        raise UnexpectedAnswer(
            f"{self.network}: got a node without traces, expected debug_traceBlockByHash, "
            "trace_block, or the addresses whose balances to compare"
        )

    def _offers(self, method: str, *params: object) -> bool:
        try:
            self._node.call(method, *params)
        except MethodMissing:
            return False
        except RpcRefused:
            return True
        return True

    def _internal(
        self, whole: read.Block, receipts: Sequence[read.Receipt], watched: Watched
    ) -> Iterator[Inflow]:
        if self.evidence_mode is EvidenceMode.BALANCE_DELTA:
            yield from self._deltas(whole, receipts, watched)
        elif whole.transactions:
            moves = self._traced(whole)
            native = self.params.native
            found = list(scan.internal_inflows(moves, receipts, watched.targets, native))
            self._balances.check(whole, receipts, moves, found)
            yield from found

    def _traced(self, whole: read.Block) -> tuple[traces.InternalTransfer, ...]:
        try:
            if self.evidence_mode is EvidenceMode.CALL_TRACER:
                tracer = {"tracer": "callTracer"}
                answer = self._ask("debug_traceBlockByHash", "0x" + whole.ref.hash, tracer)
                return traces.from_call_tracer(answer, whole)
            answer = self._ask("trace_block", hex(whole.ref.height))
        except RpcRefused as error:
            # The block has left the chain, or its state is pruned: without traces it is no scan.
            raise NodeUnavailable(f"{self.network}: no traces of {whole.ref.hash}") from error
        return traces.from_trace_block(answer, whole)

    def _deltas(
        self, whole: read.Block, receipts: Sequence[read.Receipt], watched: Watched
    ) -> Iterator[Inflow]:
        targets = self._delta_targets() if self._delta_targets is not None else ()
        parent = BlockRef(height=whole.ref.height - 1, hash=whole.ref.parent, parent="", time_s=0)
        for target in targets:
            if target not in watched.targets:
                continue
            before = self.balance_units(target, self.params.native, parent)
            after = self.balance_units(target, self.params.native, whole.ref)
            gained = scan.unexplained_wei(whole, receipts, target, before, after)
            if gained:
                yield scan.delta_inflow(whole, target, gained, self.params.native)


def _contract(asset: Asset) -> bytes:
    invariant(asset.contract is not None, f"{asset.code} is not a token")
    return addresses.from_text(str(asset.contract))
