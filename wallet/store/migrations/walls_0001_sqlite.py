"""The walls around the ledger and the events on SQLite: what no client may do, right or wrong.

They hold for a client that switched foreign keys and checks off; only dropping a trigger gets
past them, and `Database.migrate` refuses to serve a database where one is missing or changed.
Amounts are fixed-width text (wallet.store.types), so they compare as text and add by units_add.
"""

from wallet.store.migrations import walls_0001_assets

ZERO = "p" + "0" * 78
UNITS_MAX = "p" + str(10**60).rjust(78, "0")
ZEROS = f"'{ZERO}', '{ZERO}', '{ZERO}', '{ZERO}'"

KEYS = {
    "ledger_accounts": "number = NEW.number OR (owner = NEW.owner AND asset = NEW.asset)",
    "ledger_batches": "height = NEW.height OR cause = NEW.cause",
    "ledger_heads": "height = NEW.height AND time_s = NEW.time_s",
    "ledger_transfer_ids": "id = NEW.id",
    "ledger_balances": "account = NEW.account",
    "ledger_totals": "asset = NEW.asset AND kind = NEW.kind",
    **walls_0001_assets.KEYS,
}
"""What a new row must not share with an old one: INSERT OR REPLACE would delete the old one.

Transfers, holds and events have triggers of their own that refuse a row in an old one's place.
"""

UNDONE = ("ledger_accounts", "ledger_batches", "ledger_transfers", "ledger_transfer_ids")
"""Never changed; taken away only by a rollback, and only what is above where it goes back to."""

FROZEN = (
    "ledger_heads",
    "ledger_origin",
    "ledger_checkpoints",
    "ledger_partitions",
    "events",
    *walls_0001_assets.FROZEN,
)
COUNTED = ("ledger_balances", "ledger_totals")

CLOSED = "(SELECT COALESCE(MAX(height), 0) FROM ledger_batches)"

FLOOR = "(SELECT to_height FROM ledger_rollbacks WHERE status = 'undoing')"
"""Where a rollback goes back to, inside its transaction; else NULL, and nothing is above it."""

ORIGIN = "(SELECT COALESCE(MAX(height), 0) FROM ledger_origin)"
"""The height of the image this ledger began from, or 0."""

IS_OPEN = (
    f"(EXISTS (SELECT 1 FROM ledger_transfers WHERE height > {CLOSED}) "
    f"OR {CLOSED} = 0 AND {ORIGIN} > 0)"
)
"""Whether a height has transfers and is not closed, or an image is being joined."""

IS_CLOSED = f"NOT ({FLOOR} IS NOT NULL OR NEW.height > {CLOSED} AND {IS_OPEN})"
"""Whether a balance is written for a height that is not open, and no rollback takes it back."""


def _refuse(code: str, condition: str) -> str:
    return f"  SELECT RAISE(ABORT, '{code}') WHERE {condition};\n"


def _trigger(name: str, moment: str, table: str, body: str) -> str:
    return f"CREATE TRIGGER {name} {moment} ON {table} BEGIN\n{body}END"


def _frozen(table: str, may_go: str = "0") -> list[str]:
    refuse = _refuse(f"store.immutable: {table}", "1")
    return [_trigger(f"{table}_no_update", "BEFORE UPDATE", table, refuse), _kept(table, may_go)]


def _no_replace(table: str, keys: str) -> str:
    refuse = _refuse(f"store.immutable: {table}", f"EXISTS (SELECT 1 FROM {table} WHERE {keys})")
    return _trigger(f"{table}_no_replace", "BEFORE INSERT", table, refuse)


def _kept(table: str, may_go: str = "0") -> str:
    refuse = _refuse(f"store.immutable: {table}", f"({may_go}) IS NOT 1")
    return _trigger(f"{table}_no_delete", "BEFORE DELETE", table, refuse)


TRANSFERS = _trigger(
    "ledger_transfers_guard",
    "BEFORE INSERT",
    "ledger_transfers",
    _refuse("ledger.batch_closed", f"typeof(NEW.height) <> 'integer' OR NEW.height <= {CLOSED}")
    + _refuse("ledger.line", "typeof(NEW.line) <> 'integer'")
    + _refuse(
        "ledger.amount",
        "typeof(NEW.units) <> 'text' OR length(NEW.units) <> 79 OR NEW.units NOT GLOB 'p*' "
        "OR substr(NEW.units, 2) GLOB '*[^0-9]*' "
        f"OR NEW.units <= '{ZERO}' OR NEW.units > '{UNITS_MAX}'",
    )
    + _refuse(
        "ledger.kind",
        "NEW.kind NOT IN ('single', 'hold', 'post', 'void') "
        "OR (NEW.kind IN ('post', 'void')) <> (NEW.hold_id IS NOT NULL) "
        "OR (NEW.expires_s <> 0 AND NEW.kind <> 'hold')",
    )
    + _refuse(
        "ledger.asset_mismatch",
        "NEW.debit = NEW.credit OR (SELECT asset FROM ledger_accounts WHERE number = NEW.debit) "
        "IS NOT (SELECT asset FROM ledger_accounts WHERE number = NEW.credit) OR NOT EXISTS "
        "(SELECT 1 FROM ledger_accounts WHERE number = NEW.debit)",
    )
    + _refuse(
        "ledger.id_missing",
        "NOT EXISTS (SELECT 1 FROM ledger_transfer_ids WHERE id = NEW.id "
        "AND height = NEW.height AND line = NEW.line)",
    ),
)


def _start(table: str) -> str:
    return _trigger(
        f"{table}_start",
        "BEFORE INSERT",
        table,
        _refuse(
            "ledger.balance_written",
            "(NEW.debits, NEW.credits, NEW.debits_held, NEW.credits_held, NEW.height) "
            f"IS NOT ({ZEROS}, 0)",
        ),
    )


BALANCES = [
    _start("ledger_balances"),
    # Balances are written by the service, and only while a height is open.
    _trigger(
        "ledger_balances_guard",
        "BEFORE UPDATE",
        "ledger_balances",
        _refuse(
            "ledger.balance_written",
            "NEW.account IS NOT OLD.account OR NEW.may_go_negative IS NOT OLD.may_go_negative "
            f"OR typeof(NEW.height) <> 'integer' OR {IS_CLOSED}",
        )
        + _refuse(
            "ledger.insufficient_funds",
            "NEW.may_go_negative <> 1 AND units_add(NEW.debits, NEW.debits_held) > NEW.credits",
        )
        + _refuse("ledger.negative", f"NEW.debits_held < '{ZERO}' OR NEW.credits_held < '{ZERO}'"),
    ),
]

TOTALS = [
    _start("ledger_totals"),
    _trigger(
        "ledger_totals_guard",
        "BEFORE UPDATE",
        "ledger_totals",
        _refuse(
            "ledger.balance_written",
            "NEW.asset IS NOT OLD.asset OR NEW.kind IS NOT OLD.kind "
            f"OR typeof(NEW.height) <> 'integer' OR {IS_CLOSED}",
        ),
    ),
]

_REOPENED = (
    f"(OLD.ended_height > {FLOOR} AND NEW.ended_height IS NULL AND NEW.ended_line IS NULL) IS 1"
)
_MADE_ABOVE = f"EXISTS (SELECT 1 FROM ledger_transfer_ids WHERE id = OLD.id AND height > {FLOOR})"

HOLDS = [
    _kept("ledger_holds", _MADE_ABOVE),
    _trigger(
        "ledger_holds_start",
        "BEFORE INSERT",
        "ledger_holds",
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
    _trigger(
        "ledger_holds_end",
        "BEFORE UPDATE",
        "ledger_holds",
        _refuse("ledger.hold_ended", f"OLD.ended_height IS NOT NULL AND NOT {_REOPENED}")
        + _refuse(
            "ledger.hold_mismatch",
            "(NEW.id, NEW.debit, NEW.credit, NEW.units, NEW.expires_s) "
            "IS NOT (OLD.id, OLD.debit, OLD.credit, OLD.units, OLD.expires_s) OR "
            f"NOT {_REOPENED} AND NOT EXISTS (SELECT 1 FROM ledger_transfers t "
            "WHERE t.height = NEW.ended_height "
            f"AND t.line = NEW.ended_line AND t.hold_id = NEW.id AND t.height > {CLOSED} "
            "AND t.debit = NEW.debit AND t.credit = NEW.credit AND t.units <= NEW.units)",
        ),
    ),
]

ACCOUNT_OPEN = _trigger(
    "ledger_accounts_open",
    "AFTER INSERT",
    "ledger_accounts",
    f"  INSERT INTO ledger_balances VALUES (NEW.number, {ZEROS}, NEW.may_go_negative, 0);\n"
    f"  INSERT INTO ledger_totals SELECT NEW.asset, NEW.kind, {ZEROS}, 0 WHERE NOT EXISTS\n"
    "    (SELECT 1 FROM ledger_totals WHERE asset = NEW.asset AND kind = NEW.kind);\n",
)

ACCOUNT_GUARD = _trigger(
    "ledger_accounts_guard",
    "BEFORE INSERT",
    "ledger_accounts",
    _refuse(
        "ledger.account_kind",
        "NEW.kind NOT IN ('asset', 'liability', 'equity', 'revenue', 'expense') "
        "OR NEW.may_go_negative NOT IN (0, 1) "
        "OR (NEW.kind = 'liability' AND NEW.may_go_negative <> 0)",
    ),
)

_STRANGE_ENDS = (
    "SELECT 1 FROM ledger_transfers t LEFT JOIN ledger_holds h ON h.id = t.hold_id "
    "AND h.ended_height = t.height AND h.ended_line = t.line "
    "WHERE t.height = NEW.height AND t.hold_id IS NOT NULL AND h.id IS NULL"
)

BATCH_CLOSE = _trigger(
    "ledger_batches_close",
    "BEFORE INSERT",
    "ledger_batches",
    _refuse(
        "ledger.batch_out_of_order",
        f"NEW.height IS NOT {CLOSED} + 1 AND NOT ({CLOSED} = 0 AND NEW.height = {ORIGIN})",
    )
    + _refuse(
        "ledger.batch_incomplete",
        f"NEW.transfers < 1 OR NEW.height > {ORIGIN} AND (NEW.transfers IS NOT "
        "(SELECT COUNT(*) FROM ledger_transfers WHERE height = NEW.height) "
        "OR NEW.transfers - 1 IS NOT "
        "(SELECT MAX(line) FROM ledger_transfers WHERE height = NEW.height))",
    )
    + _refuse(
        "ledger.origin",
        "EXISTS (SELECT 1 FROM ledger_origin WHERE height = NEW.height "
        "AND state_hash <> NEW.state_hash)",
    )
    + _refuse(
        "ledger.state_hash", "typeof(NEW.state_hash) <> 'blob' OR length(NEW.state_hash) <> 32"
    )
    + _refuse("ledger.hold_mismatch", f"EXISTS ({_STRANGE_ENDS})")
    + _refuse(
        "ledger.sum_not_zero",
        "EXISTS (SELECT 1 FROM ledger_totals WHERE asset IN "
        "(SELECT asset FROM ledger_totals WHERE height >= NEW.height) GROUP BY asset "
        "HAVING units_sum(debits) <> units_sum(credits) "
        "OR units_sum(debits_held) <> units_sum(credits_held))",
    ),
)

# An embedded ledger has no partitions.
UNUSED = [
    _trigger(f"{table}_none", "BEFORE INSERT", table, _refuse("ledger.partition", "1"))
    for table in ("ledger_checkpoints", "ledger_partitions")
]

ORIGIN_START = _trigger(
    "ledger_origin_start",
    "BEFORE INSERT",
    "ledger_origin",
    _refuse(
        "ledger.not_empty",
        "EXISTS (SELECT 1 FROM ledger_accounts) OR EXISTS (SELECT 1 FROM ledger_batches) "
        "OR EXISTS (SELECT 1 FROM ledger_origin)",
    ),
)

ROLLBACKS = [
    _kept("ledger_rollbacks"),
    _trigger(
        "ledger_rollbacks_arrow",
        "BEFORE UPDATE",
        "ledger_rollbacks",
        _refuse(
            "ledger.rollback",
            "(NEW.id, NEW.tag, NEW.to_height, NEW.from_height, NEW.body, NEW.digest, "
            "NEW.approvals_required, NEW.requester, NEW.created_s, NEW.expires_s) IS NOT "
            "(OLD.id, OLD.tag, OLD.to_height, OLD.from_height, OLD.body, OLD.digest, "
            "OLD.approvals_required, OLD.requester, OLD.created_s, OLD.expires_s) "
            "OR (OLD.status, NEW.status) NOT IN "
            "(VALUES ('requested', 'undoing'), ('undoing', 'done')) "
            f"OR NEW.status = 'undoing' AND (NEW.from_height <> {CLOSED} "
            f"OR NEW.to_height < {ORIGIN}) "
            f"OR NEW.status = 'done' AND NEW.to_height <> {CLOSED}",
        ),
    ),
    _trigger(
        "ledger_rollbacks_start",
        "BEFORE INSERT",
        "ledger_rollbacks",
        _refuse("ledger.rollback", "NEW.status <> 'requested'"),
    ),
]

EVENT_ORDER = _trigger(
    "events_order",
    "BEFORE INSERT",
    "events",
    _refuse(
        "events.out_of_order",
        "NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM events)",
    ),
)

STATEMENTS: tuple[str, ...] = (
    *(_no_replace(table, keys) for table, keys in KEYS.items()),
    *(statement for table in FROZEN for statement in _frozen(table)),
    *(statement for table in UNDONE for statement in _frozen(table, f"OLD.height > {FLOOR}")),
    *(_kept(table, f"OLD.height > {FLOOR}") for table in COUNTED),
    ACCOUNT_GUARD,
    ACCOUNT_OPEN,
    TRANSFERS,
    *BALANCES,
    *TOTALS,
    *HOLDS,
    BATCH_CLOSE,
    *UNUSED,
    ORIGIN_START,
    *ROLLBACKS,
    EVENT_ORDER,
    *walls_0001_assets.SQLITE,
)
