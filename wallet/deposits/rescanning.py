"""Scan blocks again while the live scan runs: what an older rule missed is found.

It is credited with the next block of the live scan, as every deposit is that is deep enough.

Each block is one transaction, so a rescan may be killed anywhere and started again: what is known
stays as it is. Blocks must be those of the scanned chain; the live watcher alone moves its tip.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from chains.errors import UnexpectedAnswer
from chains.ports import Chain, Watched
from chains.types import BlockScan, Family, OutPoint, TxState
from chains.watched import WatchedOutpoints
from wallet.clock import Clock
from wallet.deposits.recording import Recorded, record_movements
from wallet.deposits.rules import DepositRules
from wallet.deposits.scanned import coverage
from wallet.deposits.scanned.coverage import scan_version
from wallet.deposits.tokens.unreadable import forget_read
from wallet.deposits.watch import WatchList, outputs_added
from wallet.errors import Conflict, Invalid
from wallet.milestones import Milestone, pass_by
from wallet.store.database import Database
from wallet.store.schema import blocks

Progress = Callable[[int, int], None]
"""Told (done, total) blocks."""


class NotScanned(Invalid):
    """Heights that the live scan has not reached, or does not cover."""

    code = "rescan.not_scanned"


class NotMined(Conflict):
    """The node knows no block with this transaction."""

    code = "rescan.not_mined"


class ChainMoved(Conflict):
    """The node's block is not the scanned one: let the live scan settle, then run it again."""

    code = "rescan.chain_moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescan:
    """What a rescan did: blocks read, and what was new in them."""

    from_height: int
    to_height: int
    blocks: int
    deposits: int
    outputs: int


class Rescanner:
    """Scans blocks of one network again."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        rules: Mapping[str, DepositRules],
        clock: Clock,
        milestone: Milestone = pass_by,
    ) -> None:
        self._chain = chain
        self._database = database
        self._rules = rules
        self._clock = clock
        self._milestone = milestone

    def heights(
        self, from_height: int, to_height: int, progress: Progress, target: bytes | None = None
    ) -> Rescan:
        """Scan a range again, both ends included, for everything or for one address alone.

        Outputs found are followed to the scanned tip, so that none counts as unspent that is spent.
        Raises NotScanned, ChainMoved, NodeError.
        """
        self._require_scanned(from_height, to_height)
        watch: _Narrow | WatchList
        watch = WatchList(self._chain.network) if target is None else _Narrow(frozenset({target}))
        deposits, new = 0, list[OutPoint]()
        total = to_height - from_height + 1
        for done, height in enumerate(range(from_height, to_height + 1), start=1):
            found = self._again(height, watch, covers=target is None)
            deposits += found.deposits
            new += found.outputs
            progress(done, total)
        if new and self._chain.family is Family.UTXO:
            self._follow_spends(new, to_height + 1)
        return Rescan(
            from_height=from_height,
            to_height=to_height,
            blocks=total,
            deposits=deposits,
            outputs=len(new),
        )

    def stale(self, progress: Progress) -> Sequence[Rescan]:
        """Scan again every range that was read otherwise than now; goes on where it was killed."""
        self._chain.tip()  # an EVM node says what evidence it offers
        assets = {code: rule.asset for code, rule in self._rules.items()}
        version = scan_version(self._chain, assets)
        with self._database.read() as tx:
            known = coverage.ranges(tx, self._chain.network)
        old = [one for one in known if one.version != version]
        total, before, done = sum(one.blocks for one in old), 0, []
        for one in old:
            start = before
            done.append(
                self.heights(
                    one.from_height,
                    one.to_height,
                    lambda count, _, start=start: progress(start + count, total),  # type: ignore[misc]
                )
            )
            before += one.blocks
        return done

    def transaction(self, txid: str, progress: Progress) -> Rescan:
        """Scan the block of a transaction again. Raises NotMined, NotScanned, ChainMoved."""
        seen = self._chain.sighting(txid)
        if seen.state is not TxState.MINED or seen.block is None:
            raise NotMined(
                f"got a transaction that is {seen.state}, expected a mined one: "
                "without an index the node may not know its block, then name the height"
            )
        return self.heights(seen.block.height, seen.block.height, progress)

    def address(
        self, text: str, from_height: int | None, to_height: int | None, progress: Progress
    ) -> Rescan:
        """Scan for one address alone, through all that was scanned or a part of it.

        Raises AddressError, NotScanned, ChainMoved.
        """
        target = self._chain.destination(text).target
        with self._database.read() as tx:
            first, last = _ends(tx, self._chain.network)
        low = first if from_height is None else from_height
        high = last if to_height is None else to_height
        return self.heights(low, high, progress, target)

    def _again(self, height: int, watch: "_Narrow | WatchList", *, covers: bool) -> Recorded:
        """One block, all of it or nothing."""
        with self._database.read() as tx:
            watch.refresh(tx)
        block = self._chain.block_at(height)
        scan = self._chain.scan(block, watch)
        if scan.ref != block:
            raise UnexpectedAnswer(f"got block {scan.ref.hash}, expected {block.hash}")
        found = self._record(scan, covers=covers)
        watch.follow(scan)
        self._milestone("block.rescanned")
        return found

    def _record(self, scan: BlockScan, *, covers: bool) -> Recorded:
        network, now_s = self._chain.network, self._clock.now_s()
        assets = {code: rule.asset for code, rule in self._rules.items()}
        version = scan_version(self._chain, assets)
        with self._database.write() as tx:
            ours = _hash_at(tx, network, scan.ref.height)
            if ours != scan.ref.hash:
                height = scan.ref.height
                raise ChainMoved(f"got block {scan.ref.hash} at {height}, expected {ours}")
            forget_read(tx, network, scan)
            found = record_movements(tx, network, scan, self._rules, now_s)
            if found.outputs:
                outputs_added(tx, network)
            if covers:
                coverage.cover_again(tx, network, scan.ref, version)
            self._milestone("block.rescanning")
        return found

    def _follow_spends(self, new: Sequence[OutPoint], from_height: int) -> None:
        """Find what spent outputs that nobody watched when their later blocks were scanned."""
        watch = _Narrow(frozenset(), WatchedOutpoints(new))
        with self._database.read() as tx:
            _, last = _ends(tx, self._chain.network)
        for height in range(from_height, last + 1):
            self._again(height, watch, covers=False)

    def _require_scanned(self, from_height: int, to_height: int) -> None:
        with self._database.read() as tx:
            first, last = _ends(tx, self._chain.network)
        if not first <= from_height <= to_height <= last:
            raise NotScanned(
                f"got heights {from_height} to {to_height}, expected a range in {first} to {last}"
            )


class _Narrow(Watched):
    """Watches some targets or outputs alone, and what comes to them."""

    def __init__(self, targets: frozenset[bytes], spent: WatchedOutpoints | None = None) -> None:
        self._targets = targets
        self._spent = spent or WatchedOutpoints()

    @property
    def targets(self) -> Container[bytes]:
        return self._targets

    @property
    def outpoints(self) -> Container[OutPoint]:
        return self._spent

    def refresh(self, tx: Connection) -> None:
        """Nothing: what it watches was told."""

    def follow(self, scan: BlockScan) -> None:
        """Watch the outputs that a block brought."""
        for inflow in scan.inflows:
            kind, _, number = inflow.position.partition(":")
            if kind == "out":
                self._spent.add(OutPoint(inflow.txid, int(number)))


def _hash_at(tx: Connection, network: str, height: int) -> str | None:
    return tx.execute(
        select(blocks.c.hash).where(blocks.c.network == network, blocks.c.height == height)
    ).scalar_one_or_none()


def _ends(tx: Connection, network: str) -> tuple[int, int]:
    """The first and the last covered height. Raises NotScanned."""
    known = coverage.ranges(tx, network)
    if not known:
        raise NotScanned(f"got no scanned block of {network}, expected `serve` to run")
    return known[0].from_height, known[-1].to_height
