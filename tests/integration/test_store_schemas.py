"""Both ways of install lead to one schema: by the migrations, and straight from the models.

Before the first release the first revision still changes, so there is no older schema to come from:
a fresh database and a migrated one are the same thing.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from wallet.store import walls
from wallet.store.database import Database
from wallet.store.schema import metadata

CATALOG = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND {here}""",
    "tables": """
        SELECT c.relname, c.relkind, c.reloptions, pg_get_expr(c.relpartbound, c.oid),
            pg_get_partkeydef(c.oid)
        FROM pg_class c WHERE {here}""",
    "constraints": """
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE {here}""",
    "indexes": """
        SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisvalid
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE {here}""",
    "triggers": """
        SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND {here}""",
    "functions": """
        SELECT p.proname, pg_get_functiondef(p.oid), p.proacl::text FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace""",
}
HERE = (
    "c.relnamespace = current_schema()::regnamespace "
    "AND NOT starts_with(c.relname::text, 'alembic')"
)


def catalog(tx: Connection) -> Mapping[str, Sequence[object]]:
    """All there is to say of a schema, without the migrations' own table."""
    if tx.dialect.name == "sqlite":
        query = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'alembic%'"
        rows = [(kind, name, plain(sql)) for kind, name, sql in tx.execute(text(query))]
        return {"all": sorted(rows)}
    return {
        what: sorted(
            (tuple(row) for row in tx.exec_driver_sql(query.replace("{here}", HERE))), key=repr
        )
        for what, query in CATALOG.items()
    }


def plain(sql: str | None) -> str:
    """SQL without the spaces and line ends that mean nothing."""
    return re.sub(r"\s+", " ", sql or "").replace("( ", "(").replace(" )", ")").strip()


def built_from_the_models(database: Database) -> None:
    with database.write() as tx:
        metadata.create_all(tx)
        for statement in walls.statements(database.dialect):
            tx.exec_driver_sql(statement, execution_options={"no_parameters": True})


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_migrations_lead_to_what_the_models_say(
    request: pytest.FixtureRequest, tmp_path: Path, dialect: str
) -> None:
    names = [f"way_{uuid4().hex}" for _ in range(2)]
    urls = [f"sqlite:///{tmp_path / name}" for name in names]
    if dialect == "postgresql":
        server = request.getfixturevalue("postgres")
        server.run(*(f"CREATE DATABASE {name}" for name in names))
        urls = [server.named(name) for name in names]
    migrated, built = map(Database.open, urls)
    migrated.migrate()
    built_from_the_models(built)
    with migrated.read() as one, built.read() as other:
        found, expected = catalog(one), catalog(other)
    migrated.close()
    built.close()
    if dialect == "postgresql":
        server.run(*(f"DROP DATABASE {name} WITH (FORCE)" for name in names))
    assert all(expected.values())
    for what, rows in expected.items():
        assert found[what] == rows, what
