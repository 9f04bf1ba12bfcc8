"""The chains as scanned, the coins and the deposits found there (wallet.deposits)."""

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

blocks = Table(
    "blocks",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("height", BigInteger, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("parent", String(64), nullable=False),
    Column("time_s", BigInteger, nullable=False),
    Column("bits", BigInteger, nullable=False, default=0),  # UTXO chains: the header's target
    Column("scanned_s", BigInteger, nullable=False),
)  # the scanned best chain; a rollback deletes from the top down to the fork point

reorgs = Table(
    "reorgs",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("fork_height", BigInteger, nullable=False),  # the last block that stayed
    Column("tip_height", BigInteger, nullable=False),  # the last scanned block that went
    Column("seen_s", BigInteger, nullable=False),
)  # every reorganisation of scanned blocks; a deep one raises an alarm

scan_ranges = Table(
    "scan_ranges",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("from_height", BigInteger, primary_key=True),
    Column("from_hash", String(64), nullable=False),
    Column("to_height", BigInteger, nullable=False),  # state: grows with each scanned block
    Column("to_hash", String(64), nullable=False),
    Column("adapter_version", Integer, nullable=False),  # chains.ports.Versioned
    Column("rules_version", String(64), nullable=False),  # digest of what was watched for
)  # together without gap or overlap exactly the heights of `blocks`

scan_stops = Table(
    "scan_stops",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("code", CODE, primary_key=True),
    Column("detail", Text, nullable=False),
    Column("since_s", BigInteger, nullable=False),
)  # why a network's scan stands still until somebody looks; deleted when it goes on

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
    Column("mature_height", BigInteger, nullable=False, default=0),  # first that may spend it
    Column("spent_txid", String(64)),  # state: set by the scan that saw the spend
    Column("spent_height", BigInteger),
    Column("payment_id", ID),  # state: reserved by this payment until it is final
    Column("quarantine", CODE, nullable=False, default=""),  # state: dusting | released (coins)
)

pending_transactions = Table(
    "pending_transactions",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("txid", String(66), primary_key=True),
    Column("conflicts", Text, nullable=False),  # chains.types.PendingTx, a JSON list
    Column("first_seen_s", BigInteger, nullable=False),
    Column("gone_s", BigInteger),  # state: since when the node's pool is without it
)  # deposits seen waiting in a node's pool, until a block or time decides (wallet.deposits.mempool)

deposits = Table(
    "deposits",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id")),
    Column("address_id", ID, ForeignKey("addresses.id"), nullable=False),
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("txid", String(66), nullable=False),
    Column("position", NAME, nullable=False),  # "out:1" | "log:7" | "tx" | "trace:0.2"
    Column("units", BaseUnits, nullable=False),  # what arrived
    Column("logged_units", BaseUnits),  # what its log claims, where that is another amount
    Column("evidence", CODE, nullable=False),  # chains.types.Evidence
    Column("status", CODE, nullable=False),  # state
    Column("sub_status", CODE, nullable=False, default=""),
    Column("height", BigInteger),  # state: block it is in now, null when orphaned
    Column("block_hash", String(64)),
    Column("agreed_hash", String(64)),  # state: block in which a second node showed it too
    Column("exposed_units", BaseUnits, nullable=False, default=0),  # state: open sum it is part of
    Column("confirmations_required", Integer, nullable=False),  # state: by that sum and any alarm
    Column("seen_s", BigInteger, nullable=False),
    Column("since_s", BigInteger, nullable=False),  # state: when it came into the state it is in
    Column("credited_s", BigInteger),
    UniqueConstraint("network", "txid", "position"),
    Index("ix_deposits_status", "network", "status"),
    Index("ix_deposits_height", "network", "height"),
    Index("ix_deposits_account", "account_id", "seen_s"),
)
