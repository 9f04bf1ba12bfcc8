"""Count what the chain itself says we hold, independently of every table but our addresses.

UTXO chains are counted from raw blocks, EVM chains by balance at one block. This is the other side
of the reconciliation, so nothing here may read the ledger, the deposits or the stored outputs.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from chains.ports import Chain
from chains.types import BlockRef, Family, OutPoint
from wallet.store.database import Database
from wallet.store.schema import addresses

Progress = Callable[[int, int], None]
"""Told (done, total) while counting."""


def ignore_progress(done: int, total: int) -> None:
    """For callers that show nothing."""


@dataclass(slots=True)
class _Coins:
    """What a count watches: our scripts, and the outputs found so far."""

    targets: Container[bytes]
    outpoints: dict[OutPoint, int] = field(default_factory=dict)


def count_holdings(
    chain: Chain,
    database: Database,
    at: BlockRef,
    start_height: int = 0,
    progress: Progress = ignore_progress,
) -> Mapping[str, int]:
    """Base units we hold at block `at`, by asset code."""
    with database.read() as tx:
        rows = tx.execute(select(addresses.c.target).where(addresses.c.network == chain.network))
        targets = {bytes(target) for (target,) in rows}
    if chain.family is Family.UTXO:
        return _count_outputs(chain, targets, at, start_height, progress)
    totals: dict[str, int] = {}
    for done, target in enumerate(sorted(targets), start=1):
        for asset in chain.assets:
            held = chain.balance_units(target, asset.code, at)
            totals[asset.code] = totals.get(asset.code, 0) + held
        progress(done, len(targets))
    return totals


def _count_outputs(
    chain: Chain, targets: set[bytes], at: BlockRef, start_height: int, progress: Progress
) -> Mapping[str, int]:
    coins = _Coins(targets=targets)
    total = at.height - start_height + 1
    for height in range(start_height, at.height + 1):
        scan = chain.scan(chain.block_at(height), coins)
        for inflow in scan.inflows:
            if inflow.target in targets:
                vout = int(inflow.position.removeprefix("out:"))
                coins.outpoints[OutPoint(inflow.txid, vout)] = inflow.units
        for spend in scan.spends:
            coins.outpoints.pop(spend.outpoint, None)
        progress(height - start_height + 1, total)
    return {asset.code: sum(coins.outpoints.values()) for asset in chain.assets}
