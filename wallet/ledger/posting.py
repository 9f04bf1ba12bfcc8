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
from wallet.ledger.judging import Judge, Judged
from wallet.ledger.results import Result
from wallet.ledger.sealing import seal
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
    "single",
]

CAUSE_MAX = 128
"""Characters of a cause, as the column holds."""

_BY_CAUSE = select(
    ledger_batches.c.height, ledger_batches.c.content, ledger_batches.c.state_hash
).where(ledger_batches.c.cause == bindparam("named"))


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


def post_batch(tx: Connection, cause: str, transfers: Sequence[Transfer], now_s: int) -> Batch:
    """Post all transfers, in order, or raise and post none.

    `cause` names why ("deposit:<id>:credit"), for ever: the same cause with the same transfers
    is answered with the batch it made before, with others it raises CauseConflict.
    Raises InsufficientFunds, HoldUnknown, HoldEnded, HoldExceeded, HoldExpired, TransferExists,
    BadTransfer, UnknownOwner, AccountFrozen, TrustMissing, LimitExceeded.
    """
    numbered = checked(cause, transfers)
    content = content_digest(numbered)
    earlier = earlier_batch(tx, cause, content)
    if earlier is not None:
        return Batch(height=earlier.height, repeated=True)
    ids = [transfer.id for transfer in numbered]
    if len(set(ids)) != len(ids):
        raise BadTransfer("got two transfers with one id in a batch, expected one each")
    for id in loading.known_transfers(tx, ids):
        raise TransferExists(f"transfer {id} was posted before", {"transfer": id})
    books = Books()
    loading.load_head(tx, books)
    loading.load_for(tx, books, numbered)
    judged = Judge(books, now_s=now_s).whole(numbered)
    _raise_refused(numbered, judged)
    write(tx, [seal(books, judged, cause, content, now_s)])
    return Batch(height=books.height, repeated=False)


def post_each(tx: Connection, cause: str, transfers: Sequence[Transfer], now_s: int) -> Posted:
    """Post each transfer that can be, in order; linked ones together. A result for each.

    A cause that was posted before posts nothing: what it had posted is `exists`, what it had
    refused `refused_before`. Raises BadTransfer, CauseConflict.
    """
    numbered = checked(cause, transfers)
    content = content_digest(numbered)
    earlier = earlier_batch(tx, cause, content)
    known = loading.known_transfers(tx, [transfer.id for transfer in numbered])
    if earlier is not None:
        results = [Result.EXISTS if t.id in known else Result.REFUSED_BEFORE for t in numbered]
        return Posted(
            height=earlier.height, state_hash=earlier.state_hash, repeated=True, results=results
        )
    books = Books()
    loading.load_head(tx, books)
    loading.load_for(tx, books, numbered)
    judged = Judge(books, now_s=now_s, known=known).each(numbered)
    if not judged.lines:
        return Posted(height=0, state_hash=books.state_hash, repeated=False, results=judged.results)
    sealed = seal(books, judged, cause, content, now_s)
    write(tx, [sealed])
    return Posted(
        height=sealed.height,
        state_hash=sealed.state_hash,
        repeated=False,
        results=judged.results,
    )


@dataclass(frozen=True, slots=True)
class Earlier:
    """The batch that a cause made before."""

    height: int
    state_hash: bytes


def checked(cause: str, transfers: Sequence[Transfer]) -> Sequence[Transfer]:
    """The transfers with an id each. Raises BadTransfer."""
    if not 0 < len(cause) <= CAUSE_MAX or not cause.isprintable():
        raise BadTransfer(f"got cause {cause[:40]!r}, expected 1 to {CAUSE_MAX} printable ones")
    return number(cause, transfers)


def earlier_batch(tx: Connection, cause: str, content: bytes) -> Earlier | None:
    """The batch a cause made before. Raises CauseConflict when it had other transfers."""
    row = tx.execute(_BY_CAUSE, {"named": cause}).first()
    if row is None:
        return None
    if bytes(row.content) != content:
        raise CauseConflict(
            f"cause {cause} was posted before as batch {row.height} with other transfers",
            {"cause": cause, "batch": row.height},
        )
    return Earlier(row.height, bytes(row.state_hash))


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


def _raise_refused(transfers: Sequence[Transfer], judged: Judged) -> None:
    for transfer, result in zip(transfers, judged.results, strict=True):
        if result in (Result.OK, Result.LINKED_FAILED):
            continue
        if result is Result.INSUFFICIENT_FUNDS:
            raise InsufficientFunds(
                f"{transfer.debit} has {judged.available} base units of {transfer.asset} "
                f"available, expected at least {transfer.units}",
                {
                    "owner": transfer.debit,
                    "asset": transfer.asset,
                    "available_units": str(judged.available),
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
