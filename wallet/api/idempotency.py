"""Doing a thing once: its answer is kept under the caller's key, in its own transaction."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from wallet.errors import Conflict
from wallet.store.database import Database
from wallet.store.schema import idempotency

KEPT_S = 7 * 24 * 3600
"""How long an answer can be replayed; `external_id` guards a withdrawal for ever."""


class IdempotencyKeyReused(Conflict):
    """The Idempotency-Key was used for a different request."""

    code = "request.idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that can be stored and given again."""

    status_code: int
    body: str


@dataclass(frozen=True, slots=True)
class OnceKey:
    """One attempt: whose, under which key, and the hash of what is asked."""

    key_id: str
    idempotency_key: str
    request_hash: bytes


def request_hash(method: str, uri: str, body: bytes) -> bytes:
    """What must be equal for two requests to be the same one."""
    return hashlib.sha256(b"\n".join((method.encode(), uri.encode(), body))).digest()


def claim(tx: Connection, once: OnceKey, now_s: int) -> Answer | None:
    """The stored answer of the same request, or None when this one is to be done now.

    A concurrent twin waits here for the first one's commit. Raises IdempotencyKeyReused.
    """
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    row = {
        "key_id": once.key_id,
        "idempotency_key": once.idempotency_key,
        "request_hash": once.request_hash,
        "status_code": 0,
        "response": "",
        "created_s": now_s,
    }
    wanted = dialect.insert(idempotency).values(row).on_conflict_do_nothing()
    if tx.execute(wanted.returning(idempotency.c.key_id)).first() is not None:
        return None
    return _answer(tx.execute(select(idempotency).where(*_mine(once))).mappings().one(), once)


def stored(tx: Connection, once: OnceKey) -> Answer | None:
    """The stored answer of the same request, None if it was not done. Changes nothing.

    Raises IdempotencyKeyReused.
    """
    row = tx.execute(select(idempotency).where(*_mine(once))).mappings().one_or_none()
    return None if row is None else _answer(row, once)


def keep(tx: Connection, once: OnceKey, answer: Answer) -> None:
    """Store the answer of the request that `claim` gave to the caller."""
    values = {"status_code": answer.status_code, "response": answer.body}
    tx.execute(update(idempotency).where(*_mine(once)).values(values))


def forget_answers(db: Database, now_s: int) -> None:
    """Drop answers older than KEPT_S."""
    with db.write() as tx:
        tx.execute(delete(idempotency).where(idempotency.c.created_s < now_s - KEPT_S))


def _answer(row: RowMapping, once: OnceKey) -> Answer:
    if bytes(row["request_hash"]) != once.request_hash:
        raise IdempotencyKeyReused(
            "got this Idempotency-Key with another request before, expected a new key"
        )
    return Answer(row["status_code"], row["response"])


def _mine(once: OnceKey) -> tuple[ColumnElement[bool], ...]:
    return (
        idempotency.c.key_id == once.key_id,
        idempotency.c.idempotency_key == once.idempotency_key,
    )
