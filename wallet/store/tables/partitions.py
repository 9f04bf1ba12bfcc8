"""What is kept of each sealed partition of the ledger (wallet.ledger.partitions).

On PostgreSQL only; an embedded ledger is one table, and both stay empty there. To know a balance at
a height: the account's newest checkpoint up to the newest `last_height` up to it, and what the
transfers after that `last_height` changed, which are of one partition.
"""

from sqlalchemy import BigInteger, Column, Table

from wallet.store.columns import metadata
from wallet.store.types import BaseUnits

OPEN_PARTITION = "ledger_transfers_open"
"""The partition of ledger_transfers, on PostgreSQL, that has the newest heights."""

ledger_partitions = Table(
    "ledger_partitions",  # those whose checkpoints are all written, without a gap
    metadata,
    Column("last_height", BigInteger, primary_key=True, autoincrement=False),
    Column("first_height", BigInteger, nullable=False),
    Column("transfers", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

ledger_checkpoints = Table(
    "ledger_checkpoints",  # of each account that a partition changed, as the partition left it
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("height", BigInteger, primary_key=True, autoincrement=False),  # its last change there
    Column("debits", BaseUnits, nullable=False),
    Column("credits", BaseUnits, nullable=False),
    Column("debits_held", BaseUnits, nullable=False),
    Column("credits_held", BaseUnits, nullable=False),
    sqlite_with_rowid=False,
)
