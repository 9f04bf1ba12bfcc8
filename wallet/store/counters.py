"""Numbers without gaps: taken inside the writing transaction, so an abort gives them back."""

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from wallet.store.schema import counters


def next_number(tx: Connection, name: str) -> int:
    """The next number of the sequence `name`: 1, 2, 3, ... gapless in commit order."""
    return reserve(tx, name, 1)


def reserve(tx: Connection, name: str, count: int) -> int:
    """Take `count` consecutive numbers of the sequence `name`; the first of them is returned."""
    values = {"name": name, "value": count}
    grown = {"value": counters.c.value + count}
    if tx.dialect.name == "postgresql":
        numbered = (
            postgresql_insert(counters)
            .values(values)
            .on_conflict_do_update(index_elements=["name"], set_=grown)
            .returning(counters.c.value)
        )
        return int(tx.execute(numbered).scalar_one()) - count + 1
    numbered_lite = (
        sqlite_insert(counters)
        .values(values)
        .on_conflict_do_update(index_elements=["name"], set_=grown)
        .returning(counters.c.value)
    )
    return int(tx.execute(numbered_lite).scalar_one()) - count + 1


def current(tx: Connection, name: str) -> int:
    """The last number taken, 0 before the first."""
    value = tx.execute(select(counters.c.value).where(counters.c.name == name)).scalar()
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
    value = tx.execute(select(counters.c.head).where(counters.c.name == name)).scalar()
    return bytes(value) if value is not None else None


def set_head(tx: Connection, name: str, value: bytes) -> None:
    """Store the new last hash; the number it belongs to was taken in this transaction."""
    tx.execute(update(counters).where(counters.c.name == name).values(head=value))
