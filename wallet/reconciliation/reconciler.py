"""One network's statements, block after block behind the deposit scan, by batches.

A block's statements, lines, breaks and the head are one transaction, which checks that the scan
still has this block. Blocks that moved nothing are passed over together. A reorganisation of the
scan undoes the statements above its fork before anything else is done.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from chains.ports import Chain
from chains.types import BlockRef
from wallet.clock import Clock
from wallet.deposits.headers import ref_of
from wallet.milestones import Milestone
from wallet.reconciliation.explaining import NO_ASSETS, explain
from wallet.reconciliation.heads import Head, StatementRace, advance_head, head_of, reorgs_followed
from wallet.reconciliation.moves import BlockMoves, reader_of
from wallet.reconciliation.records import records_of
from wallet.reconciliation.settling import is_due, look_again
from wallet.reconciliation.statements import (
    known_balances,
    roll_back_statements,
    write_statements,
)
from wallet.settings import AssetSettings, TokenKind
from wallet.store.database import Database
from wallet.store.schema import blocks, deposits, reorgs

BLOCKS_PER_PASS = 500
"""Blocks one pass reconciles before others get their turn."""

BLOCKS_AT_ONCE = 50
"""Blocks without any movement of ours that are passed over in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where the statements stand after a pass, and how far the scan is."""

    height: int
    scanned_height: int

    @property
    def is_level(self) -> bool:
        """Whether every scanned block has its statements."""
        return self.height == self.scanned_height


class Reconciler:
    """Writes the statements of one network. Several may run: one of them wins each block."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        clock: Clock,
        milestone: Milestone,
        odd_assets: frozenset[str] = NO_ASSETS,
    ) -> None:
        """`odd_assets` are tokens whose balances may differ from their logs."""
        self._chain = chain
        self._database = database
        self._clock = clock
        self._milestone = milestone
        self._odd_assets = odd_assets
        self._reader = reader_of(chain, database)

    def run(self, blocks_max: int = BLOCKS_PER_PASS) -> Reached | None:
        """One pass; None while nothing is scanned. Raises NodeError.

        At its end it looks again at what waits to be booked, and at open breaks.
        """
        self._follow_reorgs()
        left = blocks_max
        while left > 0:
            passed = self._step(min(left, BLOCKS_AT_ONCE))
            if not passed:
                break
            left -= passed
        self._look_again()
        return self._reached()

    def _look_again(self) -> None:
        network = self._chain.network
        with self._database.read() as tx:
            if not is_due(tx, network):
                return
        with self._database.write() as tx:
            head = head_of(tx, network)
            if head is not None and self._is_followed(tx, head):
                look_again(tx, network, self._odd_assets, self._clock.now_s())
            self._milestone("statement.settling")

    def _reached(self) -> Reached | None:
        with self._database.read() as tx:
            head = head_of(tx, self._chain.network)
            last = _scanned_height(tx, self._chain.network)
        if last is None:
            return None
        return Reached(height=-1 if head is None else head.height, scanned_height=last)

    def _is_followed(self, tx: Connection, head: Head) -> bool:
        return reorgs_followed(tx, self._chain.network) == head.reorgs

    def _follow_reorgs(self) -> None:
        """Undo what stands on blocks that the scan has left."""
        network = self._chain.network
        with self._database.read() as tx:
            known = head_of(tx, network)
            if known is None or self._is_followed(tx, known):
                return
        with self._database.write() as tx:
            head = head_of(tx, network)
            if head is None or self._is_followed(tx, head):
                return
            fork_height = min(head.height, _lowest_fork(tx, network, head.reorgs))
            to = _block_at(tx, network, fork_height)
            roll_back_statements(tx, network, head, to, self._clock.now_s())
            self._milestone("statement.undoing")
        self._reader.forget()
        self._milestone("statement.undone")

    def _step(self, blocks_max: int) -> int:
        """The next block that moved something of ours, with the quiet ones before it.

        Returns how many blocks it passed.
        """
        network = self._chain.network
        with self._database.read() as tx:
            head = head_of(tx, network)
            if head is not None and not self._is_followed(tx, head):
                return 0
            ahead = _blocks_after(tx, network, head, blocks_max)
        read: BlockMoves | None = None
        for number, ref in enumerate(ahead, start=1):
            read = self._reader.read(ref)
            if self._concerns_us(read):
                self._record(head, ahead[:number], read)
                return number
        if read is not None:
            self._record(head, ahead, read)
        return len(ahead)

    def _concerns_us(self, read: BlockMoves) -> bool:
        if read.moved or read.wallets:
            return True
        c = deposits.c
        same = (
            c.network == self._chain.network,
            c.height == read.ref.height,
            c.block_hash == read.ref.hash,
        )
        with self._database.read() as tx:
            return tx.execute(select(c.id).where(*same).limit(1)).first() is not None

    def _record(self, head: Head | None, passed: Sequence[BlockRef], read: BlockMoves) -> None:
        """Write the statements of the last block passed. Raises StatementRace."""
        network, now_s = self._chain.network, self._clock.now_s()
        try:
            with self._database.write() as tx:
                if _block_at(tx, network, read.ref.height) != read.ref or (
                    head is not None and not self._is_followed(tx, head)
                ):
                    raise StatementRace(f"got another block {read.ref.height} of {network}")
                advance_head(tx, network, head, passed, now_s)
                records = records_of(tx, network, read.ref, {one.txid for one in read.moved})
                known = known_balances(tx, network, read)
                explained = explain(read, records, known, self._odd_assets)
                write_statements(tx, network, read, explained, now_s)
                self._milestone("statement.recording")
        except BaseException:
            self._reader.forget()
            raise
        self._reader.follow(read)
        self._milestone("statement.recorded")


def odd_assets(assets: Iterable[AssetSettings]) -> frozenset[str]:
    """The tokens whose balances may differ from their logs, as they are declared."""
    return frozenset(one.code for one in assets if one.token_kind != TokenKind.PLAIN)


def _block_at(tx: Connection, network: str, height: int) -> BlockRef | None:
    row = tx.execute(
        select(blocks).where(blocks.c.network == network, blocks.c.height == height)
    ).one_or_none()
    return None if row is None else ref_of(row)


def _blocks_after(tx: Connection, network: str, head: Head | None, count: int) -> list[BlockRef]:
    after = -1 if head is None else head.height
    rows = tx.execute(
        select(blocks)
        .where(blocks.c.network == network, blocks.c.height > after)
        .order_by(blocks.c.height)
        .limit(count)
    )
    return [ref_of(row) for row in rows]


def _scanned_height(tx: Connection, network: str) -> int | None:
    query = select(func.max(blocks.c.height)).where(blocks.c.network == network)
    height = tx.execute(query).scalar_one()
    return None if height is None else int(height)


def _lowest_fork(tx: Connection, network: str, followed: int) -> int:
    """The lowest fork of the reorganisations after so many."""
    query = select(func.min(reorgs.c.fork_height)).where(
        reorgs.c.network == network, reorgs.c.number > followed
    )
    return int(tx.execute(query).scalar_one())
