"""The part of the books that a batch touches, held in memory while it is judged.

Mutable on purpose, and only here: a batch of 50,000 transfers changes 100,000 numbers. Nothing
of it is true before the transaction that writes it has committed.
"""

from dataclasses import dataclass, field

from wallet.ledger import chart
from wallet.ledger.chart import Account, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was agreed for an account: frozen or not, and how much it may hold (None: no bound)."""

    frozen: bool = False
    limit_units: int | None = None


class Position:
    """The sums of one ledger account, in base units, and what it may do."""

    __slots__ = (
        "account",
        "covered",
        "credits",
        "credits_held",
        "debits",
        "debits_held",
        "frozen",
        "height",
        "limit_units",
        "number",
        "restricted",
        "trust_missing",
    )

    def __init__(self, account: Account, number: int) -> None:
        self.account = account
        self.number = number
        self.covered = not account.may_go_negative
        self.debits = self.credits = self.debits_held = self.credits_held = 0
        self.height = 0
        self.restrict(frozen=False, trust_missing=False, limit_units=None)

    def restrict(self, *, frozen: bool, trust_missing: bool, limit_units: int | None) -> None:
        """Set the terms: frozen, no trust line where one is needed, a bound of what it may hold."""
        self.frozen = frozen
        self.trust_missing = trust_missing
        self.limit_units = limit_units
        self.restricted = frozen or trust_missing or limit_units is not None

    def sums(self) -> tuple[int, int, int, int]:
        """Debits, credits, and the same of open holds."""
        return self.debits, self.credits, self.debits_held, self.credits_held

    def set_sums(self, sums: tuple[int, int, int, int], height: int) -> None:
        """The values as stored, or as before a chain that failed."""
        self.debits, self.credits, self.debits_held, self.credits_held = sums
        self.height = height


@dataclass(slots=True, kw_only=True)
class Hold:
    """A hold and, once it ended, by which line."""

    id: str
    debit: Position
    credit: Position
    units: int
    expires_s: int
    ended: tuple[int, int] | None = None


@dataclass(slots=True)
class Books:
    """Positions by asset and owner, holds by id, and totals by asset and kind, at a height."""

    height: int = 0
    state_hash: bytes = b"\0" * 32
    accounts: int = 0
    positions: dict[str, dict[str, Position]] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    totals: dict[tuple[str, Kind], list[int]] = field(default_factory=dict)
    terms: dict[tuple[str, str], Terms] = field(default_factory=dict)
    trusted_assets: set[str] = field(default_factory=set)

    def open(self, owner: str, asset: str) -> Position:
        """The position of an account that no batch used before; it gets the next number.

        Raises UnknownOwner.
        """
        account = chart.account(owner, asset)
        self.accounts += 1
        position = Position(account, self.accounts)
        self.limit(position)
        self.put(position)
        return position

    def put(self, position: Position) -> None:
        """Keep a position, found by its asset and owner."""
        account = position.account
        self.positions.setdefault(account.asset, {})[account.owner] = position

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
        terms = self.terms.get((owner, asset))
        position.restrict(
            frozen=terms is not None and terms.frozen,
            trust_missing=(
                asset in self.trusted_assets
                and position.account.kind is Kind.LIABILITY
                and (terms is None or terms.limit_units is None)
            ),
            limit_units=None if terms is None else terms.limit_units,
        )

    def close(self, position: Position) -> None:
        """Take back an opening; the last one only."""
        del self.positions[position.account.asset][position.account.owner]
        self.accounts -= 1
