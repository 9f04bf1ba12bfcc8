"""Ether that contracts sent, held against the state: what a trace says must be in the balance.

Traces prove nothing by themselves. The state root of a proven header does: an account's balance,
nonce and code before and after a block are looked up in it (EIP-1186), and the movements that the
node told must make exactly the difference.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import CodecError, NodeUnavailable
from chains.evm import proofs, rlp, trie
from chains.evm.blocks import Block, Receipt, data_bytes, field, items
from chains.evm.hashing import keccak256
from chains.evm.lies import WrongBalance, WrongProof
from chains.evm.traces import InternalTransfer
from chains.types import Inflow

NO_CODE = keccak256(b"")
"""The code hash of an account that only its key can spend from."""

_NODES_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the state holds of an address."""

    nonce: int = 0
    balance_wei: int = 0
    code_hash: bytes = NO_CODE


class BalanceWitness:
    """Asks a node to prove what it traced, from `proof_from_wei` in a block on; 0 is never."""

    def __init__(self, ask: Callable[..., Any], proof_from_wei: int) -> None:
        self._ask = ask
        self._proof_from_wei = proof_from_wei

    def check(
        self,
        whole: Block,
        receipts: Sequence[Receipt],
        moves: Sequence[InternalTransfer],
        found: Sequence[Inflow],
    ) -> None:
        """Hold what was found for each target against the state.

        Raises WrongBalance or WrongProof, and NodeError where the node cannot prove.
        """
        if not self._proof_from_wei:
            return
        sums: dict[bytes, int] = defaultdict(int)
        for inflow in found:
            sums[inflow.target] += inflow.units
        for target, units in sums.items():
            if units >= self._proof_from_wei:
                before = self._account(target, whole.ref.parent)
                after = self._account(target, whole.ref.hash)
                check_movements(whole, receipts, moves, target, before, after)

    def _account(self, target: bytes, block_hash: str) -> Account:
        name = "0x" + block_hash
        header = self._ask("eth_getBlockByHash", name, False)
        if header is None:
            raise NodeUnavailable(f"the node has no block {name}")
        proofs.check_header(header, block_hash)
        answer = self._ask("eth_getProof", "0x" + target.hex(), [], {"blockHash": name})
        return proven_account(proofs.state_root(header), target, answer)


def proven_account(state_root: bytes, target: bytes, answer: Any) -> Account:
    """An account from the answer of eth_getProof. Raises WrongProof."""
    given = items(field(answer, "accountProof"), "proof nodes")
    if len(given) > _NODES_MAX:
        raise WrongProof(f"got {len(given)} proof nodes, expected at most {_NODES_MAX}")
    nodes = [data_bytes(node, "proof node") for node in given]
    try:
        found = trie.look_up(state_root, keccak256(target), nodes)
        if found is None:
            return Account()
        account = rlp.decode(found)
        if not isinstance(account, list) or len(account) != 4:
            raise CodecError("got an account of another shape")
        nonce, balance, _, code_hash = account
        if not isinstance(code_hash, bytes):
            raise CodecError("got a list in place of a code hash")
        return Account(
            nonce=rlp.decode_int(nonce, 64),
            balance_wei=rlp.decode_int(balance, 256),
            code_hash=code_hash,
        )
    except CodecError as error:
        raise WrongProof(f"0x{target.hex()}: {error}") from error


def check_movements(
    whole: Block,
    receipts: Sequence[Receipt],
    moves: Sequence[InternalTransfer],
    target: bytes,
    before: Account,
    after: Account,
) -> None:
    """Raise WrongBalance unless all that moved makes the difference of two proven balances.

    An account without code sends nothing but by its own transactions, and its nonce counts those:
    so nothing can be invented on one side and taken back on the other.
    """
    gained, own = 0, 0
    for transaction, receipt in zip(whole.transactions, receipts, strict=True):
        value = transaction.value_wei if receipt.succeeded else 0
        gained += value if transaction.to == target else 0
        if transaction.sender == target:
            gained -= value + receipt.fee_wei
            own += 1
    gained += sum(entry.units for entry in whole.withdrawals if entry.to == target)
    succeeded = {receipt.txid for receipt in receipts if receipt.succeeded}
    inside = [move for move in moves if move.txid in succeeded]
    sent = sum(move.units for move in inside if move.sender == target)
    gained += sum(move.units for move in inside if move.to == target) - sent
    name = f"0x{target.hex()}"
    if before.balance_wei + gained != after.balance_wei:
        difference = after.balance_wei - before.balance_wei
        raise WrongBalance(f"{name} gained {difference} wei, expected {gained}")
    if {before.code_hash, after.code_hash} == {NO_CODE}:
        if sent:
            raise WrongBalance(f"{name} has no code, expected it to send nothing inside")
        if own > after.nonce - before.nonce:
            raise WrongBalance(f"{name} sent {after.nonce - before.nonce} transactions, got {own}")
