"""Follow one chain: one block at a time, by hash, back to the fork point when it reorganises.

A block, all that it brought and the range that covers it are written in one transaction, so the
cursor can neither pass a block that was not scanned nor count one twice. Where they do not fit
together it stands still until somebody looks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select

from chains.errors import UnexpectedAnswer
from chains.ports import Chain
from chains.types import BlockRef, BlockScan
from wallet.clock import Clock
from wallet.deposits.crediting import advance, roll_back
from wallet.deposits.gate import CreditGate
from wallet.deposits.headers import HeaderChain, ref_of
from wallet.deposits.recording import record_block
from wallet.deposits.rules import DepositRules
from wallet.deposits.scanned import coverage
from wallet.deposits.scanned.coverage import CoverageBroken, scan_version
from wallet.deposits.scanned.stops import (
    TOO_DEEP,
    clear_stop,
    gap_detector,
    require_running,
    set_stop,
    stops,
)
from wallet.deposits.watch import WatchList
from wallet.errors import Conflict
from wallet.milestones import Milestone
from wallet.reorgs import NO_ALARM, ReorgAlarm, note_reorg
from wallet.store.database import Database
from wallet.store.schema import blocks

REORG_BLOCKS_MAX = 100
"""Deeper than this no reorganisation is followed unasked: more likely it is the wrong node."""


class Seen(StrEnum):
    """What one step found."""

    SAME = "same"
    PROGRESS = "progress"
    REORGANISED = "reorganised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The outcome of a step; `height` is the scanned height after it."""

    seen: Seen
    height: int
    tip_height: int


class Watcher:
    """The deposit watcher of one network. One instance at a time may run for a network."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        rules: Mapping[str, DepositRules],
        start_height: int,
        clock: Clock,
        milestone: Milestone,
        headers: HeaderChain | None = None,
        *,
        alarm: ReorgAlarm = NO_ALARM,
        reorg_blocks_max: int = REORG_BLOCKS_MAX,
    ) -> None:
        """Without `headers`, blocks are judged by their parents' names alone."""
        self._chain = chain
        self._database = database
        self._rules = rules
        self._start_height = start_height
        self._clock = clock
        self._milestone = milestone
        self._headers = headers or HeaderChain(chain, database, None, clock)
        self._gate = CreditGate(chain, rules, alarm)
        self._reorg_blocks_max = reorg_blocks_max
        self._watch = WatchList(chain.network)
        self._find_gaps = gap_detector(database, chain.network, clock)
        self._looked_for_gaps = False

    def step(self) -> Step:
        """Scan the next block, or undo what is no longer in the best chain.

        Raises NodeError when the node fails, CoverageBroken while something was skipped, and
        ReorgTooDeep; nothing is scanned then.
        """
        if not self._looked_for_gaps:
            self._find_gaps()
            self._looked_for_gaps = True
        tip = self._chain.tip()
        with self._database.read() as tx:
            require_running(tx, self._chain.network)
            last = last_scanned(tx, self._chain.network)
            too_deep = TOO_DEEP in stops(tx, self._chain.network)
        if last is None:
            return self._scan_next(None, tip)
        if tip.height < last.height:
            # A lagging node, or a reorg in the making: the hash at its tip tells which.
            if self._hash_at(tip.height) == tip.hash:
                return Step(seen=Seen.SAME, height=last.height, tip_height=tip.height)
            return self._roll_back(last.height, tip)
        if self._chain.block_at(last.height).hash != last.hash:
            return self._roll_back(last.height, tip)
        if too_deep:
            with self._database.write() as tx:
                clear_stop(tx, self._chain.network, TOO_DEEP, self._clock.now_s())
        if tip.height == last.height:
            return Step(seen=Seen.SAME, height=last.height, tip_height=tip.height)
        return self._scan_next(last, tip)

    def _scan_next(self, last: BlockRef | None, tip: BlockRef) -> Step:
        height = self._start_height if last is None else last.height + 1
        if height > tip.height:
            return Step(seen=Seen.SAME, height=height - 1, tip_height=tip.height)
        block = self._chain.block_at(height)
        self._headers.check_next(last, block)
        if last is not None and block.parent != last.hash:
            # The chain changed between two questions; the next step sees it whole.
            return Step(seen=Seen.SAME, height=last.height, tip_height=tip.height)
        with self._database.read() as tx:
            self._watch.refresh(tx)
        scan = self._chain.scan(block, self._watch)
        if scan.ref != block:
            raise UnexpectedAnswer(f"got block {scan.ref.hash}, expected {block.hash}")
        try:
            self._record(scan, last)
        except CoverageBroken:
            self._find_gaps()
            raise
        self._watch.follow(scan)
        self._milestone("block.recorded")
        return Step(seen=Seen.PROGRESS, height=height, tip_height=tip.height)

    def _record(self, scan: BlockScan, last: BlockRef | None) -> None:
        network, now_s = self._chain.network, self._clock.now_s()
        assets = {code: rules.asset for code, rules in self._rules.items()}
        version = scan_version(self._chain, assets)
        tags = self._gate.ask()
        with self._database.write() as tx:
            self._require_last(tx, last)
            if not self._watch.is_current(tx):
                raise ScanRace("got outputs that a rescan found meanwhile, expected to watch them")
            record_block(tx, network, scan, self._rules, now_s)
            coverage.extend(tx, network, scan.ref, version)
            advance(tx, network, self._gate.view(tx, scan.ref.height, tags), now_s)
            self._milestone("block.recording")

    def _roll_back(self, last_height: int, tip: BlockRef) -> Step:
        fork = min(last_height, tip.height)
        while (ours := self._hash_at(fork)) is not None:
            if self._chain.block_at(fork).hash == ours:
                break
            fork -= 1
            if last_height - fork > self._reorg_blocks_max:
                raise self._too_deep(last_height)
        self._headers.check_branch(fork, tip)
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            note_reorg(tx, self._chain.network, fork, self._gate.alarm, now_s)
            roll_back(tx, self._chain.network, fork, now_s)
            coverage.cut(tx, self._chain.network, fork)
            clear_stop(tx, self._chain.network, TOO_DEEP, now_s)
            self._milestone("reorg.undoing")
        self._watch.forget()
        self._milestone("reorg.undone")
        return Step(seen=Seen.REORGANISED, height=fork, tip_height=tip.height)

    def _too_deep(self, last_height: int) -> "ReorgTooDeep":
        """Write the stop down, with its alert, and say what to do."""
        text = (
            f"got a chain that leaves ours more than {self._reorg_blocks_max} blocks below "
            f"{last_height}, expected the same one: check the node, then raise reorg_blocks_max"
        )
        with self._database.write() as tx:
            set_stop(tx, self._chain.network, TOO_DEEP, text, self._clock.now_s())
        return ReorgTooDeep(text)

    def _hash_at(self, height: int) -> str | None:
        with self._database.read() as tx:
            return tx.execute(
                select(blocks.c.hash).where(
                    blocks.c.network == self._chain.network, blocks.c.height == height
                )
            ).scalar_one_or_none()

    def _require_last(self, tx: Connection, last: BlockRef | None) -> None:
        """Two watchers of one network must not both advance it."""
        if last_scanned(tx, self._chain.network) != last:
            raise ScanRace("got another scanned tip, expected to be the only watcher")


class ReorgTooDeep(Conflict):
    """The node's chain leaves ours too far back to be followed without a person's decision."""

    code = "deposit.reorg_too_deep"


class ScanRace(UnexpectedAnswer):
    """Somebody else advanced the scan meanwhile; the next step starts from there."""

    code = "deposit.scan_race"


_LAST = (
    select(blocks)
    .where(blocks.c.network == bindparam("on"))
    .order_by(blocks.c.height.desc())
    .limit(1)
)


def last_scanned(tx: Connection, network: str) -> BlockRef | None:
    """The highest scanned block of a network, or None before the first."""
    row = tx.execute(_LAST, {"on": network}).one_or_none()
    if row is None:
        return None
    return ref_of(row)
