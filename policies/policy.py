"""A policy as data: what may be paid, where to, at what fee, and with how many approvals."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from policies.facts import Owner, Purpose


class Destinations(StrEnum):
    """Which outside addresses may be paid: any that is not denied, or only known ones."""

    ANY = "any"
    BOOK = "book"


class Listing(StrEnum):
    """What the policy's own book says of an address."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `units_max` in any `seconds`, this payment included."""

    seconds: int
    units_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWindow:
    """At most `units_max` in any `signatures` payments in a row, this one included.

    For a machine whose clock nobody vouches for: a counter cannot be set back or forward.
    """

    signatures: int
    units_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """An order of at least `from_units` needs `approvals` people, the requester not among them."""

    from_units: int
    approvals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRule:
    """What is allowed for one asset, one purpose and one source; without a rule nothing is.

    `source` empty means any source. `age_s_min` is how long an address must have been known.
    `hot_max` bounds a refill: hot may hold that much afterwards, never more.
    """

    network: str
    asset: str
    purpose: Purpose
    source: str
    order_units_max: int
    tx_units_max: int
    payees_max: int
    windows: tuple[Window, ...]
    tiers: tuple[Tier, ...]
    owners: frozenset[Owner]
    destinations: Destinations
    age_s_min: int
    counts: tuple[CountWindow, ...] = ()
    hot_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRule:
    """Fee caps of one network and purpose; all three hold together.

    `units_max` is native base units, `ppm_max` parts per million of the native value moved,
    `rate_max` sats per 1000 vbytes or wei per gas.
    """

    network: str
    purpose: Purpose
    units_max: int
    ppm_max: int
    rate_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceRule:
    """Who may change a Safe itself, and which contracts it may ever be tied to.

    `approvals` people of `roles` must agree. A module, guard or fallback handler must be pinned by
    its EIP-55 address; the zero address pinned as a guard allows taking a guard away.
    """

    network: str
    source: str
    approvals: int
    roles: frozenset[str]
    modules: frozenset[str]
    guards: frozenset[str]
    fallback_handlers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservesRule:
    """A vault that may be shown to be ours, and how many people must agree each time."""

    network: str
    source: str
    approvals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    """An address the policy itself knows; `added_s` starts its age."""

    network: str
    address: str
    listing: Listing
    added_s: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A whole policy. `hash` is over its deterministic encoding: equal means the same rules.

    `unattended` lets a signer sign without a person at the machine. `book` is by network and
    lower-case address.
    """

    name: str
    unattended: bool
    payments: tuple[PaymentRule, ...]
    fees: tuple[FeeRule, ...]
    book: Mapping[tuple[str, str], BookEntry]
    hash: str
    governance: tuple[GovernanceRule, ...] = ()
    reserves: tuple[ReservesRule, ...] = ()

    def payment_rule(
        self, network: str, asset: str, purpose: str, source: str
    ) -> PaymentRule | None:
        """The rule for exactly this source, else the one for any source, else None."""
        found = None
        for rule in self.payments:
            if (rule.network, rule.asset, str(rule.purpose)) != (network, asset, purpose):
                continue
            if rule.source == source:
                return rule
            if rule.source == "":
                found = rule
        return found

    def fee_rule(self, network: str, purpose: str) -> FeeRule | None:
        """The fee caps of a network for a purpose, or None."""
        for rule in self.fees:
            if (rule.network, str(rule.purpose)) == (network, purpose):
                return rule
        return None

    def governance_rule(self, network: str, source: str) -> GovernanceRule | None:
        """Who may change a Safe, or None: then nobody may."""
        for rule in self.governance:
            if (rule.network, rule.source) == (network, source):
                return rule
        return None

    def reserves_rule(self, network: str, source: str) -> ReservesRule | None:
        """Whether a vault may be shown to be ours, or None: then it may not."""
        for rule in self.reserves:
            if (rule.network, rule.source) == (network, source):
                return rule
        return None

    def listed(self, network: str, address: str) -> BookEntry | None:
        """What the book says of an address, or None.

        Letter case is ignored to deny, so that no spelling gets around it, and counts to allow.
        """
        entry = self.book.get((network, address.lower()))
        if entry is None or (entry.listing is Listing.ALLOW and entry.address != address):
            return None
        return entry
