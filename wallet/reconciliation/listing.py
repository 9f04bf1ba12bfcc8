"""Statements to read: of some blocks and wallets, and of a span of blocks as one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from wallet.reconciliation.heads import head_of
from wallet.reconciliation.statements import COLUMNS, Statement
from wallet.store.schema import statements

SHOWN_MAX = 10_000
"""Statements listed at once; ask for fewer blocks to see the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which statements: blocks from and to a height, both included, and a wallet's name."""

    from_height: int | None = None
    to_height: int | None = None
    wallet: str = ""


def statements_in(tx: Connection, network: str, span: Span) -> Sequence[Statement]:
    """By block, wallet and asset."""
    c = statements.c
    rows = tx.execute(
        select(statements)
        .where(*_within(network, span))
        .order_by(c.height, c.wallet, c.asset)
        .limit(SHOWN_MAX)
    )
    return [_statement(row) for row in rows]


def balances_over(tx: Connection, network: str, span: Span) -> Sequence[Statement]:
    """One statement over all blocks of the span for each wallet and asset, also where none moved.

    It opens with the closing before the span; its block is the last of it.
    """
    head = head_of(tx, network)
    if head is None:
        return []
    to_height = head.height if span.to_height is None else min(span.to_height, head.height)
    from_height = head.from_height if span.from_height is None else span.from_height
    c = statements.c
    names = [name for name, _ in COLUMNS.values()]
    found: dict[tuple[str, str], Counter[str]] = {}
    hashes: dict[tuple[str, str], str] = {}
    where = [c.network == network, c.height <= to_height]
    if span.wallet:
        where.append(c.wallet == span.wallet)
    for row in tx.execute(select(statements).where(*where).order_by(c.height)):
        key = row.wallet, row.asset
        sums = found.setdefault(key, Counter())
        hashes[key] = row.hash
        if row.height < from_height:
            sums["opening"] = row.closing
        else:
            sums.update({name: getattr(row, name) for name in names})
    return [
        Statement(wallet=key[0], asset=key[1], height=to_height, hash=hashes[key], **_whole(sums))
        for key, sums in sorted(found.items())
    ]


def _whole(sums: Counter[str]) -> dict[str, int]:
    return {"opening": sums["opening"], **sums}


def _within(network: str, span: Span) -> Sequence[Any]:
    c = statements.c
    where = [c.network == network]
    if span.from_height is not None:
        where.append(c.height >= span.from_height)
    if span.to_height is not None:
        where.append(c.height <= span.to_height)
    if span.wallet:
        where.append(c.wallet == span.wallet)
    return where


def _statement(row: Any) -> Statement:
    names = [name for name, _ in COLUMNS.values()]
    return Statement(
        wallet=row.wallet,
        asset=row.asset,
        height=row.height,
        hash=row.hash,
        opening=row.opening,
        **{name: getattr(row, name) for name in names},
    )
