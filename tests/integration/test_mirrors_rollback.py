"""Rolling back to a tag: with a quorum, exactly, all or nothing, and every refusal of it."""

import io
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from signer.protocol import public_key_of
from tests.conftest import ROOT
from tests.mirrors_world import (
    ALICE,
    COORDINATOR,
    HEIGHTS,
    KEY,
    NOW_S,
    fill,
    image_of,
    open_holds,
    rows_of,
    uuid,
)
from wallet.errors import Conflict
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.posting import Transfer, post_batch, single
from wallet.ledger.versions.verifying import verify
from wallet.milestones import Milestone, kill_at, pass_by
from wallet.mirrors import outside
from wallet.mirrors.errors import (
    BeforeOrigin,
    CauseUnknown,
    DepositsBooked,
    EscrowsMoved,
    FileProblem,
    IssuesDone,
    LedgerMoved,
    NotAsked,
    NothingToUndo,
    PartDamaged,
    PartitionSealed,
    PaymentsBooked,
    RollbackExpired,
    RollbackQuorum,
    ServiceRunning,
    SignatureWrong,
    StateDiffers,
    TransfersMade,
)
from wallet.mirrors.folder import ImageFolder
from wallet.mirrors.image import open_image
from wallet.mirrors.joining import join
from wallet.mirrors.replaying import replay
from wallet.mirrors.rollback import RollbackDesk
from wallet.mirrors.tails import read_tail
from wallet.mirrors.undoing import check_reach
from wallet.settings import StaffSettings
from wallet.store.database import Database
from wallet.store.schema import approvals, leases
from wallet.store.tables.ledger import ledger_holds
from wallet.treasury.errors import AlreadyApproved, RequesterApproves, UnknownApprover
from wallet.treasury.staff_keys import StaffKey

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def staff_key(name: str, number: int) -> StaffKey:
    seed = bytes([number]) * 32
    return StaffKey(id=name, public_key=public_key_of(seed), seed=seed)


ANNA, BEN, CARO, EVE = (
    staff_key(name, number) for number, name in enumerate(("anna", "ben", "caro", "eve"), 1)
)
ROSTER = [
    StaffSettings(id=key.id, name=key.id.title(), public_key=key.public_key.hex())
    for key in (ANNA, BEN, CARO)
]


class Clock:
    """A clock that a test sets."""

    s = NOW_S + 1_000

    def now_s(self) -> int:
        return self.s


@dataclass
class Ground:
    """A ledger with an image of its first two rounds, two rounds after it, and the desk."""

    database: Database
    folder: Path
    clock: Clock
    milestone: Milestone = pass_by
    required: int = 2

    @property
    def desk(self) -> RollbackDesk:
        return RollbackDesk(
            database=self.database,
            clock=self.clock,
            folder=ImageFolder(self.folder),
            key=KEY,
            attest=COORDINATOR.attest,
            staff=ROSTER,
            approvals_required=self.required,
            new_id=lambda: "rollback-1",
            milestone=self.milestone,
        )

    @property
    def archive(self) -> Path:
        return self.folder / "undone.tail"

    def approved(self) -> str:
        id = self.desk.ask("t1", ANNA).id
        self.desk.approve(id, BEN)
        self.desk.approve(id, CARO)
        return id


def all_rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as tx:
        rows = [repr(tuple(row)) for row in tx.execute(ledger_holds.select())]
    return {**rows_of(database), "ledger_holds": sorted((row,) for row in rows)}


@pytest.fixture
def ground(database: Database, tmp_path: Path) -> Ground:
    fill(database)
    image_of(database, tmp_path / "t1.image")
    return Ground(database, tmp_path, Clock())


def test_a_rollback_takes_back_exactly_what_came_after_and_the_archive_puts_it_back(
    ground: Ground,
) -> None:
    database = ground.database
    at_tag = all_rows(database)
    fill(database, rounds=2, first=2)
    after = all_rows(database)
    done = ground.desk.carry_out(ground.approved(), ground.archive)
    assert (done.status, done.ends.after, done.ends.to) == ("done", 2 * HEIGHTS, 4 * HEIGHTS)
    assert all_rows(database) == at_tag
    with database.read() as tx:
        assert verify(tx).finding is None
        types = [event.type for event in read_events(tx, 0, 100)]
    assert types == [
        "ledger.rollback_requested",
        "ledger.rollback_approved",
        "ledger.rollback_approved",
        "ledger.rolled_back",
    ]
    data = io.BytesIO(ground.archive.read_bytes())
    assert replay(database, *read_tail(data, KEY)) == 4 * HEIGHTS
    assert all_rows(database) == after


def test_after_a_rollback_other_heights_are_posted(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    ground.desk.carry_out(ground.approved(), ground.archive)
    fill(ground.database, rounds=1, first=5)
    with ground.database.read() as tx:
        found = verify(tx)
    assert (found.finding, found.last) == (None, 3 * HEIGHTS)


def test_a_hold_that_ended_above_the_tag_is_open_again(database: Database, tmp_path: Path) -> None:
    fill(database, rounds=1)
    image_of(database, tmp_path / "t1.image")
    before = open_holds(database)
    with database.write() as tx:
        post_batch(tx, "settlement:late end", [Transfer.void(hold_id=uuid(1000))], NOW_S)
    assert open_holds(database) != before
    ground = Ground(database, tmp_path, Clock())
    ground.desk.carry_out(ground.approved(), ground.archive)
    assert open_holds(database) == before


# --- Refusals ------------------------------------------------------------------------------------


def post_more(ground: Ground) -> None:
    with ground.database.write() as tx:
        post_batch(tx, "settlement:more", [single(chart.HOT, ALICE, "BTC", 1)], NOW_S)


def test_fewer_approvals_than_needed_do_nothing(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    before = all_rows(ground.database)
    id = ground.desk.ask("t1", ANNA).id
    assert ground.desk.approve(id, BEN).approvers == ("ben",)
    with pytest.raises(RollbackQuorum):
        ground.desk.carry_out(id, ground.archive)
    assert all_rows(ground.database) == before
    assert not ground.archive.exists()


def test_who_may_ask_and_approve(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    with pytest.raises(UnknownApprover):
        ground.desk.ask("t1", EVE)
    with pytest.raises(UnknownApprover):
        ground.desk.ask("t1", replace(EVE, id="anna"))
    id = ground.desk.ask("t1", ANNA).id
    with pytest.raises(RequesterApproves):
        ground.desk.approve(id, ANNA)
    with pytest.raises(UnknownApprover):
        ground.desk.approve(id, EVE)
    ground.desk.approve(id, BEN)
    with pytest.raises(AlreadyApproved):
        ground.desk.approve(id, BEN)
    with pytest.raises(NotAsked):
        ground.desk.approve("another", CARO)


def test_approvals_are_of_exactly_one_rollback(ground: Ground) -> None:
    """Rows written past the desk: of another digest, or by somebody else's key."""
    fill(ground.database, rounds=1, first=2)
    id = ground.desk.ask("t1", ANNA).id
    found = ground.desk.approve(id, BEN)
    other = CARO.approve(b"x" * 32, ground.clock.s)
    with ground.database.write() as tx:
        tx.execute(
            insert(approvals).values(
                intent_digest=found.digest,
                approver="caro",
                body=other.body,
                sig=other.sig,
                received_s=0,
            )
        )
    with pytest.raises(RollbackQuorum):
        ground.desk.carry_out(id, ground.archive)


def test_the_time_to_approve_ends(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    id = ground.approved()
    ground.clock.s += 24 * 3600
    with pytest.raises(RollbackExpired):
        ground.desk.carry_out(id, ground.archive)
    with pytest.raises(RollbackExpired):
        ground.desk.approve(id, CARO)


def test_a_ledger_that_went_on_is_not_what_was_approved(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    id = ground.approved()
    post_more(ground)
    before = all_rows(ground.database)
    with pytest.raises(LedgerMoved):
        ground.desk.carry_out(id, ground.archive)
    assert all_rows(ground.database) == before


def test_another_image_of_the_tag_is_not_what_was_approved(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    id = ground.approved()
    (ground.folder / "t1.image").unlink()
    image_of(ground.database, ground.folder / "t1.image", "other")
    post_more(ground)
    with pytest.raises(LedgerMoved):
        ground.desk.carry_out(id, ground.archive)


def test_a_running_worker_stands_in_the_way(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    id = ground.approved()
    with ground.database.write() as tx:
        held = {"holder": "w", "token": 1, "expires_s": ground.clock.s + 1}
        tx.execute(insert(leases).values(role="pay:bitcoin", **held))
    with pytest.raises(ServiceRunning):
        ground.desk.carry_out(id, ground.archive)
    ground.clock.s += 1
    ground.desk.carry_out(id, ground.archive)
    with pytest.raises(NotAsked):
        ground.desk.carry_out(id, ground.archive)


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        ("deposit:1:credit:1", DepositsBooked),
        ("withdrawal:1:hold", PaymentsBooked),
        ("payment:1:completed", PaymentsBooked),
        ("escrow:1:released:0", EscrowsMoved),
        ("asset_issue:1", IssuesDone),
        ("asset_redeem:1", IssuesDone),
        ("apportionment:1", TransfersMade),
        ("transfer:1", TransfersMade),
        ("settlements:1", CauseUnknown),
    ],
)
def test_what_was_done_outside_the_ledger_is_not_undone(
    ground: Ground, cause: str, error: type[Conflict]
) -> None:
    """The same batch below the tag stands in nobody's way."""
    with ground.database.write() as tx:
        post_batch(tx, cause, [single(chart.HOT, ALICE, "BTC", 1)], NOW_S)
    height = 2 * HEIGHTS
    before = all_rows(ground.database)
    with pytest.raises(error) as caught:
        ground.desk.ask("t1", ANNA)
    assert caught.value.details == {"causes": [cause], "height": height}
    (ground.folder / "t1.image").unlink()
    image_of(ground.database, ground.folder / "t1.image")
    fill(ground.database, rounds=1, first=2)
    ground.desk.carry_out(ground.approved(), ground.archive)
    after = all_rows(ground.database)
    assert after["ledger_transfers"] == before["ledger_transfers"]


def test_every_cause_that_is_posted_here_is_known_to_rollbacks() -> None:
    """A new kind of batch has to say what it does outside, or it is never undone."""
    begun = re.compile(r'f"([a-z_]+):\{\w+(?:\.\w+)*\}[:"]')
    wallet = ROOT / "wallet"
    named = {
        kind
        for path in wallet.rglob("*.py")
        if "post_batch(" in (source := path.read_text())
        for kind in begun.findall(source)
    }
    kinds = set(outside._REFUSALS) | outside._ALONE
    assert named - kinds == set()
    assert {"deposit", "withdrawal", "payment", "escrow", "transfer"} <= named


def test_there_must_be_something_to_undo_and_it_must_be_of_this_ledger(
    ground: Ground, tmp_path: Path
) -> None:
    with pytest.raises(NothingToUndo):
        ground.desk.ask("t1", ANNA)
    other = Database.open(f"sqlite:///{tmp_path}/other.sqlite")
    other.migrate()
    fill(other, rounds=1, first=7)
    image_of(other, tmp_path / "t2.image", "t2")
    fill(other, rounds=2, first=8)
    image_of(other, tmp_path / "t3.image", "t3")
    other.close()
    for tag in ("t2", "t3"):
        with pytest.raises(StateDiffers):
            ground.desk.ask(tag, ANNA)
    with pytest.raises(NotAsked):
        ground.desk.newest("t1")
    path = ground.folder / "t1.image"
    path.write_bytes(path.read_bytes().replace(b"settlement:1", b"settlement:9"))
    with pytest.raises(SignatureWrong):
        ground.desk.ask("t1", ANNA)


def test_nothing_goes_back_before_the_image_a_ledger_began_from(
    ground: Ground, tmp_path: Path
) -> None:
    later = Database.open(f"sqlite:///{tmp_path}/later.sqlite")
    later.migrate()
    fill(ground.database, rounds=1, first=2)
    made = image_of(ground.database, tmp_path / "t2.image", "t2")
    join(later, open_image(made.path, KEY), now_s=NOW_S)
    fill(later, rounds=1, first=3)
    with later.read() as tx:
        check_reach(tx, made.manifest.height)
        with pytest.raises(BeforeOrigin):
            check_reach(tx, made.manifest.height - 1)
    with pytest.raises(BeforeOrigin):
        Ground(later, ground.folder, ground.clock).desk.ask("t1", ANNA)
    later.close()


@ON_POSTGRESQL
def test_a_sealed_partition_is_not_taken_back(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    sealed = "INSERT INTO ledger_partitions (last_height, first_height, transfers) VALUES (9, 1, 1)"
    with ground.database.write() as tx:
        tx.execute(text(sealed))
        check_reach(tx, 9)
        with pytest.raises(PartitionSealed):
            check_reach(tx, 8)


def test_a_file_in_the_archives_place_is_left_alone(ground: Ground) -> None:
    fill(ground.database, rounds=1, first=2)
    id = ground.approved()
    ground.archive.write_bytes(b"mine")
    before = all_rows(ground.database)
    with pytest.raises(FileProblem):
        ground.desk.carry_out(id, ground.archive)
    assert ground.archive.read_bytes() == b"mine"
    assert all_rows(ground.database) == before
    with pytest.raises(FileProblem):
        ground.desk.carry_out(id, ground.folder / "none" / "file")


def test_what_does_not_come_out_as_the_image_is_not_kept(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ground.database, rounds=1, first=2)
    id = ground.approved()
    before = all_rows(ground.database)
    monkeypatch.setattr("wallet.mirrors.undoing.fingerprint_of", lambda _tx: b"?" * 32)
    with pytest.raises(PartDamaged):
        ground.desk.carry_out(id, ground.archive)
    assert all_rows(ground.database) == before


ATTACKS = [
    (
        "ledger.rollback",
        (
            "INSERT INTO ledger_rollbacks SELECT 'x', tag, to_height, from_height, 'undoing', "
            "body, body, 0, requester, 0, 0, digest, NULL FROM ledger_rollbacks"
        ),
    ),
    ("ledger.rollback", "UPDATE ledger_rollbacks SET to_height = 1"),
    ("ledger.rollback", "UPDATE ledger_rollbacks SET status = 'done', archive = digest"),
    ("store.immutable", "DELETE FROM ledger_rollbacks"),
    ("store.immutable", "DELETE FROM ledger_transfers WHERE height = 12"),
    ("store.immutable", "DELETE FROM ledger_balances"),
    ("store.immutable", "DELETE FROM ledger_holds"),
]


@pytest.mark.parametrize(("code", "statement"), ATTACKS)
def test_the_walls_have_one_way_through(ground: Ground, code: str, statement: str) -> None:
    fill(ground.database, rounds=1, first=2)
    ground.desk.ask("t1", ANNA)
    with pytest.raises(DBAPIError) as caught, ground.database.write() as tx:
        tx.execute(text(statement))
    assert code in str(caught.value.orig)


UNDER_IT = ("ledger_transfers", "ledger_batches", "ledger_accounts", "ledger_transfer_ids")


@pytest.mark.parametrize("table", UNDER_IT)
def test_even_a_rollback_takes_nothing_below_its_tag(ground: Ground, table: str) -> None:
    fill(ground.database, rounds=1, first=2)
    ground.desk.ask("t1", ANNA)

    def attack() -> None:
        with ground.database.write() as tx:
            tx.execute(text("UPDATE ledger_rollbacks SET status = 'undoing', archive = digest"))
            tx.execute(text(f"DELETE FROM {table} WHERE height <= 8"))

    with pytest.raises(DBAPIError) as caught:
        attack()
    assert "store.immutable" in str(caught.value.orig)


# --- Killed at any moment ------------------------------------------------------------------------


def child() -> None:
    """Carry the rollback out in a process that dies at a milestone."""
    url, folder, milestone = sys.argv[1:4]
    ground = Ground(Database.open(url), Path(folder), Clock(), kill_at(milestone))
    ground.desk.carry_out("rollback-1", ground.archive)


@pytest.mark.parametrize("milestone", ["rollback:archived", "rollback:undone", "rollback:done"])
def test_killed_it_is_all_or_nothing_and_runs_again(ground: Ground, milestone: str) -> None:
    at_tag = all_rows(ground.database)
    fill(ground.database, rounds=2, first=2)
    before = all_rows(ground.database)
    id = ground.approved()
    url = ground.database.engine.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.integration.test_mirrors_rollback",
            url,
            ground.folder,
            milestone,
        ],
        check=False,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == -signal.SIGKILL
    if milestone == "rollback:done":
        assert all_rows(ground.database) == at_tag
        return
    assert all_rows(ground.database) == before
    assert ground.archive.exists()
    ground.desk.carry_out(id, ground.archive)
    assert all_rows(ground.database) == at_tag


if __name__ == "__main__":
    child()
