"""`ledger verify`: every hash and every sum of the ledger recomputed from its rows alone.

Rows are read a part at a time; what is kept is a few numbers an account and an open hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, select

from wallet.ledger import loading
from wallet.ledger.versions import crosschecks, history
from wallet.ledger.versions.checkpoints import Sealed, check_sealed, sealed_partitions
from wallet.ledger.versions.findings import Bad, BadRange, Finding, of_batch, unreadable_balance
from wallet.ledger.versions.origins import begin_at_image
from wallet.ledger.versions.replay import Position, Replay, check_order, check_size
from wallet.ledger.versions.rows import (
    AccountRow,
    accounts,
    head_height,
    parts,
    transfer_lines,
)
from wallet.ledger.versions.suspecting import Suspect, suspect_of, suspect_row
from wallet.store.tables.ledger import ledger_batches

Told = Callable[[int, int], None]
"""Is told the heights done, and how many there are to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was verified, up to the state hash of the last good height; and what was found bad."""

    first: int
    last: int
    transfers: int
    accounts: int
    state_hash: bytes
    finding: Finding | None


def untold(_done: int, _all: int) -> None:
    """For callers without a progress bar."""


def verify(
    tx: Connection, first: int | None = None, last: int | None = None, told: Told = untold
) -> Verified:
    """Verify the heights `first` (None: all there are) to `last` (None: the head) in one reading.

    From height 1 nothing is believed. From a later one, or in a ledger that began from an image,
    the state hash and the balances before it are; and the latest values, which have no height, are
    compared only where `last` is the head.
    The first bad row ends it, in this order: accounts, then height by height, then ids, holds,
    latest values and totals. Raises BadRange.
    """
    head, base = head_height(tx), history.base_height(tx)
    first = base + 1 if first is None else first
    last = head if last is None else last
    if not (base < first <= last <= head or (first == base + 1 and last == head)):
        raise BadRange(f"got heights {first} to {last}, expected some of {base + 1} to {head}")
    replay, finding = Replay(), None
    try:
        _heights(tx, replay, first, last, told)
        whole = (first, last) == (base + 1, head)
        finding = _tables(tx, replay, (first, last), head, base if whole else None)
    except Bad as bad:
        finding = bad.finding
    return Verified(
        first=first,
        last=last,
        transfers=replay.transfers,
        accounts=len(replay.positions),
        state_hash=replay.state_hash,
        finding=finding,
    )


def _heights(tx: Connection, replay: Replay, first: int, last: int, told: Told) -> None:
    opened = accounts(tx)
    if last == 0:
        _raise(crosschecks.check_beyond(tx, 0))
        return
    head = head_height(tx)
    _raise(crosschecks.check_beyond(tx, head))
    check_order(opened, head)
    origin, before = loading.load_origin(tx), [row for row in opened if row.height < first]
    if origin is not None and origin.height == first - 1:
        begin_at(tx, replay, origin.height)
        begin_at_image(tx, replay, origin, before)
    elif first > 1:
        _open_at(tx, replay, first - 1, before)
    by_height = {
        height: list(rows)
        for height, rows in groupby(
            (row for row in opened if first <= row.height <= last), key=lambda row: row.height
        )
    }
    opened = ()
    verify_heights(tx, replay, by_height, last, told, sealed_partitions(tx, first, last))


def verify_heights(
    tx: Connection,
    replay: Replay,
    opened: dict[int, list[AccountRow]],
    last: int,
    told: Told = untold,
    sealed: Mapping[int, Sealed] | None = None,
) -> None:
    """Replay the heights after the replay's up to `last`. Raises Bad with the first bad row."""
    first = replay.height + 1
    suspect: Suspect | None = None
    for batches in parts(tx, first, last):
        lines = dict(transfer_lines(tx, batches[0].height, batches[-1].height))
        for batch in batches:
            if batch.height != replay.height + 1:
                break
            following = Suspect(
                batch=batch,
                opened=opened.pop(batch.height, []),
                lines=lines.pop(batch.height, ()),
                sums={},
            )
            suspect = _take(tx, replay, following, suspect)
            if suspect is None and sealed and batch.height in sealed:
                check_sealed(tx, sealed[batch.height], replay.positions.values())
        told(replay.height - first + 1, last - first + 1)
        if batch.height != replay.height:
            break
    if suspect is not None:
        raise Bad(suspect_row(tx, suspect))
    if replay.height != last:
        raise Bad(of_batch("batch_missing", replay.height + 1, "it is missing"))


def _take(
    tx: Connection, replay: Replay, following: Suspect, suspect: Suspect | None
) -> Suspect | None:
    """Replay a height; it becomes a suspect where its hash is another.

    A height whose hash is bad and on which the next one builds all the same has only its hash
    changed. Any other suspect is looked into when the next height does not redeem it.
    """
    batch = following.batch
    try:
        check_size(batch, following.lines)
        made = replay.take(batch, following.opened, following.lines)
    except Bad as bad:
        if suspect is not None:
            raise Bad(suspect_row(tx, suspect)) from bad
        raise Bad(suspect_of(tx, bad.finding, following)) from bad
    if suspect is not None:
        if made == batch.state_hash:
            height = suspect.batch.height
            raise Bad(of_batch("state_hash", height, "later heights build on another hash"))
        raise Bad(suspect_row(tx, suspect))
    if made == batch.state_hash:
        return None
    sums = {position.number: position.sums for position in replay.changed}
    return Suspect(batch=batch, opened=following.opened, lines=following.lines, sums=sums)


def _open_at(tx: Connection, replay: Replay, height: int, rows: Sequence[AccountRow]) -> None:
    """Begin after a height, with balances summed up by the database."""
    try:
        sums, changes = history.sums_at(tx, height), history.last_changes(tx, height)
    except (TypeError, ValueError, IndexError) as error:
        told = "it, or a transfer or hold, has sums of another form"
        raise Bad(unreadable_balance(height, told)) from error
    for row in rows:
        found = sums.get(row.number, history.NOTHING)
        replay.positions[str(row.number)] = Position(row, found, changes.get(row.number, 0))
    begin_at(tx, replay, height)
    for id, (debit, credit, units, expires_s) in history.open_holds(tx, height).items():
        replay.holds[id] = (str(debit), str(credit), units, expires_s)


def begin_at(tx: Connection, replay: Replay, height: int) -> None:
    """Set a replay to the height and hash that the next one builds on."""
    c = ledger_batches.c
    row = tx.execute(select(c.state_hash).where(c.height == height)).scalar_one_or_none()
    origin = loading.load_origin(tx)
    if origin is not None and origin.height == height:
        row = origin.state_hash
    if row is None:
        raise Bad(of_batch("batch_missing", height, "it is missing"))
    replay.height, replay.state_hash = height, bytes(row)


def _tables(
    tx: Connection, replay: Replay, heights: tuple[int, int], head: int, base: int | None
) -> Finding | None:
    found = crosschecks.check_ids(tx, *heights, base=base)
    found = found or crosschecks.check_holds(tx, *heights, base=base)
    if found is None and heights[1] == head:
        found = crosschecks.check_balances(tx, replay.positions.values())
        found = found or crosschecks.check_totals(tx, replay.positions.values())
    return found


def _raise(finding: Finding | None) -> None:
    if finding is not None:
        raise Bad(finding)
