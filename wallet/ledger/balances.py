"""Reading the books: the balance of an account, and the totals of an asset."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, bindparam, select, tuple_

from wallet.ledger import chart
from wallet.ledger.chart import Account, Kind
from wallet.ledger.encoding import GENESIS
from wallet.store.tables.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_batches,
    ledger_totals,
)

CHUNK = 400
"""Keys in one IN list, well under every engine's limit of parameters."""


def _sums(table: object) -> tuple[object, ...]:
    c = table.c  # type: ignore[attr-defined]
    return (c.debits, c.credits, c.debits_held, c.credits_held)


_a = ledger_accounts.c
_BALANCES = select(_a.owner, _a.asset, _a.kind, *_sums(ledger_balances)).join(
    ledger_balances, ledger_balances.c.account == _a.number
)
_BY_KEYS = _BALANCES.where(tuple_(_a.owner, _a.asset).in_(bindparam("these", expanding=True)))
_BY_OWNER = _BALANCES.where(_a.owner == bindparam("of")).order_by(_a.asset)
_TOTALS = select(ledger_totals.c.asset, ledger_totals.c.kind, *_sums(ledger_totals)).order_by(
    ledger_totals.c.asset
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The sums of one account, or of all accounts of a kind, in base units."""

    kind: Kind
    debits: int = 0
    credits: int = 0
    debits_held: int = 0
    credits_held: int = 0

    @property
    def net(self) -> int:
        """What the account is worth on the side it grows on."""
        if self.kind in (Kind.ASSET, Kind.EXPENSE):
            return self.debits - self.credits
        return self.credits - self.debits

    @property
    def held(self) -> int:
        """What open holds will take from it."""
        if self.kind in (Kind.ASSET, Kind.EXPENSE):
            return self.credits_held
        return self.debits_held

    @property
    def available(self) -> int:
        """What may still be taken: net without what is held."""
        return self.net - self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far the books are: the last batch, and the hash of the state it left."""

    height: int
    state_hash: bytes


def head(tx: Connection) -> Head:
    """The last height of the books; 0 before the first batch."""
    query = select(ledger_batches.c.height, ledger_batches.c.state_hash)
    row = tx.execute(query.order_by(ledger_batches.c.height.desc()).limit(1)).one_or_none()
    if row is None:
        return Head(height=0, state_hash=GENESIS)
    return Head(height=row.height, state_hash=bytes(row.state_hash))


def balance(tx: Connection, owner: str, asset: str) -> Balance:
    """The balance of an owner in an asset; zero where nothing was ever posted."""
    account = chart.account(owner, asset)
    return balances_of_accounts(tx, [account]).get(account, Balance(kind=account.kind))


def balances_of(tx: Connection, owner: str) -> Mapping[str, Balance]:
    """Asset code to balance, for every asset the owner ever had."""
    return {row["asset"]: _balance(row) for row in tx.execute(_BY_OWNER, {"of": owner}).mappings()}


def balances_of_accounts(tx: Connection, accounts: Iterable[Account]) -> dict[Account, Balance]:
    """Account to balance, for those that exist."""
    found: dict[Account, Balance] = {}
    keys = sorted({(account.owner, account.asset) for account in accounts})
    for start in range(0, len(keys), CHUNK):
        rows = tx.execute(_BY_KEYS, {"these": keys[start : start + CHUNK]}).mappings()
        for row in rows:
            account = Account(owner=row["owner"], kind=Kind(row["kind"]), asset=row["asset"])
            found[account] = _balance(row)
    return found


def balances_in(tx: Connection, asset: str, kind: Kind) -> Iterator[tuple[str, Balance]]:
    """Owner and balance of every account of a kind in an asset, by owner, read in chunks."""
    query = (
        select(ledger_accounts.c.owner, ledger_accounts.c.kind, *_sums(ledger_balances))
        .join(ledger_balances, ledger_balances.c.account == ledger_accounts.c.number)
        .where(ledger_accounts.c.asset == asset, ledger_accounts.c.kind == str(kind))
        .order_by(ledger_accounts.c.owner)
        .limit(CHUNK)
    )
    after = ""
    while rows := tx.execute(query.where(ledger_accounts.c.owner > after)).mappings().all():
        for row in rows:
            yield row["owner"], _balance(row)
        after = rows[-1]["owner"]


def asset_totals(tx: Connection) -> Mapping[str, Mapping[Kind, Balance]]:
    """Asset code to the sums of each kind of account; every kind is present."""
    totals: dict[str, dict[Kind, Balance]] = {}
    for row in tx.execute(_TOTALS).mappings():
        kinds = totals.setdefault(row["asset"], {kind: Balance(kind=kind) for kind in Kind})
        kinds[Kind(row["kind"])] = _balance(row)
    return totals


def liabilities_units(tx: Connection, asset: str) -> int:
    """What is owed in an asset, to users and to payees under way."""
    kinds = asset_totals(tx).get(asset)
    return kinds[Kind.LIABILITY].net if kinds else 0


def off_balance(totals: Mapping[str, Mapping[Kind, Balance]]) -> Sequence[str]:
    """Assets whose debits and credits differ; must always be empty."""
    return [asset for asset, kinds in totals.items() if _is_off(kinds.values())]


def _is_off(sums: Iterable[Balance]) -> bool:
    posted = held = 0
    for row in sums:
        posted += row.debits - row.credits
        held += row.debits_held - row.credits_held
    return posted != 0 or held != 0


def _balance(row: RowMapping) -> Balance:
    return Balance(
        kind=Kind(row["kind"]),
        debits=row["debits"],
        credits=row["credits"],
        debits_held=row["debits_held"],
        credits_held=row["credits_held"],
    )
