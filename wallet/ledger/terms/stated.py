"""The terms of accounts as kept: every change is a row, the newest of an owner and asset holds.

Terms are no part of a height, so each change takes a number of its own: whoever judged transfers by
terms and writes them later compares `terms_version`, as it compares the height.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    select,
    tuple_,
)

from wallet.ledger.terms.rules import NO_TERMS, Terms, holder_of
from wallet.store import counters
from wallet.store.tables.assets import account_terms, registered_assets

CHUNK = 400
"""Keys in one IN list, well under every engine's limit of parameters."""

SEQUENCE = "account_terms"
"""Name of the counter of changes."""

Key = tuple[str, str]
"""Owner and asset."""

_t, _later = account_terms, account_terms.alias("later")
# Numbers have no gaps, so the newest row is the one that has no next one: two index probes a key.
_NEWEST = ~exists().where(
    _later.c.owner == _t.c.owner, _later.c.asset == _t.c.asset, _later.c.number == _t.c.number + 1
)
_TERMS_OF = select(_t.c.owner, _t.c.asset, _t.c.frozen, _t.c.limit_units).where(
    tuple_(_t.c.owner, _t.c.asset).in_(bindparam("these", expanding=True)), _NEWEST
)
_TERMS_IN = select(_t.c.owner, _t.c.asset, _t.c.frozen, _t.c.limit_units).where(
    _t.c.asset.in_(bindparam("these", expanding=True)), _NEWEST
)
_REGISTERED = select(registered_assets.c.code).where(
    registered_assets.c.code.in_(bindparam("these", expanding=True))
)
_LAST = select(func.max(_t.c.number)).where(
    _t.c.owner == bindparam("of"), _t.c.asset == bindparam("in_asset")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changed terms and why; `since_height` is the number of the ledger's last batch."""

    changed_by: str
    reason: str
    since_height: int
    since_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """Terms as they were stated; `number` counts the changes of this owner and asset from 1."""

    id: str
    owner: str
    asset: str
    number: int
    terms: Terms
    change: Change


def terms_version(tx: Connection) -> int:
    """A number that grows with every change of terms, and with every registered asset."""
    return counters.current(tx, SEQUENCE)


def terms_changed(tx: Connection) -> None:
    """Take the next version: what was judged by the terms before is stale."""
    counters.next_number(tx, SEQUENCE)


def terms_in(tx: Connection, assets: Sequence[str]) -> Mapping[Key, Terms]:
    """All terms that hold now in some assets of chains: who is or was frozen, so there are few."""
    found = dict[Key, Terms]()
    for start in range(0, len(assets), CHUNK):
        for row in tx.execute(_TERMS_IN, {"these": list(assets[start : start + CHUNK])}):
            found[row.owner, row.asset] = _terms(row.frozen, row.limit_units)
    return found


def terms_of(tx: Connection, keys: Sequence[Key]) -> Mapping[Key, Terms]:
    """The terms that hold now for each (owner, asset); NO_TERMS where none were ever stated.

    Parts of a user's account are kept on the user's terms (`holder_of`).
    """
    holders = {(owner, asset): (holder_of(owner), asset) for owner, asset in keys}
    asked, found = sorted(set(holders.values())), dict[Key, Terms]()
    for start in range(0, len(asked), CHUNK):
        for row in tx.execute(_TERMS_OF, {"these": asked[start : start + CHUNK]}):
            found[row.owner, row.asset] = _terms(row.frozen, row.limit_units)
    return {key: found.get(holder, NO_TERMS) for key, holder in holders.items()}


def registered_among(tx: Connection, assets: Iterable[str]) -> frozenset[str]:
    """Those of the asset codes that are registered: their holders need a trust line."""
    codes, found = sorted(set(assets)), set[str]()
    for start in range(0, len(codes), CHUNK):
        found.update(tx.execute(_REGISTERED, {"these": codes[start : start + CHUNK]}).scalars())
    return frozenset(found)


def state_limit(tx: Connection, owner: str, asset: str, limit_units: int, change: Change) -> Stated:
    """From now on the account may be worth `limit_units` and no more by what arrives."""
    return _state(
        tx, owner, asset, replace(_now(tx, owner, asset), limit_units=limit_units), change
    )


def state_frozen(tx: Connection, owner: str, asset: str, frozen: bool, change: Change) -> Stated:
    """From now on the account is frozen, or is not; its limit stays."""
    return _state(tx, owner, asset, replace(_now(tx, owner, asset), frozen=frozen), change)


def history(tx: Connection, owner: str, asset: str) -> Sequence[Stated]:
    """All that was ever stated about an owner and asset, oldest first."""
    query = select(_t).where(_t.c.owner == owner, _t.c.asset == asset).order_by(_t.c.number)
    return [stated(row) for row in tx.execute(query).mappings()]


def select_newest() -> Select[Any]:
    """The rows that hold now, of every owner and asset."""
    return select(_t).where(_NEWEST)


def newest(tx: Connection, owner: str, asset: str) -> Stated | None:
    """What holds now, with who stated it; None where nothing was ever stated."""
    query = select_newest().where(and_(_t.c.owner == owner, _t.c.asset == asset))
    row = tx.execute(query).mappings().first()
    return None if row is None else stated(row)


def stated(row: RowMapping) -> Stated:
    """A row of the table as a value."""
    change = Change(
        changed_by=row["changed_by"],
        reason=row["reason"],
        since_height=row["since_height"],
        since_s=row["since_s"],
    )
    return Stated(
        id=row["id"],
        owner=row["owner"],
        asset=row["asset"],
        number=row["number"],
        terms=_terms(row["frozen"], row["limit_units"]),
        change=change,
    )


def _now(tx: Connection, owner: str, asset: str) -> Terms:
    return terms_of(tx, [(owner, asset)])[owner, asset]


def _state(tx: Connection, owner: str, asset: str, terms: Terms, change: Change) -> Stated:
    """Write the next row. Safe against another change: `Database.write` admits one writer."""
    terms_changed(tx)
    last = tx.execute(_LAST, {"of": owner, "in_asset": asset}).scalar() or 0
    made = tx.execute(
        insert(_t)
        .values(
            id=str(uuid4()),
            owner=owner,
            asset=asset,
            number=last + 1,
            frozen=int(terms.frozen),
            limit_units=terms.limit_units,
            reason=change.reason,
            changed_by=change.changed_by,
            since_height=change.since_height,
            since_s=change.since_s,
        )
        .returning(_t)
    )
    return stated(made.mappings().one())


def _terms(frozen: int, limit_units: int | None) -> Terms:
    return Terms(frozen=bool(frozen), limit_units=limit_units)
