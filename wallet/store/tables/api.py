"""Clients of the API and what they have asked (wallet.api)."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from wallet.store.columns import ID, NAME, metadata

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
