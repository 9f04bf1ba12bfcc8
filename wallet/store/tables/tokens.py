"""What tokens were seen to be: their code, and balances as last checked (wallet.deposits)."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from wallet.store.columns import CODE, NAME, metadata
from wallet.store.types import BaseUnits

token_codes = Table(
    "token_codes",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("asset", CODE, primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # state: the code that is trusted
    Column("waiting", String(64), nullable=False, default=""),  # state: another one, to confirm
    Column("confirmed_by", NAME, nullable=False, default=""),  # staff; "" for first sight
    Column("changed_s", BigInteger, nullable=False),
)

token_balances = Table(
    "token_balances",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("asset", CODE, primary_key=True),
    Column("target", LargeBinary, primary_key=True),
    Column("units", BaseUnits, nullable=False),  # state: what the chain held at `height`
    Column("height", BigInteger, nullable=False),
    Column("checked_s", BigInteger, nullable=False),
)

unreadable_transfers = Table(
    "unreadable_transfers",
    metadata,
    Column("network", CODE, primary_key=True),
    Column("asset", CODE, primary_key=True),
    Column("height", BigInteger, primary_key=True),
    Column("txid", String(66), nullable=False),  # the first of `logs` in this block
    Column("position", String(32), nullable=False),
    Column("logs", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("seen_s", BigInteger, nullable=False),
    Column("vouched_by", NAME, nullable=False, default=""),  # state: staff who looked at it
    Column("vouched_s", BigInteger),
)  # the blocks whose coverage is in doubt for a token; a reorganisation or a rescan deletes them
