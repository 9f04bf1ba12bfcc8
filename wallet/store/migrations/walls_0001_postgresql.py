"""The walls around the ledger and the events on PostgreSQL: the same as walls_0001_sqlite.

Each function raises with SQLSTATE 23000 (integrity constraint violation) and the same words.
"""

from wallet.store.migrations import walls_0001_assets

CHECKED_MAX = 1_000
"""Lines of a height up to which its accounts and holds are looked at too; `ledger verify` looks at
those of every height, large settlements too."""

UNDONE = ("ledger_accounts", "ledger_batches", "ledger_transfers", "ledger_transfer_ids")
"""Never changed; taken away only by a rollback, and only what is above where it goes back to."""

FROZEN = (
    "ledger_heads",
    "ledger_origin",
    "events",
    *walls_0001_assets.FROZEN,
)
COUNTED = ("ledger_balances", "ledger_totals")
OPEN_PARTITION = "ledger_transfers_open"


def _refuse(code: str, condition: str) -> str:
    return (
        f"  IF {condition} THEN\n"
        f"    RAISE EXCEPTION '{code}' USING ERRCODE = 'integrity_constraint_violation';\n"
        f"  END IF;\n"
    )


PINNED = "SET search_path FROM CURRENT"
"""Functions find tables where they stood when the walls were built: a temporary table of the same
name, which would come first, hides nothing from them."""

PIN = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
"""What CURRENT means while the walls are built."""


def _function(name: str, body: str, answer: str = "NEW", settings: str = "") -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {PINNED}{settings} AS $$\n"
        f"BEGIN\n{body}  RETURN {answer};\nEND\n$$"
    )


def _trigger(name: str, moment: str, table: str, function: str, each: str = "ROW") -> str:
    return (
        f"CREATE TRIGGER {name} {moment} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()"
    )


FROZEN_FUNCTION = (
    f"CREATE FUNCTION store_immutable() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$\n"
    "BEGIN\n"
    "  RAISE EXCEPTION 'store.immutable: %', TG_TABLE_NAME\n"
    "    USING ERRCODE = 'integrity_constraint_violation';\n"
    "END\n$$"
)


FLOOR = "(SELECT to_height FROM ledger_rollbacks WHERE status = 'undoing')"
"""Where a rollback goes back to, inside its transaction; else NULL, and nothing is above it."""

UNDOING_FUNCTIONS = (
    (
        f"CREATE FUNCTION ledger_undo() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$\n"
        "BEGIN\n"
        f"  IF (OLD.height > {FLOOR}) IS NOT TRUE THEN\n"
        "    RAISE EXCEPTION 'store.immutable: %', TG_TABLE_NAME\n"
        "      USING ERRCODE = 'integrity_constraint_violation';\n"
        "  END IF;\n"
        "  RETURN OLD;\n"
        "END\n$$"
    ),
    (
        f"CREATE FUNCTION ledger_holds_undo() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$\n"
        "BEGIN\n"
        "  IF NOT EXISTS (SELECT 1 FROM ledger_transfer_ids\n"
        f"    WHERE id = OLD.id AND height > {FLOOR}) THEN\n"
        "    RAISE EXCEPTION 'store.immutable: %', TG_TABLE_NAME\n"
        "      USING ERRCODE = 'integrity_constraint_violation';\n"
        "  END IF;\n"
        "  RETURN OLD;\n"
        "END\n$$"
    ),
)


def _frozen(table: str, undo: str = "store_immutable") -> list[str]:
    return [
        _trigger(f"{table}_no_update", "BEFORE UPDATE", table, "store_immutable"),
        *_kept(table, undo),
    ]


def _kept(table: str, undo: str = "store_immutable") -> list[str]:
    return [
        _trigger(f"{table}_no_delete", "BEFORE DELETE", table, undo),
        _trigger(f"{table}_no_truncate", "BEFORE TRUNCATE", table, "store_immutable", "STATEMENT"),
    ]


CLOSED = "(SELECT COALESCE(MAX(height), 0) FROM ledger_batches)"
"""The last height; PostgreSQL works it out once a statement."""

ORIGIN = "(SELECT COALESCE(MAX(height), 0) FROM ledger_origin)"
"""The height of the image this ledger began from, or 0."""

IS_OPEN = (
    f"(EXISTS (SELECT 1 FROM ledger_transfers WHERE height > {CLOSED}) "
    f"OR {CLOSED} = 0 AND {ORIGIN} > 0)"
)
"""Whether a height has transfers and is not closed, or an image is being joined."""

BY_INDEX = (
    " SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
    " SET max_parallel_workers_per_gather = 0"
)
"""A height just written is in no statistics yet: without this the planner reads all transfers, or
joins a single one with all accounts."""


def _after_set(name: str, event: str, table: str, function: str) -> str:
    """A trigger that sees all rows a statement wrote, as the table `fresh`."""
    return (
        f"CREATE TRIGGER {name} AFTER {event} ON {table} "
        f"REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def partition_walls(partition: str) -> list[str]:
    """The walls of a partition of ledger_transfers against statements that name it directly."""
    return [
        _trigger(
            f"{partition}_no_truncate", "BEFORE TRUNCATE", partition, "store_immutable", "STATEMENT"
        ),
        _after_set(f"{partition}_open", "INSERT", partition, "ledger_transfers_open"),
    ]


TRANSFERS = [
    (
        f"CREATE TABLE {OPEN_PARTITION} PARTITION OF ledger_transfers "
        "FOR VALUES FROM (MINVALUE) TO (MAXVALUE)"
    ),
    _function(
        "ledger_transfers_open",
        _refuse("ledger.batch_closed", f"EXISTS (SELECT 1 FROM fresh WHERE height <= {CLOSED})"),
        "NULL",
    ),
    _after_set("ledger_transfers_open", "INSERT", "ledger_transfers", "ledger_transfers_open"),
    *partition_walls(OPEN_PARTITION),
]

BALANCES = [
    _function(
        "ledger_balances_start",
        _refuse(
            "ledger.balance_written",
            "(NEW.debits, NEW.credits, NEW.debits_held, NEW.credits_held, NEW.height) "
            "IS DISTINCT FROM (0, 0, 0, 0, 0)",
        ),
    ),
    *(
        _trigger(f"{table}_start", "BEFORE INSERT", table, "ledger_balances_start")
        for table in ("ledger_balances", "ledger_totals")
    ),
    # Balances are written by the service, a set at a time, and only while a height is open. Which
    # rows it writes is not looked at: to keep them for a look costs a quarter of writing them.
    _function(
        "ledger_balances_open",
        _refuse("ledger.balance_written", f"{FLOOR} IS NULL AND NOT {IS_OPEN}"),
        "NULL",
        settings=BY_INDEX,
    ),
    *(
        _trigger(f"{table}_open", "BEFORE UPDATE", table, "ledger_balances_open", "STATEMENT")
        for table in ("ledger_balances", "ledger_totals")
    ),
    _trigger(
        "ledger_balances_keys",
        "BEFORE UPDATE OF account, may_go_negative",
        "ledger_balances",
        "store_immutable",
        "STATEMENT",
    ),
    _trigger(
        "ledger_totals_keys",
        "BEFORE UPDATE OF asset, kind",
        "ledger_totals",
        "store_immutable",
        "STATEMENT",
    ),
]

_REOPENED = (
    f"(OLD.ended_height > {FLOOR} AND NEW.ended_height IS NULL AND NEW.ended_line IS NULL) IS TRUE"
)

HOLDS = [
    *_kept("ledger_holds", "ledger_holds_undo"),
    _trigger(
        "ledger_holds_keys",
        "BEFORE UPDATE OF id, debit, credit, units, expires_s",
        "ledger_holds",
        "store_immutable",
        "STATEMENT",
    ),
    _function(
        "ledger_holds_end",
        _refuse("ledger.hold_ended", f"OLD.ended_height IS NOT NULL AND NOT {_REOPENED}")
        + _refuse(
            "ledger.hold_mismatch",
            f"NOT {_REOPENED} AND NOT EXISTS (SELECT 1 FROM ledger_transfers t "
            "WHERE t.height = NEW.ended_height "
            f"AND t.line = NEW.ended_line AND t.hold_id = NEW.id AND t.height > {CLOSED} "
            "AND t.debit = NEW.debit AND t.credit = NEW.credit AND t.units <= NEW.units)",
        ),
    ),
    _trigger("ledger_holds_end", "BEFORE UPDATE", "ledger_holds", "ledger_holds_end"),
    _function(
        "ledger_holds_start",
        _refuse("ledger.hold_ended", "NEW.ended_height IS NOT NULL OR NEW.ended_line IS NOT NULL")
        + _refuse(
            "ledger.hold_mismatch",
            f"NOT ({CLOSED} = 0 AND {ORIGIN} > 0) AND "
            "NOT EXISTS (SELECT 1 FROM ledger_transfer_ids i JOIN ledger_transfers t "
            "ON t.height = i.height AND t.line = i.line WHERE i.id = NEW.id "
            f"AND t.kind = 'hold' AND t.height > {CLOSED} AND t.debit = NEW.debit "
            "AND t.credit = NEW.credit AND t.units = NEW.units AND t.expires_s = NEW.expires_s)",
        ),
    ),
    _trigger("ledger_holds_start", "BEFORE INSERT", "ledger_holds", "ledger_holds_start"),
]

ACCOUNT_OPEN = [
    _function(
        "ledger_accounts_open",
        "  INSERT INTO ledger_balances VALUES (NEW.number, 0, 0, 0, 0, NEW.may_go_negative, 0);\n"
        "  INSERT INTO ledger_totals VALUES (NEW.asset, NEW.kind, 0, 0, 0, 0, 0)\n"
        "    ON CONFLICT (asset, kind) DO NOTHING;\n",
    ),
    _trigger("ledger_accounts_open", "AFTER INSERT", "ledger_accounts", "ledger_accounts_open"),
]

_STRANGE_ACCOUNTS = (
    "SELECT 1 FROM ledger_transfers t LEFT JOIN ledger_accounts d ON d.number = t.debit "
    "LEFT JOIN ledger_accounts c ON c.number = t.credit "
    "WHERE t.height = NEW.height AND (d.asset = c.asset) IS NOT TRUE"
)
_STRANGE_ENDS = (
    "SELECT 1 FROM ledger_transfers t LEFT JOIN ledger_holds h ON h.id = t.hold_id "
    "AND h.ended_height = t.height AND h.ended_line = t.line "
    "WHERE t.height = NEW.height AND t.hold_id IS NOT NULL AND h.id IS NULL"
)
_WITHOUT_ID = (
    "SELECT 1 FROM ledger_transfers t LEFT JOIN ledger_transfer_ids i ON i.id = t.id "
    "AND i.height = t.height AND i.line = t.line WHERE t.height = NEW.height AND i.id IS NULL"
)

BATCH_CLOSE = [
    _function(
        "ledger_batches_close",
        _refuse(
            "ledger.batch_out_of_order",
            f"NEW.height IS DISTINCT FROM {CLOSED} + 1 "
            f"AND NOT ({CLOSED} = 0 AND NEW.height = {ORIGIN})",
        )
        + _refuse(
            "ledger.batch_incomplete",
            f"NEW.transfers < 1 OR NEW.height > {ORIGIN} AND (NEW.transfers IS DISTINCT FROM "
            "(SELECT COUNT(*) FROM ledger_transfers WHERE height = NEW.height) "
            "OR NEW.transfers - 1 IS DISTINCT FROM "
            "(SELECT MAX(line) FROM ledger_transfers WHERE height = NEW.height))",
        )
        + _refuse(
            "ledger.origin",
            "EXISTS (SELECT 1 FROM ledger_origin WHERE height = NEW.height "
            "AND state_hash <> NEW.state_hash)",
        )
        + _refuse("ledger.state_hash", "octet_length(NEW.state_hash) IS DISTINCT FROM 32")
        + _refuse(
            "ledger.asset_mismatch",
            f"NEW.transfers <= {CHECKED_MAX} AND EXISTS ({_STRANGE_ACCOUNTS})",
        )
        + _refuse(
            "ledger.hold_mismatch", f"NEW.transfers <= {CHECKED_MAX} AND EXISTS ({_STRANGE_ENDS})"
        )
        + _refuse("ledger.id_missing", f"NEW.transfers <= {CHECKED_MAX} AND EXISTS ({_WITHOUT_ID})")
        + _refuse(
            "ledger.sum_not_zero",
            "EXISTS (SELECT 1 FROM ledger_totals WHERE asset IN "
            "(SELECT asset FROM ledger_totals WHERE height >= NEW.height) GROUP BY asset "
            "HAVING SUM(debits) <> SUM(credits) OR SUM(debits_held) <> SUM(credits_held))",
        ),
        settings=BY_INDEX,
    ),
    _trigger("ledger_batches_close", "BEFORE INSERT", "ledger_batches", "ledger_batches_close"),
]

ORIGIN_START = [
    _function(
        "ledger_origin_start",
        _refuse(
            "ledger.not_empty",
            "EXISTS (SELECT 1 FROM ledger_accounts) OR EXISTS (SELECT 1 FROM ledger_batches) "
            "OR EXISTS (SELECT 1 FROM ledger_origin)",
        ),
    ),
    _trigger("ledger_origin_start", "BEFORE INSERT", "ledger_origin", "ledger_origin_start"),
]

ROLLBACKS = [
    *_kept("ledger_rollbacks"),
    _function(
        "ledger_rollbacks_arrow",
        _refuse(
            "ledger.rollback",
            "(NEW.id, NEW.tag, NEW.to_height, NEW.from_height, NEW.body, NEW.digest, "
            "NEW.approvals_required, NEW.requester, NEW.created_s, NEW.expires_s) "
            "IS DISTINCT FROM "
            "(OLD.id, OLD.tag, OLD.to_height, OLD.from_height, OLD.body, OLD.digest, "
            "OLD.approvals_required, OLD.requester, OLD.created_s, OLD.expires_s) "
            "OR (OLD.status, NEW.status) NOT IN "
            "(('requested', 'undoing'), ('undoing', 'done')) "
            f"OR NEW.status = 'undoing' AND (NEW.from_height <> {CLOSED} "
            f"OR NEW.to_height < {ORIGIN}) "
            f"OR NEW.status = 'done' AND NEW.to_height <> {CLOSED}",
        ),
    ),
    _trigger(
        "ledger_rollbacks_arrow", "BEFORE UPDATE", "ledger_rollbacks", "ledger_rollbacks_arrow"
    ),
    _function("ledger_rollbacks_start", _refuse("ledger.rollback", "NEW.status <> 'requested'")),
    _trigger(
        "ledger_rollbacks_start", "BEFORE INSERT", "ledger_rollbacks", "ledger_rollbacks_start"
    ),
]

EVENT_ORDER = [
    _function(
        "events_order",
        _refuse(
            "events.out_of_order",
            "NEW.seq IS DISTINCT FROM (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)",
        ),
    ),
    _trigger("events_order", "BEFORE INSERT", "events", "events_order"),
]

STATEMENTS: tuple[str, ...] = (
    PIN,
    FROZEN_FUNCTION,
    *UNDOING_FUNCTIONS,
    *(statement for table in FROZEN for statement in _frozen(table)),
    *(statement for table in UNDONE for statement in _frozen(table, "ledger_undo")),
    *(statement for table in COUNTED for statement in _kept(table, "ledger_undo")),
    *ACCOUNT_OPEN,
    *TRANSFERS,
    *BALANCES,
    *HOLDS,
    *BATCH_CLOSE,
    *ORIGIN_START,
    *ROLLBACKS,
    *EVENT_ORDER,
    *walls_0001_assets.POSTGRESQL,
)
