"""Numbers without gaps: taken inside the writing transaction, so an abort gives them back."""

from typing import Any

from sqlalchemy import Connection, Integer, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from wallet.store.schema import counters

# What runs many times for each payment is built once: SQLAlchemy takes longer to put a statement
# together than a database to run it. Such statements are constants of their modules.
_taken = bindparam("taken", type_=Integer())
_grown = {"value": counters.c.value + _taken}
_new = {"name": bindparam("sequence"), "value": _taken}
_now = (counters.c.value, counters.c.head)
_TAKE_LITE = (
    sqlite_insert(counters)
    .values(_new)
    .on_conflict_do_update(index_elements=["name"], set_=_grown)
    .returning(*_now)
)
_TAKE = (
    postgresql_insert(counters)
    .values(_new)
    .on_conflict_do_update(index_elements=["name"], set_=_grown)
    .returning(*_now)
)
_CURRENT = select(counters.c.value).where(counters.c.name == bindparam("sequence"))
_HEAD = select(counters.c.head).where(counters.c.name == bindparam("sequence"))
_SET_HEAD = update(counters).where(counters.c.name == bindparam("sequence"))


def next_number(tx: Connection, name: str) -> int:
    """The next number of the sequence `name`: 1, 2, 3, ... gapless in commit order."""
    return reserve(tx, name, 1)


def reserve(tx: Connection, name: str, count: int) -> int:
    """Take `count` consecutive numbers of the sequence `name`; the first of them is returned."""
    return reserve_chained(tx, name, count)[0]


def reserve_chained(tx: Connection, name: str, count: int) -> tuple[int, bytes | None]:
    """As `reserve`, of a hash-chained sequence: the first number, and the hash it builds on."""
    take: Any = _TAKE if tx.dialect.name == "postgresql" else _TAKE_LITE
    row = tx.execute(take, {"sequence": name, "taken": count}).one()
    return int(row.value) - count + 1, None if row.head is None else bytes(row.head)


def current(tx: Connection, name: str) -> int:
    """The last number taken, 0 before the first."""
    value = tx.execute(_CURRENT, {"sequence": name}).scalar()
    return int(value) if value is not None else 0


def raise_to(tx: Connection, name: str, value: int) -> int:
    """Make `value` the last number taken unless it is higher already; the outcome is returned.

    For sequences that the outside may move ahead of us, such as an EVM nonce.
    """
    now = current(tx, name)
    if now >= value:
        return now
    reserve(tx, name, value - now)
    return value


def head(tx: Connection, name: str) -> bytes | None:
    """The last hash of a hash-chained sequence, None before the first."""
    value = tx.execute(_HEAD, {"sequence": name}).scalar()
    return bytes(value) if value is not None else None


def set_head(tx: Connection, name: str, value: bytes) -> None:
    """Store the new last hash; the number it belongs to was taken in this transaction."""
    tx.execute(_SET_HEAD, {"sequence": name, "head": value})
