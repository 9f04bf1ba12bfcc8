"""Posting a batch inside the caller's transaction: all of it, or each transfer by itself.

A batch is a height. The rules are judged in memory (`judging`), written set by set (`writing`),
and the database's triggers check what they can see of it again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from wallet.ledger import loading
from wallet.ledger.balances import (
    Balance,
    asset_totals,
    balance,
    balances_of,
    liabilities_units,
)
from wallet.ledger.books import Books
from wallet.ledger.errors import (
    AccountFrozen,
    BadTransfer,
    CauseConflict,
    HoldEnded,
    HoldExceeded,
    HoldExpired,
    HoldUnknown,
    InsufficientFunds,
    LedgerError,
    LimitExceeded,
    TransferExists,
    TrustMissing,
    UnknownOwner,
)
from wallet.ledger.judging import Judge
from wallet.ledger.results import Result
from wallet.ledger.sealing import seal, together
from wallet.ledger.transfers import Transfer, TransferKind, content_digest, number, single
from wallet.ledger.writing import write
from wallet.store.tables.ledger import ledger_batches

__all__ = [
    "Balance",
    "Batch",
    "Posted",
    "Result",
    "Transfer",
    "TransferKind",
    "asset_totals",
    "balance",
    "balances_of",
    "liabilities_units",
    "post_batch",
    "post_each",
    "post_whole",
    "single",
]

CAUSE_MAX = 128
"""Characters of a cause, as the column holds."""

_BY_CAUSE = select(
    ledger_batches.c.cause,
    ledger_batches.c.height,
    ledger_batches.c.content,
    ledger_batches.c.state_hash,
).where(ledger_batches.c.cause.in_(bindparam("these", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A posted batch; `repeated` says that an earlier call had posted it already."""

    height: int
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A result for each transfer, and the height they are in with its state hash.

    `height` is 0 where nothing was posted.
    """

    height: int
    state_hash: bytes
    repeated: bool
    results: Sequence[Result]
    available: int = 0
    """What the account had whose funds did not suffice."""


def post_batch(tx: Connection, cause: str, transfers: Sequence[Transfer], now_s: int) -> Batch:
    """Post all transfers, in order, or raise and post none.

    `cause` names why ("deposit:<id>:credit"), for ever: the same cause with the same transfers
    is answered with the batch it made before, with others it raises CauseConflict.
    Raises InsufficientFunds, HoldUnknown, HoldEnded, HoldExceeded, HoldExpired, TransferExists,
    BadTransfer, UnknownOwner, AccountFrozen, TrustMissing, LimitExceeded.
    """
    numbered = checked(cause, transfers)
    ids = {transfer.id for transfer in numbered}
    if len(ids) != len(numbered):
        raise BadTransfer("got two transfers with one id in a batch, expected one each")
    posted = _post(tx, cause, numbered, now_s, whole=True)
    if not posted.repeated:
        _raise_refused(numbered, posted)
    return Batch(height=posted.height, repeated=posted.repeated)


def post_whole(tx: Connection, cause: str, transfers: Sequence[Transfer], now_s: int) -> Posted:
    """Post all transfers, in order, or none; a result for each says which stood in the way.

    Raises BadTransfer, CauseConflict.
    """
    return _post(tx, cause, checked(cause, transfers), now_s, whole=True)


def post_each(tx: Connection, cause: str, transfers: Sequence[Transfer], now_s: int) -> Posted:
    """Post each transfer that can be, in order; linked ones together. A result for each.

    A cause that was posted before posts nothing: what it had posted is `exists`, what it had
    refused `refused_before`. Raises BadTransfer, CauseConflict.
    """
    return _post(tx, cause, checked(cause, transfers), now_s, whole=False)


def _post(
    tx: Connection, cause: str, transfers: Sequence[Transfer], now_s: int, *, whole: bool
) -> Posted:
    content = content_digest(transfers)
    earlier = earlier_batches(tx, [cause]).get(cause)
    if earlier is not None:
        return repeated(tx, cause, transfers, content, earlier)
    known = loading.known_transfers(tx, [transfer.id for transfer in transfers])
    books = Books()
    loading.load_head(tx, books)
    loading.load_for(tx, books, transfers)
    judge = Judge(books, now_s=now_s, known=known)
    judged = judge.whole(transfers) if whole else judge.each(transfers)
    height = 0
    if judged.posted:
        write(tx, together([seal(books, judged, cause, content, now_s)]))
        height = books.height
    return Posted(
        height=height,
        state_hash=books.state_hash,
        repeated=False,
        results=judged.results,
        available=judged.available,
    )


@dataclass(frozen=True, slots=True)
class Earlier:
    """The batch that a cause made before."""

    height: int
    state_hash: bytes
    content: bytes


def checked(cause: str, transfers: Sequence[Transfer]) -> Sequence[Transfer]:
    """The transfers with an id each. Raises BadTransfer."""
    if not 0 < len(cause) <= CAUSE_MAX or not cause.isprintable():
        raise BadTransfer(f"got cause {cause[:40]!r}, expected 1 to {CAUSE_MAX} printable ones")
    return number(cause, transfers)


def earlier_batches(tx: Connection, causes: Sequence[str]) -> dict[str, Earlier]:
    """Cause to the batch it made, for those that made one."""
    found = {}
    for start in range(0, len(causes), loading.CHUNK):
        these = {"these": list(causes[start : start + loading.CHUNK])}
        for row in tx.execute(_BY_CAUSE, these):
            found[row.cause] = Earlier(row.height, bytes(row.state_hash), bytes(row.content))
    return found


def repeated(
    tx: Connection, cause: str, transfers: Sequence[Transfer], content: bytes, earlier: Earlier
) -> Posted:
    """The answer to a cause that was posted before. Raises CauseConflict for other transfers."""
    if earlier.content != content:
        raise CauseConflict(
            f"cause {cause} was posted before as batch {earlier.height} with other transfers",
            {"cause": cause, "batch": earlier.height},
        )
    known = loading.known_transfers(tx, [transfer.id for transfer in transfers])
    return Posted(
        height=earlier.height,
        state_hash=earlier.state_hash,
        repeated=True,
        results=[Result.EXISTS if t.id in known else Result.REFUSED_BEFORE for t in transfers],
    )


_REFUSALS: Mapping[Result, tuple[Callable[..., LedgerError], str]] = {
    Result.ACCOUNT_UNKNOWN: (UnknownOwner, "an owner of the chart on both sides"),
    Result.SAME_ACCOUNT: (BadTransfer, "two accounts"),
    Result.ASSET_INVALID: (BadTransfer, "an asset's code"),
    Result.ASSET_MISMATCH: (BadTransfer, "the asset of the hold"),
    Result.AMOUNT_INVALID: (BadTransfer, "1 to 10^60 units"),
    Result.EXPIRY_INVALID: (BadTransfer, "an expiry in the future, or 0"),
    Result.ACCOUNT_FROZEN: (AccountFrozen, "accounts that are not frozen"),
    Result.TRUST_MISSING: (TrustMissing, "a trust line of the receiver for the asset"),
    Result.LIMIT_EXCEEDED: (LimitExceeded, "no more than the account may hold"),
    Result.HOLD_UNKNOWN: (HoldUnknown, "the id of a hold posted before"),
    Result.HOLD_ENDED: (HoldEnded, "a hold that was not posted or voided before"),
    Result.HOLD_EXCEEDED: (HoldExceeded, "at most what was held"),
    Result.HOLD_EXPIRED: (HoldExpired, "a hold whose time is not over"),
}


def _raise_refused(transfers: Sequence[Transfer], posted: Posted) -> None:
    for transfer, result in zip(transfers, posted.results, strict=True):
        if result in (Result.OK, Result.LINKED_FAILED):
            continue
        if result not in _REFUSALS and result is not Result.INSUFFICIENT_FUNDS:
            raise TransferExists(
                f"transfer {transfer.id} was posted before", {"transfer": transfer.id}
            )
        if result is Result.INSUFFICIENT_FUNDS:
            raise InsufficientFunds(
                f"{transfer.debit} has {posted.available} base units of {transfer.asset} "
                f"available, expected at least {transfer.units}",
                {
                    "owner": transfer.debit,
                    "asset": transfer.asset,
                    "available_units": str(posted.available),
                    "needed_units": str(transfer.units),
                },
            )
        error, expected = _REFUSALS[result]
        given = transfer.hold_id or (
            f"{transfer.units} {transfer.asset} from {transfer.debit} to {transfer.credit}"
        )
        raise error(
            f"got {transfer.kind} of {given[:200]!r}, expected {expected}",
            {"transfer": transfer.id, "result": str(result)}
            | ({"hold_id": transfer.hold_id} if transfer.hold_id else {}),
        )
