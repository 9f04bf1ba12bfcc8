"""Verifying each new height soon after it was written, by the rows that the database has then.

How far that went is kept with the state hash there, so that history which was verified once cannot
be written anew, hashes and all.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select, update

from wallet.ledger.encoding import NOTHING
from wallet.ledger.versions import crosschecks, history
from wallet.ledger.versions.findings import Bad, Finding, of_batch
from wallet.ledger.versions.replay import Position, Replay
from wallet.ledger.versions.rows import (
    AccountRow,
    BatchRow,
    head_height,
    parts,
    some_accounts,
    transfer_lines,
)
from wallet.ledger.versions.verifying import begin_at, verify, verify_heights
from wallet.store.counters import current, head, raise_to, set_head
from wallet.store.database import Database
from wallet.store.schema import counters
from wallet.store.tables.ledger import ledger_batches, ledger_rollbacks

MARK = "ledger_verified"
"""The counter that holds the last verified height, with its state hash."""


Alarm = Callable[[Connection, Finding], None]
"""Is given what was found, again and again while it is so, inside a writing transaction."""


class LedgerFollower:
    """The duty `ledger.verify`."""

    def __init__(self, database: Database, alarm: Alarm) -> None:
        self._database = database
        self._alarm = alarm

    def step(self) -> Finding | None:
        """Verify one part of the heights that were not; what contradicts the others, if any."""
        finding: Finding | None = None
        reached: tuple[int, bytes] | None = None
        with self._database.read() as tx:
            try:
                reached = _follow(tx)
            except Bad as bad:
                finding = bad.finding
        if finding is None and reached is None:
            return None
        with self._database.write() as tx:
            if finding is not None:
                self._alarm(tx, finding)
            elif reached is not None:
                _keep(tx, *reached)
        return finding


def verified_height(tx: Connection) -> int:
    """The last height that was verified after it was written."""
    return current(tx, MARK)


def _follow(tx: Connection) -> tuple[int, bytes] | None:
    """The height reached and its hash, None where there is nothing new. Raises Bad."""
    mark, last = _mark(tx), head_height(tx)
    if last in (0, mark):
        return None
    if mark <= history.base_height(tx):
        found = verify(tx)
        if found.finding is not None:
            raise Bad(found.finding)
        return found.last, found.state_hash
    batches = next(parts(tx, mark + 1, last), ())
    if not batches:
        raise Bad(of_batch("batch_missing", mark + 1, "it is missing"))
    last = batches[-1].height
    replay = _begin(tx, mark, batches)
    opened: dict[int, list[AccountRow]] = {}
    for row in some_accounts(tx, first=mark + 1, last=last):
        opened.setdefault(row.height, []).append(row)
    verify_heights(tx, replay, opened, last)
    found_beside = crosschecks.check_ids(tx, mark + 1, last, base=None)
    found_beside = found_beside or crosschecks.check_holds(tx, mark + 1, last, base=None)
    if found_beside is not None:
        raise Bad(found_beside)
    return last, replay.state_hash


def _mark(tx: Connection) -> int:
    """The height verified before, or the one that a rollback went back to. Raises Bad."""
    mark, kept = current(tx, MARK), head(tx, MARK)
    if mark == 0:
        return 0
    c, r = ledger_batches.c, ledger_rollbacks.c
    found = tx.execute(select(c.state_hash).where(c.height == mark)).scalar()
    if found is not None and bytes(found) == kept:
        return mark
    undone = select(r.to_height).where(
        r.status == "done", r.to_height < mark, r.from_height >= mark
    )
    back = tx.execute(undone.order_by(r.to_height).limit(1)).scalar()
    if back is None:
        raise Bad(of_batch("rewritten", mark, "it was verified with another state hash"))
    return int(back)


def _begin(tx: Connection, height: int, batches: Sequence[BatchRow]) -> Replay:
    """The books after a height, as far as these batches touch them.

    Balances are the latest less what came after. If a latest one is wrong, so is each before it,
    and the height's hash, which covers them, tells.
    """
    replay = Replay()
    begin_at(tx, replay, height)
    numbers, holds = set[int](), set[str]()
    for _, lines in transfer_lines(tx, batches[0].height, batches[-1].height):
        for line in lines:
            _, _, _, _, hold_id, debit, credit, _, _ = line.split("\t")
            numbers |= {int(debit), int(credit)}
            if hold_id != NOTHING:
                holds.add(hold_id)
    known = [row for row in some_accounts(tx, numbers=sorted(numbers)) if row.height <= height]
    sums = history.sums_from_latest(tx, height, [row.number for row in known])
    for row in known:
        replay.positions[str(row.number)] = Position(row, sums.get(row.number, history.NOTHING))
    for id, hold in history.open_holds(tx, height, sorted(holds)).items():
        debit_number, credit_number, units, expires_s = hold
        replay.holds[id] = (str(debit_number), str(credit_number), units, expires_s)
    return replay


def _keep(tx: Connection, height: int, state_hash: bytes) -> None:
    raise_to(tx, MARK, height)
    tx.execute(update(counters).where(counters.c.name == MARK).values(value=height))
    set_head(tx, MARK, state_hash)
