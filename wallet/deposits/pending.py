"""Deposits that only a node's pool showed: rows, and what a block decides about them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from chains.types import BlockScan, Evidence, OutPoint, PendingTx, Spend
from wallet.deposits.changes import Change, apply_change
from wallet.deposits.states import DepositStatus
from wallet.store.schema import deposits, pending_transactions

NOT_IN_BLOCK = "not_in_block"
"""The transaction was mined, and did not bring what it had seemed to."""


_ROWS = select(pending_transactions).where(pending_transactions.c.network == bindparam("on"))
_FORGET = delete(pending_transactions).where(
    pending_transactions.c.network == bindparam("on"),
    pending_transactions.c.txid == bindparam("this"),
)
_WAITING = select(deposits).where(
    deposits.c.network == bindparam("on"),
    deposits.c.txid == bindparam("this"),
    deposits.c.height.is_(None),
    deposits.c.status == DepositStatus.SEEN,
)


def rows(tx: Connection, network: str) -> Mapping[str, Any]:
    """Every pending transaction of a network by txid."""
    return {row.txid: row for row in tx.execute(_ROWS, {"on": network})}


def add(tx: Connection, network: str, seen: PendingTx, now_s: int) -> None:
    """Remember a transaction, and what it competes for."""
    tx.execute(
        insert(pending_transactions).values(
            network=network,
            txid=seen.txid,
            conflicts=json.dumps(seen.conflicts),
            first_seen_s=now_s,
        )
    )


def mark_gone(tx: Connection, network: str, txid: str, gone_s: int | None) -> None:
    """Write down since when the pool is without a transaction; None when it is back."""
    tx.execute(
        update(pending_transactions)
        .where(pending_transactions.c.network == network, pending_transactions.c.txid == txid)
        .values(gone_s=gone_s)
    )


def forget(tx: Connection, network: str, txid: str) -> None:
    """A transaction is pending no more."""
    tx.execute(_FORGET, {"on": network, "this": txid})


def waiting(tx: Connection, network: str, txid: str) -> Sequence[Any]:
    """A transaction's deposits that no block has brought: seen, without a height."""
    return tx.execute(_WAITING, {"on": network, "this": txid}).all()


def conflicts_of(row: Any) -> Sequence[str]:
    """What a pending transaction competes for."""
    return [str(one) for one in json.loads(row.conflicts)]


def outpoints(tx: Connection, network: str) -> Sequence[OutPoint]:
    """What pending transactions spend: who else spends it replaces them."""
    return [outpoint for _, outpoint in _spending(tx, network)]


def mark_replaced(tx: Connection, network: str, spends: Sequence[Spend], now_s: int) -> None:
    """A block spent what a pending transaction was to spend: its deposits will not come."""
    losers: dict[OutPoint, list[str]] = {}
    for txid, outpoint in _spending(tx, network):
        losers.setdefault(outpoint, []).append(txid)
    for spend in spends:
        for txid in losers.get(spend.outpoint, []):
            if txid != spend.txid:
                end(tx, network, txid, DepositStatus.REPLACED, spend.txid, now_s)


def settle_mined(
    tx: Connection, network: str, txids: set[str], scan: BlockScan, now_s: int
) -> None:
    """Of mined transactions, end the deposits that the block does not have."""
    brought = {(inflow.txid, inflow.position) for inflow in scan.inflows}
    for txid in sorted(txids):
        for row in waiting(tx, network, txid):
            if row.evidence == Evidence.MEMPOOL and (txid, row.position) not in brought:
                change = Change(status=DepositStatus.ORPHANED, sub_status=NOT_IN_BLOCK)
                apply_change(tx, row, change, now_s)
        forget(tx, network, txid)


def end(
    tx: Connection, network: str, txid: str, status: DepositStatus, why: str, now_s: int
) -> None:
    """End a pending transaction's deposits, and forget it."""
    for row in waiting(tx, network, txid):
        apply_change(tx, row, Change(status=status, sub_status=why), now_s)
    forget(tx, network, txid)


def _spending(tx: Connection, network: str) -> Iterator[tuple[str, OutPoint]]:
    for row in rows(tx, network).values():
        for conflict in conflicts_of(row):
            txid, _, vout = conflict.rpartition(":")
            if not txid.startswith("0x"):  # a sender's nonce, on EVM chains
                yield row.txid, OutPoint(txid, int(vout))
