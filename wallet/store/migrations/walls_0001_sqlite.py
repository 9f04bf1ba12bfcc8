"""The walls around the ledger and the events on SQLite: what no client may do, right or wrong.

They hold for a client that switched foreign keys and checks off; only dropping a trigger gets
past them, and `Database.migrate` refuses to serve a database where one is missing or changed.
Amounts are fixed-width text (wallet.store.types), so they compare as text and add by units_add.
"""

from wallet.store.migrations import walls_0001_assets

ENTRIES = 2_000_000  # schema.ENTRIES_PER_BATCH as of this revision
ZERO = "p" + "0" * 78
UNITS_MAX = "p" + str(10**60).rjust(78, "0")
ZEROS = f"'{ZERO}', '{ZERO}', '{ZERO}', '{ZERO}', 0"
SUMS = ("debits", "credits", "debits_held", "credits_held")

KEYS = {
    "ledger_accounts": "id = NEW.id OR (owner = NEW.owner AND asset = NEW.asset)",
    "ledger_batches": "id = NEW.id OR cause = NEW.cause",
    "ledger_transfers": "id = NEW.id OR (batch_id = NEW.batch_id AND line = NEW.line)",
    "ledger_balances": "account_id = NEW.account_id",
    "ledger_totals": "asset = NEW.asset AND kind = NEW.kind",
    **walls_0001_assets.KEYS,
}
"""What a new row must not share with an old one: INSERT OR REPLACE would delete the old one.

A transfer's hold_id and an event's seq are unique too, and guarded by their own triggers.
"""

FROZEN = (
    "ledger_accounts",
    "ledger_batches",
    "ledger_transfers",
    "events",
    *walls_0001_assets.FROZEN,
)


def _refuse(code: str, condition: str) -> str:
    return f"  SELECT RAISE(ABORT, '{code}') WHERE {condition};\n"


def _trigger(name: str, moment: str, table: str, body: str) -> str:
    return f"CREATE TRIGGER {name} {moment} ON {table} BEGIN\n{body}END"


def _frozen(table: str) -> list[str]:
    refuse = _refuse(f"store.immutable: {table}", "1")
    return [
        _trigger(f"{table}_no_update", "BEFORE UPDATE", table, refuse),
        _trigger(f"{table}_no_delete", "BEFORE DELETE", table, refuse),
    ]


def _no_replace(table: str, keys: str) -> str:
    refuse = _refuse(f"store.immutable: {table}", f"EXISTS (SELECT 1 FROM {table} WHERE {keys})")
    return _trigger(f"{table}_no_replace", "BEFORE INSERT", table, refuse)


_ENDS_HOLD = "SELECT 1 FROM ledger_transfers WHERE hold_id = NEW.hold_id"
_HELD = (
    "SELECT 1 FROM ledger_transfers h WHERE h.id = NEW.hold_id AND h.kind = 'hold' "
    "AND h.debit_id = NEW.debit_id AND h.credit_id = NEW.credit_id AND h.asset = NEW.asset "
    "AND (h.units = NEW.units OR (NEW.kind = 'post' AND h.units > NEW.units))"
)

TRANSFER_GUARD = _trigger(
    "ledger_transfers_guard",
    "BEFORE INSERT",
    "ledger_transfers",
    _refuse(
        "ledger.batch_closed",
        "NEW.batch_id IS NOT (SELECT COALESCE(MAX(id), 0) + 1 FROM ledger_batches)",
    )
    + _refuse(
        "ledger.line_out_of_order",
        "NEW.line IS NOT (SELECT COALESCE(MAX(line) + 1, 0) FROM ledger_transfers "
        f"WHERE batch_id = NEW.batch_id) OR NEW.line * 2 >= {ENTRIES}",
    )
    + _refuse(
        "ledger.amount",
        "typeof(NEW.units) <> 'text' OR length(NEW.units) <> 79 OR NEW.units NOT GLOB 'p*' "
        "OR substr(NEW.units, 2) GLOB '*[^0-9]*' "
        f"OR NEW.units <= '{ZERO}' OR NEW.units > '{UNITS_MAX}'",
    )
    + _refuse(
        "ledger.asset_mismatch",
        "(SELECT COUNT(*) FROM ledger_accounts "
        "WHERE id IN (NEW.debit_id, NEW.credit_id) AND asset IS NEW.asset) <> 2",
    )
    + _refuse(
        "ledger.kind",
        "NEW.kind NOT IN ('single', 'hold', 'post', 'void') "
        "OR (NEW.kind IN ('post', 'void')) <> (NEW.hold_id IS NOT NULL)",
    )
    + _refuse("ledger.hold_ended", f"NEW.hold_id IS NOT NULL AND EXISTS ({_ENDS_HOLD})")
    + _refuse("ledger.hold_mismatch", f"NEW.hold_id IS NOT NULL AND NOT EXISTS ({_HELD})"),
)


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
        f"      THEN units_add({sums}, NEW.units) ELSE {sums} END,\n"
        f"    {held} = CASE NEW.kind WHEN 'single' THEN {held}\n"
        f"      WHEN 'hold' THEN units_add({held}, NEW.units)\n"
        f"      ELSE units_sub({held},\n"
        f"        (SELECT units FROM ledger_transfers WHERE id = NEW.hold_id)) END,\n"
        f"    last_entry = NEW.batch_id * {ENTRIES} + NEW.line * 2 + {side}\n"
        f"  WHERE account_id = NEW.{account};\n"
    )


TRANSFER_APPLY = _trigger(
    "ledger_transfers_apply", "AFTER INSERT", "ledger_transfers", _entry(0) + _entry(1)
)

_NAMED = f"t.batch_id = NEW.last_entry / {ENTRIES} AND t.line = NEW.last_entry % {ENTRIES} / 2"
"""The transfer that an entry number names."""

_SIDE = "CASE NEW.last_entry % 2 WHEN 0 THEN t.debit_id ELSE t.credit_id END"

BALANCES = [
    _trigger(
        "ledger_balances_no_delete",
        "BEFORE DELETE",
        "ledger_balances",
        _refuse("store.immutable: ledger_balances", "1"),
    ),
    _trigger(
        "ledger_balances_start",
        "BEFORE INSERT",
        "ledger_balances",
        _refuse(
            "ledger.balance_written",
            "(NEW.debits, NEW.credits, NEW.debits_held, NEW.credits_held, NEW.last_entry) "
            f"IS NOT ({ZEROS})",
        ),
    ),
    # Every transfer is applied the moment it is inserted, so an entry that is new to this row
    # exists only while the trigger above runs: nobody else can write a balance.
    _trigger(
        "ledger_balances_guard",
        "BEFORE UPDATE",
        "ledger_balances",
        _refuse(
            "ledger.balance_written",
            "NEW.account_id IS NOT OLD.account_id OR typeof(NEW.last_entry) <> 'integer' "
            "OR NEW.last_entry <= OLD.last_entry "
            f"OR NOT EXISTS (SELECT 1 FROM ledger_transfers t WHERE {_NAMED} "
            f"AND {_SIDE} = NEW.account_id)",
        ),
    ),
    _trigger(
        "ledger_balances_limit",
        "AFTER UPDATE",
        "ledger_balances",
        _refuse(
            "ledger.insufficient_funds",
            "units_add(NEW.debits, NEW.debits_held) > NEW.credits AND "
            "(SELECT may_go_negative FROM ledger_accounts WHERE id = NEW.account_id) IS NOT 1",
        )
        + _refuse("ledger.negative", f"NEW.debits_held < '{ZERO}' OR NEW.credits_held < '{ZERO}'"),
    ),
    _trigger(
        "ledger_balances_total",
        "AFTER UPDATE",
        "ledger_balances",
        "  UPDATE ledger_totals SET\n"
        + "".join(f"    {s} = units_add({s}, units_sub(NEW.{s}, OLD.{s})),\n" for s in SUMS)
        + "    last_entry = NEW.last_entry\n"
        "  WHERE (asset, kind) =\n"
        "    (SELECT asset, kind FROM ledger_accounts WHERE id = NEW.account_id);\n",
    ),
]

TOTALS = [
    _trigger(
        "ledger_totals_no_delete",
        "BEFORE DELETE",
        "ledger_totals",
        _refuse("store.immutable: ledger_totals", "1"),
    ),
    _trigger(
        "ledger_totals_start",
        "BEFORE INSERT",
        "ledger_totals",
        _refuse(
            "ledger.balance_written",
            "(NEW.debits, NEW.credits, NEW.debits_held, NEW.credits_held, NEW.last_entry) "
            f"IS NOT ({ZEROS})",
        ),
    ),
    _trigger(
        "ledger_totals_guard",
        "BEFORE UPDATE",
        "ledger_totals",
        _refuse(
            "ledger.balance_written",
            "NEW.asset IS NOT OLD.asset OR NEW.kind IS NOT OLD.kind "
            "OR typeof(NEW.last_entry) <> 'integer' OR NEW.last_entry <= OLD.last_entry "
            "OR NOT EXISTS (SELECT 1 FROM ledger_transfers t "
            f"JOIN ledger_accounts a ON a.id = {_SIDE} "
            f"WHERE {_NAMED} AND a.kind = NEW.kind AND a.asset = NEW.asset)",
        ),
    ),
]

ACCOUNT_OPEN = _trigger(
    "ledger_accounts_open",
    "AFTER INSERT",
    "ledger_accounts",
    f"  INSERT INTO ledger_balances VALUES (NEW.id, {ZEROS});\n"
    f"  INSERT INTO ledger_totals SELECT NEW.asset, NEW.kind, {ZEROS} WHERE NOT EXISTS\n"
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

BATCH_CLOSE = _trigger(
    "ledger_batches_close",
    "BEFORE INSERT",
    "ledger_batches",
    _refuse(
        "ledger.batch_out_of_order",
        "NEW.id IS NOT (SELECT COALESCE(MAX(id), 0) + 1 FROM ledger_batches)",
    )
    + _refuse(
        "ledger.batch_incomplete",
        "NEW.transfers < 1 OR NEW.transfers IS NOT "
        "(SELECT COUNT(*) FROM ledger_transfers WHERE batch_id = NEW.id)",
    )
    + _refuse(
        "ledger.sum_not_zero",
        "EXISTS (SELECT 1 FROM ledger_totals WHERE asset IN "
        "(SELECT asset FROM ledger_transfers WHERE batch_id = NEW.id) GROUP BY asset "
        "HAVING units_sum(debits) <> units_sum(credits) "
        "OR units_sum(debits_held) <> units_sum(credits_held))",
    ),
)

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
    ACCOUNT_GUARD,
    ACCOUNT_OPEN,
    TRANSFER_GUARD,
    TRANSFER_APPLY,
    *BALANCES,
    *TOTALS,
    BATCH_CLOSE,
    EVENT_ORDER,
    *walls_0001_assets.SQLITE,
)
