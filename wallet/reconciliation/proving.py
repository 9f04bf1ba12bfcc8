"""The statements held against themselves: no gap, no sum that does not add up, no line missing."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from wallet.reconciliation.explaining import LineKind
from wallet.reconciliation.statements import COLUMNS, last_closings
from wallet.store.schema import (
    statement_accounts,
    statement_coins,
    statement_lines,
    statements,
)


def faults(tx: Connection, network: str, from_height: int = 0) -> Iterator[str]:
    """What is wrong with a network's statements from a height on, in words; nothing when all holds.

    Each opening is the closing before, each closing what its lines make of its opening, and the
    last closings are the coins and accounts that are there.
    """
    yield from _chained(tx, network, from_height)
    held: Counter[tuple[str, str]] = Counter()
    assets = {asset for _, asset in last_closings(tx, network)}
    coins, accounts = statement_coins.c, statement_accounts.c
    unspent = select(coins.wallet, coins.units).where(
        coins.network == network, coins.spent_height.is_(None)
    )
    for wallet, units in tx.execute(unspent):
        # A chain of outputs has one asset.
        held.update({(wallet, asset): units for asset in assets})
    known = select(accounts.wallet, accounts.asset, accounts.units)
    for wallet, asset, units in tx.execute(known.where(accounts.network == network)):
        held[wallet, asset] += units
    for (wallet, asset), closing in last_closings(tx, network).items():
        if held[wallet, asset] != closing:
            yield f"{wallet} closes with {closing} {asset}, its parts are {held[wallet, asset]}"


def _chained(tx: Connection, network: str, from_height: int) -> Iterator[str]:
    c = statements.c
    rows = tx.execute(
        select(statements)
        .where(c.network == network, c.height >= from_height)
        .order_by(c.wallet, c.asset, c.height)
    ).all()
    lines = _line_sums(tx, network, from_height)
    before: Any = None
    for row in rows:
        name = f"{row.wallet} {row.asset} at {row.height}"
        is_next = before is not None and (before.wallet, before.asset) == (row.wallet, row.asset)
        if is_next and before.closing != row.opening:
            yield f"{name} opens with {row.opening}, the one before closed with {before.closing}"
        sums = lines.pop((row.wallet, row.asset, row.height), Counter())
        units = 0
        for kind, (column, sign) in COLUMNS.items():
            units += sign * getattr(row, column)
            if sums[kind] != sign * getattr(row, column):
                yield f"{name} has {getattr(row, column)} of {column}, its lines {sums[kind]}"
        if row.opening + units != row.closing:
            yield f"{name} closes with {row.closing}, its columns make {row.opening + units}"
        before = row
    yield from (
        f"{wallet} {asset} has lines at {height}, no statement" for wallet, asset, height in lines
    )


def _line_sums(
    tx: Connection, network: str, from_height: int
) -> dict[tuple[str, str, int], Counter[LineKind]]:
    c = statement_lines.c
    sums: dict[tuple[str, str, int], Counter[LineKind]] = {}
    rows = tx.execute(
        select(c.wallet, c.asset, c.height, c.kind, c.units).where(
            c.network == network, c.height >= from_height
        )
    )
    for row in rows:
        kinds = sums.setdefault((row.wallet, row.asset, row.height), Counter())
        kinds[LineKind(row.kind)] += row.units
    return sums
