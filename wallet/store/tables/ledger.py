"""The ledger's tables: every batch is a height, and a height once written never changes.

A batch row is written after its transfers and closes the height: at that moment the database
counts its lines and sums the asset's books; later transfers of that height are refused.
Amounts are text on SQLite, so what bounds them there stands in the triggers.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)

from wallet.store.columns import CODE, ID, NAME, UUID_TEXT, metadata
from wallet.store.types import BaseUnits

LINES_MAX = 1_000_000
"""Transfers of a height."""

UNITS_MAX = 10**60
"""More base units than any asset has; leaves room so that no sum can overflow."""

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # gapless, from counters
    Column("owner", NAME, nullable=False),  # "user:<account id>", "chain:hot", "expense:fees", ...
    Column("asset", CODE, nullable=False),
    Column("kind", CODE, nullable=False),  # asset | liability | equity | revenue | expense
    Column("may_go_negative", Integer, nullable=False),  # 0: debits may not pass credits
    Column("height", BigInteger, nullable=False),  # the batch that used it first
    CheckConstraint("kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')", name="kind"),
    CheckConstraint("may_go_negative IN (0, 1)", name="flag"),
    CheckConstraint("kind <> 'liability' OR may_go_negative = 0", name="liabilities_covered"),
    UniqueConstraint("owner", "asset"),
    sqlite_with_rowid=False,  # a hidden rowid would be a second key to replace rows by
)

ledger_batches = Table(
    "ledger_batches",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),  # 1, 2, 3, ...
    Column("cause", NAME, nullable=False, unique=True),  # "deposit:<id>:credit": posting once
    Column("transfers", Integer, nullable=False),  # how many it closes
    Column("content", LargeBinary(32), nullable=False),  # SHA-256 of the transfers as asked for
    Column("created_s", BigInteger, nullable=False),
    Column("state_hash", LargeBinary(32), nullable=False, index=True),  # wallet.ledger.encoding
    sqlite_with_rowid=False,
)

# Accounts are numbers here and assets are not repeated: the row is what a settlement writes
# 130,000 times a second. That both sides are of one asset is the engine's to see to, and
# `ledger verify` looks after it.
ledger_transfers = Table(
    "ledger_transfers",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),  # 0, 1, 2, ... as given
    Column("id", UUID_TEXT, nullable=False),  # unique by ledger_transfer_ids
    Column("kind", CODE, nullable=False),  # single | hold | post | void
    Column("hold_id", UUID_TEXT),  # the hold that post or void ends
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("expires_s", BigInteger, nullable=False),  # of a hold: when it can no longer be posted
    CheckConstraint("kind IN ('single', 'hold', 'post', 'void')", name="kind"),
    CheckConstraint("debit <> credit", name="two_sides"),
    CheckConstraint(f"line >= 0 AND line < {LINES_MAX}", name="line"),
    CheckConstraint("(kind IN ('post', 'void')) = (hold_id IS NOT NULL)", name="ends"),
    CheckConstraint("expires_s = 0 OR kind = 'hold'", name="expiry"),
    CheckConstraint(f"units > 0 AND units <= {UNITS_MAX}", name="amount").ddl_if("postgresql"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (height)",
)

ledger_transfer_ids = Table(
    "ledger_transfer_ids",  # one index over all partitions: a transfer is posted once, for ever
    metadata,
    Column("id", UUID_TEXT, primary_key=True),
    Column("height", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    sqlite_with_rowid=False,
)

ledger_holds = Table(
    "ledger_holds",
    metadata,
    Column("id", UUID_TEXT, primary_key=True),  # the id of the transfer that made it
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("expires_s", BigInteger, nullable=False, index=True),  # 0: never
    Column("ended_height", BigInteger),  # state: once set, for ever
    Column("ended_line", Integer),
    sqlite_with_rowid=False,
)

ledger_balances = Table(
    "ledger_balances",  # the latest value of each account; older ones follow from the transfers
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("debits", BaseUnits, nullable=False),
    Column("credits", BaseUnits, nullable=False),
    Column("debits_held", BaseUnits, nullable=False),
    Column("credits_held", BaseUnits, nullable=False),
    Column("may_go_negative", Integer, nullable=False),  # as in ledger_accounts
    Column("height", BigInteger, nullable=False),  # the last batch that changed it
    CheckConstraint(
        "may_go_negative = 1 OR debits + debits_held <= credits", name="insufficient_funds"
    ).ddl_if("postgresql"),
    CheckConstraint("debits_held >= 0 AND credits_held >= 0", name="negative").ddl_if("postgresql"),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": "50"},  # room to update a row in its page
)

ledger_totals = Table(
    "ledger_totals",  # sums of ledger_balances: liabilities in one row
    metadata,
    Column("asset", CODE, primary_key=True),
    Column("kind", CODE, primary_key=True),
    Column("debits", BaseUnits, nullable=False),
    Column("credits", BaseUnits, nullable=False),
    Column("debits_held", BaseUnits, nullable=False),
    Column("credits_held", BaseUnits, nullable=False),
    Column("height", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

ledger_origin = Table(
    "ledger_origin",  # of a ledger that began from an image; no row where it began at height 1
    metadata,
    # Transfers up to here are in archives elsewhere; accounts, balances and open holds are here.
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("state_hash", LargeBinary(32), nullable=False),  # at that height
    Column("fingerprint", LargeBinary(32), nullable=False),  # wallet.ledger.encoding.Fingerprint
    Column("image", LargeBinary(32), nullable=False),  # digest of the image's signed manifest
    # 1: the causes and ids posted before are here too, so this ledger may post; 0: it only follows
    Column("may_post", Integer, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    CheckConstraint("height > 0", name="height"),
    CheckConstraint("may_post IN (0, 1)", name="flag"),
    sqlite_with_rowid=False,
)

ledger_heads = Table(
    "ledger_heads",  # heads that the coordinator signed and the signers were told
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("time_s", BigInteger, primary_key=True, autoincrement=False),
    Column("state_hash", LargeBinary(32), nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),  # the coordinator's
    Column("signature", LargeBinary(64), nullable=False),  # over signer.protocol.LedgerHead
    sqlite_with_rowid=False,
)

ledger_rollbacks = Table(
    "ledger_rollbacks",  # heights undone with the approval of staff (wallet.mirrors)
    metadata,
    Column("id", ID, primary_key=True),
    Column("tag", CODE, nullable=False),  # of the image gone back to
    Column("to_height", BigInteger, nullable=False),  # the image's; all above it is undone
    Column("from_height", BigInteger, nullable=False),  # the last height when it was asked for
    Column("status", CODE, nullable=False),  # state: requested | undoing | done
    Column("body", LargeBinary, nullable=False),  # what the approvals cover
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("approvals_required", Integer, nullable=False),
    Column("requester", NAME, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger, nullable=False),
    Column("archive", LargeBinary(32)),  # state: SHA-256 of the file with what was undone
    Column("done_s", BigInteger),  # state
    CheckConstraint("status IN ('requested', 'undoing', 'done')", name="status"),
    CheckConstraint("to_height > 0 AND to_height < from_height", name="heights"),
    CheckConstraint("status = 'requested' OR archive IS NOT NULL", name="archived"),
)
