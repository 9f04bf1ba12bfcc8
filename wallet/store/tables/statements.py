"""Statements by block and wallet, and what they could not explain (wallet.reconciliation)."""

from sqlalchemy import (
    BigInteger,
    Column,
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

statement_heads = Table(
    "statement_heads",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("from_height", BigInteger, nullable=False),  # every block from here has its statements
    Column("height", BigInteger, nullable=False),  # state: up to here
    Column("hash", String(64), nullable=False),
    Column("reorgs", BigInteger, nullable=False),  # state: how many reorganisations it followed
    Column("idle_after", String(36), nullable=False, default=""),  # state: address looked at last
    Column("round_height", BigInteger),  # state: block at which every address had its look
    Column("made_s", BigInteger, nullable=False),
)

statements = Table(
    "statements",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("wallet", CODE, primary_key=True),  # addresses.source
    Column("asset", CODE, primary_key=True),
    Column("height", BigInteger, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("opening", BaseUnits, nullable=False),
    Column("deposits", BaseUnits, nullable=False),
    Column("withdrawals", BaseUnits, nullable=False),
    Column("fees", BaseUnits, nullable=False),
    Column("moves", BaseUnits, nullable=False),  # from and to other wallets of ours, signed
    Column("kept", BaseUnits, nullable=False),  # what a token itself took
    Column("unexplained", BaseUnits, nullable=False),  # signed: the breaks
    Column("closing", BaseUnits, nullable=False),
    Index("ix_statements_height", "network", "height"),
)  # only of blocks that moved something; between two of them a wallet's balance stands still

statement_lines = Table(
    "statement_lines",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("height", BigInteger, primary_key=True),
    Column("number", Integer, primary_key=True),  # 0, 1, 2, ... in the block
    Column("txid", String(66), nullable=False),
    Column("position", NAME, nullable=False),
    Column("wallet", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("target", LargeBinary, nullable=False),  # account that it moved, empty for coins
    Column("units", BaseUnits, nullable=False),  # signed
    Column("kind", CODE, nullable=False),  # wallet.reconciliation.explaining.LineKind
    Column("subject", CODE, nullable=False),  # the deposit or payment that explains it
    Column("state", CODE, nullable=False),  # state: waiting | booked | broken
    Column("seen_s", BigInteger, nullable=False),
    Index("ix_statement_lines_state", "network", "state"),
    Index("ix_statement_lines_subject", "subject"),
)

statement_coins = Table(
    "statement_coins",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("txid", String(64), primary_key=True),
    Column("vout", Integer, primary_key=True),
    Column("wallet", CODE, nullable=False),
    Column("units", BaseUnits, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("spent_height", BigInteger),  # state: the block that spent it
    Index("ix_statement_coins_spent", "network", "spent_height"),
)  # by the blocks' own bytes, apart from what the scan recorded

statement_accounts = Table(
    "statement_accounts",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("asset", CODE, primary_key=True),
    Column("target", LargeBinary, primary_key=True),
    Column("wallet", CODE, nullable=False),
    Column("units", BaseUnits, nullable=False),  # state: after `moved_height`
    Column("moved_height", BigInteger, nullable=False),
    Column("checked_height", BigInteger),  # state: where the chain's own balance was the same
)

breaks = Table(
    "breaks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("network", CODE, nullable=False),
    Column("asset", CODE, nullable=False),
    Column("wallet", CODE, nullable=False),
    Column("code", CODE, nullable=False),  # wallet.reconciliation.states.BreakCode
    Column("txid", String(66), nullable=False),
    Column("position", NAME, nullable=False),
    Column("subject", CODE, nullable=False),  # deposit or payment that it is about, or empty
    Column("height", BigInteger, nullable=False),  # state: the block that shows it
    Column("block_hash", String(64), nullable=False),
    Column("units", BaseUnits, nullable=False),  # signed: what the chain has beyond our records
    Column("status", CODE, nullable=False),  # state: open | explained | resolved
    Column("sub_status", CODE, nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),  # state: in the words of `decided_by`
    Column("decided_by", NAME),  # state: staff id
    Column("opened_s", BigInteger, nullable=False),
    Column("since_s", BigInteger, nullable=False),  # state: when it came into the state it is in
    UniqueConstraint("network", "code", "txid", "position", "asset", "wallet"),
    Index("ix_breaks_status", "status", "network"),
)
