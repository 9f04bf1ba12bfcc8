"""Losses that were shared out (wallet.apportionment); rows are never updated."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

apportionments = Table(
    "apportionments",
    metadata,
    Column("id", ID, primary_key=True),
    Column("external_id", NAME, nullable=False, unique=True),  # the exchange's own id, for ever
    Column("asset", CODE, nullable=False),
    Column("sub_account", CODE, nullable=False),  # the part of each account that pays its share
    Column("loss_units", BaseUnits, nullable=False),
    Column("receiver_id", ID, ForeignKey("accounts.id")),  # null: the house, which bore the loss
    Column("requester", NAME, nullable=False),  # API key id
    Column("created_s", BigInteger, nullable=False),
)

apportionment_shares = Table(
    "apportionment_shares",
    metadata,
    Column("apportionment_id", ID, ForeignKey("apportionments.id"), primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("gain_units", BaseUnits, nullable=False),
    Column("units", BaseUnits, nullable=False),
)
