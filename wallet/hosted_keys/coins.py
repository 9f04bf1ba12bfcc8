"""Coins at hosted addresses, kept by the same scan that finds deposits and apart from them.

They are the users' own money: no deposit, no ledger account and no holding of ours counts them.
"""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from chains.types import BlockScan, OutPoint
from wallet.hosted_keys.records import HostedKeyStatus
from wallet.store.schema import hosted_coins, hosted_keys

_AFTER = select(hosted_keys.c.position, hosted_keys.c.target).where(
    hosted_keys.c.network == bindparam("on"),
    hosted_keys.c.position > bindparam("after"),
    hosted_keys.c.status == HostedKeyStatus.ACTIVE,
)

CHUNK = 500
"""Keys in one IN list, well under every engine's limit."""


def watched_after(tx: Connection, network: str, position: int) -> Mapping[int, bytes]:
    """Targets of the active keys created after a position, by position."""
    rows = tx.execute(_AFTER, {"on": network, "after": position})
    return {row.position: bytes(row.target) for row in rows}


def unspent_outpoints(tx: Connection, network: str) -> list[OutPoint]:
    """Outputs at hosted addresses that no scanned block spent."""
    rows = tx.execute(
        select(hosted_coins.c.txid, hosted_coins.c.vout).where(
            hosted_coins.c.network == network, hosted_coins.c.spent_txid.is_(None)
        )
    )
    return [OutPoint(row.txid, row.vout) for row in rows]


def record_scan(tx: Connection, network: str, scan: BlockScan) -> None:
    """Store what one block paid to and spent from hosted addresses."""
    outputs = [one for one in scan.inflows if one.position.startswith("out:")]
    owners = _owners(tx, network, sorted({one.target for one in outputs}))
    for one in outputs:
        owner = owners.get(one.target)
        if owner is None:
            continue
        vout = int(one.position.removeprefix("out:"))
        known = tx.execute(
            update(hosted_coins)
            .where(*_coin(network, one.txid, vout))
            .values(height=scan.ref.height)
        )
        if known.rowcount == 0:
            tx.execute(
                insert(hosted_coins).values(
                    network=network,
                    txid=one.txid,
                    vout=vout,
                    key_id=owner,
                    units=one.units,
                    raw_tx=one.raw_tx,
                    height=scan.ref.height,
                )
            )
    for spend in scan.spends:
        tx.execute(
            update(hosted_coins)
            .where(*_coin(network, spend.outpoint.txid, spend.outpoint.vout))
            .values(spent_txid=spend.txid, spent_height=scan.ref.height)
        )


def roll_back(tx: Connection, network: str, fork_height: int) -> None:
    """Undo what the blocks above `fork_height` brought and spent."""
    here = hosted_coins.c.network == network
    tx.execute(
        update(hosted_coins).where(here, hosted_coins.c.height > fork_height).values(height=None)
    )
    tx.execute(
        update(hosted_coins)
        .where(here, hosted_coins.c.spent_height > fork_height)
        .values(spent_txid=None, spent_height=None)
    )


def _owners(tx: Connection, network: str, targets: list[bytes]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for start in range(0, len(targets), CHUNK):
        rows = tx.execute(
            select(hosted_keys.c.target, hosted_keys.c.id).where(
                hosted_keys.c.network == network,
                hosted_keys.c.target.in_(targets[start : start + CHUNK]),
            )
        )
        found |= {bytes(row.target): row.id for row in rows}
    return found


def _coin(network: str, txid: str, vout: int) -> tuple[ColumnElement[bool], ...]:
    return (
        hosted_coins.c.network == network,
        hosted_coins.c.txid == txid,
        hosted_coins.c.vout == vout,
    )
