"""Chains and signers in memory, behind the same ports as the real ones, with faults on request.

They check what a real one would: coins unspent, nonces in order, balances sufficient, seals and
replays. `FakeChain.sent` holds every distinct transaction a node ever took, which is what "paid
once" is judged by.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from chains.errors import BroadcastUnknown, CodecError, NodeRejected, NodeUnavailable
from chains.evm import addresses as evm_addresses
from chains.evm.erc20 import TRANSFER, TokenTransfer, decode_transfer
from chains.evm.safe import EXEC_TRANSACTION, SafeTx, SafeVault
from chains.evm.safe_signatures import recover_owners
from chains.evm.transactions import SignedTx
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
    Inflow,
    OutPoint,
    Spend,
    TokenOutcome,
    TxSighting,
    TxState,
)
from chains.utxo import addresses as utxo_addresses
from chains.utxo.params import UtxoParams
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from chains.utxo.transactions import parse as parse_transaction
from signer.protocol import (
    ANSWER,
    REQUEST,
    InputSignature,
    Result,
    Sealed,
    SignAnswer,
    SignRequest,
    digest,
    identity_sign,
    public_key_of,
)
from wallet.signing.coordinator import check_answer
from wallet.signing.errors import SignerSilent, SignerUnready
from wallet.signing.ports import CheckedAnswer

START_TIME_S = 1_800_000_000


class Fault(StrEnum):
    """What goes wrong with the next broadcast."""

    LOST_BEFORE = "lost_before"  # no answer, and the node never got it
    LOST_AFTER = "lost_after"  # no answer, though the node took it
    REJECTED = "rejected"


@dataclass
class FakeClock:
    """A clock that a test sets."""

    time_s: int = START_TIME_S

    def now_s(self) -> int:
        return self.time_s


@dataclass
class Ids:
    """Ids in order, so that a failing run repeats exactly."""

    prefix: str = "id"
    count: int = 0

    def __call__(self) -> str:
        self.count += 1
        return f"{self.prefix}-{self.count:06d}"


@dataclass(kw_only=True)
class _Faulty:
    """What both chains share: faults, and the memory of what nodes took."""

    faults: deque[Fault] = field(default_factory=deque)
    sent: list[str] = field(default_factory=list)
    is_down: bool = False

    def _deliver(self, raw: bytes, take: Callable[[bytes], BroadcastAnswer]) -> BroadcastAnswer:
        self._check_up()
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.LOST_BEFORE:
            raise BroadcastUnknown("no answer")
        if fault is Fault.REJECTED:
            return BroadcastAnswer(
                outcome=BroadcastOutcome.REJECTED, txid="", reason="fee_too_low", detail="min fee"
            )
        answer = take(raw)
        if answer.outcome is BroadcastOutcome.ACCEPTED and answer.txid not in self.sent:
            self.sent.append(answer.txid)
        if fault is Fault.LOST_AFTER:
            raise BroadcastUnknown("no answer")
        return answer

    def _check_up(self) -> None:
        if self.is_down:
            raise NodeUnavailable("no answer")

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(kw_only=True)
class FakeUtxoChain(_Faulty):
    """A UTXO chain of real transactions."""

    params: UtxoParams
    asset: str
    feerate: int = 5_000
    family: Family = Family.UTXO
    blocks: list[tuple[BlockRef, tuple[Transaction, ...]]] = field(default_factory=list)
    mempool: dict[str, Transaction] = field(default_factory=dict)
    salt: int = 0

    def __post_init__(self) -> None:
        self.mine()

    @property
    def network(self) -> str:
        return self.params.id

    @property
    def assets(self) -> Sequence[Asset]:
        return (Asset(code=self.asset, network=self.network, decimals=8),)

    def destination(self, text: str) -> Destination:
        return utxo_addresses.parse(self.params, text)

    def fund(self, script: bytes, sats: int) -> str:
        """A payment from outside into the mempool."""
        self.salt += 1
        origin = hashlib.sha256(f"outside {self.salt}".encode()).hexdigest()
        tx = Transaction(
            inputs=(TxInput(txid=origin, vout=0, witness=(b"\x01",)),),
            outputs=(TxOutput(sats=sats, script=script),),
        )
        self.mempool[tx.txid] = tx
        return tx.txid

    def mine(self, count: int = 1) -> BlockRef:
        """Blocks; the first takes the whole mempool."""
        for _ in range(count):
            parent = self.blocks[-1][0].hash if self.blocks else "00" * 32
            height, txs = len(self.blocks), tuple(self.mempool.values())
            self.salt += 1
            text = f"{parent} {height} {self.salt} {sorted(self.mempool)}"
            ref = BlockRef(
                height=height,
                hash=hashlib.sha256(text.encode()).hexdigest(),
                parent=parent,
                time_s=START_TIME_S + height,
            )
            self.mempool.clear()
            self.blocks.append((ref, txs))
        return self.blocks[-1][0]

    def reorg(self, depth: int, *, keep: bool = True) -> None:
        """Replace the last blocks by one more empty one; their transactions wait again, or go."""
        gone = [tx for _, txs in self.blocks[-depth:] for tx in txs]
        del self.blocks[-depth:]
        waiting, self.mempool = self.mempool, {}
        self.mine(depth + 1)
        self.mempool = waiting
        if keep:
            self.mempool |= {tx.txid: tx for tx in gone}

    def tip(self) -> BlockRef:
        self._check_up()
        return self.blocks[-1][0]

    def block_at(self, height: int) -> BlockRef:
        return self.blocks[height][0]

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        ref, txs = self.blocks[block.height]
        inflows, spends = [], []
        for tx in txs:
            for one in tx.inputs:
                outpoint = OutPoint(one.txid, one.vout)
                if outpoint in watched.outpoints:
                    spends.append(Spend(outpoint=outpoint, txid=tx.txid))
            for vout, output in enumerate(tx.outputs):
                if output.script in watched.targets:
                    inflows.append(
                        Inflow(
                            txid=tx.txid,
                            position=f"out:{vout}",
                            asset=self.asset,
                            target=output.script,
                            units=output.sats,
                            evidence=Evidence.OUTPUT,
                            raw_tx=tx.serialize(),
                        )
                    )
        return BlockScan(ref=ref, inflows=tuple(inflows), spends=tuple(spends))

    def balance_units(self, target: bytes, asset: str, at: BlockRef) -> int:
        raise NodeUnavailable("outputs are counted from blocks")

    def broadcast(self, raw: bytes) -> BroadcastAnswer:
        return self._deliver(raw, self._take)

    def sighting(self, txid: str) -> TxSighting:
        self._check_up()
        if txid in self.mempool:
            return TxSighting(txid=txid, state=TxState.MEMPOOL)
        for ref, txs in self.blocks:
            if any(tx.txid == txid for tx in txs):
                return TxSighting(txid=txid, state=TxState.MINED, block=ref)
        return TxSighting(txid=txid, state=TxState.UNKNOWN)

    def feerate_units(self) -> int:
        self._check_up()
        return self.feerate

    def paid_units(self, script: bytes) -> int:
        """All that mined transactions ever paid to a script."""
        return sum(
            o.sats for _, txs in self.blocks for tx in txs for o in tx.outputs if o.script == script
        )

    def _all(self) -> dict[str, Transaction]:
        mined = {tx.txid: tx for _, txs in self.blocks for tx in txs}
        return mined | self.mempool

    def _take(self, raw: bytes) -> BroadcastAnswer:
        tx = parse_transaction(raw)
        everything = self._all()
        if tx.txid in everything:
            return BroadcastAnswer(outcome=BroadcastOutcome.ALREADY_KNOWN, txid=tx.txid)
        spent = {OutPoint(i.txid, i.vout) for t in everything.values() for i in t.inputs}
        for one in tx.inputs:
            source = everything.get(one.txid)
            missing = source is None or one.vout >= len(source.outputs)
            if missing or OutPoint(one.txid, one.vout) in spent:
                return BroadcastAnswer(
                    outcome=BroadcastOutcome.REJECTED, txid=tx.txid, reason="missing_inputs"
                )
        self.mempool[tx.txid] = tx
        return BroadcastAnswer(outcome=BroadcastOutcome.ACCEPTED, txid=tx.txid)


@dataclass(frozen=True, kw_only=True)
class Fees:
    """Fees of the next blocks, wei for each unit of gas."""

    max_fee_wei: int
    priority_fee_wei: int


@dataclass(frozen=True)
class _Gift:
    """Money from outside."""

    txid: str
    target: bytes
    asset: str
    units: int


@dataclass
class _State:
    """Balances, nonces and receipts after a block."""

    balances: dict[tuple[bytes, str], int] = field(default_factory=dict)
    nonces: dict[bytes, int] = field(default_factory=dict)
    safe_nonces: dict[bytes, int] = field(default_factory=dict)

    def copy(self) -> "_State":
        return _State(dict(self.balances), dict(self.nonces), dict(self.safe_nonces))

    def held(self, target: bytes, asset: str) -> int:
        return self.balances.get((target, asset), 0)

    def add(self, target: bytes, asset: str, units: int) -> None:
        self.balances[target, asset] = self.held(target, asset) + units


@dataclass
class _Block:
    ref: BlockRef
    state: _State
    inflows: list[Inflow] = field(default_factory=list)
    items: list["SignedTx | _Gift"] = field(default_factory=list)
    receipts: dict[str, tuple[bool, int]] = field(default_factory=dict)


@dataclass(kw_only=True)
class FakeEvmChain(_Faulty):
    """An EVM chain of real EIP-1559 transactions: value, listed tokens, and Safes."""

    network: str
    chain_id: int
    native: str
    tokens: Mapping[bytes, Asset] = field(default_factory=dict)
    safes: Mapping[bytes, SafeVault] = field(default_factory=dict)
    max_fee_wei: int = 2 * 10**9
    reverting: set[bytes] = field(default_factory=set)  # payees whose calls revert when mined
    family: Family = Family.EVM
    blocks: list[_Block] = field(default_factory=list)
    mempool: list["SignedTx | _Gift"] = field(default_factory=list)
    salt: int = 0
    answers: dict[bytes, bytes] = field(default_factory=dict)  # what token contracts answer
    outcomes: dict[str, TokenOutcome] = field(default_factory=dict)  # by txid, where odd

    def __post_init__(self) -> None:
        self.mine()

    @property
    def assets(self) -> Sequence[Asset]:
        return (Asset(code=self.native, network=self.network, decimals=18), *self.tokens.values())

    def destination(self, text: str) -> Destination:
        target = evm_addresses.from_text(text)
        return Destination(network=self.network, address=text, target=target, kind="account")

    def fund(self, target: bytes, asset: str, units: int) -> str:
        """A payment from outside into the mempool."""
        self.salt += 1
        txid = "0x" + hashlib.sha256(f"outside {self.salt}".encode()).hexdigest()
        self.mempool.append(_Gift(txid, target, asset, units))
        return txid

    def mine(self, count: int = 1) -> BlockRef:
        """Blocks; the first takes all that can run."""
        for _ in range(count):
            parent = self.blocks[-1].ref.hash if self.blocks else "00" * 32
            self.salt += 1
            height = len(self.blocks)
            ref = BlockRef(
                height=height,
                hash=hashlib.sha256(f"{parent} {height} {self.salt}".encode()).hexdigest(),
                parent=parent,
                time_s=START_TIME_S + height,
            )
            state = self.blocks[-1].state.copy() if self.blocks else _State()
            block = _Block(ref, state)
            waiting, self.mempool = self.mempool, []
            for item in sorted(waiting, key=_nonce_of):
                if isinstance(item, SignedTx) and not self._runs(state, item):
                    self.mempool.append(item)
                    continue
                self._execute(block, item)
                block.items.append(item)
            self.blocks.append(block)
        return self.blocks[-1].ref

    def reorg(self, depth: int, *, keep: bool = True) -> None:
        """Replace the last blocks by one more empty one; their transactions wait again, or go."""
        gone = [item for block in self.blocks[-depth:] for item in block.items]
        del self.blocks[-depth:]
        waiting, self.mempool = self.mempool, []
        self.mine(depth + 1)
        self.mempool = waiting + (gone if keep else [])

    def tip(self) -> BlockRef:
        self._check_up()
        return self.blocks[-1].ref

    def block_at(self, height: int) -> BlockRef:
        return self.blocks[height].ref

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        found = self.blocks[block.height]
        inflows = tuple(i for i in found.inflows if i.target in watched.targets)
        return BlockScan(ref=found.ref, inflows=inflows, spends=())

    def balance_units(self, target: bytes, asset: str, at: BlockRef) -> int:
        self._check_up()
        block = self.blocks[at.height]
        if block.ref.hash != at.hash:
            raise NodeUnavailable("that block is not in the chain")
        return block.state.held(target, asset)

    def broadcast(self, raw: bytes) -> BroadcastAnswer:
        return self._deliver(raw, self._take)

    def sighting(self, txid: str) -> TxSighting:
        self._check_up()
        if any(item.txid == txid for item in self.mempool):
            return TxSighting(txid=txid, state=TxState.MEMPOOL)
        for block in self.blocks:
            if txid in block.receipts:
                succeeded, fee = block.receipts[txid]
                return TxSighting(
                    txid=txid,
                    state=TxState.MINED,
                    block=block.ref,
                    fee_units=fee,
                    succeeded=succeeded,
                )
        return TxSighting(txid=txid, state=TxState.UNKNOWN)

    def feerate_units(self) -> int:
        return self.max_fee_wei

    def fees(self) -> Fees:
        self._check_up()
        return Fees(max_fee_wei=self.max_fee_wei, priority_fee_wei=1)

    def nonce(self, address: bytes) -> int:
        self._check_up()
        return self.blocks[-1].state.nonces.get(address, 0)

    def estimate_gas(self, sender: bytes, to: bytes, value_wei: int, data: bytes) -> int:
        self._check_up()
        if not self._do(self.blocks[-1].state.copy(), sender, to, value_wei, data):
            raise NodeRejected("execution reverted")
        return self._gas(data)

    def call(self, to: bytes, data: bytes) -> bytes:
        return self.blocks[-1].state.safe_nonces.get(to, 0).to_bytes(32, "big")

    def answer_to(self, sender: bytes, to: bytes, data: bytes) -> bytes:
        return self.answers.get(to, (1).to_bytes(32, "big"))

    def token_outcome(
        self, txid: str, asset: str, expected: TokenTransfer, at: BlockRef
    ) -> TokenOutcome:
        if txid in self.outcomes:
            return self.outcomes[txid]
        told = [
            inflow
            for inflow in self.blocks[at.height].inflows
            if (inflow.txid, inflow.asset) == (txid, asset)
        ]
        moved = sum(inflow.units for inflow in told)
        is_logged = [(i.target, i.units) for i in told] == [(expected.to, expected.units)]
        return TokenOutcome(is_logged=is_logged, left=moved, arrived=moved)

    def held(self, target: bytes, asset: str) -> int:
        """What a target holds now."""
        return self.blocks[-1].state.held(target, asset)

    def _gas(self, data: bytes) -> int:
        return {b"": 21_000, TRANSFER: 50_000}.get(data[:4], 90_000)

    def _take(self, raw: bytes) -> BroadcastAnswer:
        signed = SignedTx.decode(raw)
        known = {item.txid for item in self.mempool} | {
            txid for block in self.blocks for txid in block.receipts
        }
        if signed.txid in known:
            return BroadcastAnswer(outcome=BroadcastOutcome.ALREADY_KNOWN, txid=signed.txid)
        same = [
            item
            for item in self.mempool
            if isinstance(item, SignedTx)
            and (item.sender, item.tx.nonce) == (signed.sender, signed.tx.nonce)
        ]
        if same or signed.tx.nonce < self.nonce(signed.sender):
            return BroadcastAnswer(
                outcome=BroadcastOutcome.REJECTED, txid=signed.txid, reason="nonce_too_low"
            )
        self.mempool.append(signed)
        return BroadcastAnswer(outcome=BroadcastOutcome.ACCEPTED, txid=signed.txid)

    def _runs(self, state: _State, signed: SignedTx) -> bool:
        need = signed.tx.fee_wei_max + signed.tx.value_wei
        in_turn = state.nonces.get(signed.sender, 0) == signed.tx.nonce
        return in_turn and state.held(signed.sender, self.native) >= need

    def _execute(self, block: _Block, item: "SignedTx | _Gift") -> None:
        state, before = block.state, len(block.inflows)
        if isinstance(item, _Gift):
            state.add(item.target, item.asset, item.units)
            self._inflow(block, item.txid, item.asset, item.target, item.units, before)
            return
        tx, sender = item.tx, item.sender
        state.nonces[sender] = tx.nonce + 1
        fee = self._gas(tx.data) * tx.max_fee_wei
        state.add(sender, self.native, -fee)
        done = self._do(state, sender, tx.to, tx.value_wei, tx.data)
        block.receipts[item.txid] = (done is not None, fee)
        if done is not None:
            asset, target, units = done
            self._inflow(block, item.txid, asset, target, units, before)

    def _do(
        self, state: _State, sender: bytes, to: bytes, value_wei: int, data: bytes
    ) -> tuple[str, bytes, int] | None:
        """Move what a call moves; None when it reverts."""
        if to in self.reverting or state.held(sender, self.native) < value_wei:
            return None
        if to in self.safes and data[:4] == EXEC_TRANSACTION:
            return self._execute_safe(state, self.safes[to], data)
        if to in self.tokens:
            target, units = decode_transfer(data)
            code = self.tokens[to].code
            if target in self.reverting or state.held(sender, code) < units:
                return None
            state.add(sender, code, -units)
            state.add(target, code, units)
            return code, target, units
        state.add(sender, self.native, -value_wei)
        state.add(to, self.native, value_wei)
        return self.native, to, value_wei

    def _execute_safe(
        self, state: _State, safe: SafeVault, data: bytes
    ) -> tuple[str, bytes, int] | None:
        nonce = state.safe_nonces.get(safe.address, 0)
        inner, packed = SafeTx.decode_execution(
            data, chain_id=self.chain_id, safe=safe.address, nonce=nonce
        )
        try:
            owners = recover_owners(inner.safe_tx_hash, packed)
        except CodecError:
            return None
        if len(owners) < safe.threshold or not set(owners) <= set(safe.owners):
            return None
        state.safe_nonces[safe.address] = nonce + 1
        return self._do(state, safe.address, inner.to, inner.value_wei, inner.data)

    def _inflow(
        self, block: _Block, txid: str, asset: str, target: bytes, units: int, index: int
    ) -> None:
        native = asset == self.native
        block.inflows.append(
            Inflow(
                txid=txid,
                position="tx" if native else f"log:{index}",
                asset=asset,
                target=target,
                units=units,
                evidence=Evidence.TRANSACTION if native else Evidence.LOG,
            )
        )


def _nonce_of(item: "SignedTx | _Gift") -> int:
    return item.tx.nonce if isinstance(item, SignedTx) else -1


SignWith = Callable[[SignRequest], Sequence[InputSignature]]
"""What a fake signer signs a request with, once its own checks are passed."""


class SignerFault(StrEnum):
    """What goes wrong with the next question to a signer."""

    SILENT_BEFORE = "silent_before"  # it never got the question
    SILENT_AFTER = "silent_after"  # it signed, but the answer was lost
    UNREADY = "unready"


@dataclass
class FakeSigner:
    """A signer that remembers: each request once, each intent once, and never after expiry."""

    signer_id: str
    sign_with: SignWith
    coordinator: bytes
    clock: FakeClock
    seed: bytes
    refuse: str = ""
    faults: deque[SignerFault] = field(default_factory=deque)
    answers: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    signed_intents: set[bytes] = field(default_factory=set)
    asked: int = 0

    @property
    def public_key(self) -> bytes:
        return public_key_of(self.seed)

    def sign(self, request: Sealed) -> CheckedAnswer:
        fault = self.faults.popleft() if self.faults else None
        if fault is SignerFault.SILENT_BEFORE:
            raise SignerSilent("no answer")
        if fault is SignerFault.UNREADY:
            raise SignerUnready("not now", {"signer_code": "signer.locked"})
        data = self.answer(request.encode())
        if fault is SignerFault.SILENT_AFTER:
            raise SignerSilent("no answer")
        return check_answer(data, request, self.signer_id, self.public_key)

    def recall(self, request: Sealed) -> CheckedAnswer | None:
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            raise SignerSilent("no answer")
        known = self.answers.get(SignRequest.decode(request.body).request_id)
        if known is None or known[0] != request.digest:
            return None
        return check_answer(known[1], request, self.signer_id, self.public_key)

    def answer(self, data: bytes) -> bytes:
        """The sealed answer to a sealed request, as an offline signer writes it to a file."""
        self.asked += 1
        sealed = Sealed.decode(data, REQUEST)
        sealed.verify(self.coordinator)
        request = SignRequest.decode(sealed.body)
        code = self._refusal(request)
        signatures: Sequence[InputSignature] = ()
        if not code:
            signatures = self.sign_with(request)
            self.signed_intents.update(intent.digest for intent in request.intents)
        body = SignAnswer(
            request_id=request.request_id,
            request_digest=sealed.digest,
            result=Result.REFUSED if code else Result.SIGNED,
            code=code,
            signatures=tuple(signatures),
            signer_id=self.signer_id,
            policy_hash="fake",
            counter=self.asked,
            log_head=bytes(32),
        ).encode()
        answer = Sealed(ANSWER, body, identity_sign(self.seed, digest(ANSWER, body))).encode()
        if code != "request.replayed":
            self.answers[request.request_id] = (sealed.digest, answer)
        return answer

    def _refusal(self, request: SignRequest) -> str:
        if request.request_id in self.answers:
            return "request.replayed"
        if self.clock.now_s() >= request.expires_s:
            return "request.expired"
        if any(intent.digest in self.signed_intents for intent in request.intents):
            return "intent.already_signed"
        return self.refuse
