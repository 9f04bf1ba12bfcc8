"""Posting a settlement: one ledger height for all that can be posted, once per external id.

The ledger's writer commits it together with other batches that wait, so that many small ones cost
as little as a large one. What it answers is durable. The external id is the batch's cause: asked
again, nothing is posted, and every transfer is told that it `exists` or was `refused_before`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection

from wallet.ledger.errors import CauseConflict
from wallet.ledger.holds import makers_of
from wallet.ledger.posting import Posted, earlier_batches
from wallet.ledger.results import Result
from wallet.ledger.transfers import Transfer
from wallet.milestones import Milestone
from wallet.settlements.errors import ExternalIdTaken, SettlementNotFound
from wallet.settlements.known import KnownAccounts
from wallet.settlements.mapping import Refused, transfers_of
from wallet.settlements.wire import SettlementOrder
from wallet.store.database import Database

CAUSE = "settlement:"
"""What the ledger cause of every settlement begins with, and no other's."""


class Ledger(Protocol):
    """Posts a batch durably and says what became of each transfer; see `LedgerWriter`."""

    def post(self, cause: str, transfers: Sequence[Transfer], *, whole: bool = False) -> Posted:
        """Post all that can be, or with `whole` all or nothing."""
        ...


class Status(StrEnum):
    """What became of the whole."""

    POSTED = "posted"
    PARTLY_POSTED = "partly_posted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a settlement: a result for each transfer, in order.

    `height` is the ledger batch it is; 0 where nothing was posted, and then `state_hash` is that of
    the ledger as it was. Such a settlement may be tried again under its external id.
    """

    external_id: str
    mode: str
    height: int
    state_hash: bytes
    results: Sequence[Result]
    repeated: bool

    @property
    def posted_count(self) -> int:
        """Transfers that are in the books."""
        return sum(result.is_posted for result in self.results)

    @property
    def status(self) -> Status:
        """What became of the whole."""
        posted = self.posted_count
        if posted == len(self.results):
            return Status.POSTED
        return Status.PARTLY_POSTED if posted else Status.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a settlement may name: accounts that exist, and assets of the deployment."""

    known: KnownAccounts
    is_asset: Callable[[str], bool]


def settle(
    ledger: Ledger, database: Database, order: SettlementOrder, door: Door, milestone: Milestone
) -> Settlement:
    """Post what can be posted. Raises ExternalIdTaken for other transfers under the external id.

    That is raised, too, where an account or asset that was unknown came to exist in between.
    """
    with database.read() as tx:
        refused = _refused(tx, order, door)
    transfers = transfers_of(order, refused)
    try:
        posted = ledger.post(CAUSE + order.external_id, transfers, whole=order.mode == "atomic")
    except CauseConflict as error:
        raise ExternalIdTaken(
            "got an external_id that names another settlement already", error.details
        ) from error
    milestone("settlement.posted")
    return Settlement(
        external_id=order.external_id,
        mode=order.mode,
        height=posted.height,
        state_hash=posted.state_hash,
        results=posted.results,
        repeated=posted.repeated,
    )


def posted_at(tx: Connection, external_id: str) -> tuple[int, bytes]:
    """The height and state hash of a settlement of which anything was posted.

    Raises SettlementNotFound.
    """
    cause = CAUSE + external_id
    found = earlier_batches(tx, [cause]).get(cause)
    if found is None:
        raise SettlementNotFound("got an external id of no settlement of which anything was posted")
    return found.height, found.state_hash


def _refused(tx: Connection, order: SettlementOrder, door: Door) -> Refused:
    """What the transfers name and must not.

    A hold of another part (a withdrawal's, an escrow's) is not ended by a settlement; one made in
    this very call, or made by nobody, is for the ledger to judge.
    """
    accounts = {transfer.debit_account_id for transfer in order.transfers}
    accounts |= {transfer.credit_account_id for transfer in order.transfers}
    assets = {transfer.asset for transfer in order.transfers}
    makers = makers_of(tx, {t.hold_id for t in order.transfers if t.hold_id})
    return Refused(
        accounts=door.known.unknown(tx, accounts - {""}),
        assets={asset for asset in assets if asset and not door.is_asset(asset)},
        holds={id for id, cause in makers.items() if not cause.startswith(CAUSE)},
    )
