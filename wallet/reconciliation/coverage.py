"""How much of all is reconciled, as numbers: blocks, wallets and value."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from chains.types import Family
from wallet.reconciliation.heads import Head, head_of
from wallet.reconciliation.statements import last_closings
from wallet.store.schema import addresses, blocks, statement_accounts

PPM = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """So much of so much."""

    done: int
    of: int

    @property
    def ppm(self) -> int:
        """Parts per million, rounded down; all of nothing is all."""
        return PPM if self.of == 0 else PPM * self.done // self.of


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of a network is reconciled; `value` is base units by asset.

    A block counts when it has its statements. A coin counts with its block. An account counts when
    the chain's own balance was the same after its last movement; a wallet when all its accounts do
    and every address of the network had its look.
    """

    network: str
    blocks: Covered
    wallets: Covered
    value: Mapping[str, Covered]


def coverage_of(tx: Connection, network: str, family: Family) -> Coverage:
    """The numbers now."""
    head = head_of(tx, network)
    wallets = set(
        tx.execute(
            select(addresses.c.source).where(addresses.c.network == network).distinct()
        ).scalars()
    )
    totals: Counter[str] = Counter()
    for (_, asset), closing in last_closings(tx, network).items():
        totals[asset] += closing
    checked, late = dict(totals), set[str]()
    if family is Family.EVM:
        checked, late = _checked(tx, network)
        if head is None or head.round_height is None:
            late = wallets
    return Coverage(
        network=network,
        blocks=blocks_covered(tx, network, head),
        wallets=Covered(done=len(wallets - late) if head else 0, of=len(wallets)),
        value={
            asset: Covered(done=checked.get(asset, 0), of=units)
            for asset, units in sorted(totals.items())
        },
    )


def blocks_covered(tx: Connection, network: str, head: Head | None) -> Covered:
    """How many of the scanned blocks have their statements."""
    first, last = tx.execute(
        select(func.min(blocks.c.height), func.max(blocks.c.height)).where(
            blocks.c.network == network
        )
    ).one()
    scanned = 0 if last is None else last - first + 1
    done = 0 if head is None else head.height - head.from_height + 1
    return Covered(done=min(done, scanned), of=scanned)


def _checked(tx: Connection, network: str) -> tuple[dict[str, int], set[str]]:
    """Checked units by asset, and the wallets with accounts that are not."""
    c = statement_accounts.c
    units: Counter[str] = Counter()
    late = set()
    for row in tx.execute(select(statement_accounts).where(c.network == network)):
        if row.checked_height is not None and row.checked_height >= row.moved_height:
            units[row.asset] += row.units
        else:
            late.add(row.wallet)
    return units, late
