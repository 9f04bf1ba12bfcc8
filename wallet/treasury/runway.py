"""Hot runway: how many hours the hot money of an asset lasts, from its queue and usual outflow.

Usual is a mean over the last weeks in which the few dearest hours count only as much as the hour
just below them: one whale does not empty the forecast, and quiet nights are not forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.posting import balance
from wallet.settings import AssetSettings
from wallet.store.schema import runways, withdrawals
from wallet.store.types import units_sum
from wallet.withdrawals.states import WithdrawalStatus

HOUR_S = 3600
HISTORY_HOURS = 14 * 24
"""Hours looked back over: two of every hour of the week."""

HISTORY_HOURS_MIN = 24
"""A younger history is averaged over a day: the first withdrawal says little of the next hour."""

USUAL_PERCENT = 95
"""Hours dearer than so many percent of all count as the dearest of these."""

_QUEUED = (
    WithdrawalStatus.SUBMITTED,
    WithdrawalStatus.SCREENING,
    WithdrawalStatus.PENDING_APPROVAL,
    WithdrawalStatus.QUEUED,
    WithdrawalStatus.BLOCKED,
    WithdrawalStatus.SIGNING,
    WithdrawalStatus.BROADCAST,
    WithdrawalStatus.CONFIRMING,
)
"""Withdrawals that still have to leave hot, or are not booked out of it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runway:
    """A forecast, in base units. `hours` is None where nothing usually leaves."""

    asset: str
    hot_units: int
    queued_units: int
    usual_units_hour: int
    hours: int | None
    hours_min: int

    @property
    def is_low(self) -> bool:
        """Whether the money lasts shorter than the settings ask for."""
        return self.hours is not None and self.hours < self.hours_min


def usual_units(by_hour: Sequence[int], hours: int) -> int:
    """The usual outflow of an hour, rounded up; `by_hour` are the hours in which money left."""
    length = max(hours, len(by_hour), HISTORY_HOURS_MIN)
    whole = sorted([*by_hour, *([0] * (length - len(by_hour)))])
    # The dearest hours are cut to this one, and to no less than what usually is not nothing.
    cap = whole[(length - 1) * USUAL_PERCENT // 100] or min((u for u in by_hour if u), default=0)
    total = sum(min(units, cap) for units in by_hour)
    return -(-total // length)


def hours_left(hot_units: int, queued_units: int, usual_units_hour: int) -> int | None:
    """Whole hours until empty; 0 when the queue alone takes more, None when nothing leaves."""
    free = hot_units - queued_units
    if free < 0:
        return 0
    return free // usual_units_hour if usual_units_hour else None


def forecast(tx: Connection, asset: AssetSettings, now_s: int) -> Runway:
    """Where an asset stands now, from our own books."""
    hot, queued = balance(tx, chart.HOT, asset.code).net, _queued_units(tx, asset.code)
    by_hour = _outflow(tx, asset.code, now_s)
    first = min(by_hour, default=now_s // HOUR_S)
    usual = usual_units(list(by_hour.values()), now_s // HOUR_S - first)
    return Runway(
        asset=asset.code,
        hot_units=hot,
        queued_units=queued,
        usual_units_hour=usual,
        hours=hours_left(hot, queued, usual),
        hours_min=asset.runway_hours_min,
    )


def watch(tx: Connection, asset: AssetSettings, now_s: int) -> Runway:
    """Forecast, remember, and tell people when it becomes low or is good again."""
    runway = forecast(tx, asset, now_s)
    was_low = is_low(tx, asset.code)
    values = {"is_low": runway.is_low, "hours": runway.hours, "updated_s": now_s}
    done = tx.execute(update(runways).where(runways.c.asset == asset.code).values(**values))
    if done.rowcount == 0:
        tx.execute(insert(runways).values(asset=asset.code, **values))
    if runway.is_low is not was_low:
        kind = "alert.runway_low" if runway.is_low else "treasury.runway_recovered"
        append_event(tx, kind, asset.code, runway_json(runway), now_s)
    return runway


def is_low(tx: Connection, asset: str) -> bool:
    """Whether the last forecast of an asset was low; False before the first."""
    return bool(tx.execute(select(runways.c.is_low).where(runways.c.asset == asset)).scalar())


def _queued_units(tx: Connection, asset: str) -> int:
    query = select(units_sum(withdrawals.c.units)).where(
        withdrawals.c.asset == asset, withdrawals.c.status.in_([str(s) for s in _QUEUED])
    )
    return int(tx.execute(query).scalar() or 0)


def _outflow(tx: Connection, asset: str, now_s: int) -> Mapping[int, int]:
    """What left in each of the last hours in which anything did, by hour since 1970."""
    hour = withdrawals.c.updated_s // HOUR_S
    rows = tx.execute(
        select(hour, units_sum(withdrawals.c.units))
        .where(
            withdrawals.c.asset == asset,
            withdrawals.c.status == str(WithdrawalStatus.COMPLETED),
            withdrawals.c.updated_s > now_s - HISTORY_HOURS * HOUR_S,
        )
        .group_by(hour)
    )
    return {int(at): int(units) for at, units in rows}


def runway_json(runway: Runway) -> dict[str, object]:
    """A forecast for programs; amounts are texts of base units."""
    return {
        "asset": runway.asset,
        "hours": runway.hours,
        "hours_min": runway.hours_min,
        "is_low": runway.is_low,
        "hot_units": str(runway.hot_units),
        "queued_units": str(runway.queued_units),
        "usual_units_hour": str(runway.usual_units_hour),
    }
