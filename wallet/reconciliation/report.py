"""One network in one picture: statements brought up to the scan, then the books beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from chains.ports import Chain
from chains.types import BlockRef
from wallet.deposits.watcher import last_scanned
from wallet.errors import Conflict
from wallet.holdings import count_holdings
from wallet.reconciliation.books import Row, compare, holdings_by_statements, items_under_way
from wallet.reconciliation.breaks import Break, open_breaks
from wallet.reconciliation.coverage import Coverage, coverage_of
from wallet.reconciliation.heads import Head, StatementRace, head_of, reorgs_followed
from wallet.reconciliation.idle import IdleCheck
from wallet.reconciliation.proving import faults
from wallet.reconciliation.reconciler import BLOCKS_AT_ONCE, Reconciler
from wallet.store.database import Database

_TRIES = 5
"""A block may be scanned while statements are brought up to it; then that starts again."""

Progress = Callable[[str, int, int], None]
"""Told (what, done, total) on the way."""


def ignore_progress(what: str, done: int, total: int) -> None:
    """For callers that show nothing."""


class BooksMoving(Conflict):
    """Blocks kept coming while we counted; try again when it is quieter."""

    code = "reconcile.books_moving"


class NothingScanned(Conflict):
    """The service has not followed this chain yet."""

    code = "reconcile.nothing_scanned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One network at one block. `recounted` is an independent count, by asset, where asked for."""

    network: str
    head: Head
    rows: tuple[Row, ...]
    breaks: tuple[Break, ...]
    coverage: Coverage
    faults: tuple[str, ...]
    recounted: dict[str, int] | None = None

    @property
    def is_right(self) -> bool:
        """Whether there is no difference, no open break and no fault in the statements."""
        if self.breaks or self.faults or any(row.difference for row in self.rows):
            return False
        counted = self.recounted
        return counted is None or all(counted[row.asset] == row.chain for row in self.rows)


class Reporter:
    """Brings one network's statements up to the scan and reports."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        reconciler: Reconciler,
        idle: IdleCheck,
        start_height: int = 0,
    ) -> None:
        self._chain = chain
        self._database = database
        self._reconciler = reconciler
        self._idle = idle
        self._start_height = start_height

    def report(
        self,
        progress: Progress = ignore_progress,
        *,
        from_height: int = 0,
        recount: bool = False,
    ) -> Report:
        """The report at the scanned tip; statements from a height on are held against themselves.

        Every account is held against the chain once more; with `recount` all that the chain holds
        is counted anew, apart from the statements. Raises BooksMoving, NothingScanned or NodeError.
        """
        network = self._chain.network
        for _ in range(_TRIES):
            self._catch_up(progress)
            self._go_round(progress)
            with self._database.read() as tx:
                head = level_head(tx, network)
            if head is None:
                continue
            counted = self._count(head, progress) if recount else None
            with self._database.read() as tx:
                now = level_head(tx, network)
                if now is not None and (now.height, now.hash) == (head.height, head.hash):
                    return self._read(tx, now, from_height, counted)
        raise BooksMoving(f"got new blocks of {network} during {_TRIES} counts")

    def _read(
        self, tx: Connection, head: Head, from_height: int, counted: dict[str, int] | None
    ) -> Report:
        network, assets = self._chain.network, [asset.code for asset in self._chain.assets]
        holdings = holdings_by_statements(tx, network, assets)
        items = items_under_way(tx, network, assets[0])
        return Report(
            network=network,
            head=head,
            rows=tuple(compare(tx, holdings, items)),
            breaks=tuple(open_breaks(tx, network)),
            coverage=coverage_of(tx, network, self._chain.family),
            faults=tuple(faults(tx, network, from_height)),
            recounted=counted,
        )

    def _catch_up(self, progress: Progress) -> None:
        while True:
            try:
                reached = self._reconciler.run(BLOCKS_AT_ONCE)
            except StatementRace:
                continue
            if reached is None:
                raise NothingScanned(
                    f"got no scanned block of {self._chain.network}, expected `serve` to run"
                )
            progress("statements", reached.height + 1, reached.scanned_height + 1)
            if reached.is_level:
                return

    def _go_round(self, progress: Progress) -> None:
        """Hold every address against the chain once."""
        for done, total in self._idle.round():
            progress("balances", done, total)

    def _count(self, head: Head, progress: Progress) -> dict[str, int]:
        at = BlockRef(height=head.height, hash=head.hash, parent="", time_s=0)
        held = count_holdings(
            self._chain,
            self._database,
            at,
            self._start_height,
            lambda done, total: progress("recount", done, total),
        )
        return dict(held)


def level_head(tx: Connection, network: str) -> Head | None:
    """The head of the statements if it is the scanned tip."""
    head, last = head_of(tx, network), last_scanned(tx, network)
    if head is None or last is None or head.reorgs != reorgs_followed(tx, network):
        return None
    return head if (head.height, head.hash) == (last.height, last.hash) else None


def all_right(reports: Sequence[Report]) -> bool:
    """Whether every network is."""
    return all(report.is_right for report in reports)
