"""Where an embedded database was moved to (wallet.store.moved); on PostgreSQL it stays empty."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Table, Text

from wallet.store.columns import metadata

moved_to = Table(
    "moved_to",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is one new home
    Column("home", Text, nullable=False),  # a URL without user, password or options
    Column("begun_s", BigInteger, nullable=False),
    Column("ended_s", BigInteger),  # state: set when all of it was found in the new home
    CheckConstraint("id = 1", name="one"),
)
