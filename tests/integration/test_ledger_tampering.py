"""Whoever owns the database can switch its walls off; what he then changes is found, and where."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random  # noqa: TID251 - from a seed that is printed
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, UniqueConstraint, text
from sqlalchemy.exc import DBAPIError

from tests.ledger_world import ALICE, BOB, NOW_S, fill
from wallet.ledger.partitions import Partitions
from wallet.ledger.posting import post_batch, single
from wallet.ledger.versions.verifying import verify
from wallet.store.database import Database
from wallet.store.tables import ledger
from wallet.store.tables.partitions import ledger_checkpoints, ledger_partitions
from wallet.store.types import BaseUnits, decode_units, encode_units

TABLES = (
    ledger.ledger_accounts,
    ledger.ledger_batches,
    ledger.ledger_transfers,
    ledger.ledger_transfer_ids,
    ledger.ledger_holds,
    ledger.ledger_balances,
    ledger.ledger_totals,
)
EDITS = {"sqlite": 700, "postgresql": 300}
SEED = 20_251

Row = dict[str, Any]


@dataclass
class Vandal:
    """Makes one random change after the other, each in a ledger that is whole before."""

    tx: Connection
    random: Random
    rows: Mapping[str, list[Row]]
    tables: Sequence[Table]

    def edit(self) -> tuple[Table, str]:
        """One change of any kind to any table; the table, and what was done."""
        while True:
            table = self.random.choice(self.tables)
            kind = self.random.choice(("update", "update", "delete", "insert", "swap", "move"))
            with suppress(DBAPIError), self.tx.begin_nested():
                done = getattr(self, f"_{kind}")(table)
                if done:
                    return table, f"{kind} {table.name}: {done}"

    def _update(self, table: Table) -> str:
        row = self._row(table)
        column = self.random.choice([c.name for c in table.columns])
        return self._set(table, row, {column: self._other(table, column, row[column])})

    def _delete(self, table: Table) -> str:
        row = self._row(table)
        self.tx.execute(text(f"DELETE FROM {table.name} WHERE {_where(table)}"), _key(table, row))
        return str(row)

    def _insert(self, table: Table) -> str:
        row = dict(self._row(table))
        unique = [c.name for c in table.primary_key]
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint):
                unique += [c.name for c in constraint.columns]
        for name in {*unique, self.random.choice([c.name for c in table.columns])}:
            row[name] = self._other(table, name, row[name])
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        self.tx.execute(text(f"INSERT INTO {table.name} ({names}) VALUES ({values})"), row)
        return str(row)

    def _swap(self, table: Table) -> str:
        """Two rows change places: each gets the other's key."""
        one, two = self._row(table), self._row(table)
        keys = [c.name for c in table.primary_key]
        if table is ledger.ledger_transfers:
            keys = self.random.choice((["line"], keys))
            two = self.random.choice(
                [r for r in self.rows[table.name] if r["height"] == one["height"]]
            )
        if all(one[k] == two[k] for k in keys):
            return ""
        aside = {k: self._free(table, k) for k in keys}
        first = {k: one[k] for k in keys}
        second = {k: two[k] for k in keys}
        self._set(table, one, aside)
        self._set(table, two, first)
        self._set(table, one | aside, second)
        return f"{one} with {two}"

    def _move(self, _table: Table) -> str:
        """A line goes to another height, at its end or in the place of none."""
        table = ledger.ledger_transfers
        row = self._row(table)
        height = self.random.randint(0, 16)
        lines = sum(other["height"] == height for other in self.rows[table.name])
        if height == row["height"]:
            return ""
        return self._set(table, row, {"height": height, "line": lines})

    def _row(self, table: Table) -> Row:
        return self.random.choice(self.rows[table.name])

    def _set(self, table: Table, row: Row, changes: Row) -> str:
        if all(row[name] == value for name, value in changes.items()):
            return ""
        sets = ", ".join(f"{name} = :new_{name}" for name in changes)
        given = _key(table, row) | {f"new_{name}": value for name, value in changes.items()}
        self.tx.execute(text(f"UPDATE {table.name} SET {sets} WHERE {_where(table)}"), given)
        return f"{row} to {changes}"

    def _other(self, table: Table, name: str, old: Any) -> Any:
        """Another value: one of another row, or a new one."""
        column = table.columns[name]
        if self.random.random() < 0.3:
            return self._row(table)[name]
        if column.nullable and old is not None and self.random.random() < 0.3:
            return None
        if isinstance(column.type, BaseUnits):
            lite = isinstance(old, str)
            units = max(0, (decode_units(old) if lite else old) + self.random.randint(-9, 9))
            return encode_units(units) if lite else units
        if name.endswith("id"):
            return str(UUID(int=self.random.getrandbits(128)))
        if isinstance(old, int):
            return old + self.random.choice((-2, -1, 1, 2, 7))
        if isinstance(old, bytes):
            return self.random.randbytes(32)
        return self.random.randint(1, 9) if old is None else f"{old}x"

    def _free(self, table: Table, name: str) -> Any:
        if name == "asset":
            return "NONE"
        if name == "kind":
            return "equity"
        return str(UUID(int=7 << 64)) if name == "id" else 999_999


def _where(table: Table) -> str:
    return " AND ".join(f"{c.name} = :key_{c.name}" for c in table.primary_key)


def _key(table: Table, row: Row) -> Row:
    return {f"key_{c.name}": row[c.name] for c in table.primary_key}


def _rows(tx: Connection, tables: Sequence[Table]) -> Mapping[str, list[Row]]:
    found = {}
    for table in tables:
        rows = tx.execute(text(f"SELECT * FROM {table.name}")).mappings()
        found[table.name] = [
            {k: str(v) if isinstance(v, UUID) else v for k, v in row.items()} for row in rows
        ]
    return found


def _walls_down(database: Database, tx: Connection) -> None:
    """What the owner of a database may do."""
    if database.dialect == "postgresql":
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        return
    tx.execute(text("PRAGMA ignore_check_constraints = ON"))
    names = tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in list(names):
        tx.execute(text(f"DROP TRIGGER {name}"))


def test_any_edit_of_the_ledger_is_found_and_its_table_named(own_database: Database) -> None:
    random, tables = Random(SEED), list(TABLES)
    with own_database.write() as tx:
        fill(tx)
    if own_database.dialect == "postgresql":
        Partitions(own_database, 1).step()
        tables += [ledger_partitions, ledger_checkpoints]
    with own_database.write() as tx:
        post_batch(tx, "after", [single(ALICE, BOB, "BTC", 1)], NOW_S + 20)
        assert verify(tx).finding is None
    seen: Counter[str] = Counter()
    with own_database.engine.connect() as plain:
        tx = plain.execution_options(glaytos_mode="write")
        with tx.begin() as whole:
            _walls_down(own_database, tx)
            vandal = Vandal(tx, random, _rows(tx, tables), tables)
            for number in range(EDITS[own_database.dialect]):
                edit = tx.begin_nested()
                table, told = vandal.edit()
                finding = verify(tx).finding
                where = f"seed {SEED}, edit {number}, {told}"
                assert finding is not None, f"not found: {where}"
                named = (finding.table, *finding.also)
                name = "ledger_transfers" if told.startswith("move") else table.name
                assert name in named, f"{finding} for {where}"
                seen[name] += finding.table == name
                edit.rollback()
            assert verify(tx).finding is None
            whole.rollback()
    assert set(seen) == {table.name for table in tables}
