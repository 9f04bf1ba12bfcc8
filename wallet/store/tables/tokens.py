"""What tokens were seen to be: their code, and balances as last checked (wallet.deposits)."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

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
