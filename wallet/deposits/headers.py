"""The header chain of one network: what the watcher may follow, however sure the node is of it.

Each block must name the one before it and, on UTXO chains, have the target and time that the rules
ask for. Trust starts at the first scanned block, pinned by hash where the configuration does so;
blocks before it are fetched only where a rule looks back, and their names prove them.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select

from chains.headers import BrokenChain, LessWork, WrongStart
from chains.ports import Chain
from chains.types import BlockRef
from chains.utxo.difficulty import MEDIAN_BLOCKS, PERIOD_BLOCKS, check_header, work_of
from chains.utxo.params import UtxoParams
from wallet.clock import Clock
from wallet.store.database import Database
from wallet.store.schema import blocks

_LOOK_BACK_BLOCKS = PERIOD_BLOCKS + 1 + MEDIAN_BLOCKS
"""No rule looks further back than Litecoin's, by a period and one block."""

_KEPT_BLOCKS_MAX = 3 * _LOOK_BACK_BLOCKS


class HeaderChain:
    """Judges blocks by those before them. `params` is None for EVM chains: no work, no targets."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        params: UtxoParams | None,
        clock: Clock,
        *,
        start_height: int = 0,
        start_hash: str = "",
    ) -> None:
        self._chain = chain
        self._database = database
        self._params = params
        self._clock = clock
        self._start_height = start_height
        self._start_hash = start_hash
        self._known: dict[int, BlockRef] = {}
        self._is_anchored = False

    def check_next(self, last: BlockRef | None, block: BlockRef) -> None:
        """Raise HeaderError unless `block` may follow `last`, the last scanned one.

        When `block` only names another parent because the chain changed between two questions,
        nothing is raised: the caller compares the names.
        """
        self._check_start(block)
        if last is None:
            return
        if block.parent != last.hash:
            self._check_changed(last, block)
            return
        if self._params is None:
            return
        if self._known.get(last.height) != last:
            self._load(last)
        self._judge(block)

    def check_branch(self, fork_height: int, tip: BlockRef) -> None:
        """Raise HeaderError unless the node's branch above a fork has more work than the scanned.

        On EVM chains validators decide, not work, and every branch is taken.
        """
        if self._params is None:
            return
        with self._database.read() as tx:
            ours = sum(work_of(ref.bits) for ref in _scanned(tx, self._chain.network, fork_height))
            fork = _block(tx, self._chain.network, fork_height)
        theirs = 0
        if fork is not None:
            self._load(fork)
        for height in range(fork_height + 1, tip.height + 1):
            block = self._chain.block_at(height)
            if fork is None:
                self.check_next(None, block)
                self._known = {height: block}
            else:
                if block.parent != self._known[height - 1].hash:
                    raise BrokenChain(f"block {block.hash} does not follow {height - 1}")
                self._judge(block)
            fork = block
            theirs += work_of(block.bits)
            if theirs > ours:
                return
        raise LessWork(f"got a branch from {fork_height} with work {theirs}, expected over {ours}")

    def _check_start(self, block: BlockRef) -> None:
        """The first block is the pinned one, also where it was scanned before it was pinned."""
        if block.height == self._start_height:
            first: BlockRef | None = block
        elif self._is_anchored or not self._start_hash:
            return
        else:
            with self._database.read() as tx:
                first = _block(tx, self._chain.network, self._start_height)
        if first is not None and self._start_hash not in ("", first.hash):
            raise WrongStart(f"got first block {first.hash}, expected {self._start_hash}")
        self._is_anchored = True

    def _check_changed(self, last: BlockRef, block: BlockRef) -> None:
        """A node that stands by both blocks lies; one that changes its mind only reorganised."""
        same_last = self._chain.block_at(last.height) == last
        if same_last and self._chain.block_at(block.height) == block:
            raise BrokenChain(f"block {block.hash} names {block.parent}, not {last.hash}")

    def _judge(self, block: BlockRef) -> None:
        if self._params is not None:
            check_header(self._params, block, self._at, self._clock.now_s())
        self._known[block.height] = block
        if len(self._known) > _KEPT_BLOCKS_MAX:
            least = block.height - _LOOK_BACK_BLOCKS
            self._known = {height: ref for height, ref in self._known.items() if height >= least}

    def _load(self, last: BlockRef) -> None:
        with self._database.read() as tx:
            lowest = last.height - _LOOK_BACK_BLOCKS
            self._known = {
                ref.height: ref
                for ref in _scanned(tx, self._chain.network, lowest)
                if ref.height <= last.height
            }

    def _at(self, height: int) -> BlockRef:
        """An earlier block: scanned, or shown by the node and named by those above it."""
        if height in self._known:
            return self._known[height]
        lowest = min(self._known)
        while lowest > height:
            block = self._chain.block_at(lowest - 1)
            if block.hash != self._known[lowest].parent:
                raise BrokenChain(f"block {lowest} does not follow {block.hash}")
            lowest -= 1
            self._known[lowest] = block
        return self._known[height]


def ref_of(row: Row[Any]) -> BlockRef:
    """The block that a row of `blocks` holds."""
    return BlockRef(
        height=row.height, hash=row.hash, parent=row.parent, time_s=row.time_s, bits=row.bits
    )


def _scanned(tx: Connection, network: str, above: int) -> Iterable[BlockRef]:
    rows = tx.execute(
        select(blocks)
        .where(blocks.c.network == network, blocks.c.height > above)
        .order_by(blocks.c.height)
    )
    return [ref_of(row) for row in rows]


def _block(tx: Connection, network: str, height: int) -> BlockRef | None:
    row = tx.execute(
        select(blocks).where(blocks.c.network == network, blocks.c.height == height)
    ).one_or_none()
    return None if row is None else ref_of(row)
