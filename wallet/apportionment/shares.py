"""Who bears how much of a loss: in proportion to gains, by largest remainders. Pure arithmetic.

The exact share of an account is loss * gain / all gains. Everybody bears the whole units of theirs.
The units still missing, fewer than there are accounts, are borne one each by the accounts whose
exact shares have the largest fractions; of equal fractions the larger gain bears first, then the
account id that sorts first. So a share is the exact one rounded down or up, the shares make up the
loss exactly, and nobody bears more than they gained.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from wallet.apportionment.errors import AccountTwice, BadGain, LossExceedsGains, NoGains, NoLoss


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What an account gained, in base units."""

    account_id: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What an account bears of the loss; `rounded_up` says that the last unit was a missing one."""

    account_id: str
    gain_units: int
    units: int
    rounded_up: bool


def apportion(loss_units: int, gains: Iterable[Gain]) -> tuple[Share, ...]:
    """The share of every account, in the order of account ids; a share may be 0.

    Raises NoLoss, NoGains, BadGain, AccountTwice, or LossExceedsGains.
    """
    ordered = sorted(gains, key=lambda gain: gain.account_id)
    total = _check(loss_units, ordered)
    whole, fractions = {}, {}
    for gain in ordered:
        whole[gain.account_id], fractions[gain.account_id] = divmod(loss_units * gain.units, total)
    missing = loss_units - sum(whole.values())
    first = sorted(ordered, key=lambda g: (-fractions[g.account_id], -g.units, g.account_id))
    up = {gain.account_id for gain in first[:missing]}
    return tuple(
        Share(
            account_id=gain.account_id,
            gain_units=gain.units,
            units=whole[gain.account_id] + (gain.account_id in up),
            rounded_up=gain.account_id in up,
        )
        for gain in ordered
    )


def _check(loss_units: int, gains: list[Gain]) -> int:
    """All gains together."""
    if loss_units < 1:
        raise NoLoss(f"got a loss of {loss_units} units, expected 1 or more")
    if not gains:
        raise NoGains("got no gains, expected the gains of at least one account")
    for gain in gains:
        if gain.units < 1:
            raise BadGain(
                f"got a gain of {gain.units} units of {gain.account_id}, expected 1 or more",
                {"account_id": gain.account_id},
            )
    for one, other in pairwise(gains):
        if one.account_id == other.account_id:
            raise AccountTwice(
                f"got account {one.account_id} twice, expected each once",
                {"account_id": one.account_id},
            )
    total = sum(gain.units for gain in gains)
    if loss_units > total:
        raise LossExceedsGains(
            f"got a loss of {loss_units} units, expected at most the {total} gained",
            {"loss_units": str(loss_units), "gains_units": str(total)},
        )
    return total
