"""A policy from parsed TOML. Nothing is guessed: unknown keys and wrong types are errors."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from policies.errors import PolicyInvalid
from policies.facts import Owner, Purpose
from policies.policy import (
    BookEntry,
    CountWindow,
    Destinations,
    FeeRule,
    GovernanceRule,
    Listing,
    PaymentRule,
    Policy,
    ReservesRule,
    Tier,
    Window,
)

VERSION = 1
"""The only policy format there is so far."""

PURPOSE_OWNERS: Mapping[Purpose, frozenset[Owner]] = {
    Purpose.WITHDRAWAL: frozenset({Owner.NONE, Owner.DEPOSIT}),
    Purpose.GATHER: frozenset({Owner.HOT, Owner.COLD}),
    Purpose.TOP_UP: frozenset({Owner.DEPOSIT}),
    Purpose.SWEEP: frozenset({Owner.COLD}),
    Purpose.REFILL: frozenset({Owner.HOT}),
    Purpose.RESHAPE: frozenset({Owner.HOT}),
    Purpose.UNSTICK: frozenset(),
}
"""Whom a purpose may ever pay; a policy can only narrow it."""

DEFAULT_OWNERS: Mapping[Purpose, frozenset[Owner]] = {
    **PURPOSE_OWNERS,
    Purpose.WITHDRAWAL: frozenset({Owner.NONE}),
    Purpose.GATHER: frozenset({Owner.HOT}),
}
"""Whom a purpose may pay when the policy does not say."""

SIGNATURES_MAX = 1000
"""Payments that a window by counter may look back over; who counts must remember that many."""

_DIGITS = re.compile(r"[0-9]{1,78}")
_UNITS_END = 2**256
_Choice = TypeVar("_Choice", bound=StrEnum)
_Row = TypeVar("_Row")


def load_policy(document: Mapping[str, object]) -> Policy:
    """The policy that a parsed TOML document means. Raises PolicyInvalid, naming the place."""
    table = _Table(document, "policy")
    if table.integer("version") != VERSION:
        raise PolicyInvalid(f"got another policy version, expected {VERSION}")
    name = table.text("name")
    unattended = table.flag("unattended", False)
    payments = [row for rows in table.rows("payments", _payments) for row in rows]
    fees = [row for rows in table.rows("fees", _fees) for row in rows]
    book = table.rows("book", _entry)
    governance = table.rows("governance", _governance)
    reserves = table.rows("reserves", _reserves)
    table.done()
    _unique("payments", [(r.network, r.asset, r.purpose, r.source) for r in payments])
    _unique("fees", [(r.network, r.purpose) for r in fees])
    _unique("book", [(r.network, r.address.lower()) for r in book])
    _unique("governance", [(r.network, r.source) for r in governance])
    _unique("reserves", [(r.network, r.source) for r in reserves])
    for rule in governance:
        _check_higher(rule, payments)
    payments.sort(key=lambda r: (r.network, r.asset, r.purpose, r.source))
    fees.sort(key=lambda r: (r.network, r.purpose))
    book.sort(key=lambda r: (r.network, r.address))
    governance.sort(key=lambda r: (r.network, r.source))
    reserves.sort(key=lambda r: (r.network, r.source))
    plain: dict[str, object] = {
        "version": VERSION,
        "name": name,
        "unattended": unattended,
        "payments": [_plain_payment(rule) for rule in payments],
        "fees": [[f.network, f.purpose, f.units_max, f.ppm_max, f.rate_max] for f in fees],
        "book": [[b.network, b.address, b.listing, b.added_s, b.label] for b in book],
    }
    if governance:
        # Only where there is one, so that the hashes of all other policies stay what they were.
        plain["governance"] = [_plain_governance(rule) for rule in governance]
    if reserves:
        plain["reserves"] = [[r.network, r.source, r.approvals] for r in reserves]
    return Policy(
        name=name,
        unattended=unattended,
        payments=tuple(payments),
        fees=tuple(fees),
        book={(entry.network, entry.address.lower()): entry for entry in book},
        hash=_hash(plain),
        governance=tuple(governance),
        reserves=tuple(reserves),
    )


def _hash(plain: Mapping[str, object]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(b"glaytos/policy/v1\n" + text.encode()).hexdigest()


def _plain_payment(rule: PaymentRule) -> list[object]:
    bounds: list[object] = [] if rule.hot_max is None else [rule.hot_max]
    plain: list[object] = [
        rule.network,
        rule.asset,
        rule.purpose,
        rule.source,
        rule.order_units_max,
        rule.tx_units_max,
        rule.payees_max,
        [[window.seconds, window.units_max] for window in rule.windows],
        [[tier.from_units, tier.approvals] for tier in rule.tiers],
        sorted(rule.owners),
        rule.destinations,
        rule.age_s_min,
        *bounds,
    ]
    # Only where it is used, so that the hash of every other policy stays what it was.
    if rule.counts:
        plain.append([[window.signatures, window.units_max] for window in rule.counts])
    return plain


def _plain_governance(rule: GovernanceRule) -> list[object]:
    pinned = (rule.roles, rule.modules, rule.guards, rule.fallback_handlers)
    return [rule.network, rule.source, rule.approvals, *(sorted(names) for names in pinned)]


def _payments(table: "_Table") -> list[PaymentRule]:
    purposes = table.choices("purposes", Purpose)
    owners = frozenset(table.choices("owners", Owner)) if table.has("owners") else None
    network, asset = table.text("network"), table.text("asset")
    source = table.text("source", "")
    order_max, tx_max = table.integer("order_units_max"), table.integer("tx_units_max")
    payees_max = table.integer("payees_max", 500)
    windows = tuple(sorted(table.rows("windows", _window), key=lambda w: w.seconds))
    counts = tuple(sorted(table.rows("per_signatures", _count), key=lambda c: c.signatures))
    tiers = tuple(sorted(table.rows("tiers", _tier), key=lambda t: t.from_units))
    destinations = table.choice("destinations", Destinations, Destinations.ANY)
    age_s_min = table.integer("age_s_min", 0)
    hot_max = table.integer("hot_max") if table.has("hot_max") else None
    if hot_max is not None and purposes != [Purpose.REFILL]:
        raise PolicyInvalid(f"{table.where}.hot_max: got one for {purposes}, expected refill only")
    _unique(f"{table.where}.windows", [window.seconds for window in windows])
    _unique(f"{table.where}.per_signatures", [window.signatures for window in counts])
    _check_tiers(table.where, tiers)
    return [
        PaymentRule(
            network=network,
            asset=asset,
            purpose=purpose,
            source=source,
            order_units_max=order_max,
            tx_units_max=tx_max,
            payees_max=payees_max,
            windows=windows,
            tiers=tiers,
            owners=_owners(table.where, purpose, owners),
            destinations=destinations,
            age_s_min=age_s_min,
            counts=counts,
            hot_max=hot_max,
        )
        for purpose in purposes
    ]


def _owners(where: str, purpose: Purpose, owners: frozenset[Owner] | None) -> frozenset[Owner]:
    if owners is None:
        return DEFAULT_OWNERS[purpose]
    if not owners <= PURPOSE_OWNERS[purpose]:
        expected = ", ".join(sorted(PURPOSE_OWNERS[purpose]))
        raise PolicyInvalid(f"{where}.owners: got a payee that {purpose} never pays: {expected}")
    return owners


def _check_tiers(where: str, tiers: Sequence[Tier]) -> None:
    _unique(f"{where}.tiers", [tier.from_units for tier in tiers])
    if not tiers or tiers[0].from_units != 0:
        raise PolicyInvalid(f"{where}.tiers: expected a first tier from 0 units")
    for lower, higher in itertools.pairwise(tiers):
        if higher.approvals < lower.approvals:
            raise PolicyInvalid(f"{where}.tiers: got fewer approvals for more money")


def _fees(table: "_Table") -> list[FeeRule]:
    purposes = table.choices("purposes", Purpose) if table.has("purposes") else list(Purpose)
    network, units_max = table.text("network"), table.integer("units_max")
    ppm_max, rate_max = table.integer("ppm_max"), table.integer("rate_max")
    return [
        FeeRule(
            network=network,
            purpose=purpose,
            units_max=units_max,
            ppm_max=ppm_max,
            rate_max=rate_max,
        )
        for purpose in purposes
    ]


def _governance(table: "_Table") -> GovernanceRule:
    return GovernanceRule(
        network=table.text("network"),
        source=table.text("source"),
        approvals=table.integer("approvals"),
        roles=table.names("roles"),
        modules=table.names("modules", ()),
        guards=table.names("guards", ()),
        fallback_handlers=table.names("fallback_handlers", ()),
    )


def _reserves(table: "_Table") -> ReservesRule:
    return ReservesRule(
        network=table.text("network"),
        source=table.text("source"),
        approvals=table.integer("approvals"),
    )


def _check_higher(rule: GovernanceRule, payments: Sequence[PaymentRule]) -> None:
    """Who may change the lock must be more people than who may open it."""
    where = f"governance of {rule.source}"
    if not rule.roles:
        raise PolicyInvalid(f"{where}: got no roles, expected those whose approvals count")
    most = max(
        (
            tier.approvals
            for payment in payments
            if payment.network == rule.network and payment.source in ("", rule.source)
            for tier in payment.tiers
        ),
        default=0,
    )
    if rule.approvals <= max(most, 1):
        raise PolicyInvalid(
            f"{where}: got {rule.approvals} approvals, expected more than the {max(most, 1)} "
            "that a payment needs"
        )


def _entry(table: "_Table") -> BookEntry:
    return BookEntry(
        network=table.text("network"),
        address=table.text("address"),
        listing=table.choice("listing", Listing, Listing.ALLOW),
        added_s=table.integer("added_s"),
        label=table.text("label", ""),
    )


def _window(table: "_Table") -> Window:
    window = Window(seconds=table.integer("seconds"), units_max=table.integer("units_max"))
    if window.seconds == 0:
        raise PolicyInvalid(f"{table.where}.seconds: got 0, expected more")
    return window


def _count(table: "_Table") -> CountWindow:
    window = CountWindow(
        signatures=table.integer("signatures"), units_max=table.integer("units_max")
    )
    if not 1 <= window.signatures <= SIGNATURES_MAX:
        raise PolicyInvalid(
            f"{table.where}.signatures: got {window.signatures}, expected 1 to {SIGNATURES_MAX}"
        )
    return window


def _tier(table: "_Table") -> Tier:
    return Tier(from_units=table.integer("from_units"), approvals=table.integer("approvals"))


def _unique(where: str, keys: Sequence[object]) -> None:
    if len(set(keys)) != len(keys):
        raise PolicyInvalid(f"{where}: got the same entry twice, expected one clear rule")


class _Table:
    """A TOML table that is read field by field and must then be used up."""

    def __init__(self, value: Mapping[str, object], where: str) -> None:
        self._map = value
        self._left = set(value)
        self.where = where

    def has(self, name: str) -> bool:
        return name in self._map

    def _take(self, name: str, default: object) -> Any:
        self._left.discard(name)
        value = self._map.get(name, default)
        if value is None:
            raise PolicyInvalid(f"{self.where}: got no {name}, expected one")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or (default is None and not value):
            raise PolicyInvalid(f"{self.where}.{name}: got {value!r}, expected a text")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise PolicyInvalid(f"{self.where}.{name}: got {value!r}, expected true or false")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number of 0 or more; large ones may be given as a text of digits."""
        value = self._take(name, default)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _UNITS_END:
            raise PolicyInvalid(f"{self.where}.{name}: got {value!r}, expected a whole number")
        return value

    def names(self, name: str, default: tuple[str, ...] | None = None) -> frozenset[str]:
        """Distinct texts."""
        values = self._take(name, default)
        if not isinstance(values, list | tuple) or not all(
            isinstance(value, str) and value for value in values
        ):
            raise PolicyInvalid(f"{self.where}.{name}: got {values!r}, expected a list of texts")
        _unique(f"{self.where}.{name}", values)
        return frozenset(values)

    def choice(self, name: str, kind: type[_Choice], default: _Choice) -> _Choice:
        return self._choice(name, self.text(name, str(default)), kind)

    def choices(self, name: str, kind: type[_Choice]) -> list[_Choice]:
        values = self._take(name, None)
        if not isinstance(values, list) or not values:
            raise PolicyInvalid(f"{self.where}.{name}: got {values!r}, expected a list of texts")
        found = [self._choice(name, value, kind) for value in values]
        _unique(f"{self.where}.{name}", found)
        return found

    def _choice(self, name: str, value: object, kind: type[_Choice]) -> _Choice:
        expected = ", ".join(kind)
        if not isinstance(value, str) or value not in list(kind):
            raise PolicyInvalid(f"{self.where}.{name}: got {value!r}, expected one of {expected}")
        return kind(value)

    def rows(self, name: str, read: Callable[["_Table"], _Row]) -> list[_Row]:
        values = self._take(name, ())
        if not isinstance(values, list | tuple):
            raise PolicyInvalid(f"{self.where}.{name}: got {values!r}, expected a list of tables")
        rows = []
        for position, value in enumerate(values):
            where = f"{self.where}.{name}[{position}]"
            if not isinstance(value, dict):
                raise PolicyInvalid(f"{where}: got {value!r}, expected a table")
            table = _Table(value, where)
            rows.append(read(table))
            table.done()
        return rows

    def done(self) -> None:
        if self._left:
            names = ", ".join(sorted(map(str, self._left)))
            raise PolicyInvalid(f"{self.where}: got unknown keys {names}, expected none")
