"""What a new policy changes, place by place, and whether each change loosens or tightens.

A change whose effect cannot be told is `Effect.OTHER`: to be read as carefully as a looser one.
Fields are walked by their names, so that a rule added to the policy later cannot be overlooked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from policies.facts import Purpose
from policies.policy import (
    BookEntry,
    CountWindow,
    Destinations,
    FeeRule,
    Listing,
    PaymentRule,
    Policy,
    Tier,
    Window,
)
from policies.tiers import required

ABSENT = "not there"
"""How a value is written that one side does not have."""

_HANDLED = frozenset({"hash", "payments", "fees", "book"})
_Flow = tuple[str, str, Purpose, str]


class Effect(StrEnum):
    """What a change does to the limits."""

    LOOSER = "looser"
    TIGHTER = "tighter"
    OTHER = "other"

    @property
    def reverse(self) -> "Effect":
        """The effect of the change undone."""
        return {Effect.LOOSER: Effect.TIGHTER, Effect.TIGHTER: Effect.LOOSER}.get(self, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that is no longer what it was."""

    place: str
    before: str
    after: str
    effect: Effect


def policy_changes(before: Policy | None, after: Policy) -> tuple[Change, ...]:
    """Every change from one policy to another; from None everything is new."""
    if before is None:
        text = f"{after.name}, {len(after.payments)} payment rules"
        return (Change(place="policy", before=ABSENT, after=text, effect=Effect.OTHER),)
    found = [
        *_fields("policy", before, after),
        *_payments(before, after),
        *_fees(before, after),
        *_book(before, after),
    ]
    if not found and before.hash != after.hash:
        found.append(
            Change(place="policy hash", before=before.hash, after=after.hash, effect=Effect.OTHER)
        )
    return tuple(found)


def effect_of(name: str, before: object, after: object) -> Effect:
    """The effect of a changed number or switch, told by the name of its key."""
    if name == "unattended":
        return Effect.LOOSER if after else Effect.TIGHTER
    if not isinstance(before, int) or not isinstance(after, int):
        return Effect.OTHER
    grown = Effect.LOOSER if after > before else Effect.TIGHTER
    if name.endswith(("_max", "_skew_s")):
        return grown
    if name == "rollback_quorum" and 0 in (before, after):
        return grown  # 0 is never
    if name.endswith(("_min", "_quorum")) or name == "approvals":
        return grown.reverse
    return Effect.OTHER


def _fields(where: str, before: object, after: object) -> Iterator[Change]:
    """Changed fields of two dataclasses of one kind that have no rule of their own."""
    for each in fields(after):  # type: ignore[arg-type]
        old, new = getattr(before, each.name), getattr(after, each.name)
        if each.name in _HANDLED or old == new:
            continue
        place = f"{where}: {each.name}"
        match each.name:
            case "windows" | "counts":
                yield from _windows(where, old, new)
            case "tiers":
                yield _change(place, _tiers(old), _tiers(new), _tiers_effect(old, new))
            case "owners":
                effect = Effect.LOOSER if old < new else Effect.OTHER
                effect = Effect.TIGHTER if new < old else effect
                yield _change(place, _names(old), _names(new), effect)
            case "destinations":
                effect = Effect.LOOSER if new is Destinations.ANY else Effect.TIGHTER
                yield _change(place, old, new, effect)
            case _:
                yield _change(place, old, new, effect_of(each.name, old, new))


def _payments(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = _flows(before), _flows(after)
    for flow in sorted(old.keys() | new.keys()):
        network, asset, purpose, source = flow
        place = f"{purpose} of {asset} on {network} from {source or 'any source'}"
        was, will = old.get(flow), new.get(flow)
        if was is not None and will is not None:
            yield from _fields(place, was, will)
        elif will is not None:
            # A rule for one source may only narrow the rule for any source.
            other = before.payment_rule(network, asset, purpose, source)
            effect = Effect.LOOSER if other is None else Effect.OTHER
            yield _change(place, ABSENT, _cap(will), effect)
        elif was is not None:
            other = after.payment_rule(network, asset, purpose, source)
            effect = Effect.TIGHTER if other is None else Effect.OTHER
            yield _change(place, _cap(was), ABSENT, effect)


def _fees(before: Policy, after: Policy) -> Iterator[Change]:
    old: Mapping[tuple[str, Purpose], FeeRule] = {(f.network, f.purpose): f for f in before.fees}
    new: Mapping[tuple[str, Purpose], FeeRule] = {(f.network, f.purpose): f for f in after.fees}
    for key in sorted(old.keys() | new.keys()):
        place = f"fees of {key[1]} on {key[0]}"
        was, will = old.get(key), new.get(key)
        if was is not None and will is not None:
            yield from _fields(place, was, will)
        elif will is not None:
            yield _change(place, ABSENT, f"units_max {will.units_max}", Effect.LOOSER)
        elif was is not None:
            yield _change(place, f"units_max {was.units_max}", ABSENT, Effect.TIGHTER)


def _book(before: Policy, after: Policy) -> Iterator[Change]:
    for key in sorted(before.book.keys() | after.book.keys()):
        was, will = before.book.get(key), after.book.get(key)
        if was == will:
            continue
        entry = will or was
        place = f"book of {key[0]}: {entry.address if entry else key[1]}"
        yield _change(place, _entry(was), _entry(will), _book_effect(was, will))


def _book_effect(was: BookEntry | None, will: BookEntry | None) -> Effect:
    """An allowed or no longer denied address is looser; an older one has waited long enough."""
    if was is not None and will is not None:
        if was.listing is will.listing:
            if will.listing is Listing.DENY or will.added_s == was.added_s:
                return Effect.OTHER
            return Effect.LOOSER if will.added_s < was.added_s else Effect.TIGHTER
        return Effect.LOOSER if will.listing is Listing.ALLOW else Effect.TIGHTER
    entry = will or was
    allowed = entry is not None and entry.listing is Listing.ALLOW
    effect = Effect.LOOSER if allowed else Effect.TIGHTER
    return effect if will is not None else effect.reverse


def _windows(
    where: str,
    old: tuple[Window | CountWindow, ...],
    new: tuple[Window | CountWindow, ...],
) -> Iterator[Change]:
    was, will = ({_span(window): window.units_max for window in side} for side in (old, new))
    for span in sorted(was.keys() | will.keys()):
        before, after = was.get(span), will.get(span)
        if before == after:
            continue
        if before is None or after is None:
            effect = Effect.TIGHTER if before is None else Effect.LOOSER
        else:
            effect = Effect.LOOSER if after > before else Effect.TIGHTER
        yield _change(f"{where}: units_max in {span[1]} {span[0]}", before, after, effect)


def _span(window: Window | CountWindow) -> tuple[str, int]:
    if isinstance(window, Window):
        return "seconds", window.seconds
    return "signatures", window.signatures


def _tiers_effect(old: tuple[Tier, ...], new: tuple[Tier, ...]) -> Effect:
    """Compared where either changes its mind: between those points both stay as they are."""
    points = {tier.from_units for tier in (*old, *new)}
    needs = [(required(old, at), required(new, at)) for at in points]
    if all(after >= before for before, after in needs):
        return Effect.TIGHTER
    if all(after <= before for before, after in needs):
        return Effect.LOOSER
    return Effect.OTHER


def _flows(policy: Policy) -> Mapping[_Flow, PaymentRule]:
    return {(r.network, r.asset, r.purpose, r.source): r for r in policy.payments}


def _cap(rule: PaymentRule) -> str:
    return f"up to {rule.tx_units_max} units in a transaction"


def _tiers(tiers: tuple[Tier, ...]) -> str:
    return ", ".join(f"{tier.approvals} approvals from {tier.from_units}" for tier in tiers)


def _names(owners: frozenset[str]) -> str:
    return ", ".join(sorted(owners))


def _entry(entry: BookEntry | None) -> str:
    return ABSENT if entry is None else f"{entry.listing} since {entry.added_s} ({entry.label})"


def _change(place: str, before: object, after: object, effect: Effect) -> Change:
    old, new = (ABSENT if side is None else str(side) for side in (before, after))
    return Change(place=place, before=old, after=new, effect=effect)
