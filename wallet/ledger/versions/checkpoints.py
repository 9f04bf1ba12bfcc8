"""What sealed partitions noted, held against the replay at their last heights."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, func, select

from wallet.ledger.versions.findings import CHECKPOINTS, PARTITIONS, Bad, Finding
from wallet.ledger.versions.replay import Position
from wallet.ledger.versions.rows import head_height
from wallet.store.tables.ledger import ledger_batches
from wallet.store.tables.partitions import ledger_checkpoints, ledger_partitions


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed partition and, by account, the last height there that changed it, and its sums."""

    first_height: int
    last_height: int
    transfers: int
    noted: dict[int, tuple[int, ...]] = field(default_factory=dict)


def sealed_partitions(tx: Connection, first: int, last: int) -> dict[int, Sealed]:
    """The sealed partitions within these heights, by their last height.

    Raises Bad where they leave a gap, or note something of none of them.
    """
    p, c = ledger_partitions.c, ledger_checkpoints.c
    query = select(p.first_height, p.last_height, p.transfers).order_by(p.last_height)
    found = [Sealed(*row) for row in tx.execute(query)]
    following = 1
    for one in found:
        if not one.first_height == following <= one.last_height:
            raise Bad(_of_partition(one.last_height, f"it does not begin with {following}"))
        following = one.last_height + 1
    head = head_height(tx)
    if following > head + 1:
        raise Bad(_of_partition(following - 1, f"it ends after the last height, {head}"))
    ends = [one.last_height for one in found]
    columns = (c.account, c.height, c.debits, c.credits, c.debits_held, c.credits_held)
    for account, height, *sums in tx.execute(select(*columns).order_by(c.account, c.height)):
        at = bisect_left(ends, height)
        if at == len(ends) or account in found[at].noted:
            stray = _of_checkpoint(account, height, "no sealed partition left it")
            raise Bad(replace(stray, also=(PARTITIONS,)))
        found[at].noted[account] = (height, *sums)
    return {
        one.last_height: one
        for one in found
        if first <= one.first_height and one.last_height <= last
    }


def check_sealed(tx: Connection, sealed: Sealed, positions: Iterable[Position]) -> None:
    """Raise Bad unless a partition noted exactly what the replay has at its last height."""
    c = ledger_batches.c
    within = c.height.between(sealed.first_height, sealed.last_height)
    lines = tx.execute(select(func.sum(c.transfers)).where(within)).scalar_one()
    if lines != sealed.transfers:
        told = f"got {sealed.transfers} transfers, its batches have {lines}"
        raise Bad(_of_partition(sealed.last_height, told))
    expected = {
        position.number: (position.height, *position.sums)
        for position in positions
        if position.height >= sealed.first_height
    }
    for number in sorted(expected.keys() | sealed.noted.keys()):
        made, noted = expected.get(number), sealed.noted.get(number)
        if made != noted:
            height = (noted or made or (0,))[0]
            raise Bad(_of_checkpoint(number, height, f"got {noted}, the transfers make {made}"))


def _of_partition(last_height: int, text: str) -> Finding:
    return Finding(
        code="ledger.verify.partition",
        table=PARTITIONS,
        key=f"last_height {last_height}",
        text=text,
        height=last_height,
    )


def _of_checkpoint(account: int, height: int, text: str) -> Finding:
    return Finding(
        code="ledger.verify.checkpoint",
        table=CHECKPOINTS,
        key=f"account {account} height {height}",
        text=text,
        height=height,
    )
