"""Hosted keys: a user's own money, in no ledger account of ours (wallet.hosted_keys)."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from wallet.store.columns import CODE, ID, metadata
from wallet.store.types import BaseUnits

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
    Column("totp_number", Integer, nullable=False),  # state: authenticators so far, from 1
    Column("totp_next_box", LargeBinary, nullable=False),  # state: asked for; empty if none
    Column("totp_next_step", BigInteger, nullable=False),  # state: its first code's time step
    Column("totp_next_from_s", BigInteger),  # state: when it takes effect; null if none
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
    Column("since_s", BigInteger, nullable=False),  # state: when it came into the state it is in
    Column("expires_s", BigInteger, nullable=False),  # to be submitted before this
    Index("ix_hosted_payments_status", "status", "network"),
    Index("ix_hosted_payments_key", "key_id", "created_s"),
)
