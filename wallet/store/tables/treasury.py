"""Thresholds, requests and approvals of the treasury (wallet.treasury)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

thresholds = Table(
    "thresholds",
    metadata,
    Column("asset", CODE, primary_key=True),
    Column("mode", CODE, nullable=False),  # absolute (base units) | share (ppm of liabilities)
    Column("hot_min", BaseUnits, nullable=False),
    Column("hot_target", BaseUnits, nullable=False),
    Column("hot_max", BaseUnits, nullable=False),
    Column("changed_by", NAME, nullable=False),
    Column("changed_s", BigInteger, nullable=False),
)

treasury_requests = Table(
    "treasury_requests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("purpose", CODE, nullable=False),  # refill | sweep
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("status", CODE, nullable=False),  # state: requested|approved|exported|broadcast|...
    Column("sub_status", CODE, nullable=False, default=""),
    Column("intent", LargeBinary, nullable=False),
    Column("intent_digest", LargeBinary(32), nullable=False, unique=True),
    Column("approvals_required", Integer, nullable=False),
    Column("requester", NAME, nullable=False),
    Column("payment_id", ID, ForeignKey("payments.id")),
    Column("created_s", BigInteger, nullable=False),
    Column("updated_s", BigInteger, nullable=False),
    Column("since_s", BigInteger, nullable=False),  # state: when it came into the state it is in
    Column("expires_s", BigInteger, nullable=False),
)

pauses = Table(
    "pauses",
    metadata,
    Column("id", ID, primary_key=True),
    Column("scope", CODE, nullable=False),  # asset | network
    Column("subject", CODE, nullable=False),  # its code or id
    Column("reason", Text, nullable=False),
    Column("paused_by", NAME, nullable=False),  # staff id, or the part of the service
    Column("since_s", BigInteger, nullable=False),
    Column("lifted_by", NAME),  # state: null while withdrawals are paused
    Column("lifted_s", BigInteger),
    Index("ix_pauses_subject", "scope", "subject"),
)  # withdrawals of an asset or a network stand still until a person lifts it (wallet.pauses)

approvals = Table(
    "approvals",
    metadata,
    Column("intent_digest", LargeBinary(32), primary_key=True),
    Column("approver", NAME, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("sig", LargeBinary, nullable=False),
    Column("received_s", BigInteger, nullable=False),
)

runways = Table(
    "runways",
    metadata,
    Column("asset", CODE, primary_key=True),
    Column("is_low", Boolean, nullable=False),  # state: told people so
    Column("hours", BigInteger),  # null: nothing usually leaves
    Column("updated_s", BigInteger, nullable=False),
)
