"""`ledger verify`: a whole ledger is good, in any range; each kind of contradiction has its code.

The contradictions are written as an owner of the database would who also makes every hash again,
so that the rule alone can find them.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner

from tests.fakes import FakeClock
from tests.ledger_world import HEAD, NOW_S, fill, uuid
from wallet.__main__ import build_app
from wallet.ledger.encoding import state_hash
from wallet.ledger.versions.findings import Bad, BadRange
from wallet.ledger.versions.heads import HeadSigner, latest_head
from wallet.ledger.versions.replay import Replay
from wallet.ledger.versions.rows import AccountRow, BatchRow
from wallet.ledger.versions.verifying import verify
from wallet.signing.coordinator import create_coordinator, load_coordinator
from wallet.store.database import Database

ON_SQLITE = pytest.mark.parametrize("own_database", ["sqlite"], indirect=True)


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as tx:
        fill(tx)
    return database


def test_an_empty_ledger_is_good(database: Database) -> None:
    with database.read() as tx:
        found = verify(tx)
    assert (found.finding, found.first, found.last, found.transfers) == (None, 1, 0, 0)


def test_a_whole_ledger_is_good_and_gives_its_head(filled: Database) -> None:
    steps: list[tuple[int, int]] = []
    with filled.read() as tx:
        found = verify(tx, told=lambda done, of: steps.append((done, of)))
        head = text("SELECT state_hash FROM ledger_batches WHERE height = :h")
        stored = tx.execute(head, {"h": HEAD}).scalar_one()
        transfers = tx.execute(text("SELECT COUNT(*) FROM ledger_transfers")).scalar_one()
    assert found.finding is None
    assert found.state_hash == bytes(stored)
    assert (found.transfers, steps[-1]) == (transfers, (HEAD, HEAD))


@pytest.mark.parametrize("first", range(1, HEAD + 1))
def test_any_range_of_a_whole_ledger_is_good(filled: Database, first: int) -> None:
    with filled.read() as tx:
        for last in (first, min(first + 3, HEAD), HEAD):
            assert verify(tx, first, last).finding is None


def test_heights_are_read_in_parts(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet.ledger.versions.rows.HEIGHTS", 3)
    monkeypatch.setattr("wallet.ledger.versions.rows.TRANSFERS", 2)
    with filled.read() as tx:
        assert verify(tx).finding is None


@pytest.mark.parametrize(("first", "last"), [(0, 3), (3, 2), (1, HEAD + 1), (HEAD + 1, None)])
def test_heights_that_are_not_there_are_refused(
    filled: Database, first: int, last: int | None
) -> None:
    with filled.read() as tx, pytest.raises(BadRange) as caught:
        verify(tx, first, last)
    assert caught.value.code == "ledger.bad_range"


# --- rules that no hash tells --------------------------------------------------------------------

ALICE = AccountRow(1, "user:alice", "BTC", "liability", 0, 1)
HOT = AccountRow(2, "chain:hot", "BTC", "asset", 1, 1)
ETHER = AccountRow(3, "chain:hot", "ETH", "asset", 1, 1)
BOB = AccountRow(3, "user:bob", "BTC", "liability", 0, 1)
H = uuid(7)


def line(
    number: int,
    kind: str = "single",
    debit: int = 2,
    credit: int = 1,
    units: object = 5,
    hold: str = "\\N",
    expires_s: int = 0,
    height: int = 1,
    id: str = "",
) -> str:
    id = id or uuid(100 + number + 10 * height)
    return f"{height}\t{number}\t{id}\t{kind}\t{hold}\t{debit}\t{credit}\t{units}\t{expires_s}\n"


def batch(height: int = 1, transfers: int = 1, created_s: int = 1_000) -> BatchRow:
    return BatchRow(height, f"cause:{height}", transfers, bytes(32), created_s, bytes(32))


HELD = line(1, "hold", 1, 2, 3, id=H)
FIRST = [line(0), HELD]
EXPIRING = [line(0), line(1, "hold", 1, 2, 3, id=H, expires_s=1_500)]


def post(units: int = 3, kind: str = "post", debit: int = 1, credit: int = 2) -> str:
    return line(0, kind, debit, credit, units, H, height=2)


def replayed(opened: list[AccountRow], first: list[str], second: list[str]) -> Replay:
    replay = Replay()
    replay.take(batch(transfers=len(first)), opened, first)
    replay.take(batch(2, len(second), 1_600), [], second)
    return replay


CONTRADICTIONS: list[tuple[str, list[AccountRow], list[str], list[str]]] = [
    ("line_missing", [ALICE, HOT], [line(1)], []),
    ("line_missing", [ALICE, HOT], [line(0), line(2)], []),
    ("account_unknown", [ALICE, HOT], [line(0, credit=9)], []),
    ("accounts", [ALICE, ETHER, HOT], [line(0), line(1, debit=3)], []),
    ("accounts", [ALICE, HOT], [line(0, debit=1, credit=1)], []),
    ("amount", [ALICE, HOT], [line(0, units=0)], []),
    ("amount", [ALICE, HOT], [line(0, units=10**60 + 1)], []),
    ("unreadable", [ALICE, HOT], [line(0, units="five")], []),
    ("expiry", [ALICE, HOT], [line(0), line(1, "hold", 1, 2, 3, expires_s=1_000)], []),
    ("expiry", [ALICE, HOT], [*FIRST, line(2, "hold", 1, 2, 1, id=H)], []),
    ("kind", [ALICE, HOT], [line(0, "gift")], []),
    ("kind", [ALICE, HOT], [line(0, expires_s=2_000)], []),
    ("kind", [ALICE, HOT], [line(0, hold=H)], []),
    ("kind", [ALICE, HOT], [line(0), line(1, "hold", 1, 2, 1, hold=H)], []),
    ("below_zero", [ALICE, HOT], [line(0), line(1, debit=1, credit=2, units=6)], []),
    ("below_zero", [ALICE, HOT], [line(0), line(1, "hold", 1, 2, 6)], []),
    ("below_zero", [ALICE, HOT], [line(0, debit=1, credit=2), line(1)], []),
    ("below_zero", [ALICE, HOT], [*FIRST, line(2, debit=1, credit=2, units=3)], []),
    ("hold_unknown", [ALICE, HOT], [line(0), line(1, "post", 1, 2, 3, H)], []),
    ("hold_unknown", [ALICE, HOT], [*FIRST, line(2, "post", 1, 2, 3, H)], [post()]),
    ("hold_mismatch", [ALICE, HOT], FIRST, [post(debit=2, credit=1)]),
    ("hold_exceeded", [ALICE, HOT], FIRST, [post(4)]),
    ("hold_exceeded", [ALICE, HOT], FIRST, [post(2, "void")]),
    ("hold_expired", [ALICE, HOT], EXPIRING, [post()]),
    ("account", [ALICE, HOT, BOB], [line(0)], []),
    ("account", [ALICE, ALICE, HOT], [line(0)], []),
    ("account", [AccountRow(1, "user:alice", "BTC", "asset", 1, 1), HOT], [line(0)], []),
    ("account", [AccountRow(1, "user:alice", "BTC", "liability", 1, 1), HOT], [line(0)], []),
    ("account", [AccountRow(1, "pocket:alice", "BTC", "liability", 0, 1), HOT], [line(0)], []),
]


@pytest.mark.parametrize(("code", "opened", "first", "second"), CONTRADICTIONS)
def test_a_rule_that_is_broken_is_named(
    code: str, opened: list[AccountRow], first: list[str], second: list[str]
) -> None:
    with pytest.raises(Bad) as caught:
        replayed(opened, first, second)
    assert caught.value.finding.code == f"ledger.verify.{code}"


@pytest.mark.parametrize(
    "second", [[post()], [post(1)], [post(3, "void")]], ids=["post", "part", "void"]
)
def test_what_keeps_the_rules_is_taken(second: list[str]) -> None:
    replay = replayed([ALICE, HOT], FIRST, second)
    assert replay.holds == {}
    assert replay.positions["1"].sums[2:] == (0, 0)


def test_a_state_hash_is_that_of_the_documented_bytes() -> None:
    """Worked by hand: two accounts, one transfer of 5, and the balances after it."""
    replay = Replay()
    made = replay.take(batch(), [ALICE, HOT], [line(0)])
    kv_set = (
        f"batch\t1\tcause:1\t{'00' * 32}\t1000\n"
        "accounts\t2\n1\tuser:alice\tBTC\tliability\t0\n2\tchain:hot\tBTC\tasset\t1\n"
        f"transfers\t1\n1\t0\t{uuid(110)}\tsingle\t\\N\t2\t1\t5\t0\n"
        "balances\t2\n2\t5\t0\t0\t0\t1\n1\t0\t5\t0\t0\t1\n"
    )
    assert made == state_hash(bytes(32), hashlib.sha256(kv_set.encode()).digest(), 1)


# --- rows that contradict each other -------------------------------------------------------------

ROWS: list[tuple[str, str, str, str]] = [
    (
        "batch_missing",
        "ledger_batches",
        "height 5",
        "DELETE FROM ledger_batches WHERE height = 5",
    ),
    (
        "batch_missing",
        "ledger_batches",
        f"height {HEAD}",
        f"DELETE FROM ledger_batches WHERE height = {HEAD}",
    ),
    (
        "state_hash",
        "ledger_batches",
        "height 3",
        f"UPDATE ledger_batches SET state_hash = x'{'11' * 32}' WHERE height = 3",
    ),
    (
        "state_hash",
        "ledger_batches",
        "height 9",
        "UPDATE ledger_batches SET created_s = created_s + 1 WHERE height = 9",
    ),
    (
        "count",
        "ledger_batches",
        "height 9",
        "UPDATE ledger_batches SET transfers = 2 WHERE height = 9",
    ),
    (
        "line_missing",
        "ledger_transfers",
        "height 13 line 5",
        "DELETE FROM ledger_transfers WHERE height = 13 AND line = 5",
    ),
    (
        "state_hash",
        "ledger_transfers",
        "height 14 line 2",
        f"UPDATE ledger_transfers SET id = '{uuid(9)}' WHERE height = 14 AND line = 2",
    ),
    (
        "state_hash",
        "ledger_transfers",
        "height 1 line 1",
        "UPDATE ledger_transfers SET units = units_add(units, units) WHERE height = 1 AND line = 1",
    ),
    (
        "ids",
        "ledger_transfer_ids",
        f"id {uuid(9)}",
        f"INSERT INTO ledger_transfer_ids VALUES ('{uuid(9)}', 3, 0)",
    ),
    (
        "ids",
        "ledger_transfer_ids",
        f"id {uuid(5)}",
        f"UPDATE ledger_transfer_ids SET line = 3 WHERE id = '{uuid(5)}'",
    ),
    (
        "holds",
        "ledger_holds",
        f"id {uuid(5)}",
        f"UPDATE ledger_holds SET ended_height = 9, ended_line = 0 WHERE id = '{uuid(5)}'",
    ),
    (
        "holds",
        "ledger_holds",
        f"id {uuid(1)}",
        f"UPDATE ledger_holds SET ended_height = NULL WHERE id = '{uuid(1)}'",
    ),
    (
        "holds",
        "ledger_holds",
        f"id {uuid(5)}",
        f"DELETE FROM ledger_holds WHERE id = '{uuid(5)}'",
    ),
    (
        "balance",
        "ledger_balances",
        "account 2",
        "UPDATE ledger_balances SET credits = units_add(credits, credits) WHERE account = 2",
    ),
    (
        "balance",
        "ledger_balances",
        "account 3",
        "DELETE FROM ledger_balances WHERE account = 3",
    ),
    (
        "total",
        "ledger_totals",
        "BTC liability",
        "UPDATE ledger_totals SET height = 3 WHERE asset = 'BTC' AND kind = 'liability'",
    ),
    ("total", "ledger_totals", "ETH asset", "DELETE FROM ledger_totals WHERE asset = 'ETH'"),
    (
        "account",
        "ledger_accounts",
        "number 3",
        "DELETE FROM ledger_accounts WHERE number = 3",
    ),
    (
        "account",
        "ledger_accounts",
        "number 2",
        "UPDATE ledger_accounts SET height = 9 WHERE number = 1",
    ),
    (
        "stray",
        "ledger_transfers",
        "height 99 line 0",
        "UPDATE ledger_transfers SET height = 99 WHERE height = 8",
    ),
    (
        "stray",
        "ledger_batches",
        "height -1",
        f"INSERT INTO ledger_batches VALUES (-1, 'x', 1, x'00', 0, x'{'11' * 32}')",
    ),
    (
        "unreadable",
        "ledger_transfers",
        "height 1 line 0",
        "UPDATE ledger_transfers SET units = '5' WHERE height = 1 AND line = 0",
    ),
    (
        "unreadable",
        "ledger_batches",
        "height 2",
        "UPDATE ledger_batches SET content = 5 WHERE height = 2",
    ),
]


def tamper(tx: Connection, statement: str) -> None:
    tx.execute(text("PRAGMA ignore_check_constraints = ON"))
    names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in list(names):
        tx.execute(text(f"DROP TRIGGER {name}"))
    tx.execute(text(statement))


@pytest.mark.parametrize(("code", "table", "key", "statement"), ROWS)
@ON_SQLITE
def test_a_row_that_was_tampered_with_is_named(
    own_database: Database, code: str, table: str, key: str, statement: str
) -> None:
    with own_database.write() as tx:
        fill(tx)
        tamper(tx, statement)
        finding = verify(tx).finding
    assert finding is not None
    assert (finding.code, finding.table, finding.key) == (f"ledger.verify.{code}", table, key)


@ON_SQLITE
def test_a_range_finds_what_is_in_it_and_its_start_believes_what_was_before(
    own_database: Database,
) -> None:
    with own_database.write() as tx:
        fill(tx)
        tamper(tx, "UPDATE ledger_batches SET created_s = created_s + 1 WHERE height = 9")
        assert verify(tx, 10).finding is None
        finding = verify(tx, 7, 12).finding
    assert finding is not None
    assert finding.key == "height 9"


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(own_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    create_coordinator(tmp_path / "coordinator.key", lambda count: b"\x07" * count)
    url = own_database.engine.url.render_as_string(hide_password=False)

    class Settings:
        database_url = url
        coordinator_key_file = tmp_path / "coordinator.key"

    monkeypatch.setattr("wallet.cli.ledger.load_settings", lambda _path: Settings())

    def run(*args: str) -> tuple[int, str]:
        done = CliRunner().invoke(build_app("ledger"), ["ledger", "verify", *args])
        return done.exit_code, done.stdout

    return run


@ON_SQLITE
def test_the_command_tells_that_all_is_good(own_database: Database, command: Command) -> None:
    with own_database.write() as tx:
        fill(tx)
    code, told = command()
    assert code == 0
    assert f"good: heights 1 to {HEAD}" in told
    code, told = command("--from", "3", "--to", "5", "--json")
    assert (code, json.loads(told)["good"], json.loads(told)["to"]) == (0, True, 5)


@ON_SQLITE
def test_the_command_names_the_bad_row_and_ends_with_1(
    own_database: Database, command: Command
) -> None:
    with own_database.write() as tx:
        fill(tx)
        tamper(tx, "DELETE FROM ledger_balances WHERE account = 3")
    code, told = command()
    assert code == 1
    assert "ledger.verify.balance ledger_balances, account 3: it is missing" in told
    code, told = command("--json")
    assert code == 1
    assert json.loads(told)["finding"]["table"] == "ledger_balances"


@ON_SQLITE
def test_the_command_holds_the_ledger_against_signed_heads_and_signers_logs(
    own_database: Database, command: Command, tmp_path: Path
) -> None:
    with own_database.write() as tx:
        fill(tx)
    coordinator = load_coordinator(tmp_path / "coordinator.key")
    clock = FakeClock(NOW_S + 50)
    HeadSigner(own_database, clock, coordinator.public_key, coordinator.sign_head).step()
    with own_database.read() as tx:
        head = latest_head(tx)
    assert head is not None
    log = tmp_path / "log.jsonl"

    def logged(state_hash: bytes) -> tuple[int, str]:
        entry = {"data": {"ledger_head": [[head.height, state_hash.hex(), head.time_s]]}}
        log.write_text(json.dumps({"data": {}}) + "\n" + json.dumps(entry) + "\n")
        return command("--signer-log", str(log))

    assert logged(head.state_hash)[0] == 0
    code, told = logged(b"\x01" * 32)
    assert code == 1
    assert f"ledger.verify.head ledger_batches, height {HEAD}: a signer's log has another" in told
