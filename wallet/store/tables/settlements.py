"""Settlements of which something was posted (wallet.settlements); rows are never updated."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from wallet.store.columns import CODE, NAME, metadata

settlements = Table(
    "settlements",
    metadata,
    Column("external_id", NAME, primary_key=True),  # the exchange's own id, for ever
    Column("content", LargeBinary(32), nullable=False),  # SHA-256 of the body as sent
    Column("mode", CODE, nullable=False),  # atomic | best_effort
    Column("height", BigInteger, nullable=False, unique=True),  # the ledger batch it is
    Column("state_hash", LargeBinary(32), nullable=False),  # of that height
    Column("results", LargeBinary, nullable=False),  # zlib of their names, a line each
    Column("requester", NAME, nullable=False),  # API key id
    Column("created_s", BigInteger, nullable=False),
)
