"""What block space cost (wallet.fees). Nothing here is money: prices, in each network's unit."""

from sqlalchemy import BigInteger, Column, String, Table

from wallet.store.columns import CODE, metadata
from wallet.store.types import BaseUnits

fee_estimates = Table(
    "fee_estimates",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("at_s", BigInteger, primary_key=True),
    Column("units", BaseUnits, nullable=False),  # our answer then, the chain's own part included
)

block_prices = Table(
    "block_prices",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("height", BigInteger, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("units", BaseUnits, nullable=False),  # average of the block, 0 when it had room
)
