"""Attacks on the ledger by SQL: the database itself refuses, whatever the client believes."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.posting import Transfer, post_batch, single
from wallet.store.database import Database
from wallet.store.errors import SchemaMismatch
from wallet.store.types import encode_units

ALICE = chart.account(chart.user("alice"), "BTC")
BOB = chart.account(chart.user("bob"), "BTC")
ETHER = chart.account(chart.user("alice"), "ETH")
NOW_S = 1_700_000_000
FIRST, OPEN, ENDED, ATTACK, NEVER = (str(UUID(int=number)) for number in range(1, 6))
VAULT_NUMBER, ALICE_NUMBER, BOB_NUMBER, ETHER_VAULT, ETHER_NUMBER = 1, 2, 3, 4, 5
"""As the first batch opens them."""


ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
OWN_POSTGRESQL = pytest.mark.parametrize("own_database", ["postgresql"], indirect=True)
"""For what only one engine has."""


@pytest.fixture
def books(database: Database) -> Database:
    """Alice has 100, of which 30 are held ("open"); another hold of 10 was voided ("ended").

    Batches 1 to 4, and two events.
    """
    fill(database)
    return database


def fill(database: Database) -> None:
    with database.write() as tx:
        start = [
            Transfer.single(
                id=FIRST, debit=chart.DEPOSIT, credit=ALICE.owner, asset="BTC", units=100
            ),
            single(chart.DEPOSIT, BOB.owner, "BTC", 1),
            single(chart.DEPOSIT, ETHER.owner, "ETH", 7),
        ]
        post_batch(tx, "start", start, NOW_S)
        for number, (id, units) in enumerate(((OPEN, 30), (ENDED, 10))):
            held = Transfer.hold(
                id=id, debit=ALICE.owner, credit=BOB.owner, asset="BTC", units=units
            )
            post_batch(tx, f"hold:{number}", [held], NOW_S)
        post_batch(tx, "void", [Transfer.void(hold_id=ENDED)], NOW_S)
        append_event(tx, "deposit.seen", "1", {"amount_units": "100"}, NOW_S)
        append_event(tx, "deposit.credited", "1", {"amount_units": "100"}, NOW_S)


def units(tx: Connection, value: int) -> object:
    return value if tx.dialect.name == "postgresql" else encode_units(value)


def insert(tx: Connection, table: str, row: dict[str, object]) -> None:
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    tx.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


def insert_transfer(tx: Connection, **changes: object) -> None:
    """A transfer of Alice's to Bob in the next batch, with its id."""
    row = {
        "height": 5,
        "line": 0,
        "id": ATTACK,
        "kind": "single",
        "hold_id": None,
        "debit": ALICE_NUMBER,
        "credit": BOB_NUMBER,
        "units": 1,
        "expires_s": 0,
    } | changes
    if isinstance(row["units"], int):
        row["units"] = units(tx, row["units"])
    place = {name: row[name] for name in ("id", "height", "line")}
    insert(tx, "ledger_transfer_ids", place)
    insert(tx, "ledger_transfers", row)


def close_batch(tx: Connection, **changes: object) -> None:
    row = {
        "height": 5,
        "cause": "attack",
        "transfers": 1,
        "content": b"x" * 32,
        "created_s": 0,
        "state_hash": b"x" * 32,
    }
    insert(tx, "ledger_batches", row | changes)


def set_balance(tx: Connection, account: int, **sums: object) -> None:
    """Write some of the sums of a balance, at the height that is open."""
    row = {name: units(tx, value) for name, value in sums.items() if isinstance(value, int)}
    changes = ", ".join(f"{name} = :{name}" for name in row)
    statement = f"UPDATE ledger_balances SET {changes}, height = 5 WHERE account = {account}"
    tx.execute(text(statement), row)


def open_and_set(tx: Connection, account: int, **sums: object) -> None:
    """The same at a height opened for it."""
    insert_transfer(tx)
    set_balance(tx, account, **sums)


def refused(database: Database, code: str, attack: Callable[[Connection], object]) -> None:
    """The attack must fail with `code`, and change nothing."""
    before = snapshot(database)
    with pytest.raises(DBAPIError) as caught, database.write() as tx:
        attack(tx)
    assert code in str(caught.value.orig)
    assert snapshot(database) == before


def snapshot(database: Database) -> list[object]:
    tables = (
        "ledger_accounts",
        "ledger_batches",
        "ledger_transfers",
        "ledger_transfer_ids",
        "ledger_holds",
        "ledger_balances",
        "ledger_totals",
        "events",
    )
    with database.read() as tx:
        return [sorted(map(repr, tx.execute(text(f"SELECT * FROM {t}")))) for t in tables]


FROZEN = (
    "ledger_accounts",
    "ledger_batches",
    "ledger_transfers",
    "ledger_transfer_ids",
    "events",
)
KEPT = (*FROZEN, "ledger_balances", "ledger_totals", "ledger_holds")
COLUMN = {
    "ledger_accounts": "may_go_negative = 1",
    "ledger_batches": "created_s = 0",
    "ledger_transfers": "line = 7",
    "ledger_transfer_ids": "line = 7",
    "events": "created_s = 0",
}


@pytest.mark.parametrize("table", FROZEN)
def test_rows_cannot_be_changed(books: Database, table: str) -> None:
    statement = text(f"UPDATE {table} SET {COLUMN[table]}")
    refused(books, f"store.immutable: {table}", lambda tx: tx.execute(statement))


@pytest.mark.parametrize("table", KEPT)
def test_rows_cannot_be_deleted(books: Database, table: str) -> None:
    statement = text(f"DELETE FROM {table}")
    refused(books, f"store.immutable: {table}", lambda tx: tx.execute(statement))


@pytest.mark.parametrize("table", KEPT)
@ON_POSTGRESQL
def test_tables_cannot_be_emptied(books: Database, table: str) -> None:
    statement = text(f"TRUNCATE {table} CASCADE")
    refused(books, "store.immutable", lambda tx: tx.execute(statement))


@ON_POSTGRESQL
def test_a_partition_cannot_be_emptied(books: Database) -> None:
    statement = text("TRUNCATE ledger_transfers_open")
    refused(books, "store.immutable", lambda tx: tx.execute(statement))


@ON_POSTGRESQL
def test_a_partition_takes_no_transfers_of_a_closed_batch(books: Database) -> None:
    row = "SELECT 4, 1, id, kind, hold_id, debit, credit, units, expires_s FROM ledger_transfers"
    statement = text(f"INSERT INTO ledger_transfers_open {row} WHERE height = 2")
    refused(books, "ledger.batch_closed", lambda tx: tx.execute(statement))


ZEROS = ", ".join(["'" + encode_units(0) + "'"] * 4)
REPLACEMENTS = {
    "ledger_accounts": "VALUES (9, 'user:alice', 'BTC', 'equity', 1, 0)",
    "ledger_batches": f"VALUES (5, 'start', 1, x'00', 0, x'{'00' * 32}')",
    "ledger_transfer_ids": f"VALUES ('{FIRST}', 5, 0)",
    "ledger_balances": f"VALUES ({VAULT_NUMBER}, {ZEROS}, 1, 0)",
    "ledger_totals": f"VALUES ('BTC', 'asset', {ZEROS}, 0)",
}


@pytest.mark.parametrize("table", list(REPLACEMENTS))
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@ON_SQLITE
def test_rows_cannot_be_replaced(books: Database, table: str, recursive: str) -> None:
    """INSERT OR REPLACE deletes the row in its way, past the delete triggers when OFF."""

    def attack(tx: Connection) -> None:
        if table == "ledger_batches":
            insert_transfer(tx)
        tx.execute(text(f"INSERT OR REPLACE INTO {table} {REPLACEMENTS[table]}"))

    with books.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(f"PRAGMA recursive_triggers = {recursive}")
    refused(books, f"store.immutable: {table}", attack)


@pytest.mark.parametrize("column", ["debits", "credits", "debits_held", "credits_held"])
@pytest.mark.parametrize("table", ["ledger_balances", "ledger_totals"])
@pytest.mark.parametrize("height", ["height", "4", "5"])
def test_balances_cannot_be_written_while_no_batch_is_open(
    books: Database, table: str, column: str, height: str
) -> None:
    def attack(tx: Connection) -> None:
        tx.execute(text(f"UPDATE {table} SET {column} = {column}, height = {height}"))

    refused(books, "ledger.balance_written", attack)


@pytest.mark.parametrize("table", ["ledger_balances", "ledger_totals"])
@ON_SQLITE
def test_sqlite_writes_no_balance_of_a_closed_batch_while_another_is_open(
    books: Database, table: str
) -> None:
    def attack(tx: Connection) -> None:
        insert_transfer(tx)
        tx.execute(text(f"UPDATE {table} SET height = 4"))

    refused(books, "ledger.balance_written", attack)


@pytest.mark.parametrize("table", ["ledger_balances", "ledger_totals"])
def test_balances_cannot_start_above_zero(books: Database, table: str) -> None:
    keys = {"ledger_balances": "9", "ledger_totals": "'BTC', 'equity'"}[table]
    flag = {"ledger_balances": "0, ", "ledger_totals": ""}[table]

    def attack(tx: Connection) -> None:
        values = ", ".join(f":{n}" for n in "abcd")
        tx.execute(
            text(f"INSERT INTO {table} VALUES ({keys}, {values}, {flag}0)"),
            {n: units(tx, 5) for n in "abcd"},
        )

    refused(books, "ledger.balance_written", attack)


@pytest.mark.parametrize("sums", [{"debits": 71}, {"debits_held": 101}, {"credits": 29}], ids=str)
def test_a_user_cannot_be_overdrawn(books: Database, sums: dict[str, int]) -> None:
    refused(books, "insufficient_funds", lambda tx: open_and_set(tx, ALICE_NUMBER, **sums))


@pytest.mark.parametrize("column", ["debits_held", "credits_held"])
def test_nothing_less_than_nothing_is_held(books: Database, column: str) -> None:
    refused(books, "negative", lambda tx: open_and_set(tx, VAULT_NUMBER, **{column: -1}))


@pytest.mark.parametrize("column", ["account", "may_go_negative"])
def test_whose_balance_it_is_stays(books: Database, column: str) -> None:
    statement = text(f"UPDATE ledger_balances SET {column} = 1, height = 5 WHERE account = 2")

    def attack(tx: Connection) -> None:
        insert_transfer(tx)
        tx.execute(statement)

    refused(books, "", attack)


@pytest.mark.parametrize("column", ["asset", "kind"])
def test_whose_total_it_is_stays(books: Database, column: str) -> None:
    statement = text(f"UPDATE ledger_totals SET {column} = 'x', height = 5 WHERE asset = 'ETH'")

    def attack(tx: Connection) -> None:
        insert_transfer(tx)
        tx.execute(statement)

    refused(books, "", attack)


HOLDS: list[tuple[str, str, str]] = [
    ("end without a transfer", "ended_height = 5, ended_line = 0", "ledger.hold_mismatch"),
    ("end by an old transfer", "ended_height = 4, ended_line = 0", "ledger.hold_mismatch"),
    ("other units", f"units = '{encode_units(1)}'", ""),
    ("another payee", "credit = 1", ""),
    ("another payer", "debit = 1", ""),
    ("another expiry", "expires_s = 1", ""),
]


@pytest.mark.parametrize(("change", "code"), [h[1:] for h in HOLDS], ids=[h[0] for h in HOLDS])
def test_holds_that_cannot_be_changed(books: Database, change: str, code: str) -> None:
    def attack(tx: Connection) -> None:
        amount = change.replace(f"'{encode_units(1)}'", "1") if is_postgresql(tx) else change
        tx.execute(text(f"UPDATE ledger_holds SET {amount} WHERE id = '{OPEN}'"))

    refused(books, code, attack)


def test_a_hold_ends_once(books: Database) -> None:
    statement = text(f"UPDATE ledger_holds SET ended_line = 0 WHERE id = '{ENDED}'")
    refused(books, "ledger.hold_ended", lambda tx: tx.execute(statement))


@pytest.mark.parametrize(
    "row",
    [{"id": NEVER}, {"id": FIRST}, {"ended_height": 4, "ended_line": 0}],
    ids=["of no transfer", "of a single", "ended"],
)
def test_holds_that_are_refused(books: Database, row: dict[str, object]) -> None:
    def attack(tx: Connection) -> None:
        made = {"id": NEVER, "debit": ALICE_NUMBER, "credit": BOB_NUMBER, "expires_s": 0}
        insert(tx, "ledger_holds", made | {"units": units(tx, 1)} | row)

    refused(books, "ledger.hold_" if "ended_line" in row else "", attack)


def is_postgresql(tx: Connection) -> bool:
    return tx.dialect.name == "postgresql"


ATTACKS: list[tuple[str, dict[str, object], str]] = [
    ("into a closed batch", {"height": 4, "line": 1}, "ledger.batch_closed"),
    ("negative line", {"line": -1}, "line"),
    ("zero", {"units": 0}, "amount"),
    ("negative", {"units": -5}, "amount"),
    ("too much", {"units": 10**60 + 1, "debit": VAULT_NUMBER}, "amount"),
    ("one account", {"credit": ALICE_NUMBER}, ""),
    ("unknown kind", {"kind": "gift"}, "kind"),
    ("post without hold", {"kind": "post"}, ""),
    ("single with hold", {"hold_id": OPEN}, ""),
    ("single that expires", {"expires_s": 5}, ""),
    ("an id used before", {"id": FIRST}, ""),
]


@pytest.mark.parametrize(("row", "code"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_transfers_that_are_refused(books: Database, row: dict[str, object], code: str) -> None:
    refused(books, code, lambda tx: insert_transfer(tx, **row))


WITHOUT_CHECKS = [a for a in ATTACKS if a[0] != "negative line"]


@pytest.mark.parametrize("row", [a[1] for a in WITHOUT_CHECKS], ids=[a[0] for a in WITHOUT_CHECKS])
@ON_SQLITE
def test_sqlite_refuses_with_every_check_switched_off(
    books: Database, row: dict[str, object]
) -> None:
    def attack(tx: Connection) -> None:
        tx.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        tx.exec_driver_sql("PRAGMA recursive_triggers = OFF")
        insert_transfer(tx, **row)

    refused(books, "", attack)


AT_CLOSE: list[tuple[str, dict[str, object], str]] = [
    ("out of order", {"line": 1}, "ledger.batch_incomplete"),
    ("into a later batch", {"height": 6}, "ledger.batch_incomplete"),
    ("mixed assets", {"credit": ETHER_NUMBER}, "ledger.asset_mismatch"),
    ("no such account", {"credit": 99}, "ledger.asset_mismatch"),
    ("end without its hold", {"kind": "post", "hold_id": OPEN}, "ledger.hold_mismatch"),
    ("end of nothing", {"kind": "post", "hold_id": NEVER}, "ledger.hold_mismatch"),
]


@pytest.mark.parametrize(("row", "code"), [a[1:] for a in AT_CLOSE], ids=[a[0] for a in AT_CLOSE])
def test_batches_with_transfers_that_are_refused(
    books: Database, row: dict[str, object], code: str
) -> None:
    def attack(tx: Connection) -> None:
        insert_transfer(tx, **row)
        close_batch(tx)

    refused(books, code, attack)


def test_a_transfer_without_its_id_is_refused(books: Database) -> None:
    def attack(tx: Connection) -> None:
        row = {"height": 5, "line": 0, "id": NEVER, "kind": "single", "expires_s": 0}
        row |= {"debit": ALICE_NUMBER, "credit": BOB_NUMBER, "units": units(tx, 1)}
        insert(tx, "ledger_transfers", row)
        close_batch(tx)

    refused(books, "ledger.id_missing", attack)


ENDS: list[tuple[str, dict[str, object]]] = [
    ("more than held", {"units": 31}),
    ("to another", {"units": 30, "credit": VAULT_NUMBER}),
    ("from another", {"units": 30, "debit": VAULT_NUMBER}),
]


@pytest.mark.parametrize("row", [e[1] for e in ENDS], ids=[e[0] for e in ENDS])
def test_ends_of_a_hold_that_are_refused(books: Database, row: dict[str, object]) -> None:
    def attack(tx: Connection) -> None:
        insert_transfer(tx, kind="post", hold_id=OPEN, **row)
        end_hold(tx)

    refused(books, "ledger.hold_mismatch", attack)


def end_hold(tx: Connection) -> None:
    statement = f"UPDATE ledger_holds SET ended_height = 5, ended_line = 0 WHERE id = '{OPEN}'"
    tx.execute(text(statement))


@pytest.mark.parametrize("value", ["12", "p" + "1" * 77, "p" + "x" * 78, "n" + "9" * 78, 5, 1.5])
@ON_SQLITE
def test_sqlite_refuses_amounts_of_another_form(books: Database, value: object) -> None:
    refused(books, "", lambda tx: insert_transfer(tx, units=_Raw.of(value)))


class _Raw(str):
    """An amount bound as it is."""

    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> object:
        return value if not isinstance(value, int) else cls(value)


@ON_POSTGRESQL
def test_postgresql_refuses_what_is_not_a_number(books: Database) -> None:
    refused(books, "amount", lambda tx: insert_transfer(tx, units="NaN"))


BATCHES: list[tuple[str, dict[str, object], str]] = [
    ("a number skipped", {"height": 6}, "ledger.batch_out_of_order"),
    ("a number used", {"height": 4}, ""),
    ("too few counted", {"transfers": 2}, "ledger.batch_incomplete"),
    ("none counted", {"transfers": 0}, "ledger.batch_incomplete"),
    ("a cause used", {"cause": "start"}, ""),
    ("a hash too short", {"state_hash": b"x"}, "ledger.state_hash"),
]


@pytest.mark.parametrize(("row", "code"), [b[1:] for b in BATCHES], ids=[b[0] for b in BATCHES])
def test_batches_that_are_refused(books: Database, row: dict[str, object], code: str) -> None:
    def attack(tx: Connection) -> None:
        insert_transfer(tx)
        close_batch(tx, **row)

    refused(books, code, attack)


def test_an_empty_batch_is_refused(books: Database) -> None:
    refused(books, "ledger.batch_incomplete", lambda tx: close_batch(tx, transfers=0))


def test_a_batch_whose_asset_does_not_sum_to_zero_is_refused(books: Database) -> None:
    def attack(tx: Connection) -> None:
        forge = "UPDATE ledger_totals SET credits = :v, height = 5 WHERE asset = 'BTC'"
        insert_transfer(tx)
        tx.execute(text(f"{forge} AND kind = 'asset'"), {"v": units(tx, 1)})
        close_batch(tx)

    refused(books, "ledger.sum_not_zero", attack)


ACCOUNTS: list[tuple[str, str, int]] = [
    ("a liability that may go negative", "liability", 1),
    ("an unknown kind", "pocket", 0),
    ("an unknown flag", "asset", 2),
]


@pytest.mark.parametrize(("kind", "flag"), [a[1:] for a in ACCOUNTS], ids=[a[0] for a in ACCOUNTS])
def test_accounts_that_are_refused(books: Database, kind: str, flag: int) -> None:
    statement = text(
        "INSERT INTO ledger_accounts (number, owner, kind, asset, may_go_negative, height) "
        "VALUES (9, 'user:mallory', :kind, 'BTC', :flag, 5)"
    )

    def attack(tx: Connection) -> None:
        if tx.dialect.name == "sqlite":
            tx.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        tx.execute(statement, {"kind": kind, "flag": flag})

    refused(books, "", attack)


def test_an_event_out_of_order_is_refused(books: Database) -> None:
    statement = text("INSERT INTO events VALUES (4, 't', 's', '{}', :hash, 0)")
    refused(
        books,
        "events.out_of_order",
        lambda tx: tx.execute(statement, {"hash": b"x" * 32}),
    )


def test_a_proper_batch_by_sql_is_accepted(books: Database) -> None:
    """The attacks fail for their own reason, not because nothing works."""
    with books.write() as tx:
        insert_transfer(tx, kind="post", hold_id=OPEN, units=30)
        end_hold(tx)
        set_balance(tx, ALICE_NUMBER, debits=30, debits_held=0)
        set_balance(tx, BOB_NUMBER, credits=31, credits_held=0)
        close_batch(tx)
    with books.read() as tx:
        assert balance(tx, BOB.owner, "BTC").net == 31


def test_a_missing_wall_is_noticed_at_start(own_database: Database) -> None:
    table = {"postgresql": " ON ledger_batches"}.get(own_database.dialect, "")
    with own_database.write() as tx:
        tx.execute(text(f"DROP TRIGGER ledger_batches_close{table}"))
    with pytest.raises(SchemaMismatch, match="ledger_batches_close"):
        own_database.migrate()


def test_a_weakened_wall_is_noticed_at_start(own_database: Database) -> None:
    with own_database.write() as tx:
        if own_database.dialect == "postgresql":
            body = "BEGIN RETURN NEW; END"
            tx.execute(
                text(
                    "CREATE OR REPLACE FUNCTION ledger_batches_close() RETURNS trigger "
                    f"LANGUAGE plpgsql AS '{body}'"
                )
            )
        else:
            tx.execute(text("DROP TRIGGER ledger_batches_close"))
            tx.execute(
                text(
                    "CREATE TRIGGER ledger_batches_close BEFORE INSERT ON ledger_batches "
                    "BEGIN SELECT 1; END"
                )
            )
    with pytest.raises(SchemaMismatch, match="ledger_batches_close"):
        own_database.migrate()


@OWN_POSTGRESQL
def test_a_switched_off_wall_is_noticed_at_start(own_database: Database) -> None:
    with own_database.write() as tx:
        tx.execute(text("ALTER TABLE events DISABLE TRIGGER events_no_update"))
    with pytest.raises(SchemaMismatch, match="events_no_update"):
        own_database.migrate()
