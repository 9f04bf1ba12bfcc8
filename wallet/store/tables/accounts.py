"""The exchange's users and their addresses (wallet.addresses)."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from wallet.store.columns import CODE, ID, NAME, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", ID, primary_key=True),
    Column("external_id", NAME, nullable=False, unique=True),  # the exchange's own user id
    Column("created_s", BigInteger, nullable=False),
)

addresses = Table(
    "addresses",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id")),  # null: our own (change, hot, cold)
    Column("network", CODE, nullable=False),
    Column("source", CODE, nullable=False),  # vault or key account it derives from
    Column("branch", Integer, nullable=False),  # 0 receive, 1 change
    Column("position", BigInteger, nullable=False),  # child index, allocated from counters
    Column("purpose", CODE, nullable=False),  # deposit | change | hot | cold
    Column("address", String(128), nullable=False),
    Column("target", LargeBinary, nullable=False),  # scriptPubKey or 20 bytes: what blocks match
    Column("label", NAME),
    Column("created_s", BigInteger, nullable=False),
    UniqueConstraint("network", "target"),
    UniqueConstraint("network", "source", "branch", "position"),
    Index("ix_addresses_account", "account_id", "network", "created_s"),
)
