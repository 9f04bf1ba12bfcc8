"""What really happened on a simulated EVM chain: blocks, waiting transactions, reorgs."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import coincurve

from chains.evm.addresses import from_text, of_public_key
from chains.evm.erc20 import transfer_calldata
from chains.evm.safe import SafeVault
from chains.evm.transactions import SignedTx, UnsignedTx
from chains.simulated.evm_blocks import EvmBlock, Executed, leaves_of, read_signed, seal
from chains.simulated.evm_state import (
    NATIVE,
    SPLITTER,
    Contracts,
    Effects,
    State,
    execute,
    gas_of,
    split_calldata,
)
from chains.simulated.utxo_history import START_TIME_S, Refused
from chains.types import Asset, BlockRef

REPLACEMENT_PERCENT = 110
"""What a replacement must offer of both fees, as go-ethereum has it."""

_SERVER_ERROR = -32000
_OUTSIDE_GAS = 5_000_000


@dataclass(kw_only=True)
class EvmHistory:
    """One chain. A unit of gas costs `base_fee_wei` and what people add, about `tip_wei`.

    Blocks are a second apart, or made at the time that `now_s` tells.

    `ever` holds every distinct transaction that a node was sent and took, which is what "paid once"
    is judged by. Payments from outside come from accounts of their own, made for one payment each.
    """

    network: str
    chain_id: int
    native: str
    tokens: Sequence[Asset] = ()
    safes: Mapping[bytes, SafeVault] = field(default_factory=dict)
    base_fee_wei: int = 0
    tip_wei: int = 2 * 10**9
    blocks: list[EvmBlock] = field(default_factory=list)
    mempool: dict[str, SignedTx] = field(default_factory=dict)
    ever: dict[str, SignedTx] = field(default_factory=dict)
    known: dict[str, EvmBlock] = field(default_factory=dict)
    salt: int = 0
    now_s: Callable[[], int] | None = None
    mined: dict[str, tuple[Executed, EvmBlock]] = field(default_factory=dict)
    outsiders: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        by_contract = {from_text(str(token.contract)): token for token in self.tokens}
        self._contract_of = {token.code: contract for contract, token in by_contract.items()}
        self.contracts = Contracts(
            chain_id=self.chain_id,
            native=self.native,
            tokens=by_contract,
            safes=self.safes,
            reverting=set(),
        )
        self.mine()

    def copy(self) -> "EvmHistory":
        """The same past, with a future of its own."""
        twin = copy(self)
        twin.blocks = [replace(block, state=block.state.copy()) for block in self.blocks]
        twin.known = self.known | {block.ref.hash: block for block in twin.blocks}
        twin.mempool, twin.ever = dict(self.mempool), dict(self.ever)
        twin.mined, twin.outsiders = dict(self.mined), dict(self.outsiders)
        twin.contracts = self.contracts.copy()
        return twin

    def pay(self, payments: Sequence[tuple[bytes, str, int]], *, through: bool = False) -> str:
        """One transaction from outside into the mempool: payees, assets and units.

        Several payments, or one with `through`, go through a contract.
        """
        if len(payments) == 1 and not through:
            target, asset, units = payments[0]
            if asset == self.native:
                return self._wait(target, units, b"")
            return self._wait(self._contract_of[asset], 0, transfer_calldata(target, units))
        split = [
            (NATIVE if asset == self.native else self._contract_of[asset], target, units)
            for target, asset, units in payments
        ]
        return self._wait(SPLITTER, 0, split_calldata(split))

    def mine(self, count: int = 1) -> BlockRef:
        """Blocks; the first takes all that can run."""
        for number in range(count):
            self._append(sorted(self.mempool.values(), key=_nonce_of) if number == 0 else [])
        return self.blocks[-1].ref

    def reorg(self, depth: int, *, keep: bool = True, conflicting: bool = False) -> None:
        """Replace the last blocks by one more empty one.

        Their transactions wait again, or with `keep=False` are forgotten. With `conflicting` the
        payments from outside among them pay somebody else in the new branch.
        """
        depth = min(depth, len(self.blocks) - 1)
        gone = [one.signed for block in self.blocks[-depth:] for one in block.done] if depth else []
        for signed in gone:
            del self.mined[signed.txid]
        del self.blocks[len(self.blocks) - depth :]
        outside = [signed for signed in gone if signed.sender in self.outsiders]
        rivals = [self._rival(signed) for signed in outside] if conflicting else []
        waiting = (gone if keep else []) + list(self.mempool.values())
        self.mempool = {signed.txid: signed for signed in rivals}
        for number in range(depth + 1):
            self._append(rivals if number == 0 else [])
        self.mempool = {s.txid: s for s in waiting if s.tx.nonce >= self.nonce(s.sender)}

    def evict(self, txid: str) -> None:
        """Forget a waiting transaction."""
        self.mempool.pop(txid, None)

    def take(self, raw: bytes) -> str:
        """A broadcast; the txid. Raises Refused in the words of go-ethereum."""
        signed = read_signed(raw)
        if signed.txid in self.mempool or signed.txid in self.mined:
            raise Refused(_SERVER_ERROR, "already known")
        if signed.tx.nonce < self.nonce(signed.sender):
            raise Refused(_SERVER_ERROR, "nonce too low")
        need = signed.tx.fee_wei_max + signed.tx.value_wei
        if not self.state.can_pay(signed.sender, self.native, need):
            raise Refused(_SERVER_ERROR, "insufficient funds for gas * price + value")
        rival = self.waiting(signed.sender).get(signed.tx.nonce)
        if rival is not None:
            _check_replacement(signed.tx, rival.tx)
            self.evict(rival.txid)
        self.mempool[signed.txid] = signed
        self.ever[signed.txid] = signed
        return signed.txid

    @property
    def state(self) -> State:
        """Accounts as they are now."""
        return self.blocks[-1].state

    def nonce(self, sender: bytes) -> int:
        """Mined transactions of an account."""
        return self.state.nonces.get(sender, 0)

    def waiting(self, sender: bytes) -> dict[int, SignedTx]:
        """Waiting transactions of an account by nonce."""
        return {s.tx.nonce: s for s in self.mempool.values() if s.sender == sender}

    def find(self, txid: str) -> tuple[Executed, EvmBlock] | None:
        """A mined transaction and its block."""
        return self.mined.get(txid)

    def _append(self, candidates: Sequence[SignedTx]) -> None:
        parent = self.blocks[-1].ref if self.blocks else None
        state = self.blocks[-1].state.copy() if self.blocks else State()
        state.rich = frozenset(self.outsiders)
        done = []
        for signed in candidates:
            if self._runs(state, signed):
                self.mempool.pop(signed.txid, None)
                done.append(self._execute(state, signed))
        self.salt += 1
        time_s = START_TIME_S if parent is None else parent.time_s + 1
        if self.now_s is not None:
            time_s = self.now_s() if parent is None else max(time_s, self.now_s())
        block = seal(parent, time_s, self.base_fee_wei, self.salt, state, done)
        self.blocks.append(block)
        self.known[block.ref.hash] = block
        self.mined.update({one.signed.txid: (one, block) for one in done})

    def _runs(self, state: State, signed: SignedTx) -> bool:
        in_turn = state.nonces.get(signed.sender, 0) == signed.tx.nonce
        need = signed.tx.fee_wei_max + signed.tx.value_wei
        dear_enough = signed.tx.max_fee_wei >= self.base_fee_wei
        return in_turn and dear_enough and state.can_pay(signed.sender, self.native, need)

    def _execute(self, state: State, signed: SignedTx) -> Executed:
        tx, sender = signed.tx, signed.sender
        state.nonces[sender] = tx.nonce + 1
        for leave in leaves_of(signed):
            # Given also where the call itself then reverts (EIP-7702).
            given, authority = leave.authorization, leave.authority
            if given.nonce == state.nonces.get(authority, 0):
                state.nonces[authority] = given.nonce + 1
                state.delegates[authority] = given.delegate
        price = min(tx.max_fee_wei, self.base_fee_wei + tx.priority_fee_wei)
        gas = gas_of(tx.data)
        effects: Effects | None = None
        if tx.gas_limit >= gas:
            effects = execute(state, self.contracts, sender, tx.to, tx.value_wei, tx.data)
        gas = min(gas, tx.gas_limit)
        state.add(sender, self.native, -gas * price)
        return Executed(signed=signed, effects=effects, gas_used=gas, price_wei=price)

    def _wait(self, to: bytes, value_wei: int, data: bytes) -> str:
        self.salt += 1
        secret = hashlib.sha256(f"outside {self.salt}".encode()).digest()
        public_key = coincurve.PrivateKey(secret).public_key
        self.outsiders[of_public_key(public_key.format(compressed=False))] = secret
        signed = self._sign(secret, to, value_wei, data)
        self.mempool[signed.txid] = signed
        return signed.txid

    def _rival(self, signed: SignedTx) -> SignedTx:
        """The same account's same nonce, paid to somebody else."""
        return self._sign(self.outsiders[signed.sender], b"\x66" * 20, 1, b"")

    def _sign(self, secret: bytes, to: bytes, value_wei: int, data: bytes) -> SignedTx:
        tx = UnsignedTx(
            chain_id=self.chain_id,
            nonce=0,
            priority_fee_wei=self.tip_wei,
            max_fee_wei=100 * (self.base_fee_wei + self.tip_wei) + 10**12,
            gas_limit=_OUTSIDE_GAS,
            to=to,
            value_wei=value_wei,
            data=data,
        )
        made = coincurve.PrivateKey(secret).sign_recoverable(tx.signing_hash, hasher=None)
        return tx.with_signature(made)


def _nonce_of(signed: SignedTx) -> int:
    return signed.tx.nonce


def _check_replacement(tx: UnsignedTx, before: UnsignedTx) -> None:
    fees = (
        (tx.max_fee_wei, before.max_fee_wei),
        (tx.priority_fee_wei, before.priority_fee_wei),
    )
    if any(100 * new < REPLACEMENT_PERCENT * old for new, old in fees):
        raise Refused(_SERVER_ERROR, "replacement transaction underpriced")
