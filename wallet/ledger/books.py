"""The part of the books that a batch touches, held in memory while it is judged.

Mutable on purpose, and only here: a batch of 50,000 transfers changes 100,000 numbers. Nothing
of it is true before the transaction that writes it has committed.
"""

from dataclasses import dataclass, field

from wallet.ledger import chart
from wallet.ledger.chart import Account, Kind
from wallet.ledger.terms.rules import NO_TERMS, Terms, holder_of, needs_trust


class Totals:
    """The sums of all accounts of a kind in an asset, in base units."""

    __slots__ = ("asset", "credits", "credits_held", "debits", "debits_held", "kind")

    def __init__(self, asset: str, kind: Kind) -> None:
        self.asset = asset
        self.kind = kind
        self.debits = self.credits = self.debits_held = self.credits_held = 0

    def sums(self) -> tuple[int, int, int, int]:
        """Debits, credits, and the same of open holds."""
        return self.debits, self.credits, self.debits_held, self.credits_held

    def set_sums(self, sums: tuple[int, int, int, int]) -> None:
        """The values as stored."""
        self.debits, self.credits, self.debits_held, self.credits_held = sums


class Position:
    """The sums of one ledger account, in base units, and what it may do.

    Whoever changes its sums changes those of `totals`, to which it belongs, by the same.
    """

    __slots__ = (
        "account",
        "covered",
        "credits",
        "credits_held",
        "debits",
        "debits_held",
        "height",
        "number",
        "restricted",
        "terms",
        "totals",
        "trust",
    )

    def __init__(self, account: Account, number: int, totals: Totals) -> None:
        self.account = account
        self.number = number
        self.totals = totals
        self.covered = not account.may_go_negative
        self.debits = self.credits = self.debits_held = self.credits_held = 0
        self.height = 0
        self.restrict(NO_TERMS, trust=False)

    def restrict(self, terms: Terms, *, trust: bool) -> None:
        """Set the terms it is kept on, and whether its owner needs a trust line."""
        self.terms = terms
        self.trust = trust
        self.restricted = trust or terms != NO_TERMS

    def sums(self) -> tuple[int, int, int, int]:
        """Debits, credits, and the same of open holds."""
        return self.debits, self.credits, self.debits_held, self.credits_held

    def set_sums(self, sums: tuple[int, int, int, int], height: int) -> None:
        """The values as stored."""
        self.debits, self.credits, self.debits_held, self.credits_held = sums
        self.height = height

    def take_back(self, sums: tuple[int, int, int, int], height: int) -> None:
        """The values as before a chain that failed."""
        totals = self.totals
        totals.debits += sums[0] - self.debits
        totals.credits += sums[1] - self.credits
        totals.debits_held += sums[2] - self.debits_held
        totals.credits_held += sums[3] - self.credits_held
        self.set_sums(sums, height)


@dataclass(slots=True, kw_only=True)
class Hold:
    """A hold and, once it ended, by which line."""

    id: str
    debit: Position
    credit: Position
    units: int
    expires_s: int
    ended: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What a batch is judged on: the last height, its state hash, and the version of all terms."""

    height: int
    state_hash: bytes
    terms_version: int


@dataclass(slots=True)
class Books:
    """Positions by asset and owner, holds by id, and totals by asset and kind, at a height.

    `terms` are those that were stated; `trusted_assets` are registered and need trust lines,
    `untrusted_assets` are known to need none, and their terms are all loaded. `totalled` are the
    assets whose totals are.
    """

    height: int = 0
    state_hash: bytes = b"\0" * 32
    accounts: int = 0
    positions: dict[str, dict[str, Position]] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    totals: dict[tuple[str, Kind], Totals] = field(default_factory=dict)
    totalled: set[str] = field(default_factory=set)
    terms: dict[tuple[str, str], Terms] = field(default_factory=dict)
    trusted_assets: set[str] = field(default_factory=set)
    untrusted_assets: set[str] = field(default_factory=set)
    terms_version: int = 0

    @property
    def basis(self) -> Basis:
        """What the next batch is judged on."""
        return Basis(self.height, self.state_hash, self.terms_version)

    def open(self, owner: str, asset: str) -> Position:
        """The position of an account that no batch used before; it gets the next number.

        Raises UnknownOwner.
        """
        account = chart.account(owner, asset)
        self.accounts += 1
        position = Position(account, self.accounts, self.total(asset, account.kind))
        self.limit(position)
        self.put(position)
        return position

    def put(self, position: Position) -> None:
        """Keep a position, found by its asset and owner."""
        account = position.account
        self.positions.setdefault(account.asset, {})[account.owner] = position

    def total(self, asset: str, kind: Kind) -> Totals:
        """The sums of the accounts of a kind; zero until they are loaded."""
        found = self.totals.get((asset, kind))
        if found is None:
            found = self.totals[asset, kind] = Totals(asset, kind)
        return found

    def owners(self, asset: str) -> dict[str, Position]:
        """The positions of an asset by owner; what is not loaded is not in it."""
        found = self.positions.get(asset)
        return {} if found is None else found

    @property
    def size(self) -> int:
        """How many positions are kept."""
        return sum(map(len, self.positions.values()))

    def limit(self, position: Position) -> None:
        """Apply the terms that were loaded for the account."""
        owner, asset = position.account.owner, position.account.asset
        terms = self.terms.get((holder_of(owner), asset), NO_TERMS)
        is_registered = asset in self.trusted_assets
        position.restrict(terms, trust=needs_trust(owner, is_registered=is_registered))

    def close(self, position: Position) -> None:
        """Take back an opening; the last one only."""
        del self.positions[position.account.asset][position.account.owner]
        self.accounts -= 1
