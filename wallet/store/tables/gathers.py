"""Gathering beside its payments: who delegated, who shares in a batch, whose gas was topped up."""

from sqlalchemy import Column, ForeignKey, Index, String, Table

from wallet.store.columns import ID, metadata
from wallet.store.types import BaseUnits

delegations = Table(
    "delegations",
    metadata,
    Column("payment_id", ID, ForeignKey("payments.id"), primary_key=True),  # the authorisation
    Column("address_id", ID, ForeignKey("addresses.id"), nullable=False),
    Column("sweeper", String(64), nullable=False),  # what the address delegates to
    Column("batch_id", ID, ForeignKey("payments.id")),  # state: the batch that carries it
    Index("ix_delegations_address", "address_id"),
)

batch_shares = Table(
    "batch_shares",
    metadata,
    Column("payment_id", ID, ForeignKey("payments.id"), primary_key=True),  # the batch
    Column("address_id", ID, ForeignKey("addresses.id"), primary_key=True),
    Column("units", BaseUnits, nullable=False),  # what it held when the batch was built
    Column("block_hash", String(64)),  # state: the block in which what follows was seen
    Column("left_units", BaseUnits),  # state: what really left the address
    Column("arrived_units", BaseUnits),  # state: what of it reached the treasury
    Index("ix_batch_shares_address", "address_id"),
)

top_ups = Table(
    "top_ups",
    metadata,
    Column("payment_id", ID, ForeignKey("payments.id"), primary_key=True),
    Column("address_id", ID, ForeignKey("addresses.id"), nullable=False),
    Index("ix_top_ups_address", "address_id"),
)
