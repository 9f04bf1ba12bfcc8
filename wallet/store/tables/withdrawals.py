"""Withdrawals (wallet.withdrawals)."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("id", ID, primary_key=True),
    Column("external_id", NAME, nullable=False, unique=True),  # the exchange's own id, for ever
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False),
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("address", String(128), nullable=False),
    Column("target", LargeBinary, nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("fee_units", BaseUnits, nullable=False),  # what the user pays on top, in the asset
    Column("status", CODE, nullable=False),  # state
    Column("sub_status", CODE, nullable=False, default=""),
    Column("intent", LargeBinary, nullable=False),  # canonical CBOR, fixed at submission
    Column("intent_digest", LargeBinary(32), nullable=False, unique=True),
    Column("approvals_required", Integer, nullable=False),
    Column("policy_hash", String(64), nullable=False),
    Column("payment_id", ID),  # state: the payment that carries it
    Column("requester", NAME, nullable=False),  # API key id
    Column("created_s", BigInteger, nullable=False),
    Column("updated_s", BigInteger, nullable=False),
    Column("since_s", BigInteger, nullable=False),  # state: when it came into the state it is in
    Column("deadline_s", BigInteger, nullable=False),
    Index("ix_withdrawals_status", "status", "network"),
    Index("ix_withdrawals_spent", "network", "asset", "created_s"),
    Index("ix_withdrawals_account", "account_id", "created_s"),
)
