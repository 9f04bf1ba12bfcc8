"""Counters: one row a sequence; the row lock makes numbers gapless in commit order."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from wallet.store.columns import metadata

counters = Table(
    "counters",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("head", LargeBinary(32)),  # last hash of a hash-chained sequence (events)
)
