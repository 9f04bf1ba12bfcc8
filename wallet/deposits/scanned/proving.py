"""Show that no block was skipped, and which were read by an older adapter or under older rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from chains.errors import NodeError
from chains.ports import Chain
from chains.types import BlockRef
from wallet.deposits.scanned import coverage
from wallet.deposits.scanned.coverage import ScanRange, ScanVersion, scan_version
from wallet.deposits.scanned.gaps import Gap, find_gaps
from wallet.deposits.scanned.stops import stops
from wallet.deposits.tokens.unreadable import Unread, unread
from wallet.deposits.watcher import last_scanned
from wallet.settings import AssetSettings
from wallet.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageProof:
    """What is known of one network's scan; it is proven when `gaps`, `stops`, `unread` are empty.

    `unread` are blocks with Transfers of a token that could not be read and nobody vouched for.
    `stale` are ranges to scan again. `behind_blocks` is None when the node does not answer.
    """

    network: str
    scanned: BlockRef | None
    version: ScanVersion
    ranges: Sequence[ScanRange]
    stale: Sequence[ScanRange]
    gaps: Sequence[Gap]
    stops: Sequence[str]
    unread: Sequence[Unread]
    behind_blocks: int | None

    @property
    def is_proven(self) -> bool:
        """True when nothing was skipped."""
        return not self.gaps and not self.stops and not self.unread


def prove_coverage(
    database: Database, chain: Chain, assets: Mapping[str, AssetSettings], start_height: int
) -> CoverageProof:
    """Check one network's ranges, blocks, deposits, and its tip beside the node's.

    `assets` are those configured for the network, `start_height` where its scan was to begin.
    """
    try:
        tip = chain.tip()
    except NodeError:
        tip = None
    with database.read() as tx:
        known = coverage.ranges(tx, chain.network)
        gaps = [*_below_start(known, start_height), *find_gaps(tx, chain.network)]
        last = last_scanned(tx, chain.network)
        standing = stops(tx, chain.network)
        doubts = unread(tx, chain.network)
    if tip is not None and last is not None:
        gaps += _tip_gaps(database, chain, last, tip)
    # What an EVM node offers is known only once it answers.
    version = scan_version(chain, assets) if tip is not None or not known else known[-1].version
    return CoverageProof(
        network=chain.network,
        scanned=last,
        version=version,
        ranges=known,
        stale=[one for one in known if one.version != version],
        gaps=gaps,
        stops=standing,
        unread=doubts,
        behind_blocks=None if tip is None else _behind(last, tip, start_height),
    )


def _below_start(known: Sequence[ScanRange], start_height: int) -> Sequence[Gap]:
    if not known or known[0].from_height <= start_height:
        return []
    text = "the configured start is below the first scanned block"
    return [
        Gap(
            code="start_not_covered",
            from_height=start_height,
            to_height=known[0].from_height - 1,
            text=text,
        )
    ]


def _tip_gaps(database: Database, chain: Chain, last: BlockRef, tip: BlockRef) -> Sequence[Gap]:
    """The node's block at the scanned height is another one, and no rollback is due."""
    if tip.height < last.height:
        return []
    try:
        theirs = chain.block_at(last.height)
    except NodeError:
        return []
    with database.read() as tx:
        moved = _moved(tx, chain.network, last)
    if theirs.hash == last.hash or moved:
        return []
    text = f"the node has {theirs.hash} there: a reorganisation not followed, or another chain"
    return [Gap(code="tip_differs", from_height=last.height, to_height=last.height, text=text)]


def _moved(tx: Connection, network: str, last: BlockRef) -> bool:
    """Whether the live scan went on while the node was asked."""
    return last_scanned(tx, network) != last


def _behind(last: BlockRef | None, tip: BlockRef, start_height: int) -> int:
    scanned = start_height - 1 if last is None else last.height
    return max(0, tip.height - scanned)
