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
    """A height ready to be written. `lines`, `ids` and `balances` are COPY text.

    Everything in it is a copy: the books may go on to the next height while it is written.
    """

    height: int
    cause: str
    content: bytes
    created_s: int
    state_hash: bytes
    opened: Sequence[Position]
    lines: Sequence[str]
    ids: Sequence[str]
    balances: Sequence[str]
    made: Sequence[Hold]
    ended: Sequence[tuple[str, int, int]]
    totals: Sequence[tuple[str, Kind, tuple[int, ...]]]


def seal(books: Books, judged: Judged, cause: str, content: bytes, now_s: int) -> Sealed:
    """Close the judged batch as the books' next height."""
    changed = sorted([change[0] for change in judged.changed], key=attrgetter("number"))
    balances = [encoding.balance_line(position) for position in changed]
    height = judged.height
    digest = encoding.kv_digest(
        encoding.batch_line(height, cause, content, now_s),
        [encoding.opened_line(position) for position in judged.opened],
        judged.lines,
        balances,
    )
    books.state_hash = encoding.state_hash(books.state_hash, digest, height)
    books.height = height
    return Sealed(
        height=height,
        cause=cause,
        content=content,
        created_s=now_s,
        state_hash=books.state_hash,
        opened=judged.opened,
        lines=judged.lines,
        ids=judged.ids,
        balances=balances,
        made=judged.made,
        ended=[(hold.id, *hold.ended) for hold in judged.ended if hold.ended is not None],
        totals=_add_totals(books, judged),
    )


def _add_totals(books: Books, judged: Judged) -> Sequence[tuple[str, Kind, tuple[int, ...]]]:
    changes: dict[tuple[str, Kind], list[int]] = {}
    for position, debits, credits_, debits_held, credits_held in judged.changed:
        account = position.account
        key = (account.asset, account.kind)
        sums = changes.get(key)
        if sums is None:
            sums = changes[key] = books.totals.setdefault(key, [0, 0, 0, 0])
        sums[0] += position.debits - debits
        sums[1] += position.credits - credits_
        if position.debits_held != debits_held or position.credits_held != credits_held:
            sums[2] += position.debits_held - debits_held
            sums[3] += position.credits_held - credits_held
    return [(asset, kind, tuple(sums)) for (asset, kind), sums in changes.items()]
