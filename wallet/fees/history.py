"""What prices were: our own answers over time, and what mined blocks cost."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select

from chains.feerates import Feerate, FeeUnit
from chains.types import BlockRef
from wallet.store.schema import block_prices, blocks, fee_estimates

KEEP_S = 14 * 86_400
"""How long answers are kept: two weeks hold two of every hour of the week."""

RECORD_S = 600
"""Seconds between two answers kept."""

BLOCKS_KEPT = 144
"""Prices of mined blocks kept, about a day of Bitcoin."""

BLOCKS_ASKED = 6
"""The last blocks whose median price is a source."""


def record_estimate(tx: Connection, network: str, amount: int, now_s: int) -> bool:
    """Keep an answer unless one was kept just now; old ones go. True when it was kept."""
    last = tx.execute(
        select(func.max(fee_estimates.c.at_s)).where(fee_estimates.c.network == network)
    ).scalar()
    if last is not None and now_s < last + RECORD_S:
        return False
    tx.execute(insert(fee_estimates).values(network=network, at_s=now_s, units=amount))
    tx.execute(
        delete(fee_estimates).where(
            fee_estimates.c.network == network, fee_estimates.c.at_s <= now_s - KEEP_S
        )
    )
    return True


def estimates(tx: Connection, network: str) -> list[int]:
    """The answers kept, the lowest first."""
    rows = tx.execute(select(fee_estimates.c.units).where(fee_estimates.c.network == network))
    return sorted(units for (units,) in rows)


def unpriced_blocks(tx: Connection, network: str) -> Sequence[BlockRef]:
    """The newest scanned blocks that have no price yet, oldest first."""
    priced = (
        select(block_prices.c.hash)
        .where(block_prices.c.network == network, block_prices.c.hash == blocks.c.hash)
        .exists()
    )
    newest = (
        select(blocks)
        .where(blocks.c.network == network)
        .order_by(blocks.c.height.desc())
        .limit(BLOCKS_ASKED)
        .subquery()
    )
    rows = tx.execute(
        select(blocks)
        .join(newest, (newest.c.network == blocks.c.network) & (newest.c.height == blocks.c.height))
        .where(~priced)
        .order_by(blocks.c.height)
    )
    return [
        BlockRef(height=row.height, hash=row.hash, parent=row.parent, time_s=row.time_s)
        for row in rows
    ]


def record_block_price(tx: Connection, network: str, block: BlockRef, price: Feerate) -> None:
    """Keep a block's price; what a reorganisation replaced at that height goes, and what is old."""
    tx.execute(
        delete(block_prices).where(
            block_prices.c.network == network,
            (block_prices.c.height == block.height)
            | (block_prices.c.height <= block.height - BLOCKS_KEPT),
        )
    )
    tx.execute(
        insert(block_prices).values(
            network=network, height=block.height, hash=block.hash, units=price.amount
        )
    )


def blocks_median(tx: Connection, network: str, unit: FeeUnit) -> Feerate | None:
    """The median price of the last blocks, None while none is known."""
    rows = tx.execute(
        select(block_prices.c.units)
        .where(block_prices.c.network == network)
        .order_by(block_prices.c.height.desc())
        .limit(BLOCKS_ASKED)
    )
    prices = sorted(units for (units,) in rows)
    if not prices:
        return None
    return Feerate(amount=prices[(len(prices) - 1) // 2], unit=unit)
