"""Backup and point-in-time restore of PostgreSQL: the ledger as it was just before a disaster."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select, text

from tests.payments_world import BTC, Keep, World, outside_address
from tests.postgres_cluster import Cluster, cluster
from wallet import events
from wallet.addresses.issuing import Address, issue
from wallet.addresses.marks import AddressMarks, CounterBehind
from wallet.ledger import chart
from wallet.ledger.balances import Balance, asset_totals
from wallet.ledger.chart import Kind
from wallet.ledger.partitions import Partitions, sealed
from wallet.ledger.posting import post_batch, single
from wallet.store.database import Database
from wallet.store.schema import ledger_batches, withdrawals

WAIT_S = 120
pytestmark = pytest.mark.xdist_group("restore")  # both restore what one worker made

Head = tuple[int, bytes, int, Mapping[str, Mapping[Kind, Balance]], Sequence[int]]
"""Height, state hash, last event, sums of each asset, sealed partitions."""


@dataclass(frozen=True)
class Backed:
    """A cluster after its disaster, with a base backup and an archive, and how it was before."""

    cluster: Cluster
    keep: Keep
    head: Head
    moment: str
    told: Address
    """Handed out after the moment."""

    @property
    def height(self) -> int:
        return self.head[0]


def head_of(tx: Connection) -> Head:
    newest = select(ledger_batches.c.height, ledger_batches.c.state_hash)
    row = tx.execute(newest.order_by(ledger_batches.c.height.desc()).limit(1)).one()
    partitions = [partition.last_height for partition in sealed(tx)]
    return (
        row.height,
        bytes(row.state_hash),
        events.verify_chain(tx),
        asset_totals(tx),
        partitions,
    )


def pay(world: World, name: str) -> None:
    user = world.account(name)
    world.deposit(user, "BTC", 5_000_000)
    world.withdraw(user, "BTC", outside_address(1), 100_000, name)
    for _ in range(6):
        world.work()
        world.keep.btc.mine()
    with world.database.read() as tx:
        status = select(withdrawals.c.status).where(withdrawals.c.external_id == name)
        assert tx.execute(status).scalar_one() == "completed"


def tell(database: Database, keep: Keep, folder: Path) -> Address:
    """A deposit address as the API hands it out."""
    world = World(database, keep)
    account_id = world.account(str(uuid4()))
    with database.write() as tx:
        fresh = issue(
            tx,
            world.deriver,
            network=BTC,
            source=world.networks[BTC].deposit,
            account_id=account_id,
            now_s=0,
        )
        AddressMarks.of(folder).check(fresh)
    AddressMarks.of(folder).note(fresh)
    return fresh


@pytest.fixture(scope="module")
def backed(request: pytest.FixtureRequest) -> Iterator[Backed]:
    request.getfixturevalue("postgres")  # skips, or fails, where there is no PostgreSQL
    with cluster() as made:
        made.make()
        made.start()
        database = Database.open(made.url)
        database.migrate()
        keep = Keep()
        world = World(database, keep)
        pay(world, "before the backup")
        backup = str(made.folder / "backup")
        address = ["-h", str(made.folder), "-U", "postgres"]
        made.run("pg_basebackup", *address, "-D", backup, "-c", "fast", "--no-sync")
        pay(world, "after the backup")
        Partitions(database, 1).step()
        pay(world, "just before")
        with database.read() as tx:
            head = head_of(tx)
        database.close()
        moment = str(made.ask("SELECT clock_timestamp()::text"))
        made.ask("SELECT pg_create_restore_point('just before')")
        told = tell(database := Database.open(made.url), keep, made.folder)
        database.close()
        made.ask("DROP TABLE ledger_transfers, ledger_balances CASCADE")
        archived(made, str(made.ask("SELECT pg_walfile_name(pg_switch_wal())")))
        made.stop("immediate")
        shutil.rmtree(made.data)
        yield Backed(made, keep, head, moment, told)


def archived(made: Cluster, segment: str) -> None:
    """Wait until the archive has a segment of the log."""
    end = time.monotonic() + WAIT_S
    while not (made.archive / segment).exists():
        assert time.monotonic() < end, "the log was not archived"
        made.ask("SELECT pg_sleep(0.05)")


@contextmanager
def restored(made: Cluster, target: str) -> Iterator[Database]:
    """What an administrator does: the base backup, the archive, where to stop, and start."""
    made.copy("backup", "data")
    made.configure(
        f"restore_command = 'cp {made.archive}/%f %p'",
        target,
        "recovery_target_action = 'promote'",
        "archive_mode = off",  # these tests restore twice from one archive
    )
    (made.data / "recovery.signal").touch()
    made.own(made.data / "recovery.signal")
    database = Database.open(made.url)
    try:
        made.start()
        until_promoted(database)
        database.migrate()  # as the service at its start: this schema, and all walls stand
        yield database
    finally:
        database.close()
        made.stop("fast")
        shutil.rmtree(made.data)


def test_restored_to_a_time_the_ledger_is_as_it_was_then(backed: Backed) -> None:
    with restored(backed.cluster, f"recovery_target_time = '{backed.moment}'") as database:
        with database.read() as tx:
            assert head_of(tx) == backed.head
        with database.write() as tx:
            batch = post_batch(tx, "next", [single(chart.DEPOSIT, "user:bob", "BTC", 1)], 0)
        assert batch.height == backed.height + 1


def test_restored_to_a_named_point_the_wallet_goes_on_paying(backed: Backed) -> None:
    with restored(backed.cluster, "recovery_target_name = 'just before'") as database:
        with database.read() as tx:
            assert head_of(tx) == backed.head
        pay(World(database, backed.keep), "after the restore")
        Partitions(database, 1).step()
        with database.read() as tx:
            assert sealed(tx)[-1].last_height > backed.height
        database.migrate()


def test_restored_to_a_time_no_address_is_handed_out_twice(backed: Backed) -> None:
    folder = backed.cluster.folder
    with restored(backed.cluster, "recovery_target_name = 'just before'") as database:
        with pytest.raises(CounterBehind):
            tell(database, backed.keep, folder)
        with database.write() as tx:
            AddressMarks.of(folder).move(tx)
        fresh = tell(database, backed.keep, folder)
    assert fresh.position == backed.told.position + 1
    assert fresh.address != backed.told.address


def until_promoted(database: Database) -> None:
    """The server answers readers while it still recovers; it writes when that is over."""
    end = time.monotonic() + WAIT_S
    while True:
        with database.engine.connect() as connection:
            if not connection.execute(text("SELECT pg_is_in_recovery()")).scalar():
                return
            connection.execute(text("SELECT pg_sleep(0.05)"))
        assert time.monotonic() < end, "the recovery did not end"
