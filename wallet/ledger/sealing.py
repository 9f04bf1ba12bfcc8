"""Sealing a judged batch: its height's hash, the new totals, and the rows to write."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from wallet.ledger import encoding
from wallet.ledger.books import Books, Hold, Position
from wallet.ledger.chart import Kind
from wallet.ledger.judging import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A height ready to be written. `transfers` are COPY text.

    `changed` are the accounts that changed: `together` reads their sums, while the books are at
    the last height that it is given. The books may go on while that is written.
    """

    height: int
    cause: str
    content: bytes
    created_s: int
    state_hash: bytes
    opened: Sequence[Position]
    transfers: encoding.Lines
    changed: Sequence[Position]
    made: Sequence[Hold]
    ended: Sequence[tuple[str, int, int]]
    totals: Sequence[tuple[str, Kind, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Heights:
    """Heights in order, written and committed together.

    `balances` has the last line of each account that they changed, as COPY text, in the order of
    the table.
    """

    sealed: Sequence[Sealed]
    balances: encoding.Lines


def together(sealed: Sequence[Sealed]) -> Heights:
    """Heights in order as one thing to write."""
    changed = set().union(*[height.changed for height in sealed])
    return Heights(sealed, encoding.balance_lines(sorted(changed, key=attrgetter("number"))))


def seal(books: Books, judged: Judged, cause: str, content: bytes, now_s: int) -> Sealed:
    """Close the judged batch as the books' next height."""
    height, changed = judged.height, judged.changed
    transfers = judged.posted.lines(height)
    digest = encoding.kv_digest(
        encoding.batch_line(height, cause, content, now_s),
        encoding.lines([encoding.opened_line(position) for position in judged.opened]),
        transfers,
        encoding.balance_lines(changed),
    )
    books.state_hash = encoding.state_hash(books.state_hash, digest, height)
    books.height = height
    totals = sorted({p.totals for p in changed}, key=attrgetter("asset", "kind"))
    return Sealed(
        height=height,
        cause=cause,
        content=content,
        created_s=now_s,
        state_hash=books.state_hash,
        opened=judged.opened,
        transfers=transfers,
        changed=changed,
        made=judged.made,
        ended=[(hold.id, *hold.ended) for hold in judged.ended if hold.ended is not None],
        totals=[(total.asset, total.kind, total.sums()) for total in totals],
    )
