"""Events: numbered without gaps, chained by hash, never changed unnoticed."""

import hashlib
import json

import pytest
from sqlalchemy import text

from wallet.events import (
    GENESIS,
    EventBody,
    EventChainBroken,
    append_event,
    last_seq,
    read_events,
    verify_chain,
)
from wallet.store.database import Database

NOW_S = 1_700_000_000


def fill(database: Database, count: int) -> None:
    with database.write() as tx:
        for number in range(count):
            append_event(tx, "deposit.seen", f"id{number}", {"n": number, "ä": None}, NOW_S)


def test_events_are_read_in_order_with_a_cursor(database: Database) -> None:
    fill(database, 5)
    with database.read() as tx:
        assert [e.seq for e in read_events(tx, 0, 3)] == [1, 2, 3]
        assert [e.seq for e in read_events(tx, 3, 3)] == [4, 5]
        assert read_events(tx, 5, 3) == []
        assert last_seq(tx) == 5
        first = read_events(tx, 0, 1)[0]
    assert (first.type, first.subject, first.created_s) == ("deposit.seen", "id0", NOW_S)
    assert json.loads(first.body) == {"n": 0, "ä": None}


def test_a_consumer_can_recompute_the_chain(database: Database) -> None:
    """Written out from the documentation, without our function."""
    fill(database, 3)
    with database.read() as tx:
        events = read_events(tx, 0, 10)
    previous = GENESIS
    for event in events:
        raw = previous + event.seq.to_bytes(8, "big") + event.created_s.to_bytes(8, "big")
        for field in (event.type, event.subject, event.body):
            raw += len(field.encode()).to_bytes(4, "big") + field.encode()
        previous = hashlib.sha256(raw).digest()
        assert event.hash == previous


def test_an_aborted_transaction_leaves_no_gap(database: Database) -> None:
    fill(database, 1)
    with pytest.raises(EventBody), database.write() as tx:
        append_event(tx, "t", "s", {"seq": append_event(tx, "t", "s", {}, NOW_S), "x": b""}, NOW_S)
    fill(database, 1)
    with database.read() as tx:
        assert verify_chain(tx) == 2


def test_an_empty_chain_is_whole(database: Database) -> None:
    with database.read() as tx:
        assert verify_chain(tx) == last_seq(tx) == 0


def test_verification_goes_on_from_a_known_event(database: Database) -> None:
    fill(database, 4)
    with database.read() as tx:
        assert verify_chain(tx, after=2) == 4
    with database.read() as tx, pytest.raises(EventChainBroken):
        verify_chain(tx, after=9)


@pytest.mark.parametrize("body", [{"a": 1.5}, {"a": b"x"}, {"a": [{"b": 2.0}]}, {1: "x"}])
def test_bodies_without_exact_json_are_refused(database: Database, body: dict[str, object]) -> None:
    with pytest.raises(EventBody), database.write() as tx:
        append_event(tx, "t", "s", body, NOW_S)


TAMPERING = [
    "UPDATE events SET body = '{}' WHERE seq = 2",
    "UPDATE events SET type = 'x' WHERE seq = 2",
    "UPDATE events SET subject = 'x' WHERE seq = 2",
    "UPDATE events SET created_s = 1 WHERE seq = 2",
    "DELETE FROM events WHERE seq = 1",
    "DELETE FROM events WHERE seq = 2",
    "DELETE FROM events WHERE seq = 4",
    "UPDATE events SET seq = seq + 10 WHERE seq = 4",
]


@pytest.mark.parametrize("statement", TAMPERING)
def test_tampering_past_the_walls_is_found(database: Database, statement: str) -> None:
    fill(database, 4)
    with database.engine.connect() as plain:
        tx = plain.execution_options(glaytos_mode="write")
        with tx.begin() as whole:
            if database.dialect == "postgresql":
                tx.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                tx.execute(text("DROP TRIGGER events_no_update"))
                tx.execute(text("DROP TRIGGER events_no_delete"))
            tx.execute(text(statement))
            with pytest.raises(EventChainBroken):
                verify_chain(tx)
            whole.rollback()
