"""The ledger's tables: immutable rows, guarded by the triggers of the migration.

A batch row is written after its transfers and closes them: at that moment the database checks
the count and that the asset's books sum to zero; later transfers of that number are refused.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

ENTRIES_PER_BATCH = 2_000_000
"""Entry numbers: batch * ENTRIES_PER_BATCH + line * 2 + side (0 debit, 1 credit)."""

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("id", ID, primary_key=True),  # derived from owner and asset
    Column("owner", NAME, nullable=False),  # "user:<account id>", "chain:hot", "expense:fees", ...
    Column("kind", CODE, nullable=False),  # asset | liability | equity | revenue | expense
    Column("asset", CODE, nullable=False),
    Column("may_go_negative", Integer, nullable=False),  # 0: debits may not pass credits
    Column("created_s", BigInteger, nullable=False),
    CheckConstraint("kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')", name="kind"),
    CheckConstraint("may_go_negative IN (0, 1)", name="flag"),
    CheckConstraint("kind <> 'liability' OR may_go_negative = 0", name="liabilities_covered"),
    UniqueConstraint("owner", "asset"),
    UniqueConstraint("id", "asset"),
    sqlite_with_rowid=False,  # a hidden rowid would be a second key to replace rows by
)

ledger_batches = Table(
    "ledger_batches",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # gapless, from counters
    Column("cause", NAME, nullable=False, unique=True),  # "deposit:<id>:credit": posting once
    Column("transfers", Integer, nullable=False),  # how many it closes
    Column("content", LargeBinary(32), nullable=False),  # SHA-256 of the transfers as asked for
    Column("created_s", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

ledger_transfers = Table(
    "ledger_transfers",
    metadata,
    Column("id", ID, primary_key=True),
    Column(
        "batch_id",
        BigInteger,
        ForeignKey("ledger_batches.id", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column("line", Integer, nullable=False),  # 0, 1, 2, ... in the order given
    Column("kind", CODE, nullable=False),  # single | hold | post | void
    Column("hold_id", ID, ForeignKey("ledger_transfers.id")),  # the hold that post or void ends
    Column("debit_id", ID, nullable=False),
    Column("credit_id", ID, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("units", BaseUnits, nullable=False),
    # Both sides are accounts of the row's asset: that every asset sums to zero is structural.
    ForeignKeyConstraint(["debit_id", "asset"], ["ledger_accounts.id", "ledger_accounts.asset"]),
    ForeignKeyConstraint(["credit_id", "asset"], ["ledger_accounts.id", "ledger_accounts.asset"]),
    CheckConstraint("kind IN ('single', 'hold', 'post', 'void')", name="kind"),
    CheckConstraint("debit_id <> credit_id", name="two_sides"),
    CheckConstraint(f"line >= 0 AND line * 2 < {ENTRIES_PER_BATCH}", name="line"),
    UniqueConstraint("batch_id", "line"),
    UniqueConstraint("hold_id"),  # a hold ends once
    sqlite_with_rowid=False,
)

ledger_balances = Table(
    "ledger_balances",
    metadata,
    Column("account_id", ID, ForeignKey("ledger_accounts.id"), primary_key=True),
    Column("debits", BaseUnits, nullable=False),  # the whole row is written by triggers only
    Column("credits", BaseUnits, nullable=False),
    Column("debits_held", BaseUnits, nullable=False),
    Column("credits_held", BaseUnits, nullable=False),
    Column("last_entry", BigInteger, nullable=False),  # the last entry it includes
    sqlite_with_rowid=False,
)

ledger_totals = Table(
    "ledger_totals",  # sums of ledger_balances, kept by triggers: liabilities in one row
    metadata,
    Column("asset", CODE, primary_key=True),
    Column("kind", CODE, primary_key=True),
    Column("debits", BaseUnits, nullable=False),
    Column("credits", BaseUnits, nullable=False),
    Column("debits_held", BaseUnits, nullable=False),
    Column("credits_held", BaseUnits, nullable=False),
    Column("last_entry", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
