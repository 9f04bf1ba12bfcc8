"""How far a network's statements reach, moved by compare-and-set: of two writers one wins."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from chains.types import BlockRef
from wallet.errors import Conflict
from wallet.store.schema import reorgs, statement_heads


class StatementRace(Conflict):
    """Somebody else wrote the statements of this block meanwhile; go on from there."""

    code = "reconcile.statement_race"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far a network's statements reach; `reorgs` is how many reorganisations they followed."""

    from_height: int
    height: int
    hash: str
    reorgs: int
    idle_after: str = ""
    round_height: int | None = None


def head_of(tx: Connection, network: str) -> Head | None:
    """Where a network's statements stand, None before the first."""
    row = tx.execute(
        select(statement_heads).where(statement_heads.c.network == network)
    ).one_or_none()
    if row is None:
        return None
    return Head(
        from_height=row.from_height,
        height=row.height,
        hash=row.hash,
        reorgs=row.reorgs,
        idle_after=row.idle_after,
        round_height=row.round_height,
    )


def reorgs_followed(tx: Connection, network: str) -> int:
    """How many reorganisations of a network the scan has followed."""
    query = select(func.count()).select_from(reorgs).where(reorgs.c.network == network)
    return int(tx.execute(query).scalar_one())


def advance_head(
    tx: Connection, network: str, before: Head | None, passed: Sequence[BlockRef], now_s: int
) -> None:
    """Move the head over blocks, by compare-and-set. Raises StatementRace."""
    to = passed[-1]
    if before is None:
        if head_of(tx, network) is not None:
            raise StatementRace(f"got statements of {network}, expected none yet")
        tx.execute(
            insert(statement_heads).values(
                network=network,
                from_height=passed[0].height,
                height=to.height,
                hash=to.hash,
                reorgs=reorgs_followed(tx, network),
                made_s=now_s,
            )
        )
        return
    c = statement_heads.c
    moved = tx.execute(
        update(statement_heads)
        .where(
            c.network == network,
            c.height == before.height,
            c.hash == before.hash,
            c.reorgs == before.reorgs,
        )
        .values(height=to.height, hash=to.hash, made_s=now_s)
    )
    if moved.rowcount != 1:
        raise StatementRace(f"got other statements of {network}, expected up to {before.height}")


def put_head_back(
    tx: Connection, network: str, before: Head, to: BlockRef | None, now_s: int
) -> None:
    """Move the head back to a block, or remove it. Raises StatementRace."""
    c = statement_heads.c
    same = (c.network == network, c.height == before.height, c.reorgs == before.reorgs)
    if to is None:
        gone = tx.execute(delete(statement_heads).where(*same)).rowcount
    else:
        gone = tx.execute(
            update(statement_heads)
            .where(*same)
            .values(
                height=to.height,
                hash=to.hash,
                reorgs=reorgs_followed(tx, network),
                round_height=None,
                made_s=now_s,
            )
        ).rowcount
    if gone != 1:
        raise StatementRace(f"got other statements of {network}, expected up to {before.height}")
