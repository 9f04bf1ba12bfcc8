"""Find what was skipped: hold ranges, blocks and deposits against each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select

from wallet.deposits.scanned import coverage
from wallet.deposits.scanned.coverage import ScanRange
from wallet.store.schema import blocks, deposits, utxos

SHOWN_MAX = 20
"""Gaps of one kind that are named; the first ones tell where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One thing that does not fit, from one height to another, both included."""

    code: str
    from_height: int
    to_height: int
    text: str


def find_gaps(tx: Connection, network: str) -> Sequence[Gap]:
    """All that does not fit together in what was scanned; empty when nothing was skipped.

    The blocks are one unbroken chain by height and parent hash, the ranges cover exactly them, and
    every deposit and output lies in one of them.
    """
    known = coverage.ranges(tx, network)
    return [
        *_broken_links(tx, network),
        *_range_gaps(tx, network, known),
        *_misplaced(tx, network, deposits),
        *_misplaced(tx, network, utxos),
    ]


def _broken_links(tx: Connection, network: str) -> Iterator[Gap]:
    """Blocks whose predecessor is missing or another one."""
    below = blocks.alias("below")
    lowest = select(func.min(blocks.c.height)).where(blocks.c.network == network)
    query = (
        select(blocks.c.height, below.c.height.label("below"))
        .join(
            below,
            and_(below.c.network == blocks.c.network, below.c.height == blocks.c.height - 1),
            isouter=True,
        )
        .where(
            blocks.c.network == network,
            blocks.c.height > lowest.scalar_subquery(),
            or_(below.c.hash.is_(None), below.c.hash != blocks.c.parent),
        )
    )
    for row in tx.execute(query.order_by(blocks.c.height).limit(SHOWN_MAX)):
        if row.below is None:
            last = _highest_below(tx, network, row.height)
            yield _gap("blocks_missing", last + 1, row.height - 1, "no block was scanned")
        else:
            yield _gap("parent_differs", row.height, row.height, "it does not build on the last")


def _range_gaps(tx: Connection, network: str, known: Sequence[ScanRange]) -> Iterator[Gap]:
    ends = tx.execute(
        select(func.min(blocks.c.height), func.max(blocks.c.height)).where(
            blocks.c.network == network
        )
    ).one()
    first, last = (None, None) if ends[0] is None else (int(ends[0]), int(ends[1]))
    if first is None or last is None:
        if known:
            yield _gap(
                "blocks_missing", known[0].from_height, known[-1].to_height, "covered, not there"
            )
        return
    if not known:
        yield _gap("not_covered", first, last, "no range covers the scanned blocks")
        return
    if known[0].from_height > first:
        yield _gap("not_covered", first, known[0].from_height - 1, "no range covers them")
    for lower, upper in pairwise(known):
        if upper.from_height > lower.to_height + 1:
            yield _gap(
                "not_covered", lower.to_height + 1, upper.from_height - 1, "between two ranges"
            )
        elif upper.from_height <= lower.to_height:
            yield _gap("covered_twice", upper.from_height, lower.to_height, "ranges overlap")
    if known[-1].to_height < last:
        yield _gap("not_covered", known[-1].to_height + 1, last, "above the last range")
    yield from _wrong_ends(tx, network, known)


def _wrong_ends(tx: Connection, network: str, known: Sequence[ScanRange]) -> Iterator[Gap]:
    """Ends of ranges that name another block than the stored one."""
    for one in known:
        for height, expected in ((one.from_height, one.from_hash), (one.to_height, one.to_hash)):
            found = tx.execute(
                select(blocks.c.hash).where(blocks.c.network == network, blocks.c.height == height)
            ).scalar_one_or_none()
            if found != expected:
                yield _gap("range_differs", height, height, "the range names another block")


def _misplaced(tx: Connection, network: str, table: Table) -> Iterator[Gap]:
    """Deposits or outputs in a block that was never scanned, or in another one of its height."""
    same = and_(blocks.c.network == table.c.network, blocks.c.height == table.c.height)
    wrong: ColumnElement[bool] = blocks.c.hash.is_(None)
    if "block_hash" in table.c:
        wrong = or_(wrong, blocks.c.hash != table.c.block_hash)
    query = (
        select(table.c.height, table.c.txid)
        .join(blocks, same, isouter=True)
        .where(table.c.network == network, table.c.height.is_not(None), wrong)
    )
    for row in tx.execute(query.order_by(table.c.height).limit(SHOWN_MAX)):
        text = f"{table.name} name {row.txid} in a block that was not scanned"
        yield _gap(f"{table.name}_misplaced", row.height, row.height, text)


def _highest_below(tx: Connection, network: str, height: int) -> int:
    found = tx.execute(
        select(func.max(blocks.c.height)).where(
            blocks.c.network == network, blocks.c.height < height
        )
    ).scalar_one()
    return int(found)


def _gap(code: str, from_height: int, to_height: int, text: str) -> Gap:
    return Gap(code=code, from_height=from_height, to_height=to_height, text=text)
