"""Signed heads of the ledger: what was said of it cannot be unsaid."""

import json
from collections.abc import Iterable

import pytest
from sqlalchemy import Connection, text

from signer.protocol import LedgerHead
from tests.fakes import FakeClock
from tests.ledger_world import ALICE, BOB, HEAD, NOW_S, fill
from wallet.ledger.posting import post_batch, single
from wallet.ledger.versions.heads import (
    BadSignerLog,
    HeadSigner,
    check_heads,
    check_signer_log,
    latest_head,
)
from wallet.signing.coordinator import Coordinator
from wallet.store.database import Database

COORDINATOR, OTHER = Coordinator(b"\x07" * 32), Coordinator(b"\x08" * 32)
ON_SQLITE = pytest.mark.parametrize("own_database", ["sqlite"], indirect=True)


def duty(
    database: Database, clock: FakeClock, coordinator: Coordinator = COORDINATOR
) -> HeadSigner:
    return HeadSigner(database, clock, coordinator.public_key, coordinator.sign_head)


def count(database: Database) -> int:
    with database.read() as tx:
        return int(tx.execute(text("SELECT COUNT(*) FROM ledger_heads")).scalar_one())


def test_a_head_is_signed_whenever_it_is_another(database: Database) -> None:
    clock = FakeClock(NOW_S + 100)
    heads = duty(database, clock)
    heads.step()
    assert count(database) == 0
    with database.write() as tx:
        fill(tx)
    for _ in range(2):
        heads.step()
        clock.time_s += 1
    assert count(database) == 1
    with database.write() as tx:
        post_batch(tx, "more", [single(ALICE, BOB, "BTC", 1)], NOW_S)
    heads.step()
    with database.read() as tx:
        head = latest_head(tx)
        assert head is not None
        assert (head.height, head.time_s) == (HEAD + 1, NOW_S + 102)
        assert check_heads(tx, COORDINATOR.public_key) is None
        assert check_heads(tx, None) is None


def signed(database: Database, coordinator: Coordinator = COORDINATOR) -> LedgerHead:
    with database.write() as tx:
        fill(tx)
    duty(database, FakeClock(NOW_S + 100), coordinator).step()
    with database.read() as tx:
        head = latest_head(tx)
    assert head is not None
    return head


def test_a_head_of_another_coordinator_is_found(database: Database) -> None:
    signed(database, OTHER)
    with database.read() as tx:
        found = check_heads(tx, COORDINATOR.public_key)
    assert found is not None
    assert (found.table, found.text) == ("ledger_heads", "it is signed by another coordinator")


def walls_down(tx: Connection, statement: str) -> None:
    names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in list(names):
        tx.execute(text(f"DROP TRIGGER {name}"))
    tx.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE ledger_heads SET time_s = time_s + 1", "ledger_heads"),
        (f"UPDATE ledger_heads SET state_hash = x'{'11' * 32}'", "ledger_heads"),
        (f"UPDATE ledger_heads SET signature = x'{'11' * 64}'", "ledger_heads"),
        (f"UPDATE ledger_heads SET public_key = x'{'11' * 32}'", "ledger_heads"),
        (f"UPDATE ledger_batches SET state_hash = x'{'11' * 32}'", "ledger_batches"),
        (f"DELETE FROM ledger_batches WHERE height = {HEAD}", "ledger_batches"),
    ],
)
@ON_SQLITE
def test_a_ledger_that_is_not_what_was_signed_is_found(
    own_database: Database, statement: str, table: str
) -> None:
    signed(own_database)
    with own_database.write() as tx:
        walls_down(tx, statement)
        found = check_heads(tx, None)
    assert found is not None
    assert (found.code, found.table) == ("ledger.verify.head", table)


@ON_SQLITE
def test_what_an_approved_rollback_undid_is_no_contradiction(own_database: Database) -> None:
    head = signed(own_database)
    with own_database.write() as tx:
        walls_down(tx, f"DELETE FROM ledger_batches WHERE height = {HEAD}")
        row = (
            "INSERT INTO ledger_rollbacks (id, tag, to_height, from_height, status, body, "
            "digest, approvals_required, requester, created_s, expires_s, archive, done_s) "
            f"VALUES ('1', 'tag', {HEAD - 1}, {HEAD}, 'done', x'00', x'{'11' * 32}', 2, "
            f"'alice', 0, 9, x'{'22' * 32}', :done)"
        )
        tx.execute(text(row), {"done": head.time_s - 1})
        assert check_heads(tx, None) is not None
        tx.execute(text("UPDATE ledger_rollbacks SET done_s = :done"), {"done": head.time_s})
        assert check_heads(tx, None) is None


def lines(*heads: LedgerHead) -> Iterable[str]:
    yield json.dumps({"data": {"request_id": "r"}})
    for head in heads:
        entry = [head.height, head.state_hash.hex(), head.time_s]
        yield json.dumps({"data": {"ledger_head": [entry]}})


def test_a_signers_log_is_held_against_the_ledger(database: Database) -> None:
    head = signed(database)
    strange = LedgerHead(height=3, state_hash=b"\x01" * 32, time_s=NOW_S)
    with database.read() as tx:
        assert check_signer_log(tx, lines(head)) is None
        found = check_signer_log(tx, lines(head, strange))
    assert found is not None
    assert found.key == "height 3"


@pytest.mark.parametrize(
    "line", ["x", "[]", "{}", '{"data": {"ledger_head": [[1, "x", 1]]}}', '{"data": 5}']
)
def test_a_file_that_is_no_log_is_refused(database: Database, line: str) -> None:
    with database.read() as tx, pytest.raises(BadSignerLog) as caught:
        check_signer_log(tx, [line])
    assert caught.value.code == "ledger.bad_signer_log"
