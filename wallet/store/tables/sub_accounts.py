"""Moves between the parts of a user's account (wallet.sub_accounts); rows are never updated."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

sub_account_transfers = Table(
    "sub_account_transfers",
    metadata,
    Column("id", ID, primary_key=True),
    Column("external_id", NAME, nullable=False, unique=True),  # the exchange's own id, for ever
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False),
    Column("asset", CODE, nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("source", CODE, nullable=False),  # spot | margin | contract
    Column("target", CODE, nullable=False),
    Column("requester", NAME, nullable=False),  # API key id
    Column("created_s", BigInteger, nullable=False),
    Index("ix_sub_account_transfers_account", "account_id", "created_s"),
)
