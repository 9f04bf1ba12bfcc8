"""Posting a settlement: one ledger height for all that can be posted, once per external id."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, insert, select

from wallet.ledger.holds import makers_of
from wallet.ledger.posting import post_each
from wallet.ledger.results import Result
from wallet.milestones import Milestone
from wallet.settlements.errors import ExternalIdTaken, SettlementNotFound
from wallet.settlements.known import KnownAccounts
from wallet.settlements.mapping import Refused, transfers_of
from wallet.settlements.wire import SettlementOrder
from wallet.store.schema import settlements

CAUSE = "settlement:"
"""What the ledger cause of every settlement begins with, and no other's."""

RESULTS_BYTES_MAX = 4 * 1024 * 1024
"""The results of the largest settlement, as kept, are smaller."""


class Status(StrEnum):
    """What became of the whole."""

    POSTED = "posted"
    PARTLY_POSTED = "partly_posted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a settlement: a result for each transfer, in order.

    `height` is the ledger batch it is; 0 where nothing was posted, and then `state_hash` is that of
    the ledger as it was.
    """

    external_id: str
    mode: str
    height: int
    state_hash: bytes
    results: Sequence[Result]
    created_s: int
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
    tx: Connection,
    order: SettlementOrder,
    content: bytes,
    door: Door,
    *,
    requester: str,
    now_s: int,
    milestone: Milestone,
) -> Settlement:
    """Post what can be posted. Asked again with the same body, the first answer is given again.

    `content` is the SHA-256 of the body. A settlement of which nothing was posted is not kept: it
    may be tried again under its external id. Raises ExternalIdTaken for another body under that id.
    """
    row = _find(tx, order.external_id)
    if row is not None:
        if bytes(row.content) != content:
            raise ExternalIdTaken(
                "got an external_id that names another settlement already", {"height": row.height}
            )
        return _settlement(row, repeated=True)
    transfers = transfers_of(order, _refused(tx, order, door))
    posted = post_each(tx, CAUSE + order.external_id, transfers, now_s)
    milestone("settlement.posted")
    settlement = Settlement(
        external_id=order.external_id,
        mode=order.mode,
        height=posted.height,
        state_hash=posted.state_hash,
        results=posted.results,
        created_s=now_s,
        repeated=False,
    )
    if settlement.height:
        tx.execute(insert(settlements).values(_row(settlement, content, requester)))
        milestone("settlement.kept")
    return settlement


def get(tx: Connection, external_id: str) -> Settlement:
    """What became of the settlement that the exchange named so. Raises SettlementNotFound."""
    row = _find(tx, external_id)
    if row is None:
        raise SettlementNotFound("got an external id of no settlement of which anything was posted")
    return _settlement(row, repeated=True)


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


def _row(settlement: Settlement, content: bytes, requester: str) -> dict[str, object]:
    names = "\n".join(settlement.results)
    return {
        "external_id": settlement.external_id,
        "content": content,
        "mode": settlement.mode,
        "height": settlement.height,
        "state_hash": settlement.state_hash,
        # Nearly all are the same word: a few bytes for a thousand transfers.
        "results": zlib.compress(names.encode(), 1),
        "requester": requester,
        "created_s": settlement.created_s,
    }


def _find(tx: Connection, external_id: str) -> Row[tuple[object, ...]] | None:
    query = select(settlements).where(settlements.c.external_id == external_id)
    return tx.execute(query).one_or_none()


def _settlement(row: Row[tuple[object, ...]], *, repeated: bool) -> Settlement:
    names = zlib.decompressobj().decompress(bytes(row.results), RESULTS_BYTES_MAX).decode()
    return Settlement(
        external_id=row.external_id,
        mode=row.mode,
        height=row.height,
        state_hash=bytes(row.state_hash),
        results=[_RESULTS[name] for name in names.split("\n")],
        created_s=row.created_s,
        repeated=repeated,
    )


_RESULTS = {str(result): result for result in Result}
