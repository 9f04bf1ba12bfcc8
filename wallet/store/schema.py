"""Every table but the ledger's. A comment says what a column means and which part writes it.

Identifiers are UUID text made by the caller; times are Unix seconds; amounts are base units.
Rows that carry money are never updated except where a column says "state".
"""

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

from wallet.store import ledger_tables
from wallet.store.columns import CODE, ID, NAME, metadata
from wallet.store.types import BaseUnits

__all__ = ["ledger_tables", "metadata"]  # imported so that metadata knows the ledger's tables too

# --- counters: one row a sequence; the row lock makes numbers gapless in commit order -------------

counters = Table(
    "counters",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("head", LargeBinary(32)),  # last hash of a hash-chained sequence (events)
)

# --- the exchange's users and their addresses (wallet.addresses) ----------------------------------

accounts = Table(
    "accounts",
    metadata,
    Column("id", ID, primary_key=True),
    Column("external_id", NAME, nullable=False, unique=True),  # the exchange's own user id
    Column("created_s", BigInteger, nullable=False),
)

addresses = Table(
    "addresses",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id")),  # null: our own (change, hot, cold)
    Column("network", CODE, nullable=False),
    Column("source", CODE, nullable=False),  # vault or key account it derives from
    Column("branch", Integer, nullable=False),  # 0 receive, 1 change
    Column("position", BigInteger, nullable=False),  # child index, allocated from counters
    Column("purpose", CODE, nullable=False),  # deposit | change | hot | cold
    Column("address", String(128), nullable=False),
    Column("target", LargeBinary, nullable=False),  # scriptPubKey or 20 bytes: what blocks match
    Column("label", NAME),
    Column("created_s", BigInteger, nullable=False),
    UniqueConstraint("network", "target"),
    UniqueConstraint("network", "source", "branch", "position"),
    Index("ix_addresses_account", "account_id", "network", "created_s"),
)

# --- the chains as scanned (wallet.deposits.watcher) ----------------------------------------------

blocks = Table(
    "blocks",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("height", BigInteger, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("parent", String(64), nullable=False),
    Column("time_s", BigInteger, nullable=False),
    Column("scanned_s", BigInteger, nullable=False),
)  # the scanned best chain; a rollback deletes from the top down to the fork point

utxos = Table(
    "utxos",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("txid", String(64), primary_key=True),
    Column("vout", Integer, primary_key=True),
    Column("address_id", ID, ForeignKey("addresses.id"), nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("raw_tx", LargeBinary, nullable=False),  # funding transaction: the signer's proof
    Column("height", BigInteger),  # state: null while not in the scanned chain
    Column("spent_txid", String(64)),  # state: set by the scan that saw the spend
    Column("spent_height", BigInteger),
    Column("payment_id", ID),  # state: reserved by this payment until it is final
)

deposits = Table(
    "deposits",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id")),
    Column("address_id", ID, ForeignKey("addresses.id"), nullable=False),
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("txid", String(66), nullable=False),
    Column("position", String(64), nullable=False),  # "out:1" | "log:7" | "tx" | "trace:0.2"
    Column("units", BaseUnits, nullable=False),
    Column("evidence", CODE, nullable=False),  # chains.types.Evidence
    Column("status", CODE, nullable=False),  # state
    Column("sub_status", CODE, nullable=False, default=""),
    Column("height", BigInteger),  # state: block it is in now, null when orphaned
    Column("block_hash", String(64)),
    Column("confirmations_required", Integer, nullable=False),
    Column("seen_s", BigInteger, nullable=False),
    Column("credited_s", BigInteger),
    UniqueConstraint("network", "txid", "position"),
    Index("ix_deposits_status", "network", "status"),
    Index("ix_deposits_account", "account_id", "seen_s"),
)

# --- withdrawals (wallet.withdrawals) -------------------------------------------------------------

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
    Column("deadline_s", BigInteger, nullable=False),
    Index("ix_withdrawals_status", "status", "network"),
    Index("ix_withdrawals_account", "account_id", "created_s"),
)

# --- payments (wallet.payments): one transaction on a chain and all that led to it ----------------

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
    UniqueConstraint("network", "sender", "nonce"),
    Index("ix_payments_status", "status", "network"),
)

payment_answers = Table(
    "payment_answers",
    metadata,
    Column("payment_id", ID, ForeignKey("payments.id"), primary_key=True),
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
    Column("started_s", BigInteger, nullable=False),
    Column("outcome", CODE, nullable=False),  # state: started|accepted|already_known|rejected|...
    Column("detail", Text, nullable=False, default=""),
)

# --- treasury (wallet.treasury) -------------------------------------------------------------------

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
    Column("expires_s", BigInteger, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("intent_digest", LargeBinary(32), primary_key=True),
    Column("approver", NAME, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("sig", LargeBinary, nullable=False),
    Column("received_s", BigInteger, nullable=False),
)

# --- hosted keys (wallet.hosted_keys): a user's own money, in no ledger account of ours ----------

hosted_keys = Table(
    "hosted_keys",
    metadata,
    Column("id", ID, primary_key=True),  # chosen by the device: it is bound into the blob
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False),
    Column("network", CODE, nullable=False),
    Column("position", BigInteger, nullable=False),  # in order of creation: how a scan finds it
    Column("public_key", LargeBinary(33), nullable=False),
    Column("address", String(128), nullable=False),
    Column("target", LargeBinary, nullable=False),
    Column("blob", LargeBinary, nullable=False),  # state: the device's ciphertext, empty if deleted
    Column("version", Integer, nullable=False),  # state: only ever grows
    Column("status", CODE, nullable=False),  # state: active | deleted
    Column("totp_box", LargeBinary, nullable=False),  # AES-256-GCM under the service key
    Column("totp_step", BigInteger, nullable=False),  # state: last time step that was accepted
    Column("failures", Integer, nullable=False),  # state: attempts since the last good code
    Column("locked_until_s", BigInteger, nullable=False),  # state
    Column("created_s", BigInteger, nullable=False),
    Column("updated_s", BigInteger, nullable=False),
    UniqueConstraint("network", "target"),
    UniqueConstraint("network", "position"),
    Index("ix_hosted_keys_account", "account_id", "created_s"),
)

hosted_coins = Table(
    "hosted_coins",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("txid", String(64), primary_key=True),
    Column("vout", Integer, primary_key=True),
    Column("key_id", ID, ForeignKey("hosted_keys.id"), nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("raw_tx", LargeBinary, nullable=False),  # funding transaction: the device's proof
    Column("height", BigInteger),  # state: null while not in the scanned chain
    Column("spent_txid", String(64)),  # state: set by the scan that saw the spend
    Column("spent_height", BigInteger),
    Column("payment_id", ID),  # state: the hosted payment that spends it
)

hosted_payments = Table(
    "hosted_payments",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key_id", ID, ForeignKey("hosted_keys.id"), nullable=False),
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("address", String(128), nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("fee_units_max", BaseUnits, nullable=False),  # native base units
    Column("fee_units", BaseUnits),  # state: what the chain took
    Column("unsigned", LargeBinary, nullable=False),  # PSBT or EIP-1559 bytes, as prepared
    Column("nonce", BigInteger),  # EVM
    Column("status", CODE, nullable=False),  # state: prepared|submitted|confirming|completed|...
    Column("sub_status", CODE, nullable=False, default=""),
    Column("raw", LargeBinary),  # state: signed bytes, stored before broadcast
    Column("txid", String(66), unique=True),  # state: set with raw
    Column("height", BigInteger),  # state: block it is in now
    Column("sends", Integer, nullable=False),  # state: broadcasts begun
    Column("sent_s", BigInteger, nullable=False),  # state: when the last one began
    Column("created_s", BigInteger, nullable=False),
    Column("updated_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger, nullable=False),  # to be submitted before this
    Index("ix_hosted_payments_status", "status", "network"),
    Index("ix_hosted_payments_key", "key_id", "created_s"),
)

# --- events and webhooks --------------------------------------------------------------------------

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

# --- API ------------------------------------------------------------------------------------------

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),  # Ed25519; the private half is theirs
    Column("scopes", Text, nullable=False),  # JSON list
    Column("networks_allowed", Text, nullable=False),  # JSON list of CIDR, empty means any
    Column("created_s", BigInteger, nullable=False),
    Column("revoked_s", BigInteger),
)

api_nonces = Table(
    "api_nonces",
    metadata,
    Column("key_id", ID, primary_key=True),
    Column("nonce", String(64), primary_key=True),
    Column("expires_s", BigInteger, nullable=False, index=True),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key_id", ID, primary_key=True),
    Column("idempotency_key", String(128), primary_key=True),
    Column("request_hash", LargeBinary(32), nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("response", Text, nullable=False),
    Column("created_s", BigInteger, nullable=False, index=True),
)
