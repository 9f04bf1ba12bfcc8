"""Which triggers guard this version's database, word for word."""

import re
from collections.abc import Mapping

from sqlalchemy import Connection, text

from wallet.store.errors import SchemaMismatch
from wallet.store.migrations import walls_0001_postgresql, walls_0001_sqlite

_NAME = re.compile(r"CREATE (TRIGGER|FUNCTION) (\w+)")
_BODY = re.compile(r"\$\$(.*)\$\$", re.DOTALL)

_POSTGRESQL_TRIGGERS = (
    "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
    "WHERE NOT tgisinternal AND tgenabled = 'O' AND pg_table_is_visible(tgrelid)"
)
_POSTGRESQL_FUNCTIONS = (
    "SELECT proname, prosrc FROM pg_proc WHERE pg_function_is_visible(oid) "
    "AND prorettype = 'trigger'::regtype AND pronamespace = current_schema()::regnamespace"
)


def statements(dialect: str) -> tuple[str, ...]:
    """The SQL of all walls, in the order to create them."""
    if dialect == "postgresql":
        return walls_0001_postgresql.STATEMENTS
    return walls_0001_sqlite.STATEMENTS


def check(tx: Connection) -> None:
    """Every wall is there, switched on and unchanged. Raises SchemaMismatch naming those not."""
    if tx.dialect.name == "postgresql":
        found: dict[str, str] = {n: "" for (n,) in tx.execute(text(_POSTGRESQL_TRIGGERS))}
        found |= {f"{n}()": str(s) for n, s in tx.execute(text(_POSTGRESQL_FUNCTIONS))}
    else:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        found = {str(n): str(s) for n, s in tx.execute(text(query))}
    expected = _expected(tx.dialect.name)
    wrong = sorted(name for name, body in expected.items() if found.get(name) != body)
    if wrong:
        raise SchemaMismatch(
            f"got a database whose walls {', '.join(wrong)} are missing or changed, expected "
            "those of this version: restore it, and find out who changed them"
        )


def _expected(dialect: str) -> Mapping[str, str]:
    """Name to text: the whole trigger on SQLite; "name()" to function body on PostgreSQL."""
    expected = {}
    for statement in statements(dialect):
        match = _NAME.match(statement)
        if match is None:
            continue
        body = _BODY.search(statement)
        if dialect != "postgresql":
            expected[match[2]] = statement
        elif body is not None:
            expected[f"{match[2]}()"] = body[1]
        else:
            expected[match[2]] = ""
    return expected
