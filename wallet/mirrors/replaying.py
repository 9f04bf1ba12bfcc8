"""Replaying heights of another ledger: each is judged anew, and must hash to what it says.

The engine's own rules and encoding do it, so what is accepted here is what would have been posted
here by accounts without terms. Nothing of a tail stays unless all of it holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from wallet.ledger.books import Books, Position
from wallet.ledger.encoding import GENESIS, lines, opened_line
from wallet.ledger.judging import Judge
from wallet.ledger.loading import load_for, load_head, load_numbers
from wallet.ledger.results import Result
from wallet.ledger.sealing import Sealed, seal, together
from wallet.ledger.transfers import Transfer, TransferKind
from wallet.ledger.writing import write
from wallet.milestones import Milestone, pass_by
from wallet.mirrors.errors import (
    HeadWrong,
    StateHashWrong,
    TailForks,
    TailGap,
    TailMalformed,
    TailRefused,
)
from wallet.mirrors.rows import NOTHING
from wallet.mirrors.tails import Ends, Record
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_batches

LINES = 5_000
"""Lines judged in memory before they are written."""

_b = ledger_batches.c


class _UnboundBooks(Books):
    """Books that keep no account to its terms.

    Terms are no part of a height: each was judged by those of its hour where it was posted, and by
    today's it might be refused.
    """

    __slots__ = ()

    def limit(self, position: Position) -> None:
        """Leave it free."""


@dataclass(slots=True)
class _Follower:
    """The books of a ledger that follows another, and what is judged and not written yet."""

    tx: Connection
    books: Books
    owners: dict[int, tuple[str, str]] = field(default_factory=dict)
    group: list[Sealed] = field(default_factory=list)
    lines: int = 0

    def take(self, record: Record) -> None:
        """Judge a height. Raises TailRefused, StateHashWrong."""
        books, height = self.books, record.height
        transfers = self._transfers(record)
        load_for(self.tx, books, transfers)
        judged = Judge(books, now_s=record.created_s).whole(transfers)
        for transfer, result in zip(transfers, judged.results, strict=True):
            if result not in (Result.OK, Result.LINKED_FAILED):
                raise _refused(height, f"transfer {transfer.id} is {result}", str(result))
        opened = [opened_line(position) for position in judged.opened]
        posted = judged.posted.lines(judged.height)
        if opened != list(record.accounts) or posted != lines(record.transfers):
            raise _refused(height, "its lines are not those its transfers make", "lines")
        sealed = seal(books, judged, record.cause, record.content, record.created_s)
        if sealed.state_hash != record.state_hash:
            raise StateHashWrong(
                f"height {height} hashes to {sealed.state_hash.hex()}, and the tail says "
                f"{record.state_hash.hex()}",
                {"height": height},
            )
        self.group.append(sealed)
        self.lines += len(judged.posted)
        if self.lines >= LINES:
            self.flush()

    def flush(self) -> None:
        """Write what was judged. Raises TailRefused where an id or cause was there before."""
        if self.group:
            try:
                write(self.tx, together(self.group))
            except IntegrityError as error:
                height = self.group[0].height
                what = f"the database refuses it: {str(error.orig).splitlines()[0]}"
                raise _refused(height, what, "database") from error
        self.group, self.lines = [], 0

    def _transfers(self, record: Record) -> Sequence[Transfer]:
        """The transfers that a record's lines came from."""
        parsed = [line.removesuffix("\n").split("\t") for line in record.transfers]
        opened = [line.split("\t") for line in record.accounts]
        try:
            self.owners |= {int(number): (owner, asset) for number, owner, asset, *_ in opened}
            numbers = {int(number) for fields in parsed for number in fields[5:7]}
            unknown = sorted(numbers - self.owners.keys())
            self.owners |= load_numbers(self.tx, self.books, unknown)
            transfers = [self._transfer(fields) for fields in parsed]
        except (ValueError, KeyError) as error:
            raise _refused(
                record.height, "a line does not parse or names no account", "lines"
            ) from error
        if not transfers:
            raise _refused(record.height, "it has no transfers", "lines")
        return transfers

    def _transfer(self, fields: list[str]) -> Transfer:
        _height, _line, id, kind, hold_id, debit, credit, units, expires_s = fields
        if hold_id != NOTHING:
            ends = TransferKind(kind) is TransferKind.POST
            post = Transfer.post(hold_id=hold_id, units=int(units), id=id)
            return post if ends else Transfer.void(hold_id=hold_id, id=id)
        payer, asset = self.owners[int(debit)]
        return Transfer(
            id=id,
            kind=TransferKind(kind),
            debit=payer,
            credit=self.owners[int(credit)][0],
            asset=asset,
            units=int(units),
            expires_s=int(expires_s),
        )


def replay(
    database: Database, ends: Ends, records: Iterable[Record], milestone: Milestone = pass_by
) -> int:
    """Bring a ledger to the end of a tail, in one transaction; its new height is returned.

    Heights it has already are skipped, so the same tail twice is no harm. Raises TailGap,
    TailForks, TailRefused, StateHashWrong or HeadWrong, naming the first height that does not
    hold; nothing is kept then.
    """
    with database.write() as tx:
        books = _UnboundBooks()
        load_head(tx, books, following=True)
        _check_start(tx, books, ends)
        follower, start = _Follower(tx, books), books.height
        expected = ends.after + 1
        for record in records:
            if record.height != expected or record.height > ends.to:
                raise TailMalformed(f"got height {record.height}, expected {expected} of {ends.to}")
            expected += 1
            if record.height > start:
                follower.take(record)
        follower.flush()
        if books.height > start and (books.height, books.state_hash) != (ends.to, ends.to_hash):
            raise HeadWrong(
                f"the tail leads to height {books.height} with hash {books.state_hash.hex()}, and "
                f"was signed for {ends.to} with {ends.to_hash.hex()}",
                {"height": books.height},
            )
        if expected <= ends.to:
            raise HeadWrong(
                f"got a tail up to height {expected - 1}, expected up to {ends.to}",
                {"height": expected - 1},
            )
        milestone("tail:replayed")
    milestone("tail:kept")
    return books.height


def _check_start(tx: Connection, books: Books, ends: Ends) -> None:
    if ends.after > books.height:
        raise TailGap(
            f"got a tail after height {ends.after}, expected one after {books.height} or less, "
            "the last height here",
            {"height": books.height},
        )
    for height, named in ((ends.after, ends.after_hash), (ends.to, ends.to_hash)):
        known = GENESIS if height == 0 else _hash_at(tx, height)
        if known is not None and known != named:
            raise TailForks(
                f"height {height} has hash {known.hex()} here and {named.hex()} there: the tail "
                "is of another history",
                {"height": height},
            )


def _hash_at(tx: Connection, height: int) -> bytes | None:
    known = tx.execute(select(_b.state_hash).where(_b.height == height)).scalar()
    return None if known is None else bytes(known)


def _refused(height: int, why: str, code: str) -> TailRefused:
    return TailRefused(f"height {height} does not hold: {why}", {"height": height, "why": code})
