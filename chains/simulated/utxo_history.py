"""What really happened on a simulated UTXO chain: blocks, waiting transactions, reorgs.

Scripts are not run: whether a signature is right is what bcoin, lcoin and litecoind are for.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field

from chains.simulated.utxo_blocks import MinedBlock, mine_block
from chains.types import BlockRef, OutPoint
from chains.utxo.params import UtxoParams
from chains.utxo.transactions import Transaction, TxInput, TxOutput

START_TIME_S = 1_800_000_000
RELAY_FEERATE = 1_000
"""Sats per 1000 vbytes that a replacement must add for its own size (BIP-125 rule 4)."""


class Refused(Exception):
    """The node's words about a transaction that it does not take."""

    def __init__(self, rpc_code: int, words: str) -> None:
        super().__init__(words)
        self.rpc_code = rpc_code
        self.words = words


@dataclass(kw_only=True)
class UtxoHistory:
    """One chain. `feerate` is what space costs, `floor` what the next blocks ask at least.

    Blocks are a second apart, or made at the time that `now_s` tells.

    `ever` holds every distinct transaction that a node was sent and took, which is what "paid once"
    is judged by. Transactions of outside people spend coins that nobody made.
    """

    params: UtxoParams
    feerate: int = 5_000
    floor: int = 0
    blocks: list[MinedBlock] = field(default_factory=list)
    mempool: dict[str, Transaction] = field(default_factory=dict)
    ever: dict[str, Transaction] = field(default_factory=dict)
    known: dict[str, MinedBlock] = field(default_factory=dict)
    outside: dict[OutPoint, int] = field(default_factory=dict)
    salt: int = 0
    now_s: Callable[[], int] | None = None
    mined: dict[str, tuple[Transaction, MinedBlock]] = field(default_factory=dict)
    spent: dict[OutPoint, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mine()

    def copy(self) -> "UtxoHistory":
        """The same past, with a future of its own."""
        twin = copy(self)
        twin.blocks = list(self.blocks)
        twin.mempool, twin.ever = dict(self.mempool), dict(self.ever)
        twin.known, twin.outside = dict(self.known), dict(self.outside)
        twin.mined, twin.spent = dict(self.mined), dict(self.spent)
        return twin

    def pay(self, outputs: Sequence[tuple[bytes, int]]) -> str:
        """A payment from outside into the mempool: scripts and sats."""
        self.salt += 1
        origin = hashlib.sha256(f"outside {self.salt}".encode()).hexdigest()
        return self._wait(_outside_payment(origin, outputs))

    def mine(self, count: int = 1) -> BlockRef:
        """Blocks; the first takes all that pays enough."""
        for _ in range(count):
            chosen = self._worth_mining()
            for tx in chosen:
                del self.mempool[tx.txid]
            self._append(chosen)
        return self.blocks[-1].ref

    def reorg(self, depth: int, *, keep: bool = True, conflicting: bool = False) -> None:
        """Replace the last blocks by one more empty one.

        Their transactions wait again, or with `keep=False` are forgotten. With `conflicting` the
        payments from outside among them pay somebody else in the new branch.
        """
        depth = min(depth, len(self.blocks) - 1)
        gone = [tx for block in self.blocks[-depth:] for tx in block.payments] if depth else []
        for tx in gone:
            self._forget(tx)
        del self.blocks[len(self.blocks) - depth :]
        rivals = [_rival(tx) for tx in gone if self._is_outside(tx)] if conflicting else []
        waiting = (gone if keep else []) + list(self.mempool.values())
        self.mempool.clear()
        for number in range(depth + 1):
            self._append(rivals if number == 0 else [])
        for tx in waiting:
            if self._problem(tx) is None:
                self.mempool[tx.txid] = tx

    def evict(self, txid: str) -> None:
        """Forget a waiting transaction and all that spend from it."""
        gone = self.mempool.pop(txid, None)
        if gone is not None:
            for other in [t.txid for t in self.mempool.values() if _spends_from(t, txid)]:
                self.evict(other)

    def take(self, tx: Transaction) -> None:
        """A broadcast. Raises Refused in the words of Bitcoin Core."""
        if tx.txid in self.mined:
            raise Refused(-27, "Transaction already in block chain")
        if tx.txid in self.mempool:
            raise Refused(-27, "txn-already-in-mempool")
        problem = self._problem(tx)
        if problem is not None:
            raise Refused(-25, problem)
        rivals = self._rivals(tx)
        if rivals:
            self._check_replacement(tx, rivals)
            for rival in rivals:
                self.evict(rival.txid)
        self.mempool[tx.txid] = tx
        self.ever[tx.txid] = tx

    def find(self, txid: str) -> tuple[Transaction, MinedBlock | None] | None:
        """A transaction and its block, None while it waits."""
        if txid in self.mempool:
            return self.mempool[txid], None
        return self.mined.get(txid)

    def paid_units(self, script: bytes) -> int:
        """All that mined transactions ever paid to a script."""
        return sum(
            output.sats
            for block in self.blocks
            for tx in block.payments
            for output in tx.outputs
            if output.script == script
        )

    def unspent_units(self, scripts: Iterable[bytes]) -> int:
        """What mined and unspent outputs of these scripts hold."""
        wanted = set(scripts)
        return sum(
            output.sats
            for txid, (tx, _) in self.mined.items()
            for vout, output in enumerate(tx.outputs)
            if output.script in wanted and OutPoint(txid, vout) not in self.spent
        )

    def spender(self, outpoint: OutPoint) -> str | None:
        """The mined transaction that spent an output."""
        return self.spent.get(outpoint)

    def descendants(self, tx: Transaction) -> list[Transaction]:
        """A waiting transaction and all waiting ones that build on it."""
        found = {tx.txid: tx}
        for other in self.mempool.values():
            # The pool has parents before their children.
            if any(outpoint.txid in found for outpoint in other.outpoints()):
                found[other.txid] = other
        return list(found.values())

    def fee_sats(self, tx: Transaction) -> int:
        """What a transaction pays for its space."""
        spent = 0
        for outpoint in tx.outpoints():
            source = self.find(outpoint.txid)
            found = self.outside.get(outpoint, 0)
            spent += source[0].outputs[outpoint.vout].sats if source else found
        return spent - sum(output.sats for output in tx.outputs)

    def _append(self, txs: Sequence[Transaction]) -> None:
        parent = self.blocks[-1].ref if self.blocks else None
        self.salt += 1
        time_s = START_TIME_S if parent is None else parent.time_s + 1
        if self.now_s is not None:
            time_s = self.now_s() if parent is None else max(time_s, self.now_s())
        block = mine_block(self.params, parent, time_s, self.salt, txs)
        self.blocks.append(block)
        self.known[block.ref.hash] = block
        for tx in txs:
            self.mined[tx.txid] = (tx, block)
            self.spent.update(dict.fromkeys(tx.outpoints(), tx.txid))

    def _forget(self, tx: Transaction) -> None:
        del self.mined[tx.txid]
        for outpoint in tx.outpoints():
            self.spent.pop(outpoint, None)

    def _wait(self, tx: Transaction) -> str:
        coin = tx.outpoints()[0]
        self.outside[coin] = sum(output.sats for output in tx.outputs) + self.feerate
        self.mempool[tx.txid] = tx
        return tx.txid

    def _is_outside(self, tx: Transaction) -> bool:
        return all(outpoint in self.outside for outpoint in tx.outpoints())

    def _problem(self, tx: Transaction) -> str | None:
        """Why the chain and the other waiting transactions can never be joined by this one."""
        for outpoint in tx.outpoints():
            source = self.find(outpoint.txid)
            exists = outpoint in self.outside or (
                source is not None and outpoint.vout < len(source[0].outputs)
            )
            if not exists or outpoint in self.spent:
                return "bad-txns-inputs-missingorspent"
        return None

    def _rivals(self, tx: Transaction) -> list[Transaction]:
        wanted = set(tx.outpoints())
        return [other for other in self.mempool.values() if wanted & set(other.outpoints())]

    def _check_replacement(self, tx: Transaction, rivals: Sequence[Transaction]) -> None:
        """BIP-125 rules 3 and 4, and a higher feerate than each."""
        fee, size = self.fee_sats(tx), tx.vsize
        before = sum(self.fee_sats(rival) for rival in rivals)
        dearer = all(fee * rival.vsize > self.fee_sats(rival) * size for rival in rivals)
        if not dearer or 1000 * (fee - before) < RELAY_FEERATE * size:
            raise Refused(-26, "insufficient fee, rejecting replacement")

    def _worth_mining(self) -> list[Transaction]:
        """Parents before children; a child's fee pays for its parents too."""
        chosen: dict[str, Transaction] = {}
        for tx in self.mempool.values():
            family = self._family(tx)
            fee, size = sum(map(self.fee_sats, family)), sum(one.vsize for one in family)
            if 1000 * fee >= self.floor * size:
                chosen.update({one.txid: one for one in family})
        return list(chosen.values())

    def _family(self, tx: Transaction) -> list[Transaction]:
        """A waiting transaction after all that it needs."""
        found: dict[str, Transaction] = {}
        for outpoint in tx.outpoints():
            parent = self.mempool.get(outpoint.txid)
            if parent is not None:
                found.update({one.txid: one for one in self._family(parent)})
        return [*found.values(), tx]


def _outside_payment(origin: str, outputs: Sequence[tuple[bytes, int]]) -> Transaction:
    return Transaction(
        inputs=(TxInput(txid=origin, vout=0, witness=(b"\x01",)),),
        outputs=tuple(TxOutput(sats=sats, script=script) for script, sats in outputs),
    )


def _rival(tx: Transaction) -> Transaction:
    """The same coin paid to somebody else."""
    total = sum(output.sats for output in tx.outputs)
    return Transaction(
        inputs=tx.inputs, outputs=(TxOutput(sats=total, script=b"\x00\x14" + bytes(20)),)
    )


def _spends_from(tx: Transaction, txid: str) -> bool:
    return any(outpoint.txid == txid for outpoint in tx.outpoints())
