"""Moving the wallet from its embedded database to PostgreSQL: all of it, or nothing.

The old home is marked first, so that nobody goes on with it, and its writer's lock is kept to the
end. The new one gets every table in one transaction, which commits only when all that is read
back is the same. Killed at any moment, the new home is empty or whole, and the same command makes
the move again, or finds it made and only notes so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, inspect, select

from wallet import events
from wallet.clock import Clock
from wallet.errors import Conflict
from wallet.ledger.balances import Balance, asset_totals, off_balance
from wallet.ledger.chart import Kind
from wallet.milestones import Milestone, pass_by
from wallet.store import copying, migrate, moved, walls
from wallet.store.columns import metadata
from wallet.store.copying import Digest
from wallet.store.database import Database
from wallet.store.errors import SchemaMismatch
from wallet.store.schema import leases, ledger_batches

Progress = Callable[[str, int, int], None]
"""Told what is done, how many rows of it more, and of how many in all."""


class MoveRefused(Conflict):
    """A move that would not be of one whole home into an empty one."""

    code = "move.refused"


class SourceInUse(MoveRefused):
    """A service still works with the old home."""

    code = "move.source_in_use"


class TargetNotEmpty(MoveRefused):
    """Something is in the new home already."""

    code = "move.target_not_empty"


class MoveDiffers(MoveRefused):
    """What was read back is not what was copied; the new home got nothing."""

    code = "move.differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The ends of both chains, and what the assets' books add up to."""

    height: int
    state_hash: bytes
    event: int
    totals: Mapping[str, Mapping[Kind, Balance]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What is in the new home now: rows by table, and the heads."""

    home: str
    head: Head
    rows: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Move:
    """One move; `home` names the new one without its secrets."""

    source: Database
    target: Database
    home: str
    clock: Clock
    progress: Progress
    milestone: Milestone = field(default=pass_by)

    def run(self) -> Moved:
        """Make the move, or find it made.

        Raises SchemaMismatch, StoreBusy, DatabaseMoved, RowRefused and the errors above; nothing
        is in the new home then, and `give_up` takes the mark off the old one.
        """
        self._check_engines()
        self._mark()
        self.milestone("move.marked")
        with self.source.write(moving=True) as old:
            with self.target.write() as new:
                head = self._fill(old, new) if _is_empty(new) else self._find(old, new)
                done = Moved(home=self.home, head=head, rows=copying.counts(new))
            self.milestone("move.committed")
            moved.end(old, self.clock.now_s())
        return done

    def give_up(self) -> None:
        """Go on with the old home.

        Raises MoveRefused unless a move to this new home was begun, TargetNotEmpty if it was made.
        """
        self._check_engines()
        with self.source.write(moving=True) as old, self.target.write() as new:
            home = moved.home_of(old)
            if home is None or home.ended_s is not None or home.name != self.home:
                raise MoveRefused(f"got no move to {self.home} to give up, expected one begun")
            if not _is_empty(new):
                raise TargetNotEmpty(f"got rows in {self.home}, expected none: the move was made")
            moved.give_up(old)

    def _check_engines(self) -> None:
        if (self.source.dialect, self.target.dialect) != ("sqlite", "postgresql"):
            raise MoveRefused(
                f"got a move from {self.source.dialect} to {self.target.dialect}, "
                "expected one from sqlite to postgresql"
            )
        with self.source.read() as tx:
            if not migrate.is_current(tx):
                raise SchemaMismatch(
                    "got an old home of another version, expected this one's: start it once, or "
                    "run glaytos-wallet database migrate"
                )
            walls.check(tx)

    def _mark(self) -> None:
        """No service may work with the old home, and none can from here on."""
        now_s = self.clock.now_s()
        with self.source.write(moving=True) as tx:
            home = moved.home_of(tx)
            if home is not None:
                if home.ended_s is not None or home.name != self.home:
                    moved.check(tx)
                return
            held = select(leases.c.role).where(leases.c.expires_s > now_s).limit(1)
            if (role := tx.execute(held).scalar()) is not None:
                raise SourceInUse(
                    f"got a service that works as {role} with the old home, expected it stopped"
                )
            moved.begin(tx, self.home, now_s)

    def _fill(self, old: Connection, new: Connection) -> Head:
        migrate.upgrade(new)
        copying.switch_walls(new, on=False)
        total = sum(copying.counts(old).values())
        copied = {
            table.name: copying.copy_rows(
                old, new, table, lambda more: self.progress("copying", more, total)
            )
            for table in copying.moving_tables()
        }
        copying.switch_walls(new, on=True)
        self.milestone("move.copied")
        head = self._check_same(old, new, copied)
        walls.check(new)
        self.milestone("move.checked")
        return head

    def _find(self, old: Connection, new: Connection) -> Head:
        """A move that was made and not noted: the new home has all of the old one, and no more."""
        try:
            return self._check_same(old, new, self._digests(old, "reading"))
        except MoveDiffers as error:
            raise TargetNotEmpty(
                f"got rows in {self.home} that are not those of the old home, expected an empty "
                f"database: {error}"
            ) from error

    def _check_same(self, old: Connection, new: Connection, expected: Mapping[str, Digest]) -> Head:
        """The heads of both homes. Raises MoveDiffers naming the first table that differs."""
        found = self._digests(new, "checking")
        for name, digest in expected.items():
            if found[name] != digest:
                raise MoveDiffers(
                    f"got {found[name].rows} rows of {name} with digest {found[name].sum:064x}, "
                    f"expected {digest.rows} with {digest.sum:064x}"
                )
        head, left = _head(new), _head(old)
        if head != left:
            raise MoveDiffers(f"got height {head.height}, expected {left.height} and the same sums")
        if off := off_balance(head.totals):
            raise MoveDiffers(f"got sums of {', '.join(off)} that are not zero")
        return head

    def _digests(self, tx: Connection, doing: str) -> Mapping[str, Digest]:
        total = sum(copying.counts(tx).values())
        return {
            table.name: copying.digest_rows(
                tx, table, lambda more: self.progress(doing, more, total)
            )
            for table in copying.moving_tables()
        }


def _is_empty(tx: Connection) -> bool:
    """Nothing is there, or this version's tables without a row. Raises SchemaMismatch.

    Other tables than ours would share the wallet's fate: TargetNotEmpty.
    """
    names = set(inspect(tx).get_table_names())
    others = names - set(metadata.tables) - {"alembic_version", *walls.partition_names(tx)}
    if others:
        raise TargetNotEmpty(
            f"got a new home with other tables, {', '.join(sorted(others)[:3])}, expected none"
        )
    if not names:
        return True
    if not migrate.is_current(tx):
        raise SchemaMismatch("got a new home of another version, expected this one's or nothing")
    return not any(copying.counts(tx).values())


def _head(tx: Connection) -> Head:
    """The heads of a home. Raises EventChainBroken, as its events are hashed anew."""
    row = tx.execute(
        select(ledger_batches.c.height, ledger_batches.c.state_hash)
        .order_by(ledger_batches.c.height.desc())
        .limit(1)
    ).one_or_none()
    return Head(
        height=0 if row is None else row.height,
        state_hash=b"" if row is None else bytes(row.state_hash),
        event=events.verify_chain(tx),
        totals=asset_totals(tx),
    )
