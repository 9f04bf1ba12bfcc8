"""Transfers of listed tokens that cannot be read: told, the token held back until vouched for.

The block counts as scanned, since all else in it was, but its coverage is not proven for that
token. Whatever looks like an address of ours in such a log is held against balances as well
(`chains.evm.token_moves`), so that money which came with it shows as a held deposit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from chains.types import BlockScan, UnreadableLog
from wallet.events import append_event
from wallet.pauses import Scope, pause
from wallet.store.schema import unreadable_transfers

UNREADABLE = "a Transfer of this token cannot be read"
"""Why withdrawals of it stand still."""

PAUSED_BY = "service:tokens"
"""Who paused them."""

_DOUBTED = (
    select(unreadable_transfers.c.asset)
    .where(
        unreadable_transfers.c.network == bindparam("on"),
        unreadable_transfers.c.vouched_by == "",
    )
    .distinct()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A block with `logs` unreadable Transfers of a token, the first by place and fault."""

    network: str
    asset: str
    height: int
    txid: str
    position: str
    logs: int
    detail: str


def keep_unreadable(tx: Connection, network: str, scan: BlockScan, now_s: int) -> None:
    """Write down a block's unreadable Transfers; each token's is told once and pauses it."""
    by_asset: dict[str, list[UnreadableLog]] = {}
    for log in scan.unreadable:
        by_asset.setdefault(log.asset, []).append(log)
    for asset, logs in by_asset.items():
        if not _is_known(tx, network, asset, scan.ref.height):
            _keep(tx, network, scan.ref.height, logs, now_s)


def doubted(tx: Connection, network: str) -> frozenset[str]:
    """Tokens with an unreadable Transfer that nobody has vouched for."""
    return frozenset(tx.execute(_DOUBTED, {"on": network}).scalars())


def unread(tx: Connection, network: str | None = None) -> Sequence[Unread]:
    """All that nobody has vouched for, of one network or of all, lowest block first."""
    c = unreadable_transfers.c
    query = select(unreadable_transfers).where(c.vouched_by == "")
    if network is not None:
        query = query.where(c.network == network)
    rows = tx.execute(query.order_by(c.network, c.height, c.asset))
    return [
        Unread(
            network=row.network,
            asset=row.asset,
            height=row.height,
            txid=row.txid,
            position=row.position,
            logs=row.logs,
            detail=row.detail,
        )
        for row in rows
    ]


def vouch(tx: Connection, network: str, asset: str, to_height: int, by: str, now_s: int) -> int:
    """A person looked at what a token did up to a height; returns how many blocks that settles."""
    c = unreadable_transfers.c
    return tx.execute(
        update(unreadable_transfers)
        .where(*_of(network, asset), c.vouched_by == "", c.height <= to_height)
        .values(vouched_by=by, vouched_s=now_s)
    ).rowcount


def forget_read(tx: Connection, network: str, scan: BlockScan) -> None:
    """A block scanned again: what can be read by now is in doubt no more."""
    c = unreadable_transfers.c
    still = {log.asset for log in scan.unreadable}
    tx.execute(
        delete(unreadable_transfers).where(
            c.network == network, c.height == scan.ref.height, c.asset.not_in(still)
        )
    )


def forget_above(tx: Connection, network: str, fork_height: int) -> None:
    """After a reorganisation: what its blocks held is not in the chain."""
    c = unreadable_transfers.c
    tx.execute(delete(unreadable_transfers).where(c.network == network, c.height > fork_height))


def _keep(
    tx: Connection, network: str, height: int, logs: Sequence[UnreadableLog], now_s: int
) -> None:
    first = logs[0]
    place = {
        "network": network,
        "asset": first.asset,
        "height": height,
        "txid": first.txid,
        "position": first.position,
        "logs": len(logs),
        "detail": first.detail,
    }
    tx.execute(insert(unreadable_transfers).values(**place, seen_s=now_s))
    append_event(tx, "alert.token_unreadable", first.asset, place, now_s)
    pause(tx, Scope.ASSET, first.asset, UNREADABLE, PAUSED_BY, now_s)


def _is_known(tx: Connection, network: str, asset: str, height: int) -> bool:
    c = unreadable_transfers.c
    query = select(c.height).where(*_of(network, asset), c.height == height)
    return tx.execute(query).first() is not None


def _of(network: str, asset: str) -> tuple[Any, ...]:
    c = unreadable_transfers.c
    return c.network == network, c.asset == asset
