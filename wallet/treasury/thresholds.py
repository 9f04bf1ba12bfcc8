"""Hot bounds of each asset: the deployment's defaults until staff change them, at any time."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from policies import Mode, PolicyInvalid, Threshold
from wallet.errors import Invalid
from wallet.events import append_event
from wallet.settings import AssetSettings
from wallet.store.schema import thresholds
from wallet.treasury.errors import NotRunning

DEPLOYMENT = "settings"
"""Who "changed" bounds that nobody has changed yet."""


class BadThreshold(Invalid):
    """Bounds that do not keep 0 <= min <= target <= max, or a share of more than all."""

    code = "treasury.bad_threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetThreshold:
    """The bounds in force; `changed_s` is 0 while they come from the settings."""

    asset: str
    bounds: Threshold
    changed_by: str
    changed_s: int

    @property
    def is_set(self) -> bool:
        """False while the settings say nothing: then nothing moves by itself."""
        return self.changed_s > 0 or self.bounds.hot_max > 0


def threshold_of(tx: Connection, asset: AssetSettings) -> AssetThreshold:
    """The bounds in force for one asset."""
    row = tx.execute(select(thresholds).where(thresholds.c.asset == asset.code)).one_or_none()
    if row is None:
        bounds = make_threshold(asset.hot_mode, asset.hot_min, asset.hot_target, asset.hot_max)
        return AssetThreshold(asset=asset.code, bounds=bounds, changed_by=DEPLOYMENT, changed_s=0)
    return AssetThreshold(
        asset=row.asset,
        bounds=make_threshold(row.mode, row.hot_min, row.hot_target, row.hot_max),
        changed_by=row.changed_by,
        changed_s=row.changed_s,
    )


def make_threshold(mode: str, hot_min: int, hot_target: int, hot_max: int) -> Threshold:
    """Bounds from plain values. Raises BadThreshold."""
    if mode not in list(Mode):
        raise BadThreshold(f"got mode {mode[:40]!r}, expected one of {', '.join(Mode)}")
    try:
        return Threshold(mode=Mode(mode), hot_min=hot_min, hot_target=hot_target, hot_max=hot_max)
    except PolicyInvalid as error:
        raise BadThreshold(str(error)) from error


def change_threshold(
    tx: Connection, asset: AssetSettings, bounds: Threshold, changed_by: str, now_s: int
) -> None:
    """Put new bounds in force and say so in an event; the next look at the balance uses them."""
    before = threshold_of(tx, asset)
    values = {
        "mode": str(bounds.mode),
        "hot_min": bounds.hot_min,
        "hot_target": bounds.hot_target,
        "hot_max": bounds.hot_max,
        "changed_by": changed_by,
        "changed_s": now_s,
    }
    done = tx.execute(update(thresholds).where(thresholds.c.asset == asset.code).values(**values))
    if done.rowcount == 0:
        tx.execute(insert(thresholds).values(asset=asset.code, **values))
    body = {
        "asset": asset.code,
        "changed_by": changed_by,
        "before": _body(before.bounds),
        "after": _body(bounds),
    }
    append_event(tx, "treasury.threshold_changed", asset.code, body, now_s)


def asset_named(assets: Sequence[AssetSettings], code: str) -> AssetSettings:
    """The asset of this code. Raises NotRunning."""
    for asset in assets:
        if asset.code == code:
            return asset
    known = ", ".join(sorted(asset.code for asset in assets))
    raise NotRunning(f"got asset {code[:40]!r}, expected one of {known}")


def _body(bounds: Threshold) -> dict[str, str]:
    return {
        "mode": str(bounds.mode),
        "hot_min": str(bounds.hot_min),
        "hot_target": str(bounds.hot_target),
        "hot_max": str(bounds.hot_max),
    }
