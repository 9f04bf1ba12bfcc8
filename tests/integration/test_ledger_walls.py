"""Attacks on the ledger by SQL: the database itself refuses, whatever the client believes."""

from collections.abc import Callable

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
VAULT = chart.account(chart.DEPOSIT, "BTC")
NOW_S = 1_700_000_000
ENTRIES = 2_000_000


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
                id="first", debit=chart.DEPOSIT, credit=ALICE.owner, asset="BTC", units=100
            ),
            single(chart.DEPOSIT, BOB.owner, "BTC", 1),
            single(chart.DEPOSIT, ETHER.owner, "ETH", 7),
        ]
        post_batch(tx, "start", start, NOW_S)
        for number, (id, units) in enumerate((("open", 30), ("ended", 10))):
            held = Transfer.hold(
                id=id, debit=ALICE.owner, credit=BOB.owner, asset="BTC", units=units
            )
            post_batch(tx, f"hold:{number}", [held], NOW_S)
        post_batch(tx, "void", [Transfer.void(hold_id="ended")], NOW_S)
        append_event(tx, "deposit.seen", "1", {"amount_units": "100"}, NOW_S)
        append_event(tx, "deposit.credited", "1", {"amount_units": "100"}, NOW_S)


def units(tx: Connection, value: int) -> object:
    return value if tx.dialect.name == "postgresql" else encode_units(value)


def insert_transfer(tx: Connection, **changes: object) -> None:
    row = {
        "id": "attack",
        "batch_id": 5,
        "line": 0,
        "kind": "single",
        "hold_id": None,
        "debit_id": ALICE.id,
        "credit_id": BOB.id,
        "asset": "BTC",
        "units": 1,
    } | changes
    if isinstance(row["units"], int):
        row["units"] = units(tx, row["units"])
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    tx.execute(text(f"INSERT INTO ledger_transfers ({columns}) VALUES ({values})"), row)


def close_batch(tx: Connection, **changes: object) -> None:
    row = {"id": 5, "cause": "attack", "transfers": 1, "content": b"x" * 32, "created_s": 0}
    row |= changes
    tx.execute(
        text(
            "INSERT INTO ledger_batches (id, cause, transfers, content, created_s) "
            "VALUES (:id, :cause, :transfers, :content, :created_s)"
        ),
        row,
    )


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
        "ledger_balances",
        "ledger_totals",
        "events",
    )
    with database.read() as tx:
        return [sorted(map(repr, tx.execute(text(f"SELECT * FROM {t}")))) for t in tables]


FROZEN = ("ledger_accounts", "ledger_batches", "ledger_transfers", "events")
COLUMN = {
    "ledger_accounts": "may_go_negative = 1",
    "ledger_batches": "created_s = 0",
    "ledger_transfers": "line = 7",
    "events": "created_s = 0",
}


@pytest.mark.parametrize("table", FROZEN)
def test_rows_cannot_be_changed(books: Database, table: str) -> None:
    statement = text(f"UPDATE {table} SET {COLUMN[table]}")
    refused(books, f"store.immutable: {table}", lambda tx: tx.execute(statement))


@pytest.mark.parametrize("table", [*FROZEN, "ledger_balances", "ledger_totals"])
def test_rows_cannot_be_deleted(books: Database, table: str) -> None:
    statement = text(f"DELETE FROM {table}")
    refused(books, f"store.immutable: {table}", lambda tx: tx.execute(statement))


@pytest.mark.parametrize("table", [*FROZEN, "ledger_balances", "ledger_totals"])
@ON_POSTGRESQL
def test_tables_cannot_be_emptied(books: Database, table: str) -> None:
    statement = text(f"TRUNCATE {table} CASCADE")
    refused(books, "store.immutable", lambda tx: tx.execute(statement))


ZEROS = ", ".join(["'" + encode_units(0) + "'"] * 4)
REPLACEMENTS = {
    "ledger_accounts": "VALUES ('x', 'user:alice', 'equity', 'BTC', 1, 0)",
    "ledger_batches": "VALUES (5, 'start', 1, x'00', 0)",
    "ledger_transfers": (
        "SELECT 'first', 5, 0, kind, hold_id, debit_id, credit_id, asset, units "
        "FROM ledger_transfers WHERE id = 'first'"
    ),
    "ledger_balances": f"VALUES ('{VAULT.id}', {ZEROS}, 0)",
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
@pytest.mark.parametrize("entry", ["last_entry", "last_entry + 1", f"{9 * ENTRIES}"])
def test_balances_cannot_be_written(books: Database, table: str, column: str, entry: str) -> None:
    def attack(tx: Connection) -> None:
        statement = text(f"UPDATE {table} SET {column} = :value, last_entry = {entry}")
        tx.execute(statement, {"value": units(tx, 1000)})

    refused(books, "ledger.balance_written", attack)


def test_a_total_cannot_be_written_by_naming_another_side(books: Database) -> None:
    # Entry 2: batch 1, line 0 credits Alice; the liabilities already include later entries.
    def attack(tx: Connection) -> None:
        statement = text(
            "UPDATE ledger_totals SET credits = :value, last_entry = :entry "
            "WHERE kind = 'asset' AND asset = 'BTC'"
        )
        tx.execute(statement, {"value": units(tx, 1), "entry": 4 * ENTRIES + 1})

    refused(books, "ledger.balance_written", attack)


@pytest.mark.parametrize("table", ["ledger_balances", "ledger_totals"])
def test_balances_cannot_start_above_zero(books: Database, table: str) -> None:
    keys = {"ledger_balances": "'new'", "ledger_totals": "'BTC', 'equity'"}[table]

    def attack(tx: Connection) -> None:
        values = ", ".join(f":{n}" for n in "abcd")
        tx.execute(
            text(f"INSERT INTO {table} VALUES ({keys}, {values}, 0)"),
            {n: units(tx, 5) for n in "abcd"},
        )

    refused(books, "ledger.balance_written", attack)


ATTACKS: list[tuple[str, dict[str, object], str]] = [
    ("into a closed batch", {"batch_id": 4, "line": 1}, "ledger.batch_closed"),
    ("into a later batch", {"batch_id": 6}, "ledger.batch_closed"),
    ("out of order", {"line": 1}, "ledger.line_out_of_order"),
    ("negative line", {"line": -1}, "ledger.line_out_of_order"),
    ("overdraft", {"units": 71}, "ledger.insufficient_funds"),
    ("overdraft by hold", {"units": 71, "kind": "hold"}, "ledger.insufficient_funds"),
    ("zero", {"units": 0}, "ledger.amount"),
    ("negative", {"units": -5}, "ledger.amount"),
    ("too much", {"units": 10**60 + 1, "debit_id": VAULT.id}, "ledger.amount"),
    ("other asset", {"asset": "ETH"}, "ledger.asset_mismatch"),
    ("mixed assets", {"credit_id": ETHER.id}, "ledger.asset_mismatch"),
    ("no such account", {"credit_id": "nobody"}, "ledger.asset_mismatch"),
    ("one account", {"credit_id": ALICE.id}, "ledger.asset_mismatch"),
    ("unknown kind", {"kind": "gift"}, "ledger.kind"),
    ("post without hold", {"kind": "post"}, "ledger.kind"),
    ("single with hold", {"hold_id": "open"}, "ledger.kind"),
    ("post more", {"kind": "post", "hold_id": "open", "units": 31}, "ledger.hold_mismatch"),
    ("void less", {"kind": "void", "hold_id": "open", "units": 29}, "ledger.hold_mismatch"),
    (
        "post to another",
        {"kind": "post", "hold_id": "open", "units": 30, "credit_id": VAULT.id},
        "ledger.hold_mismatch",
    ),
    (
        "post from another",
        {"kind": "post", "hold_id": "open", "units": 30, "debit_id": VAULT.id},
        "ledger.hold_mismatch",
    ),
    ("post no hold", {"kind": "post", "hold_id": "first", "units": 100}, "ledger.hold_mismatch"),
    ("post nothing", {"kind": "post", "hold_id": "none", "units": 1}, "ledger.hold_mismatch"),
    ("end twice", {"kind": "post", "hold_id": "ended", "units": 10}, "ledger.hold_ended"),
]


@pytest.mark.parametrize(("row", "code"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_transfers_that_are_refused(books: Database, row: dict[str, object], code: str) -> None:
    refused(books, code, lambda tx: insert_transfer(tx, **row))


@pytest.mark.parametrize(("row", "code"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
@ON_SQLITE
def test_sqlite_refuses_with_every_check_switched_off(
    books: Database, row: dict[str, object], code: str
) -> None:

    def attack(tx: Connection) -> None:
        tx.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        tx.exec_driver_sql("PRAGMA recursive_triggers = OFF")
        insert_transfer(tx, **row)

    # foreign_keys cannot change inside a transaction, so it is set on the connection before.
    with books.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys = OFF")
    refused(books, code, attack)


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
    refused(books, "ledger.amount", lambda tx: insert_transfer(tx, units="NaN"))


BATCHES: list[tuple[str, dict[str, object], str]] = [
    ("a number skipped", {"id": 6}, "ledger.batch_out_of_order"),
    ("a number used", {"id": 4}, ""),
    ("too few counted", {"transfers": 2}, "ledger.batch_incomplete"),
    ("none counted", {"transfers": 0}, "ledger.batch_incomplete"),
    ("a cause used", {"cause": "start"}, ""),
]


@pytest.mark.parametrize(("row", "code"), [b[1:] for b in BATCHES], ids=[b[0] for b in BATCHES])
def test_batches_that_are_refused(books: Database, row: dict[str, object], code: str) -> None:
    def attack(tx: Connection) -> None:
        insert_transfer(tx)
        close_batch(tx, **row)

    refused(books, code, attack)


def test_an_empty_batch_is_refused(books: Database) -> None:
    refused(books, "ledger.batch_incomplete", lambda tx: close_batch(tx, transfers=0))


def test_transfers_cannot_stay_without_their_batch(books: Database) -> None:
    # The foreign key is checked at commit.
    refused(books, "", insert_transfer)


def switch_off(tx: Connection, table: str, trigger: str) -> None:
    """What only the database's owner can do; it is undone with the attack's transaction."""
    if tx.dialect.name == "postgresql":
        tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}"))
    else:
        tx.execute(text(f"DROP TRIGGER {trigger}"))


def test_a_balance_is_guarded_apart_from_its_total(books: Database) -> None:
    def attack(tx: Connection) -> None:
        switch_off(tx, "ledger_balances", "ledger_balances_total")
        statement = text("UPDATE ledger_balances SET credits = :value, last_entry = last_entry + 1")
        tx.execute(statement, {"value": units(tx, 1000)})

    refused(books, "ledger.balance_written", attack)


def test_a_hold_that_was_never_made_cannot_be_given_back(books: Database) -> None:
    def attack(tx: Connection) -> None:
        switch_off(tx, "ledger_transfers", "ledger_transfers_guard")
        insert_transfer(tx, kind="void", hold_id="first", units=100)

    refused(books, "ledger.negative", attack)


def test_a_batch_whose_asset_does_not_sum_to_zero_is_refused(books: Database) -> None:
    def attack(tx: Connection) -> None:
        switch_off(tx, "ledger_balances", "ledger_balances_total")
        switch_off(tx, "ledger_totals", "ledger_totals_guard")
        forge = text("UPDATE ledger_totals SET credits = :v WHERE asset = 'BTC' AND kind = 'asset'")
        tx.execute(forge, {"v": units(tx, 1)})
        insert_transfer(tx)
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
        "INSERT INTO ledger_accounts (id, owner, kind, asset, may_go_negative, created_s) "
        "VALUES ('x', 'user:mallory', :kind, 'BTC', :flag, 0)"
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
        insert_transfer(tx, kind="post", hold_id="open", units=30)
        close_batch(tx)
    with books.read() as tx:
        assert balance(tx, BOB.owner, "BTC").net == 31


def test_a_missing_wall_is_noticed_at_start(own_database: Database) -> None:
    table = {"postgresql": " ON ledger_transfers"}.get(own_database.dialect, "")
    with own_database.write() as tx:
        tx.execute(text(f"DROP TRIGGER ledger_transfers_guard{table}"))
    with pytest.raises(SchemaMismatch, match="ledger_transfers_guard"):
        own_database.migrate()


def test_a_weakened_wall_is_noticed_at_start(own_database: Database) -> None:
    with own_database.write() as tx:
        if own_database.dialect == "postgresql":
            body = "BEGIN RETURN NEW; END"
            tx.execute(
                text(
                    "CREATE OR REPLACE FUNCTION ledger_transfers_guard() RETURNS trigger "
                    f"LANGUAGE plpgsql AS '{body}'"
                )
            )
        else:
            tx.execute(text("DROP TRIGGER ledger_transfers_guard"))
            tx.execute(
                text(
                    "CREATE TRIGGER ledger_transfers_guard BEFORE INSERT ON ledger_transfers "
                    "BEGIN SELECT 1; END"
                )
            )
    with pytest.raises(SchemaMismatch, match="ledger_transfers_guard"):
        own_database.migrate()


@OWN_POSTGRESQL
def test_a_switched_off_wall_is_noticed_at_start(own_database: Database) -> None:
    with own_database.write() as tx:
        tx.execute(text("ALTER TABLE events DISABLE TRIGGER events_no_update"))
    with pytest.raises(SchemaMismatch, match="events_no_update"):
        own_database.migrate()
