"""Which triggers guard this version's database, word for word."""

import re
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from wallet.store.errors import SchemaMismatch
from wallet.store.migrations import (
    walls_0001_partitions,
    walls_0001_postgresql,
    walls_0001_sqlite,
)

_NAME = re.compile(r"^CREATE TRIGGER (\w+)")
_FUNCTION = re.compile(
    r"CREATE FUNCTION (\w+)\(\) RETURNS \w+ LANGUAGE plpgsql( SECURITY DEFINER)?\s+"
    r"SET search_path FROM CURRENT.*?\$\$(.*)\$\$",
    re.DOTALL,
)
_TRIGGER = re.compile(
    r"CREATE TRIGGER (\w+) (BEFORE|AFTER) (INSERT|DELETE|UPDATE|TRUNCATE)(?: OF ([\w, ]+))? "
    r"ON (\w+) .*FOR EACH (ROW|STATEMENT) EXECUTE FUNCTION (\w+)\(\)"
)
_BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
"""What pg_trigger.tgtype is made of."""

# A partition has the walls of its table's rows by inheritance; each is looked at by itself.
_TRIGGERS = text(
    "SELECT tgname, relname, tgtype, cardinality(tgattr::int2[]), proname FROM pg_trigger "
    "JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid "
    "WHERE NOT tgisinternal AND tgenabled = 'O' AND tgqual IS NULL "
    "AND relnamespace = current_schema()::regnamespace"
)
_FUNCTIONS = text(
    "SELECT proname, prosrc, prosecdef FROM pg_proc "
    "WHERE pronamespace = current_schema()::regnamespace "
    "AND proconfig[1] = 'search_path=' || quote_ident(current_schema()) || ', pg_temp'"
)
_PARTITIONS = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
    "WHERE inhparent = to_regclass('ledger_transfers') ORDER BY relname"
)


def statements(dialect: str) -> tuple[str, ...]:
    """The SQL of all walls, in the order to create them."""
    if dialect == "postgresql":
        return walls_0001_postgresql.STATEMENTS + walls_0001_partitions.STATEMENTS
    return walls_0001_sqlite.STATEMENTS


def function_names() -> Sequence[str]:
    """The functions behind the walls, on PostgreSQL."""
    return [wall[1] for wall in map(_FUNCTION.match, statements("postgresql")) if wall]


def frozen_tables() -> Sequence[str]:
    """The tables whose rows are never changed, on PostgreSQL."""
    found = map(_TRIGGER.match, statements("postgresql"))
    return [wall[5] for wall in found if wall and wall[1] == f"{wall[5]}_no_update"]


def partition_names(tx: Connection) -> Sequence[str]:
    """The partitions of the ledger's transfers; none on SQLite."""
    return tx.execute(_PARTITIONS).scalars().all() if tx.dialect.name == "postgresql" else []


def check(tx: Connection) -> None:
    """Every wall is there, switched on and unchanged. Raises SchemaMismatch naming those not."""
    if tx.dialect.name == "postgresql":
        expected, found = _expected_postgresql(partition_names(tx)), _found_postgresql(tx)
    else:
        expected = {name: wall for wall in statements("sqlite") for name in _NAME.findall(wall)}
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        found = {str(n): str(s) for n, s in tx.execute(text(query))}
    wrong = sorted(name for name, body in expected.items() if found.get(name) != body)
    if wrong:
        raise SchemaMismatch(
            f"got a database whose walls {', '.join(wrong)} are missing or changed, expected "
            "those of this version: restore it, and find out who changed them"
        )


def _expected_postgresql(partitions: Sequence[str]) -> Mapping[str, object]:
    """What each function does by "name()", and each trigger by "table.name"."""
    expected: dict[str, object] = {}
    walls = list(statements("postgresql"))
    for partition in partitions:
        if partition != walls_0001_postgresql.OPEN_PARTITION:
            walls += walls_0001_postgresql.partition_walls(partition)
    for wall in walls:
        if function := _FUNCTION.match(wall):
            expected[f"{function[1]}()"] = (function[3], function[2] is not None)
        elif trigger := _TRIGGER.match(wall):
            name, moment, event, columns, table, each, calls = trigger.groups()
            bits = sum(_BITS.get(word, 0) for word in (moment, event, each))
            of = len(columns.split(",")) if columns else 0
            inherited = partitions if table == "ledger_transfers" and each == "ROW" else ()
            for relation in (table, *inherited):
                expected[f"{relation}.{name}"] = (bits, of, calls)
    return expected


def _found_postgresql(tx: Connection) -> Mapping[str, object]:
    found: dict[str, object] = {
        f"{row.proname}()": (row.prosrc, row.prosecdef) for row in tx.execute(_FUNCTIONS)
    }
    for name, table, bits, of, calls in tx.execute(_TRIGGERS):
        found[f"{table}.{name}"] = (bits, of, calls)
    return found
