"""Rows of hosted keys as values."""

from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, select

from wallet.hosted_keys.errors import HostedKeyNotFound
from wallet.store.schema import hosted_keys


class HostedKeyStatus(StrEnum):
    """A deleted key keeps its row, so that its address is never taken for another's."""

    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedKey:
    """A hosted key as stored. `public_key` is compressed; `blob` is the device's ciphertext."""

    id: str
    account_id: str
    network: str
    public_key: bytes
    address: str
    target: bytes
    version: int
    totp_step: int
    totp_number: int
    totp_next_step: int
    totp_next_from_s: int | None
    failures: int
    locked_until_s: int
    created_s: int
    updated_s: int
    blob: bytes = field(repr=False)
    totp_box: bytes = field(repr=False)
    totp_next_box: bytes = field(repr=False)


def find_key(tx: Connection, key_id: str) -> HostedKey:
    """The active key of this id. Raises HostedKeyNotFound."""
    query = select(hosted_keys).where(
        hosted_keys.c.id == key_id, hosted_keys.c.status == HostedKeyStatus.ACTIVE
    )
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise HostedKeyNotFound(f"got hosted key {key_id}, expected the id of one that exists")
    return key_of(row)


def key_of(row: RowMapping) -> HostedKey:
    """A row as a value."""
    return HostedKey(
        id=row["id"],
        account_id=row["account_id"],
        network=row["network"],
        public_key=bytes(row["public_key"]),
        address=row["address"],
        target=bytes(row["target"]),
        version=row["version"],
        totp_step=row["totp_step"],
        totp_number=row["totp_number"],
        totp_next_step=row["totp_next_step"],
        totp_next_from_s=row["totp_next_from_s"],
        failures=row["failures"],
        locked_until_s=row["locked_until_s"],
        created_s=row["created_s"],
        updated_s=row["updated_s"],
        blob=bytes(row["blob"]),
        totp_box=bytes(row["totp_box"]),
        totp_next_box=bytes(row["totp_next_box"]),
    )
