"""Events and their webhooks (wallet.events, wallet.webhooks)."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from wallet.store.columns import CODE, ID, NAME, metadata

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # gapless, from counters
    Column("type", CODE, nullable=False),  # "deposit.credited"
    Column("subject", NAME, nullable=False),  # id of what it is about
    Column("body", Text, nullable=False),  # JSON, sorted keys
    Column("hash", LargeBinary(32), nullable=False),  # over the previous hash: wallet.events
    Column("created_s", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret_box", LargeBinary, nullable=False),  # AES-256-GCM under the service key
    Column("event_types", Text, nullable=False),  # JSON list, empty means all
    Column("status", CODE, nullable=False),  # state: active | paused | deleted
    Column("next_seq", BigInteger, nullable=False),  # state: first event not yet queued
    Column("created_by", NAME, nullable=False),
    Column("created_s", BigInteger, nullable=False),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("webhook_id", ID, ForeignKey("webhooks.id"), primary_key=True),
    Column("seq", BigInteger, ForeignKey("events.seq"), primary_key=True),
    Column("status", CODE, nullable=False),  # state: pending | delivered | failed
    Column("attempts", Integer, nullable=False),
    Column("next_s", BigInteger, nullable=False),
    Column("last_result", Text, nullable=False, default=""),
    Index("ix_webhook_deliveries_due", "status", "next_s"),
)
