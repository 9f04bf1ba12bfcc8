"""Money of one user held for another (wallet.escrow)."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

escrows = Table(
    "escrows",
    metadata,
    Column("id", ID, primary_key=True),  # the ledger's hold, until a part is released
    Column("external_id", NAME, nullable=False, unique=True),  # the exchange's own id, for ever
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("payer_id", ID, ForeignKey("accounts.id"), nullable=False),
    Column("payer_part", CODE, nullable=False),  # spot | margin | contract
    Column("payee_id", ID, ForeignKey("accounts.id"), nullable=False),
    Column("payee_part", CODE, nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("released_units", BaseUnits, nullable=False),  # state: what the payee was given so far
    Column("fee_units", BaseUnits, nullable=False),  # state: what of it went to the house
    Column("fee_basis_points", Integer, nullable=False),
    Column("releases", Integer, nullable=False),  # state: how often something was released
    Column("status", CODE, nullable=False),  # state
    Column("reason", NAME, nullable=False),  # state: why it is disputed
    Column("decided_by", NAME, nullable=False),  # state: the staff member who ended the dispute
    Column("requester", NAME, nullable=False),  # API key id
    Column("created_s", BigInteger, nullable=False),
    Column("updated_s", BigInteger, nullable=False),
    Column("since_s", BigInteger, nullable=False),  # state: when it came into the state it is in
    Column("deadline_s", BigInteger, nullable=False),
    Index("ix_escrows_status", "status", "network"),
    Index("ix_escrows_due", "status", "deadline_s"),
    Index("ix_escrows_payer", "payer_id", "created_s"),
    Index("ix_escrows_payee", "payee_id", "created_s"),
)
