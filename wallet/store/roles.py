"""Who may do what on PostgreSQL: four roles with the least each needs, deny by default.

Roles are groups that cannot log in. A database administrator makes the logins and their passwords
and puts each into one group; none of them is ever seen here.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from sqlalchemy import Connection

from wallet.store import walls
from wallet.store.columns import metadata
from wallet.store.errors import StoreError
from wallet.store.migrations import walls_0001_partitions
from wallet.store.tables.partitions import OPEN_PARTITION


class Role(StrEnum):
    """The part of its name that says what a role is for."""

    OWNER = "owner"  # owns all tables: migrations, moves, restores; nothing else logs in as it
    SERVICE = "service"  # posts, watches and pays; changes nothing that was posted
    API = "api"  # answers and takes requests; writes nothing of the ledger
    READER = "reader"  # reports and verification: reads the ledger, the events and the money's ways


NAME_PREFIX = "glaytos"
"""Roles belong to a whole server: another deployment on it takes another prefix."""

APPENDED = frozenset(walls.frozen_tables())
"""Tables whose rows nobody changes."""

SEALED = frozenset({"ledger_checkpoints", "ledger_partitions"})
"""Written by the functions that seal partitions alone."""

_SUMS = ("debits", "credits", "debits_held", "credits_held", "height")
LEDGER_STATE: Mapping[str, Sequence[str]] = {
    "ledger_balances": _SUMS,
    "ledger_totals": _SUMS,
    "ledger_holds": ("ended_height", "ended_line"),
}
"""All that the service may change in the ledger; the walls say when."""

FORGOTTEN = frozenset(
    {
        "api_nonces",
        "block_prices",
        "blocks",
        "fee_estimates",
        "idempotency",
        "pending_transactions",
        "scan_ranges",
        "scan_stops",
        "statement_coins",
        "statement_heads",
        "statement_lines",
        "statements",
        "token_balances",
        "unreadable_transfers",
    }
)
"""Tables whose rows the service deletes: what is over, or in no chain any more."""

FORGOTTEN_BY_API = frozenset({"api_nonces", "idempotency"})

READ = frozenset(
    {
        "accounts",
        "addresses",
        "counters",
        "deposits",
        "events",
        "payment_versions",
        "payments",
        "utxos",
        "withdrawals",
    }
)
"""What a reader sees beside the ledger."""

VERSION = "alembic_version"
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,29}")


class BadPrefix(StoreError):
    """A prefix of roles that is no plain word."""

    code = "store.bad_prefix"


def is_ledger(table: str) -> bool:
    """Whether a table is part of the ledger."""
    return table.startswith("ledger_")


def rights(role: Role, table: str) -> Sequence[str]:
    """The privileges of a role on a table, as GRANT writes them; none of the owner, who has all."""
    match role:
        case Role.SERVICE:
            return _service_rights(table)
        case Role.API if is_ledger(table):
            return ["SELECT"]
        case Role.API:
            delete = ["DELETE"] if table in FORGOTTEN_BY_API else []
            return ["SELECT", "INSERT", *_update(table), *delete]
        case Role.READER:
            return ["SELECT"] if is_ledger(table) or table in READ else []
    return []


def _service_rights(table: str) -> Sequence[str]:
    if table in SEALED:
        return ["SELECT"]
    delete = ["DELETE"] if table in FORGOTTEN else []
    return ["SELECT", "INSERT", *_update(table), *delete]


def _update(table: str) -> Sequence[str]:
    if table in LEDGER_STATE:
        return [f"UPDATE ({', '.join(LEDGER_STATE[table])})"]
    return [] if table in APPENDED or is_ledger(table) else ["UPDATE"]


def statements(prefix: str = NAME_PREFIX) -> Sequence[str]:
    """SQL that makes the roles, hands all tables to the owner and grants each role its rights.

    For one transaction of a superuser, or of who may create roles and owns the database. Running
    it again brings a newer schema's tables in and takes back what was granted beside it.
    Raises BadPrefix for one that is no plain word.
    """
    if _PREFIX.fullmatch(prefix) is None:
        raise BadPrefix(f"got prefix {prefix[:40]!r}, expected 1 to 30 of a-z, 0-9 and _")
    named = {role: f"{prefix}_{role}" for role in Role}
    others = [named[role] for role in Role if role is not Role.OWNER]
    return [
        *(_create(name) for name in named.values()),
        _on_place("GRANT USAGE, CREATE ON SCHEMA %1$I TO " + named[Role.OWNER]),
        _own(named[Role.OWNER]),
        _on_place("REVOKE ALL ON SCHEMA %1$I FROM PUBLIC"),
        _on_place("REVOKE ALL ON DATABASE %2$I FROM PUBLIC"),
        _on_place(f"GRANT CONNECT ON DATABASE %2$I TO {', '.join(named.values())}"),
        # Large sets of balances go through a temporary table.
        _on_place(
            f"GRANT TEMPORARY ON DATABASE %2$I TO {named[Role.OWNER]}, {named[Role.SERVICE]}"
        ),
        _on_place(f"GRANT USAGE ON SCHEMA %1$I TO {', '.join(others)}"),
        *(_on_place(f"REVOKE ALL ON ALL TABLES IN SCHEMA %1$I FROM {name}") for name in others),
        f"GRANT SELECT ON {VERSION} TO {', '.join(others)}",
        *(
            f"GRANT {', '.join(granted)} ON {table} TO {named[role]}"
            for role in (Role.SERVICE, Role.API, Role.READER)
            for table in sorted(metadata.tables)
            if (granted := rights(role, table))
        ),
        f"GRANT INSERT ON {OPEN_PARTITION} TO {named[Role.SERVICE]}",
        *(
            f"GRANT EXECUTE ON FUNCTION {function}() TO {named[Role.SERVICE]}"
            for function in walls_0001_partitions.FUNCTIONS
        ),
    ]


def apply(tx: Connection, prefix: str = NAME_PREFIX) -> None:
    """Execute the statements in the caller's transaction."""
    for statement in statements(prefix):
        tx.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _create(name: str) -> str:
    return (
        f"DO $$ BEGIN\n  IF to_regrole('{name}') IS NULL THEN\n"
        f"    CREATE ROLE {name} NOLOGIN;\n  END IF;\nEND $$"
    )


def _on_place(statement: str) -> str:
    """A statement about this schema, %1$I, or this database, %2$I."""
    return (
        f"DO $$ BEGIN\n  EXECUTE format('{statement}',\n"
        "    current_schema(), current_database());\nEND $$"
    )


def _own(owner: str) -> str:
    """Hand over every table, the partitions too, and every function of ours."""
    tables = ", ".join(f"'{name}'" for name in (*sorted(metadata.tables), VERSION))
    functions = "".join(
        f"  ALTER FUNCTION {name}() OWNER TO {owner};\n" for name in walls.function_names()
    )
    return (
        "DO $$ DECLARE\n  found regclass;\nBEGIN\n"  # noqa: S608 - names of our own
        "  FOR found IN SELECT oid FROM pg_class\n"
        "    WHERE relnamespace = current_schema()::regnamespace\n"
        "    AND (oid IN (SELECT inhrelid FROM pg_inherits\n"
        "      WHERE inhparent = 'ledger_transfers'::regclass)\n"
        f"    OR relname IN ({tables})) AND relkind IN ('r', 'p')\n"
        f"  LOOP\n    EXECUTE format('ALTER TABLE %s OWNER TO {owner}', found);\n  END LOOP;\n"
        f"{functions}END $$"
    )
