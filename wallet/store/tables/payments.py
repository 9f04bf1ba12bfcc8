"""Payments: one transaction on a chain and all that led to it (wallet.payments)."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

payments = Table(
    "payments",
    metadata,
    Column("id", ID, primary_key=True),
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("purpose", CODE, nullable=False),  # signer.protocol.Purpose
    Column("source", CODE, nullable=False),  # vault, key account or Safe that pays
    Column("status", CODE, nullable=False),  # state: built|signing|signed|broadcast|confirmed|...
    Column("sub_status", CODE, nullable=False, default=""),
    # state: the version that counts, which is the newest signed one, or the one that was mined;
    # the next seven columns are its own
    Column("version", Integer, nullable=False),
    Column("request", LargeBinary, nullable=False),  # sealed SR1, stored before any signer sees it
    Column("request_id", ID, nullable=False, unique=True),
    Column("payload_digest", LargeBinary(32), nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("fee_units_max", BaseUnits, nullable=False),  # native base units
    Column("fee_units", BaseUnits),  # state: what the chain took
    Column("sender", String(64)),  # EVM: address the nonce belongs to
    Column("nonce", BigInteger),
    Column("raw", LargeBinary),  # state: signed bytes, stored before broadcast
    Column("txid", String(66), unique=True),  # state: set with raw
    Column("height", BigInteger),  # state: block it is in now
    Column("parent_id", ID, ForeignKey("payments.id")),  # Safe payload this execution carries
    Column("created_s", BigInteger, nullable=False),
    Column("updated_s", BigInteger, nullable=False),
    Column("lost_s", BigInteger),  # state: when a reorganisation took the block of a final one
    Column("since_s", BigInteger, nullable=False),  # state: when it came into the state it is in
    UniqueConstraint("network", "sender", "nonce"),
    Index("ix_payments_status", "status", "network"),
)

payment_versions = Table(
    "payment_versions",
    metadata,
    Column("payment_id", ID, ForeignKey("payments.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # 1 is what was built first
    Column("act", CODE, nullable=False),  # wallet.payments.replacing.versions.Act
    Column("status", CODE, nullable=False),  # state: signing|signed|given_up
    Column("reason", CODE, nullable=False, default=""),  # state: why given up, or why the last one
    Column("request", LargeBinary, nullable=False),  # sealed SR1, stored before any signer sees it
    Column("request_id", ID, nullable=False, unique=True),
    Column("payload_digest", LargeBinary(32), nullable=False),
    Column("fee_units_max", BaseUnits, nullable=False),  # native base units
    Column("consumes", Text, nullable=False),  # outpoints "txid:vout", or "sender/nonce"
    Column("raw", LargeBinary),  # state: signed bytes, stored before broadcast
    Column("txid", String(66), unique=True),  # state: set with raw
    Column("height", BigInteger, nullable=False),  # state: the block from which it waits
    Column("created_s", BigInteger, nullable=False),
)

payment_answers = Table(
    "payment_answers",
    metadata,
    Column("payment_id", ID, ForeignKey("payments.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("signer_id", NAME, primary_key=True),
    Column("answer", LargeBinary, nullable=False),  # sealed SA1
    Column("counter", BigInteger, nullable=False),  # the signer's record that holds it
    Column("received_s", BigInteger, nullable=False),
    UniqueConstraint("signer_id", "counter"),  # twice means that the signer was put back or copied
)

payment_broadcasts = Table(
    "payment_broadcasts",
    metadata,
    Column("payment_id", ID, ForeignKey("payments.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("started_s", BigInteger, nullable=False),
    Column("outcome", CODE, nullable=False),  # state: started|accepted|already_known|rejected|...
    Column("reason", CODE, nullable=False, default=""),  # chains.broadcast_errors.Rejection
    Column("detail", Text, nullable=False, default=""),  # the node's words
)
