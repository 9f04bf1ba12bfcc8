"""Accounts: one a user of the exchange, named by the exchange's own id for ever."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, insert, select

from wallet.errors import Conflict, Invalid, NotFound
from wallet.store.schema import accounts

EXTERNAL_ID_MAX = 128
"""Characters of the exchange's user id, as the column holds."""


class AccountNotFound(NotFound):
    """No account has this id."""

    code = "account.not_found"


class AccountExists(Conflict):
    """The exchange's user id has an account already; `details` names it."""

    code = "account.exists"


class BadExternalId(Invalid):
    """A user id that is empty, too long, or not printable."""

    code = "account.bad_external_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user of the exchange."""

    id: str
    external_id: str
    created_s: int


def account_id_of(external_id: str) -> str:
    """The account's id, which follows from the exchange's user id."""
    digest = hashlib.sha256(b"account\n" + external_id.encode()).digest()
    return str(UUID(bytes=digest[:16]))


def create_account(tx: Connection, external_id: str, now_s: int) -> str:
    """Open the account of a user and return its id. Raises AccountExists or BadExternalId."""
    if not 0 < len(external_id) <= EXTERNAL_ID_MAX or not external_id.isprintable():
        raise BadExternalId(
            f"got a user id of {len(external_id)} characters, "
            f"expected 1 to {EXTERNAL_ID_MAX} printable ones"
        )
    account_id = account_id_of(external_id)
    if tx.execute(select(accounts.c.id).where(accounts.c.external_id == external_id)).first():
        raise AccountExists(
            f"user {external_id} has an account already", {"account_id": account_id}
        )
    row = {"id": account_id, "external_id": external_id, "created_s": now_s}
    tx.execute(insert(accounts).values(row))
    return account_id


_GET = select(accounts).where(accounts.c.id == bindparam("this"))


def get_account(tx: Connection, account_id: str) -> Account:
    """The account of this id. Raises AccountNotFound."""
    row = tx.execute(_GET, {"this": account_id}).mappings().first()
    if row is None:
        raise AccountNotFound(f"got account {account_id[:36]}, expected the id of one that exists")
    return _account(row)


def find_account(tx: Connection, external_id: str) -> Account | None:
    """The account of one of the exchange's user ids, if there is one."""
    query = select(accounts).where(accounts.c.external_id == external_id)
    row = tx.execute(query).mappings().first()
    return None if row is None else _account(row)


def list_accounts(tx: Connection, after: str, limit: int) -> Sequence[Account]:
    """Accounts in the order of their ids, above `after` ("" for the first page)."""
    query = select(accounts).where(accounts.c.id > after).order_by(accounts.c.id).limit(limit)
    return [_account(row) for row in tx.execute(query).mappings()]


def _account(row: RowMapping) -> Account:
    return Account(id=row["id"], external_id=row["external_id"], created_s=row["created_s"])
