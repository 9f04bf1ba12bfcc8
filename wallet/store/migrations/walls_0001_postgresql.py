"""The walls around the ledger and the events on PostgreSQL: the same as walls_0001_sqlite.

Each function raises with SQLSTATE 23000 (integrity constraint violation) and the same words.
"""

from wallet.store.migrations import walls_0001_assets

ENTRIES = 2_000_000  # schema.ENTRIES_PER_BATCH as of this revision
UNITS_MAX = 10**60
SUMS = ("debits", "credits", "debits_held", "credits_held")

FROZEN = (
    "ledger_accounts",
    "ledger_batches",
    "ledger_transfers",
    "events",
    *walls_0001_assets.FROZEN,
)
COUNTED = ("ledger_balances", "ledger_totals")


def _refuse(code: str, condition: str) -> str:
    return (
        f"  IF {condition} THEN\n"
        f"    RAISE EXCEPTION '{code}' USING ERRCODE = 'integrity_constraint_violation';\n"
        f"  END IF;\n"
    )


def _function(name: str, body: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        f"BEGIN\n{body}  RETURN NEW;\nEND\n$$"
    )


def _trigger(name: str, moment: str, table: str, function: str, each: str = "ROW") -> str:
    return (
        f"CREATE TRIGGER {name} {moment} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()"
    )


FROZEN_FUNCTION = (
    "CREATE FUNCTION store_immutable() RETURNS trigger LANGUAGE plpgsql AS $$\n"
    "BEGIN\n"
    "  RAISE EXCEPTION 'store.immutable: %', TG_TABLE_NAME\n"
    "    USING ERRCODE = 'integrity_constraint_violation';\n"
    "END\n$$"
)


def _frozen(table: str) -> list[str]:
    return [
        _trigger(f"{table}_no_update", "BEFORE UPDATE", table, "store_immutable"),
        *_kept(table),
    ]


def _kept(table: str) -> list[str]:
    return [
        _trigger(f"{table}_no_delete", "BEFORE DELETE", table, "store_immutable"),
        _trigger(f"{table}_no_truncate", "BEFORE TRUNCATE", table, "store_immutable", "STATEMENT"),
    ]


_HELD = (
    "SELECT 1 FROM ledger_transfers h WHERE h.id = NEW.hold_id AND h.kind = 'hold' "
    "AND h.debit_id = NEW.debit_id AND h.credit_id = NEW.credit_id AND h.asset = NEW.asset "
    "AND (h.units = NEW.units OR (NEW.kind = 'post' AND h.units > NEW.units))"
)

TRANSFER_GUARD = [
    _function(
        "ledger_transfers_guard",
        _refuse(
            "ledger.batch_closed",
            "NEW.batch_id IS DISTINCT FROM (SELECT COALESCE(MAX(id), 0) + 1 FROM ledger_batches)",
        )
        + _refuse(
            "ledger.line_out_of_order",
            "NEW.line IS DISTINCT FROM (SELECT COALESCE(MAX(line) + 1, 0) "
            f"FROM ledger_transfers WHERE batch_id = NEW.batch_id) OR NEW.line * 2 >= {ENTRIES}",
        )
        # NaN counts as greater than every number, so the upper bound refuses it.
        + _refuse(
            "ledger.amount",
            f"NEW.units IS NULL OR NEW.units <= 0 OR NEW.units > {UNITS_MAX}",
        )
        + _refuse(
            "ledger.asset_mismatch",
            "(SELECT COUNT(*) FROM ledger_accounts "
            "WHERE id IN (NEW.debit_id, NEW.credit_id) AND asset = NEW.asset) <> 2",
        )
        + _refuse(
            "ledger.kind",
            "NEW.kind NOT IN ('single', 'hold', 'post', 'void') "
            "OR (NEW.kind IN ('post', 'void')) <> (NEW.hold_id IS NOT NULL)",
        )
        + _refuse(
            "ledger.hold_ended",
            "NEW.hold_id IS NOT NULL AND EXISTS "
            "(SELECT 1 FROM ledger_transfers WHERE hold_id = NEW.hold_id)",
        )
        + _refuse("ledger.hold_mismatch", f"NEW.hold_id IS NOT NULL AND NOT EXISTS ({_HELD})"),
    ),
    _trigger(
        "ledger_transfers_guard", "BEFORE INSERT", "ledger_transfers", "ledger_transfers_guard"
    ),
]


def _entry(side: int) -> str:
    """The update one side of a new transfer makes to its account's balance."""
    sums, held, account = (
        ("debits", "debits_held", "debit_id")
        if side == 0
        else ("credits", "credits_held", "credit_id")
    )
    return (
        f"  UPDATE ledger_balances SET\n"
        f"    {sums} = CASE WHEN NEW.kind IN ('single', 'post')\n"
        f"      THEN {sums} + NEW.units ELSE {sums} END,\n"
        f"    {held} = CASE NEW.kind WHEN 'single' THEN {held}\n"
        f"      WHEN 'hold' THEN {held} + NEW.units\n"
        f"      ELSE {held} -\n"
        f"        (SELECT units FROM ledger_transfers WHERE id = NEW.hold_id) END,\n"
        f"    last_entry = NEW.batch_id * {ENTRIES} + NEW.line * 2 + {side}\n"
        f"  WHERE account_id = NEW.{account};\n"
    )


TRANSFER_APPLY = [
    _function("ledger_transfers_apply", _entry(0) + _entry(1)),
    _trigger(
        "ledger_transfers_apply", "AFTER INSERT", "ledger_transfers", "ledger_transfers_apply"
    ),
]

_NAMED = f"t.batch_id = NEW.last_entry / {ENTRIES} AND t.line = NEW.last_entry % {ENTRIES} / 2"
"""The transfer that an entry number names."""

_SIDE = "CASE NEW.last_entry % 2 WHEN 0 THEN t.debit_id ELSE t.credit_id END"

COUNTS = [
    _function(
        "ledger_counts_start",
        _refuse(
            "ledger.balance_written",
            "(NEW.debits, NEW.credits, NEW.debits_held, NEW.credits_held, NEW.last_entry) "
            "IS DISTINCT FROM (0, 0, 0, 0, 0)",
        ),
    ),
    *(
        _trigger(f"{table}_start", "BEFORE INSERT", table, "ledger_counts_start")
        for table in COUNTED
    ),
    # Every transfer is applied the moment it is inserted, so an entry that is new to this row
    # exists only while the apply trigger runs: nobody else can write a balance.
    _function(
        "ledger_balances_guard",
        _refuse(
            "ledger.balance_written",
            "NEW.account_id IS DISTINCT FROM OLD.account_id OR NEW.last_entry <= OLD.last_entry "
            f"OR NOT EXISTS (SELECT 1 FROM ledger_transfers t WHERE {_NAMED} "
            f"AND {_SIDE} = NEW.account_id)",
        ),
    ),
    _trigger("ledger_balances_guard", "BEFORE UPDATE", "ledger_balances", "ledger_balances_guard"),
    _function(
        "ledger_balances_limit",
        _refuse(
            "ledger.insufficient_funds",
            "NEW.debits + NEW.debits_held > NEW.credits AND (SELECT may_go_negative "
            "FROM ledger_accounts WHERE id = NEW.account_id) IS DISTINCT FROM 1",
        )
        + _refuse("ledger.negative", "NEW.debits_held < 0 OR NEW.credits_held < 0"),
    ),
    _trigger("ledger_balances_limit", "AFTER UPDATE", "ledger_balances", "ledger_balances_limit"),
    _function(
        "ledger_balances_total",
        "  UPDATE ledger_totals SET\n"
        + "".join(f"    {s} = {s} + NEW.{s} - OLD.{s},\n" for s in SUMS)
        + "    last_entry = NEW.last_entry\n"
        "  WHERE (asset, kind) =\n"
        "    (SELECT asset, kind FROM ledger_accounts WHERE id = NEW.account_id);\n",
    ),
    _trigger("ledger_balances_total", "AFTER UPDATE", "ledger_balances", "ledger_balances_total"),
    _function(
        "ledger_totals_guard",
        _refuse(
            "ledger.balance_written",
            "NEW.asset IS DISTINCT FROM OLD.asset OR NEW.kind IS DISTINCT FROM OLD.kind "
            "OR NEW.last_entry <= OLD.last_entry "
            "OR NOT EXISTS (SELECT 1 FROM ledger_transfers t "
            f"JOIN ledger_accounts a ON a.id = {_SIDE} "
            f"WHERE {_NAMED} AND a.kind = NEW.kind AND a.asset = NEW.asset)",
        ),
    ),
    _trigger("ledger_totals_guard", "BEFORE UPDATE", "ledger_totals", "ledger_totals_guard"),
]

ACCOUNT_OPEN = [
    _function(
        "ledger_accounts_open",
        "  INSERT INTO ledger_balances VALUES (NEW.id, 0, 0, 0, 0, 0);\n"
        "  INSERT INTO ledger_totals VALUES (NEW.asset, NEW.kind, 0, 0, 0, 0, 0)\n"
        "    ON CONFLICT (asset, kind) DO NOTHING;\n",
    ),
    _trigger("ledger_accounts_open", "AFTER INSERT", "ledger_accounts", "ledger_accounts_open"),
]

BATCH_CLOSE = [
    _function(
        "ledger_batches_close",
        _refuse(
            "ledger.batch_out_of_order",
            "NEW.id IS DISTINCT FROM (SELECT COALESCE(MAX(id), 0) + 1 FROM ledger_batches)",
        )
        + _refuse(
            "ledger.batch_incomplete",
            "NEW.transfers < 1 OR NEW.transfers IS DISTINCT FROM "
            "(SELECT COUNT(*) FROM ledger_transfers WHERE batch_id = NEW.id)",
        )
        + _refuse(
            "ledger.sum_not_zero",
            "EXISTS (SELECT 1 FROM ledger_totals WHERE asset IN "
            "(SELECT asset FROM ledger_transfers WHERE batch_id = NEW.id) GROUP BY asset "
            "HAVING SUM(debits) <> SUM(credits) OR SUM(debits_held) <> SUM(credits_held))",
        ),
    ),
    _trigger("ledger_batches_close", "BEFORE INSERT", "ledger_batches", "ledger_batches_close"),
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
    FROZEN_FUNCTION,
    *(statement for table in FROZEN for statement in _frozen(table)),
    *(statement for table in COUNTED for statement in _kept(table)),
    *ACCOUNT_OPEN,
    *TRANSFER_GUARD,
    *TRANSFER_APPLY,
    *COUNTS,
    *BATCH_CLOSE,
    *EVENT_ORDER,
    *walls_0001_assets.POSTGRESQL,
)
