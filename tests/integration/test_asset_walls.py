"""Attacks on registered assets by SQL: a quota is not raised, a history of terms not rewritten."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError

from wallet.store.database import Database
from wallet.store.schema import (
    account_terms,
    accounts,
    asset_issues,
    gateways,
    registered_assets,
)
from wallet.store.types import encode_units

NOW_S = 1_700_000_000
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
TABLES = ("gateways", "registered_assets", "asset_issues", "account_terms")

GOLD: dict[str, Any] = {
    "code": "GOLD.zurich",
    "id": "gold",
    "gateway": "zurich",
    "symbol": "GOLD",
    "name": "one gram of gold",
    "type": "physical",
    "decimals": 3,
    "mirrors": None,
    "quota_units": 1_000,
    "locked": 1,
    "registered_by": "key",
    "registered_s": NOW_S,
}
COIN = GOLD | {
    "code": "BTC.zurich",
    "id": "coin",
    "symbol": "BTC",
    "type": "currency",
    "decimals": 8,
    "mirrors": "BTC",
    "quota_units": None,
    "locked": 0,
}
ISSUE: dict[str, Any] = {
    "id": "first",
    "asset": "GOLD.zurich",
    "number": 1,
    "kind": "issue",
    "account_id": "alice",
    "units": 900,
    "issued_units": 900,
    "redeemed_units": 0,
    "external_id": "bar-1",
    "done_by": "key",
    "created_s": NOW_S,
}
NEXT = ISSUE | {"id": "next", "number": 2, "units": 100, "issued_units": 1_000, "external_id": "2"}
TERMS: dict[str, Any] = {
    "id": "terms",
    "owner": "user:alice",
    "asset": "GOLD.zurich",
    "number": 1,
    "frozen": 1,
    "limit_units": 500,
    "reason": "asked by a court",
    "changed_by": "key",
    "since_height": 0,
    "since_s": NOW_S,
}


@pytest.fixture
def registry(database: Database) -> Database:
    """GOLD.zurich with a quota of 1,000, of which 900 are issued to Alice, who is frozen."""
    with database.write() as tx:
        tx.execute(
            insert(gateways).values(id="zurich", name="Zurich", created_by="key", created_s=NOW_S)
        )
        tx.execute(insert(accounts).values(id="alice", external_id="alice", created_s=NOW_S))
        tx.execute(insert(registered_assets).values(GOLD))
        tx.execute(insert(asset_issues).values(ISSUE))
        tx.execute(insert(account_terms).values(TERMS))
    return database


def snapshot(database: Database) -> list[object]:
    with database.read() as tx:
        return [sorted(map(repr, tx.execute(text(f"SELECT * FROM {t}")))) for t in TABLES]


def refused(database: Database, code: str, attack: Callable[[Connection], object]) -> None:
    """The attack must fail with `code`, and change nothing."""
    before = snapshot(database)
    with pytest.raises(DBAPIError) as caught, database.write() as tx:
        attack(tx)
    assert code in str(caught.value.orig)
    assert snapshot(database) == before


CHANGES = {
    "gateways": "name = 'other'",
    "registered_assets": "locked = 0",
    "asset_issues": "number = 7",
    "account_terms": "frozen = 0",
}


@pytest.mark.parametrize("table", TABLES)
def test_rows_cannot_be_changed(registry: Database, table: str) -> None:
    statement = text(f"UPDATE {table} SET {CHANGES[table]}")
    refused(registry, f"store.immutable: {table}", lambda tx: tx.execute(statement))


@pytest.mark.parametrize(
    "change", ["locked = 0", "quota_units = :more", "quota_units = NULL", "type = 'currency'"]
)
def test_the_lock_is_for_ever(registry: Database, change: str) -> None:
    """No column of a registered asset can be changed: neither the lock nor the quota."""
    more = encode_units(2_000) if registry.dialect == "sqlite" else 2_000
    statement = text(f"UPDATE registered_assets SET {change}")
    given = {"more": more} if ":more" in change else {}
    refused(registry, "store.immutable", lambda tx: tx.execute(statement, given))


@pytest.mark.parametrize("table", TABLES)
def test_rows_cannot_be_deleted(registry: Database, table: str) -> None:
    statement = text(f"DELETE FROM {table}")
    refused(registry, f"store.immutable: {table}", lambda tx: tx.execute(statement))


@pytest.mark.parametrize("table", TABLES)
@ON_POSTGRESQL
def test_tables_cannot_be_emptied(registry: Database, table: str) -> None:
    statement = text(f"TRUNCATE {table} CASCADE")
    refused(registry, "store.immutable", lambda tx: tx.execute(statement))


KEPT = "store.immutable"
REPLACEMENTS: list[tuple[str, Any, dict[str, Any]]] = [
    (KEPT, gateways, {"id": "zurich", "name": "x", "created_by": "x", "created_s": 0}),
    (KEPT, registered_assets, GOLD | {"quota_units": 2_000}),
    (KEPT, registered_assets, GOLD | {"id": "other"}),
    (KEPT, registered_assets, GOLD | {"code": "G.zurich", "symbol": "G"}),
    (KEPT, asset_issues, NEXT | {"id": "first"}),
    (KEPT, asset_issues, NEXT | {"external_id": "bar-1"}),
    ("assets.issue_out_of_order", asset_issues, ISSUE | {"id": "x", "external_id": "x"}),
    (KEPT, account_terms, TERMS | {"number": 2}),
    ("assets.terms_out_of_order", account_terms, TERMS | {"id": "x", "frozen": 0}),
]


@pytest.mark.parametrize(("code", "table", "row"), REPLACEMENTS)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@ON_SQLITE
def test_rows_cannot_be_replaced(
    registry: Database, code: str, table: Any, row: dict[str, Any], recursive: str
) -> None:
    """INSERT OR REPLACE deletes the row in its way, past the delete triggers when OFF."""
    with registry.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(f"PRAGMA recursive_triggers = {recursive}")
    statement = insert(table).prefix_with("OR REPLACE").values(row)
    refused(registry, code, lambda tx: tx.execute(statement))


def test_a_second_mirror_cannot_replace_the_first(registry: Database) -> None:
    with registry.write() as tx:
        tx.execute(insert(registered_assets).values(COIN))
    second = COIN | {"code": "XBT.zurich", "id": "second", "symbol": "XBT"}
    statement = insert(registered_assets).values(second)
    if registry.dialect == "sqlite":
        statement = statement.prefix_with("OR REPLACE")
    refused(registry, "", lambda tx: tx.execute(statement))


ISSUES = [
    ("assets.quota_exceeded", NEXT | {"units": 101, "issued_units": 1_001}),
    ("assets.issue_total", NEXT | {"units": 101, "issued_units": 1_000}),
    ("assets.issue_total", NEXT | {"redeemed_units": 1}),
    ("assets.issue_total", NEXT | {"kind": "gift"}),
    ("assets.issue_total", NEXT | {"kind": "redeem", "issued_units": 900}),
    ("assets.issue_out_of_order", NEXT | {"number": 3}),
    ("assets.issue_out_of_order", NEXT | {"number": 0}),
    ("assets.amount", NEXT | {"units": 0, "issued_units": 900}),
    ("assets.amount", NEXT | {"units": -100, "issued_units": 800}),
    ("assets.amount", NEXT | {"units": 10**60 + 1, "issued_units": 10**60 + 901}),
    ("assets.not_registered", NEXT | {"asset": "GOLD.geneva"}),
    (
        "assets.redeemed_unissued",
        NEXT | {"kind": "redeem", "units": 901, "issued_units": 900, "redeemed_units": 901},
    ),
]


@pytest.mark.parametrize(("code", "row"), ISSUES)
def test_issues_keep_to_the_quota_and_to_their_sums(
    registry: Database, code: str, row: dict[str, Any]
) -> None:
    refused(registry, code, lambda tx: tx.execute(insert(asset_issues).values(row)))


def test_what_was_redeemed_is_not_issued_again(registry: Database) -> None:
    """1,000 issued, 400 redeemed: the quota of 1,000 is used up all the same."""
    redeemed = NEXT | {
        "id": "redeemed",
        "number": 3,
        "kind": "redeem",
        "units": 400,
        "redeemed_units": 400,
        "external_id": "3",
    }
    with registry.write() as tx:
        tx.execute(insert(asset_issues).values(NEXT))
        tx.execute(insert(asset_issues).values(redeemed))
    again = redeemed | {
        "id": "again",
        "number": 4,
        "kind": "issue",
        "units": 1,
        "issued_units": 1_001,
        "external_id": "4",
    }
    refused(registry, "assets.quota_exceeded", lambda tx: _insert(tx, again))


def _insert(tx: Connection, row: dict[str, Any]) -> None:
    tx.execute(insert(asset_issues).values(row))


NEW = GOLD | {"code": "OIL.zurich", "id": "oil", "symbol": "OIL"}
REGISTRATIONS = [
    ("assets.code", NEW | {"code": "OIL"}),
    ("assets.code", NEW | {"code": "OIL.geneva"}),
    ("assets.code", NEW | {"code": ".zurich", "symbol": ""}),
    ("assets.lock", NEW | {"locked": 0}),
    ("assets.lock", NEW | {"quota_units": None}),
    ("assets.lock", NEW | {"quota_units": 0}),
    ("assets.lock", NEW | {"quota_units": 10**60 + 1}),
    ("assets.lock", NEW | {"mirrors": "BTC"}),
    ("assets.lock", NEW | {"type": "currency"}),
    ("assets.lock", NEW | {"type": "other"}),
    ("assets.lock", COIN | {"locked": 1}),
    ("assets.lock", COIN | {"mirrors": None}),
    ("assets.lock", COIN | {"quota_units": 1}),
]


@pytest.mark.parametrize(("code", "row"), REGISTRATIONS)
def test_an_asset_is_one_of_two_types(registry: Database, code: str, row: dict[str, Any]) -> None:
    refused(registry, code, lambda tx: tx.execute(insert(registered_assets).values(row)))


SECOND = TERMS | {"id": "second", "number": 2}
HISTORIES = [
    ("assets.terms_out_of_order", SECOND | {"number": 3}),
    ("assets.terms_out_of_order", SECOND | {"number": 0}),
    ("assets.terms_out_of_order", SECOND | {"asset": "BTC"}),
    ("assets.terms", SECOND | {"frozen": 2}),
    ("assets.terms", SECOND | {"limit_units": -1}),
    ("assets.terms", SECOND | {"limit_units": 10**60 + 1}),
]


@pytest.mark.parametrize(("code", "row"), HISTORIES)
def test_terms_follow_each_other(registry: Database, code: str, row: dict[str, Any]) -> None:
    refused(registry, code, lambda tx: tx.execute(insert(account_terms).values(row)))
