"""The service verifies each new height by itself; what it finds stops the withdrawals."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text

from tests.fakes import FakeClock
from tests.ledger_world import ALICE, BOB, HEAD, NOW_S, fill, uuid
from wallet.ledger import chart
from wallet.ledger.posting import Transfer, post_batch, single
from wallet.ledger.versions import following
from wallet.ledger.versions.following import LedgerFollower, verified_height
from wallet.ledger_alarm import PAUSED_BY, LedgerAlarm
from wallet.pauses import Scope, active, resume
from wallet.store import walls
from wallet.store.database import Database

NETWORKS = ("bitcoin-regtest", "ethereum-31337")
ON_SQLITE = pytest.mark.parametrize("own_database", ["sqlite"], indirect=True)


def follower(database: Database) -> LedgerFollower:
    return LedgerFollower(database, LedgerAlarm(FakeClock(NOW_S), NETWORKS))


def reached(database: Database) -> int:
    with database.read() as tx:
        return verified_height(tx)


def more(tx: Connection, first: int, count: int) -> None:
    for number in range(first, first + count):
        move = single(ALICE, BOB, "BTC", 1)
        post_batch(tx, f"more:{number}", [move], NOW_S + 100 + number)


def walls_down(tx: Connection, *statements: str) -> None:
    names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in list(names):
        tx.execute(text(f"DROP TRIGGER {name}"))
    for statement in statements:
        tx.execute(text(statement))


def paused(database: Database) -> Sequence[str]:
    with database.read() as tx:
        return [
            network
            for network in NETWORKS
            for one in active(tx, Scope.NETWORK, network)
            if one.paused_by == PAUSED_BY
        ]


def alerts(database: Database) -> int:
    count = "SELECT COUNT(*) FROM events WHERE type = 'alert.ledger_contradicts'"
    with database.read() as tx:
        return int(tx.execute(text(count)).scalar_one())


def test_new_heights_are_verified_in_parts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.ledger.versions.rows.TRANSFERS", 2)
    duty = follower(database)
    assert duty.step() is None
    assert reached(database) == 0
    with database.write() as tx:
        fill(tx)
    assert duty.step() is None
    assert reached(database) == HEAD
    with database.write() as tx:
        more(tx, 0, 3)
        hold = Transfer.hold(id=uuid(90), debit=ALICE, credit=chart.CLEARING, asset="BTC", units=1)
        ends = [Transfer.post(hold_id=uuid(5)), hold, Transfer.void(hold_id=uuid(90))]
        post_batch(
            tx, "ends:2", [*ends, single(chart.HOT, chart.user("new"), "BTC", 1)], NOW_S + 200
        )
    steps = [HEAD + 2, HEAD + 4, HEAD + 4]
    for height in steps:
        assert duty.step() is None
        assert reached(database) == height
    assert (paused(database), alerts(database)) == ([], 0)


WRONG = [
    "UPDATE ledger_batches SET created_s = created_s + 1 WHERE height = 16",
    "UPDATE ledger_transfers SET units = units_add(units, units) WHERE height = 16",
    "UPDATE ledger_balances SET credits = units_add(credits, credits) WHERE account = 2",
    "UPDATE ledger_transfer_ids SET line = 5 WHERE height = 15",
    "DELETE FROM ledger_batches WHERE height = 16",
    f"UPDATE ledger_batches SET state_hash = x'{'11' * 32}' WHERE height = {HEAD}",
]


@pytest.mark.parametrize("statement", WRONG)
@ON_SQLITE
def test_a_height_that_was_tampered_with_stops_the_withdrawals(
    own_database: Database, statement: str
) -> None:
    duty = follower(own_database)
    with own_database.write() as tx:
        fill(tx)
    duty.step()
    with own_database.write() as tx:
        more(tx, 0, 3)
        walls_down(tx, statement)
    for _ in range(2):
        assert duty.step() is not None
        assert reached(own_database) == HEAD
        assert (paused(own_database), alerts(own_database)) == (list(NETWORKS), 1)


@ON_SQLITE
def test_a_pause_comes_again_while_the_finding_stands(own_database: Database) -> None:
    duty = follower(own_database)
    with own_database.write() as tx:
        fill(tx)
        walls_down(tx, "DELETE FROM ledger_totals WHERE asset = 'ETH'")
    duty.step()
    with own_database.write() as tx:
        resume(tx, Scope.NETWORK, NETWORKS[0], "staff:alice", NOW_S)
    assert paused(own_database) == [NETWORKS[1]]
    assert duty.step() is not None
    assert (sorted(paused(own_database)), alerts(own_database)) == (sorted(NETWORKS), 2)


@ON_SQLITE
def test_history_that_was_verified_is_not_written_anew(own_database: Database) -> None:
    """Another ledger of the same height, whole in itself, is not the one that was verified."""
    duty = follower(own_database)
    with own_database.write() as tx:
        fill(tx)
    duty.step()
    with own_database.write() as tx:
        tables = ("batches", "transfers", "transfer_ids", "holds", "balances", "totals", "accounts")
        walls_down(tx, *(f"DELETE FROM ledger_{table}" for table in tables))
    with own_database.write() as tx:
        for statement in walls.statements("sqlite"):
            if statement.startswith("CREATE TRIGGER ledger"):
                tx.execute(text(statement))
        post_batch(tx, "other", [single(chart.HOT, ALICE, "BTC", 10**9)], NOW_S)
        more(tx, 0, HEAD)
    finding = duty.step()
    assert finding is not None
    assert (finding.code, finding.key) == ("ledger.verify.rewritten", f"height {HEAD}")


@ON_SQLITE
def test_an_approved_rollback_is_followed(own_database: Database) -> None:
    duty = follower(own_database)
    with own_database.write() as tx:
        fill(tx)
        more(tx, 0, 1)
    duty.step()
    with own_database.write() as tx:
        walls_down(tx)
        following._keep(tx, HEAD + 1, b"\x01" * 32)  # as if other rows had stood there
        tx.execute(
            text(
                "INSERT INTO ledger_rollbacks (id, tag, to_height, from_height, status, body, "
                "digest, approvals_required, requester, created_s, expires_s, archive, done_s) "
                f"VALUES ('1', 'tag', {HEAD}, {HEAD + 1}, 'done', x'00', x'{'11' * 32}', 2, "
                f"'alice', 0, 9, x'{'22' * 32}', 1)"
            )
        )
    assert duty.step() is None
    assert reached(own_database) == HEAD + 1
    assert paused(own_database) == []
