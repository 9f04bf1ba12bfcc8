"""Sealing partitions of the ledger on PostgreSQL, so that age costs neither posting nor reading.

New transfers go to the open partition, which has no index by account: posting stays as quick as on
the first day. When it has enough of them it is cut at the present height, and gets its indexes and
its checkpoints while postings go on into the next. An embedded ledger needs none of this.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from wallet.milestones import Milestone, pass_by
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_batches
from wallet.store.tables.partitions import ledger_partitions

_CUT = text("SELECT ledger_partition_cut()")
_FINISH = text("SELECT ledger_partition_finish()")
_SEALED = select(ledger_partitions).order_by(ledger_partitions.c.last_height)
_SEALED_UP_TO = select(func.coalesce(func.max(ledger_partitions.c.last_height), 0))
_TRANSFERS_AFTER = select(func.coalesce(func.sum(ledger_batches.c.transfers), 0)).where(
    ledger_batches.c.height > _SEALED_UP_TO.scalar_subquery()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A sealed partition: its heights, both included, and how many transfers they have."""

    first_height: int
    last_height: int
    transfers: int


class Partitions:
    """The duty: cut the open partition once it has `transfers` transfers, finish what is cut."""

    def __init__(self, database: Database, transfers: int, milestone: Milestone = pass_by) -> None:
        self._database = database
        self._transfers = transfers
        self._milestone = milestone

    def step(self) -> None:
        """Do what is due. Killed at any moment, the next step goes on where this one was.

        Raises StoreBusy while somebody reads the transfers for long; nothing was changed then.
        """
        if self._database.dialect != "postgresql":
            return
        self._finish()
        with self._database.read() as tx:
            waiting = tx.execute(_TRANSFERS_AFTER).scalar_one()
        if waiting >= self._transfers:
            with self._database.write() as tx:
                tx.execute(_CUT)
            self._milestone("partition.cut")
            self._finish()

    def _finish(self) -> None:
        while True:
            with self._database.beside() as tx:
                finished = tx.execute(_FINISH).scalar_one()
            if finished is None:
                return
            self._milestone("partition.finished")


def sealed(tx: Connection) -> Sequence[Partition]:
    """Every sealed partition in the order of heights; none on SQLite."""
    return [
        Partition(
            first_height=row.first_height, last_height=row.last_height, transfers=row.transfers
        )
        for row in tx.execute(_SEALED)
    ]
