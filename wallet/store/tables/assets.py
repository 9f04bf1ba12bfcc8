"""Gateways, the assets they registered and issued, and the terms of accounts (wallet.assets).

All but the gateways' keys are written once and never changed: the walls refuse it, and hold what
was issued to the quota.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

gateways = Table(
    "gateways",
    metadata,
    Column("id", CODE, primary_key=True),  # "zurich": behind the dot of its assets' codes
    Column("name", NAME, nullable=False),
    Column("created_by", NAME, nullable=False),  # API key
    Column("created_s", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

gateway_keys = Table(
    "gateway_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("gateway", CODE, ForeignKey("gateways.id"), nullable=False),
    Column("key_id", ID, ForeignKey("api_keys.id"), nullable=False),
    Column("role", CODE, nullable=False),  # gateway | agent
    Column("added_by", NAME, nullable=False),
    Column("added_s", BigInteger, nullable=False),
    Column("removed_by", NAME),  # state: null while the key may act for the gateway
    Column("removed_s", BigInteger),
    CheckConstraint("role IN ('gateway', 'agent')", name="role"),
    Index("ix_gateway_keys_gateway", "gateway", "key_id"),
)

registered_assets = Table(
    "registered_assets",
    metadata,
    Column("code", CODE, primary_key=True),  # "GOLD.zurich": symbol and gateway
    Column("id", ID, nullable=False, unique=True),
    Column("gateway", CODE, ForeignKey("gateways.id"), nullable=False),
    Column("symbol", CODE, nullable=False),
    Column("name", NAME, nullable=False),
    Column("type", CODE, nullable=False),  # currency | physical
    Column("decimals", Integer, nullable=False),
    Column("mirrors", CODE),  # currency: code of the configured chain asset it stands for
    Column("quota_units", BaseUnits),  # physical: never more than this is issued
    Column("locked", Integer, nullable=False),  # 1: the quota can be raised by nobody, ever
    Column("registered_by", NAME, nullable=False),  # API key
    Column("registered_s", BigInteger, nullable=False),
    CheckConstraint("type IN ('currency', 'physical')", name="type"),
    CheckConstraint("(type = 'currency') = (mirrors IS NOT NULL)", name="mirror"),
    CheckConstraint("(type = 'physical') = (quota_units IS NOT NULL)", name="quota"),
    CheckConstraint("(type = 'physical') = (locked = 1) AND locked IN (0, 1)", name="lock"),
    UniqueConstraint("gateway", "symbol"),
    UniqueConstraint("gateway", "mirrors"),  # one to one within a gateway
    sqlite_with_rowid=False,
)

asset_issues = Table(
    "asset_issues",
    metadata,
    Column("id", ID, primary_key=True),
    Column("asset", CODE, ForeignKey("registered_assets.code"), nullable=False),
    Column("number", BigInteger, nullable=False),  # 1, 2, 3, ... of its asset
    Column("kind", CODE, nullable=False),  # issue | redeem
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("issued_units", BaseUnits, nullable=False),  # all ever issued, this row included
    Column("redeemed_units", BaseUnits, nullable=False),  # all ever redeemed
    Column("external_id", NAME, nullable=False),  # the caller's own name, for ever
    Column("done_by", NAME, nullable=False),  # API key
    Column("created_s", BigInteger, nullable=False),
    CheckConstraint("kind IN ('issue', 'redeem')", name="kind"),
    UniqueConstraint("asset", "number"),
    UniqueConstraint("asset", "external_id"),
    Index("ix_asset_issues_account", "account_id", "created_s"),
    sqlite_with_rowid=False,
)

account_terms = Table(
    "account_terms",
    metadata,
    Column("id", ID, primary_key=True),
    Column("owner", NAME, nullable=False),  # as in the ledger's chart
    Column("asset", CODE, nullable=False),
    Column("number", BigInteger, nullable=False),  # 1, 2, 3, ...: the highest holds now
    Column("frozen", Integer, nullable=False),
    Column("limit_units", BaseUnits),  # null: none was ever stated
    Column("reason", Text, nullable=False),
    Column("changed_by", NAME, nullable=False),  # API key
    Column("since_height", BigInteger, nullable=False),  # number of the last batch before it
    Column("since_s", BigInteger, nullable=False),
    CheckConstraint("frozen IN (0, 1)", name="frozen"),
    UniqueConstraint("owner", "asset", "number"),
    Index("ix_account_terms_since", "since_s", "id"),
    Index("ix_account_terms_asset", "asset"),
    sqlite_with_rowid=False,
)
