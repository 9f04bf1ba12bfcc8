"""Statements as rows: written with their lines, coins and balances in one transaction, or undone.

opening + deposits - withdrawals - fees + moves - kept + unexplained = closing, for each wallet and
asset that a block moved. A wallet's opening is the closing of its statement before.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from chains.errors import invariant
from chains.types import BlockRef
from wallet.reconciliation.breaks import open_break, roll_back_breaks
from wallet.reconciliation.explaining import Explained, Line, LineKind
from wallet.reconciliation.heads import Head, put_head_back
from wallet.reconciliation.moves import Account, BlockMoves
from wallet.store.schema import (
    statement_accounts,
    statement_coins,
    statement_lines,
    statements,
)
from wallet.store.types import units_sum

WAITING, BOOKED_LINE, BROKEN = "waiting", "booked", "broken"
"""States of a line: its record is not booked yet, it is, or there is no record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One wallet's block in one asset, base units; `moves` and `unexplained` are signed."""

    wallet: str
    asset: str
    height: int
    hash: str
    opening: int
    deposits: int = 0
    withdrawals: int = 0
    fees: int = 0
    moves: int = 0
    kept: int = 0
    unexplained: int = 0

    @property
    def closing(self) -> int:
        """What the wallet holds after the block."""
        out = self.withdrawals + self.fees + self.kept
        return self.opening + self.deposits - out + self.moves + self.unexplained


COLUMNS: Mapping[LineKind, tuple[str, int]] = {
    LineKind.DEPOSIT: ("deposits", 1),
    LineKind.WITHDRAWAL: ("withdrawals", -1),
    LineKind.FEE: ("fees", -1),
    LineKind.MOVE: ("moves", 1),
    LineKind.KEPT: ("kept", -1),
    LineKind.UNEXPLAINED: ("unexplained", 1),
}
"""The column of each kind of line, and the sign its units have there."""


def known_balances(tx: Connection, network: str, block: BlockMoves) -> Mapping[Account, int]:
    """What the block's accounts held before it, by the statements."""
    found = {}
    for target, asset in block.wallets:
        row = tx.execute(
            select(statement_accounts).where(*_account(network, target, asset))
        ).first()
        if row is not None:
            found[target, asset] = row.units
    return found


def write_statements(
    tx: Connection, network: str, block: BlockMoves, explained: Explained, now_s: int
) -> Sequence[Statement]:
    """Write all that a block means; the head is moved in the same transaction."""
    ref = block.ref
    _write_coins(tx, network, block)
    _write_accounts(tx, network, block, explained.lines)
    write_lines(tx, network, ref.height, explained.lines, now_s)
    made = _sum_up(tx, network, ref.height, ref.hash, explained.lines)
    for finding in explained.findings:
        open_break(tx, network, ref.height, ref.hash, finding, now_s)
    return made


def add_lines(tx: Connection, network: str, head: Head, lines: Sequence[Line], now_s: int) -> None:
    """Lines that were found later, such as a balance that moved without a transaction."""
    write_lines(tx, network, head.height, lines, now_s)
    for line in lines:
        _add_to_account(tx, network, head.height, line, head.height)
    _sum_up(tx, network, head.height, head.hash, lines)


def mark_checked(tx: Connection, network: str, account: Account, height: int) -> None:
    """The chain says of an account what its statement says."""
    target, asset = account
    tx.execute(
        update(statement_accounts)
        .where(*_account(network, target, asset))
        .values(checked_height=height)
    )


def write_lines(
    tx: Connection, network: str, height: int, lines: Sequence[Line], now_s: int
) -> None:
    """Append lines to a block."""
    if not lines:
        return
    c = statement_lines.c
    last = tx.execute(
        select(func.max(c.number)).where(c.network == network, c.height == height)
    ).scalar_one()
    first = 0 if last is None else last + 1
    rows = [
        {
            "network": network,
            "height": height,
            "number": first + at,
            "txid": line.txid,
            "position": line.position,
            "wallet": line.wallet,
            "asset": line.asset,
            "target": line.target,
            "units": line.units,
            "kind": str(line.kind),
            "subject": line.subject,
            "state": WAITING if line.subject else BROKEN,
            "seen_s": now_s,
        }
        for at, line in enumerate(lines)
    ]
    tx.execute(insert(statement_lines), rows)


def last_closings(tx: Connection, network: str) -> Mapping[tuple[str, str], int]:
    """What every wallet holds of every asset at the head, by (wallet, asset)."""
    c = statements.c
    newest = (
        select(c.wallet, c.asset, func.max(c.height).label("height"))
        .where(c.network == network)
        .group_by(c.wallet, c.asset)
        .subquery()
    )
    rows = tx.execute(
        select(c.wallet, c.asset, c.closing).where(
            c.network == network,
            c.wallet == newest.c.wallet,
            c.asset == newest.c.asset,
            c.height == newest.c.height,
        )
    )
    return {(row.wallet, row.asset): row.closing for row in rows}


def roll_back_statements(
    tx: Connection, network: str, before: Head, to: BlockRef | None, now_s: int
) -> None:
    """Undo every statement above a block, or all of them. Raises StatementRace."""
    fork_height = before.from_height - 1 if to is None else to.height
    lines, coins = statement_lines.c, statement_coins.c
    moved = tx.execute(
        select(lines.target, lines.asset, units_sum(lines.units))
        .where(lines.network == network, lines.height > fork_height, lines.target != b"")
        .group_by(lines.target, lines.asset)
    ).all()
    for target, asset, units in moved:
        row = tx.execute(select(statement_accounts).where(*_account(network, target, asset))).one()
        tx.execute(
            update(statement_accounts)
            .where(*_account(network, target, asset))
            .values(units=row.units - units, moved_height=fork_height, checked_height=None)
        )
    tx.execute(
        update(statement_accounts)
        .where(
            statement_accounts.c.network == network,
            statement_accounts.c.checked_height > fork_height,
        )
        .values(checked_height=None)
    )
    tx.execute(delete(statement_coins).where(coins.network == network, coins.height > fork_height))
    tx.execute(
        update(statement_coins)
        .where(coins.network == network, coins.spent_height > fork_height)
        .values(spent_height=None)
    )
    for table in (statement_lines, statements):
        tx.execute(delete(table).where(table.c.network == network, table.c.height > fork_height))
    roll_back_breaks(tx, network, fork_height, now_s)
    put_head_back(tx, network, before, to, now_s)


def _write_coins(tx: Connection, network: str, block: BlockMoves) -> None:
    made = [
        {
            "network": network,
            "txid": coin.outpoint.txid,
            "vout": coin.outpoint.vout,
            "wallet": coin.wallet,
            "units": coin.units,
            "height": block.ref.height,
        }
        for coin in block.made
    ]
    if made:
        tx.execute(insert(statement_coins), made)
    c = statement_coins.c
    for outpoint in block.spent:
        tx.execute(
            update(statement_coins)
            .where(c.network == network, c.txid == outpoint.txid, c.vout == outpoint.vout)
            .values(spent_height=block.ref.height)
        )


def _write_accounts(tx: Connection, network: str, block: BlockMoves, lines: Iterable[Line]) -> None:
    height = block.ref.height
    for line in lines:
        account = line.target, line.asset
        checked = height if account in block.balances else None
        _add_to_account(tx, network, height, line, checked)


def _add_to_account(
    tx: Connection, network: str, height: int, line: Line, checked: int | None
) -> None:
    if not line.target:
        return
    where = _account(network, line.target, line.asset)
    row = tx.execute(select(statement_accounts).where(*where)).one_or_none()
    values = {
        "units": line.units if row is None else row.units + line.units,
        "moved_height": height,
        "checked_height": checked,
    }
    if row is not None:
        tx.execute(update(statement_accounts).where(*where).values(**values))
        return
    place = {"network": network, "asset": line.asset, "target": line.target}
    tx.execute(insert(statement_accounts).values(wallet=line.wallet, **place, **values))


def _sum_up(
    tx: Connection, network: str, height: int, block_hash: str, lines: Iterable[Line]
) -> Sequence[Statement]:
    """Write the statements of a block, or add to those it has."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for line in lines:
        column, sign = COLUMNS[line.kind]
        sums.setdefault((line.wallet, line.asset), Counter())[column] += sign * line.units
    made = []
    for (wallet, asset), columns in sorted(sums.items()):
        last = _last(tx, network, wallet, asset)
        opening = 0 if last is None else last.closing
        if last is not None and last.height == height:
            opening = last.opening
            columns.update({name: getattr(last, name) for name, _ in COLUMNS.values()})
        one = Statement(
            wallet=wallet,
            asset=asset,
            height=height,
            hash=block_hash,
            opening=opening,
            **columns,
        )
        _put(tx, network, one, is_new=last is None or last.height != height)
        made.append(one)
    return made


def _put(tx: Connection, network: str, one: Statement, *, is_new: bool) -> None:
    key = {"network": network, "wallet": one.wallet, "asset": one.asset, "height": one.height}
    names = [name for name, _ in COLUMNS.values()]
    values = {name: getattr(one, name) for name in (*names, "opening", "closing", "hash")}
    if is_new:
        tx.execute(insert(statements).values(**key, **values))
        return
    same = [statements.c[name] == value for name, value in key.items()]
    changed = tx.execute(update(statements).where(*same).values(**values))
    invariant(changed.rowcount == 1, "a statement that was read is there to be changed")


def _last(tx: Connection, network: str, wallet: str, asset: str) -> Any:
    c = statements.c
    return tx.execute(
        select(statements)
        .where(c.network == network, c.wallet == wallet, c.asset == asset)
        .order_by(c.height.desc())
        .limit(1)
    ).one_or_none()


def _account(network: str, target: bytes, asset: str) -> tuple[Any, ...]:
    c = statement_accounts.c
    return c.network == network, c.target == target, c.asset == asset


def explain_line_later(
    tx: Connection, network: str, height: int, txid: str, position: str, deposit_id: str
) -> None:
    """A deposit's row came after its statement: line and statement say so from now on."""
    lines, c = statement_lines.c, statements.c
    rows = tx.execute(
        select(statement_lines).where(
            lines.network == network,
            lines.height == height,
            lines.txid == txid,
            lines.position == position,
            lines.state == BROKEN,
            lines.units > 0,
        )
    ).all()
    for row in rows:
        tx.execute(
            update(statement_lines)
            .where(lines.network == network, lines.height == height, lines.number == row.number)
            .values(kind=str(LineKind.DEPOSIT), subject=deposit_id, state=WAITING)
        )
        if row.kind == str(LineKind.DEPOSIT):
            continue
        same = (
            c.network == network,
            c.height == height,
            c.wallet == row.wallet,
            c.asset == row.asset,
        )
        old = tx.execute(select(statements).where(*same)).one()
        tx.execute(
            update(statements)
            .where(*same)
            .values(deposits=old.deposits + row.units, unexplained=old.unexplained - row.units)
        )
