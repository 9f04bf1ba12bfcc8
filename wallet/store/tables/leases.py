"""Leases: which process does the work of a role (wallet.leases)."""

from sqlalchemy import BigInteger, Column, Table

from wallet.store.columns import ID, NAME, metadata

leases = Table(
    "leases",
    metadata,
    Column("role", NAME, primary_key=True),  # "pay:bitcoin", "treasury", ...
    Column("holder", ID, nullable=False),  # state: one run of one process
    Column("token", BigInteger, nullable=False),  # state: only grows, one more for each new holder
    Column("expires_s", BigInteger, nullable=False),  # state: others may take it from then on
)
