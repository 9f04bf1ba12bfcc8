"""Sealing the open partition of the ledger on PostgreSQL: two functions that act as its owner.

Whoever may call them needs no other right to it: the service seals partitions without being able
to alter a table. `ledger_partition_cut` ends the open partition at the present height and makes a
new one. `ledger_partition_finish` gives the oldest cut one its indexes by account and its
checkpoints; the partition takes no more rows, so nobody has to wait for it.
"""

from wallet.store.migrations.walls_0001_postgresql import (
    CLOSED,
    FLOOR,
    OPEN_PARTITION,
    PINNED,
    _after_set,
    _frozen,
    _function,
    _refuse,
    _trigger,
    partition_walls,
)

CUT_LOCK_TIMEOUT_S = 2
"""How long a cut waits for the table, with everybody else behind it; then it is tried later."""

WRITER_LOCK = 0x676C6179746F73
"""As in wallet.store.database; a test holds them together."""

FINISH_LOCK = WRITER_LOCK + 1
"""PostgreSQL advisory lock of whoever finishes a partition."""

_BOUND = "substring(pg_get_expr(c.relpartbound, c.oid) FROM '{side} \\(''?(\\d+)''?\\)')::bigint"
_LOWER, _UPPER = _BOUND.format(side="FROM"), _BOUND.format(side="TO")


def _privileged(name: str, settings: str, variables: str, body: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER\n"
        f"SET search_path FROM CURRENT{settings} AS $$\n"
        f"DECLARE\n{variables}BEGIN\n{body}END\n$$"
    )


def _each(statements: list[str]) -> str:
    """The statements executed with the partition's name in the place of %1$s."""
    return "".join(f"  EXECUTE format('{statement}', sealed);\n" for statement in statements)


_DROP_WALLS = [
    f"DROP TRIGGER {OPEN_PARTITION}_no_truncate ON {OPEN_PARTITION}",
    f"DROP TRIGGER {OPEN_PARTITION}_open ON {OPEN_PARTITION}",
]

CUT = _privileged(
    "ledger_partition_cut",
    f" SET lock_timeout = '{CUT_LOCK_TIMEOUT_S}s'",
    "  head bigint;\n  lower bigint;\n  sealed text;\n  writer regrole;\n",
    f"  PERFORM pg_advisory_xact_lock({WRITER_LOCK});\n"
    "  SELECT MAX(height) INTO head FROM ledger_batches;\n"
    f"  SELECT {_LOWER} INTO lower FROM pg_class c WHERE c.oid = '{OPEN_PARTITION}'::regclass;\n"
    "  IF head IS NULL OR head < lower THEN\n    RETURN NULL;\n  END IF;\n"
    "  sealed := 'ledger_transfers_to_' || head;\n"
    f"  ALTER TABLE ledger_transfers DETACH PARTITION {OPEN_PARTITION};\n"
    + "".join(f"  {statement};\n" for statement in _DROP_WALLS)
    + _each(
        [
            f"ALTER TABLE {OPEN_PARTITION} RENAME TO %1$s",
            f"ALTER INDEX {OPEN_PARTITION}_pkey RENAME TO %1$s_pkey",
        ]
    )
    + "  EXECUTE format('ALTER TABLE ledger_transfers ATTACH PARTITION %1$s "
    "FOR VALUES FROM (%2$s) TO (%3$s)',\n"
    "    sealed, COALESCE(lower::text, 'MINVALUE'), head + 1);\n"
    f"  EXECUTE format('CREATE TABLE {OPEN_PARTITION} PARTITION OF ledger_transfers "
    "FOR VALUES FROM (%1$s) TO (MAXVALUE)', head + 1);\n"
    + _each(partition_walls("%1$s"))
    + "".join(f"  {statement};\n" for statement in partition_walls(OPEN_PARTITION))
    # Who may add transfers adds them to the open partition, and to no other.
    + "  FOR writer IN SELECT a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a\n"
    "    WHERE c.oid = 'ledger_transfers'::regclass AND a.privilege_type = 'INSERT'\n"
    "    AND a.grantee NOT IN (c.relowner, 0)\n"
    f"  LOOP\n    EXECUTE format('GRANT INSERT ON {OPEN_PARTITION} TO %s', writer);\n"
    "    EXECUTE format('REVOKE INSERT ON %s FROM %s', sealed, writer);\n  END LOOP;\n"
    "  RETURN head;\n",
)


def _side(account: str, other: str) -> str:
    """What each transfer of the partition changes on one side of it."""
    return (
        f"SELECT t.{account} AS account, t.height,\n"
        f"      CASE WHEN t.kind IN (''single'', ''post'') THEN t.units ELSE 0 END AS {account}s,\n"
        f"      0 AS {other}s,\n"
        "      CASE t.kind WHEN ''single'' THEN 0 WHEN ''hold'' THEN t.units ELSE -h.units END\n"
        f"        AS {account}s_held,\n"
        f"      0 AS {other}s_held\n"
        "    FROM %1$s t LEFT JOIN ledger_holds h ON h.id = t.hold_id"
    )


_SUMS = ("debits", "credits", "debits_held", "credits_held")


def _checkpoints() -> str:
    columns = "account, height, " + ", ".join(_SUMS)
    sides = [
        f"SELECT {columns} FROM (\n    {_side(account, other)}) AS {account}_side"
        for account, other in (("debit", "credit"), ("credit", "debit"))
    ]
    added = ", ".join(f"SUM({name}) AS {name}" for name in _SUMS)
    values = ", ".join(f"s.{name} + COALESCE(p.{name}, 0)" for name in _SUMS)
    return (
        f"INSERT INTO ledger_checkpoints ({columns})\n"
        f"  SELECT s.account, s.height, {values}\n"
        f"  FROM (SELECT account, MAX(height) AS height, {added} FROM (\n"
        f"    {sides[0]}\n    UNION ALL\n    {sides[1]}) AS moved GROUP BY account) AS s\n"
        "  LEFT JOIN LATERAL (SELECT * FROM ledger_checkpoints c WHERE c.account = s.account\n"
        "    ORDER BY c.height DESC LIMIT 1) AS p ON true"
    )


FINISH = _privileged(
    "ledger_partition_finish",
    "",
    "  done bigint;\n  last bigint;\n  lines bigint;\n  differing bigint;\n  sealed text;\n",
    f"  PERFORM pg_advisory_xact_lock({FINISH_LOCK});\n"
    "  SELECT COALESCE(MAX(last_height), 0) INTO done FROM ledger_partitions;\n"
    f"  SELECT c.relname, {_UPPER} - 1 INTO sealed, last\n"
    "    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid\n"
    "    WHERE i.inhparent = 'ledger_transfers'::regclass\n"
    f"    AND {_UPPER} > done + 1 ORDER BY 2 LIMIT 1;\n"
    f"  IF last IS NULL OR last > {CLOSED} THEN\n    RETURN NULL;\n  END IF;\n"
    + _each(
        [
            "CREATE INDEX IF NOT EXISTS ix_%1$s_debit ON %1$s (debit, height)",
            "CREATE INDEX IF NOT EXISTS ix_%1$s_credit ON %1$s (credit, height)",
        ]
    )
    # What was not touched since stands in the balances too, and must be the same.
    + f"  EXECUTE format('WITH made AS ({_checkpoints()} RETURNING *)\n"
    "  SELECT COUNT(*) FROM made JOIN ledger_balances b ON b.account = made.account\n"
    "  WHERE b.height <= $1 AND (b.height, b.debits, b.credits, b.debits_held, b.credits_held)\n"
    "    IS DISTINCT FROM\n"
    "    (made.height, made.debits, made.credits, made.debits_held, made.credits_held)', sealed)\n"
    "    INTO differing USING last;\n"
    "  IF differing > 0 THEN\n"
    "    RAISE EXCEPTION 'ledger.checkpoint: % balances differ from the transfers up to %',\n"
    "      differing, last USING ERRCODE = 'integrity_constraint_violation';\n"
    "  END IF;\n"
    "  EXECUTE format('SELECT COUNT(*) FROM %1$s', sealed) INTO lines;\n"
    "  INSERT INTO ledger_partitions (last_height, first_height, transfers)\n"
    "    VALUES (last, done + 1, lines);\n"
    "  RETURN last;\n",
)

CHECKPOINTS = [
    _function(
        "ledger_checkpoints_open",
        _refuse(
            "ledger.checkpoint",
            "EXISTS (SELECT 1 FROM fresh WHERE height <= "
            "(SELECT COALESCE(MAX(last_height), 0) FROM ledger_partitions) "
            f"OR height > {CLOSED})",
        ),
        "NULL",
    ),
    _after_set(
        "ledger_checkpoints_open", "INSERT", "ledger_checkpoints", "ledger_checkpoints_open"
    ),
    _function(
        "ledger_partitions_order",
        _refuse(
            "ledger.partition",
            "NEW.first_height IS DISTINCT FROM "
            "(SELECT COALESCE(MAX(last_height), 0) + 1 FROM ledger_partitions) "
            f"OR NEW.last_height < NEW.first_height OR NEW.last_height > {CLOSED}",
        ),
    ),
    _trigger(
        "ledger_partitions_order", "BEFORE INSERT", "ledger_partitions", "ledger_partitions_order"
    ),
]

_KEPT = f"(SELECT MAX(last_height) FROM ledger_partitions WHERE last_height <= {FLOOR})"
"""The last height of the sealed partitions that a rollback leaves as they are."""


def _undo(table: str, allowed: str) -> str:
    return (
        f"CREATE FUNCTION {table}_undo() RETURNS trigger LANGUAGE plpgsql {PINNED} AS $$\n"
        f"BEGIN\n  IF ({allowed}) IS NOT TRUE THEN\n"
        "    RAISE EXCEPTION 'store.immutable: %', TG_TABLE_NAME\n"
        "      USING ERRCODE = 'integrity_constraint_violation';\n"
        "  END IF;\n  RETURN OLD;\nEND\n$$"
    )


UNDOING_FUNCTIONS = [
    _undo("ledger_checkpoints", f"{FLOOR} IS NOT NULL AND OLD.height > COALESCE({_KEPT}, 0)"),
    _undo("ledger_partitions", f"OLD.last_height > {FLOOR}"),
]

# A rollback into a sealed partition makes it one that is not finished: it takes the heights up to
# its end again, and is finished anew when they are all there.
REOPENING = [
    _function(
        "ledger_partitions_reopen",
        f"  DELETE FROM ledger_checkpoints WHERE height > COALESCE({_KEPT}, 0);\n"
        f"  DELETE FROM ledger_partitions WHERE last_height > {FLOOR};\n",
        "NULL",
    ),
    _trigger(
        "ledger_partitions_reopen",
        "AFTER DELETE",
        "ledger_batches",
        "ledger_partitions_reopen",
        "STATEMENT",
    ),
]

FUNCTIONS = ("ledger_partition_cut", "ledger_partition_finish")

STATEMENTS: tuple[str, ...] = (
    *UNDOING_FUNCTIONS,
    *_frozen("ledger_checkpoints", "ledger_checkpoints_undo"),
    *_frozen("ledger_partitions", "ledger_partitions_undo"),
    *CHECKPOINTS,
    *REOPENING,
    CUT,
    FINISH,
    *(f"REVOKE ALL ON FUNCTION {name}() FROM PUBLIC" for name in FUNCTIONS),
)
