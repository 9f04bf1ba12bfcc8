"""Reading what a batch needs from the database into Books: accounts, holds, totals, known ids."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, tuple_

from wallet.ledger.books import Basis, Books, Hold, Position
from wallet.ledger.chart import Account, Kind
from wallet.ledger.encoding import GENESIS
from wallet.ledger.errors import FollowsOnly
from wallet.ledger.terms import stated as account_terms
from wallet.ledger.terms.rules import holder_of
from wallet.ledger.transfers import Transfer, TransferKind
from wallet.store.tables.counters import counters
from wallet.store.tables.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_batches,
    ledger_holds,
    ledger_origin,
    ledger_totals,
    ledger_transfer_ids,
    ledger_transfers,
)

CHUNK = 400
"""Keys in one IN list, well under every engine's limit of parameters."""

_a, _b, _t, _h = ledger_accounts.c, ledger_balances.c, ledger_transfers.c, ledger_holds.c
_HEAD = (
    select(
        ledger_batches.c.height,
        ledger_batches.c.state_hash,
        select(ledger_origin.c.may_post).scalar_subquery().label("may_post"),
    )
    .order_by(ledger_batches.c.height.desc())
    .limit(1)
)
_last = select(ledger_batches).order_by(ledger_batches.c.height.desc()).limit(1)
_BASIS = select(  # one row, also before the first batch
    _last.with_only_columns(ledger_batches.c.height).scalar_subquery().label("height"),
    _last.with_only_columns(ledger_batches.c.state_hash).scalar_subquery().label("state_hash"),
    select(counters.c.value)
    .where(counters.c.name == account_terms.SEQUENCE)
    .scalar_subquery()
    .label("terms_version"),
)
_ACCOUNTS = select(func.max(_a.number))
_POSITIONS = select(
    _a.number,
    _a.owner,
    _a.asset,
    _a.kind,
    _b.debits,
    _b.credits,
    _b.debits_held,
    _b.credits_held,
    _b.height,
).join(ledger_balances, _b.account == _a.number)
_BY_OWNERS = _POSITIONS.where(tuple_(_a.owner, _a.asset).in_(bindparam("these", expanding=True)))
_BY_NUMBERS = _POSITIONS.where(_a.number.in_(bindparam("these", expanding=True)))
_HOLDS = select(ledger_holds).where(_h.id.in_(bindparam("these", expanding=True)))
_IDS = select(ledger_transfer_ids).where(
    ledger_transfer_ids.c.id.in_(bindparam("these", expanding=True))
)
_debit, _credit = ledger_accounts.alias("d"), ledger_accounts.alias("c")
_STORED = (
    select(
        _t.id,
        _t.kind,
        _t.hold_id,
        _t.units,
        _t.expires_s,
        _debit.c.owner,
        _debit.c.asset,
        _credit.c.owner.label("payee"),
    )
    .join(_debit, _debit.c.number == _t.debit)
    .join(_credit, _credit.c.number == _t.credit)
    .where(tuple_(_t.height, _t.line).in_(bindparam("these", expanding=True)))
)
_TOTALS = select(ledger_totals).where(ledger_totals.c.asset.in_(bindparam("these", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The image that a ledger began from: transfers up to its height are not here."""

    height: int
    state_hash: bytes
    fingerprint: bytes
    image: bytes
    may_post: bool


def load_origin(tx: Connection) -> Origin | None:
    """Where the ledger began; None when that was height 1, and all of it is here."""
    row = tx.execute(select(ledger_origin)).one_or_none()
    if row is None:
        return None
    return Origin(
        height=row.height,
        state_hash=bytes(row.state_hash),
        fingerprint=bytes(row.fingerprint),
        image=bytes(row.image),
        may_post=bool(row.may_post),
    )


def load_head(tx: Connection, books: Books, *, following: bool = False) -> None:
    """Set the books to the height of the database.

    Raises FollowsOnly for a mirror that knows no causes and ids, unless it is `following`.
    """
    row = tx.execute(_HEAD).one_or_none()
    if row is not None and row.may_post == 0 and not following:
        raise FollowsOnly(
            "this ledger is a mirror that knows no ids posted before its image: it can only "
            "follow; join from an image that holds them to post here"
        )
    books.height = 0 if row is None else row.height
    books.state_hash = GENESIS if row is None else bytes(row.state_hash)
    books.accounts = tx.execute(_ACCOUNTS).scalar() or 0
    books.terms_version = account_terms.terms_version(tx)


def basis(tx: Connection) -> Basis:
    """What a batch would be judged on now."""
    row = tx.execute(_BASIS).one()
    state_hash = GENESIS if row.state_hash is None else bytes(row.state_hash)
    return Basis(row.height or 0, state_hash, row.terms_version or 0)


def head_height(tx: Connection) -> int:
    """The height of the last batch, 0 before the first."""
    return basis(tx).height


def load_for(tx: Connection, books: Books, transfers: Sequence[Transfer]) -> None:
    """Load the accounts, holds and totals that the transfers name, as far as they are not."""
    holds, missing = books.holds, _missing(books, transfers)
    _load_terms(tx, books, missing)
    _load_positions(tx, books, _BY_OWNERS, missing)
    ids = {t.hold_id for t in transfers if t.hold_id is not None}
    rows = list(_rows(tx, _HOLDS, [id for id in ids if id not in holds]))
    if rows:
        _load_holds(tx, books, rows)
    assets = {t.asset for t in transfers if t.hold_id is None}
    assets |= {holds[id].debit.account.asset for id in ids if id in holds}
    for row in _rows(tx, _TOTALS, sorted(assets - books.totalled)):
        sums = (row.debits, row.credits, row.debits_held, row.credits_held)
        books.total(row.asset, Kind(row.kind)).set_sums(sums)
    books.totalled |= assets


def load_numbers(
    tx: Connection, books: Books, numbers: Sequence[int]
) -> Mapping[int, tuple[str, str]]:
    """Load the accounts of these numbers; number to owner and asset, for those that exist."""
    found = _load_positions(tx, books, _BY_NUMBERS, numbers)
    return {number: (p.account.owner, p.account.asset) for number, p in found.items()}


def known_transfers(tx: Connection, ids: Sequence[str]) -> Mapping[str, Transfer | None]:
    """Those of the ids that are in the books, with the transfers as they stand there.

    None for those whose transfers are in an archive, below the image this ledger began from.
    """
    found = list(_rows(tx, _IDS, ids))
    places = [(row.height, row.line) for row in found]
    known: dict[str, Transfer | None] = {row.id: None for row in found}
    return known | {
        row.id: Transfer(
            id=row.id,
            kind=TransferKind(row.kind),
            debit=row.owner,
            credit=row.payee,
            asset=row.asset,
            units=row.units,
            hold_id=row.hold_id,
            expires_s=row.expires_s,
        )
        for row in _rows(tx, _STORED, places)
    }


def _missing(books: Books, transfers: Sequence[Transfer]) -> list[tuple[str, str]]:
    """Owner and asset of the positions that the transfers name and the books lack."""
    missing = set()
    asset, owners = "", books.owners("")
    for transfer in transfers:
        if transfer.asset != asset:
            asset = transfer.asset
            owners = books.owners(asset)
        if transfer.hold_id is None:
            if transfer.debit not in owners:
                missing.add((transfer.debit, asset))
            if transfer.credit not in owners:
                missing.add((transfer.credit, asset))
    return sorted(missing)


def _load_holds(tx: Connection, books: Books, rows: Sequence[Any]) -> None:
    by_number = {p.number: p for owners in books.positions.values() for p in owners.values()}
    numbers = {number for row in rows for number in (row.debit, row.credit)}
    by_number |= _load_positions(
        tx, books, _BY_NUMBERS, [number for number in numbers if number not in by_number]
    )
    for row in rows:
        books.holds[row.id] = Hold(
            id=row.id,
            debit=by_number[row.debit],
            credit=by_number[row.credit],
            units=row.units,
            expires_s=row.expires_s,
            ended=None if row.ended_height is None else (row.ended_height, row.ended_line),
        )


def _load_positions(
    tx: Connection, books: Books, query: Any, keys: Sequence[Any]
) -> dict[int, Position]:
    found = {}
    for row in _rows(tx, query, keys):
        account = Account(owner=row.owner, kind=Kind(row.kind), asset=row.asset)
        position = Position(account, row.number, books.total(row.asset, account.kind))
        sums = (row.debits, row.credits, row.debits_held, row.credits_held)
        position.set_sums(sums, row.height)
        books.put(position)
        found[row.number] = position
    _load_terms(tx, books, [(p.account.owner, p.account.asset) for p in found.values()])
    for position in found.values():
        books.limit(position)
    return found


def _load_terms(tx: Connection, books: Books, keys: Sequence[tuple[str, str]]) -> None:
    """The terms of accounts: in assets of chains all there are, in registered ones those asked."""
    new = {asset for _, asset in keys} - books.trusted_assets - books.untrusted_assets
    if new:
        registered = account_terms.registered_among(tx, new)
        books.trusted_assets |= registered
        books.untrusted_assets |= new - registered
        books.terms |= account_terms.terms_in(tx, sorted(new - registered))
    asked = [
        (holder_of(owner), asset)
        for owner, asset in keys
        if asset in books.trusted_assets and (holder_of(owner), asset) not in books.terms
    ]
    books.terms |= account_terms.terms_of(tx, asked)


def _rows(tx: Connection, query: Any, keys: Sequence[Any]) -> Iterable[Any]:
    for start in range(0, len(keys), CHUNK):
        yield from tx.execute(query, {"these": list(keys[start : start + CHUNK])})
