"""Issuing and redeeming registered assets: one ledger batch each, beside its row in the journal.

Issue: debit `issued:<gateway>`, what the gateway answers for, and credit the holder. Redeem: the
reverse. The gateway or its agent issues, to whoever trusts the asset; redeeming takes from a
holder's account, so it is the holder's act. The journal keeps the running sums that the quota is
held against: what was redeemed counts as issued for ever.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, Select, insert, select

from wallet.addresses.accounts import get_account
from wallet.assets.authority import Act, Actor
from wallet.assets.context import AssetContext, check_units
from wallet.assets.errors import BY_LEDGER, ExternalIdTaken, NotHeld, QuotaExceeded
from wallet.assets.gateways import require_acts_for
from wallet.assets.registration import RegisteredAsset, get_asset
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.errors import InsufficientFunds
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import single
from wallet.store.schema import asset_issues

_i = asset_issues.c
_INSERT = insert(asset_issues).returning(asset_issues)


class IssueKind(StrEnum):
    """What the journal knows."""

    ISSUE = "issue"
    REDEEM = "redeem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked: `external_id` is the caller's own name for it, for ever."""

    asset: str
    account_id: str
    units: int
    external_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A row of the journal. The sums are all that was ever issued and redeemed, it included."""

    id: str
    asset: str
    number: int
    kind: IssueKind
    account_id: str
    units: int
    issued_units: int
    redeemed_units: int
    external_id: str
    done_by: str
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """All that was ever issued and redeemed of an asset, and how many rows say so."""

    number: int = 0
    issued_units: int = 0
    redeemed_units: int = 0


def issue(tx: Connection, context: AssetContext, actor: Actor, order: Order) -> Issue:
    """Issue units to a holder: ledger batch, journal row and event together.

    Raises AssetNotRegistered, NotYourGateway, AccountNotFound, BadUnits, ExternalIdTaken,
    QuotaExceeded, AccountFrozen, TrustMissing, LimitExceeded.
    """
    asset = get_asset(tx, order.asset)
    require_acts_for(tx, actor, asset.gateway)
    before = _check(tx, order)
    issued_units = before.issued_units + order.units
    if asset.quota_units is not None and issued_units > asset.quota_units:
        raise QuotaExceeded(
            f"got an issue of {order.units} units after {before.issued_units}, "
            f"expected {asset.quota_units} in all",
            {"quota_units": str(asset.quota_units), "issued_units": str(before.issued_units)},
        )
    return _move(tx, context, actor, order, asset, IssueKind.ISSUE, before)


def redeem(tx: Connection, context: AssetContext, actor: Actor, order: Order) -> Issue:
    """Take units back from a holder, who has their worth outside: batch, journal row and event.

    Raises AssetNotRegistered, ActNotAllowed, AccountNotFound, BadUnits, ExternalIdTaken, NotHeld,
    AccountFrozen.
    """
    asset = get_asset(tx, order.asset)
    context.authority.require(tx, actor, Act.REDEEM, order.account_id, asset.code)
    before = _check(tx, order)
    return _move(tx, context, actor, order, asset, IssueKind.REDEEM, before)


def sums(tx: Connection, asset: str) -> Sums:
    """All that was ever issued and redeemed of an asset, by the journal."""
    row = tx.execute(select_issues().where(_i.asset == asset).order_by(_i.number.desc())).first()
    if row is None:
        return Sums()
    return Sums(number=row.number, issued_units=row.issued_units, redeemed_units=row.redeemed_units)


def outstanding_units(tx: Connection, asset: RegisteredAsset) -> int:
    """What the gateway answers for now, by the ledger; the journal's sums say the same."""
    return balance(tx, chart.issued(asset.gateway), asset.code).net


def select_issues() -> Select[Any]:
    """All columns of the journal."""
    return select(asset_issues)


def issue_of(row: RowMapping) -> Issue:
    """A row of the journal as a value."""
    return Issue(
        id=row["id"],
        asset=row["asset"],
        number=row["number"],
        kind=IssueKind(row["kind"]),
        account_id=row["account_id"],
        units=row["units"],
        issued_units=row["issued_units"],
        redeemed_units=row["redeemed_units"],
        external_id=row["external_id"],
        done_by=row["done_by"],
        created_s=row["created_s"],
    )


def _check(tx: Connection, order: Order) -> Sums:
    """What both orders ask for; the sums so far."""
    get_account(tx, order.account_id)
    check_units(order.units, 1)
    query = select(_i.id).where(_i.asset == order.asset, _i.external_id == order.external_id)
    taken = tx.execute(query).scalar()
    if taken is not None:
        raise ExternalIdTaken(
            f"got an external_id that names an issue or redemption of {order.asset} already",
            {"issue_id": taken},
        )
    return sums(tx, order.asset)


def _move(
    tx: Connection,
    context: AssetContext,
    actor: Actor,
    order: Order,
    asset: RegisteredAsset,
    kind: IssueKind,
    before: Sums,
) -> Issue:
    issue_id, now_s = str(uuid4()), context.clock.now_s()
    _post(tx, issue_id, order, asset, kind, now_s)
    grown = order.units if kind is IssueKind.ISSUE else 0
    row = {
        "id": issue_id,
        "asset": asset.code,
        "number": before.number + 1,
        "kind": str(kind),
        "account_id": order.account_id,
        "units": order.units,
        "issued_units": before.issued_units + grown,
        "redeemed_units": before.redeemed_units + order.units - grown,
        "external_id": order.external_id,
        "done_by": actor.key_id,
        "created_s": now_s,
    }
    made = issue_of(tx.execute(_INSERT, row).mappings().one())
    what = "asset.issued" if kind is IssueKind.ISSUE else "asset.redeemed"
    append_event(tx, what, made.id, _event(made), now_s)
    return made


def _post(
    tx: Connection, cause: str, order: Order, asset: RegisteredAsset, kind: IssueKind, now_s: int
) -> None:
    sides = (chart.issued(asset.gateway), chart.user(order.account_id))
    debit, credit = sides if kind is IssueKind.ISSUE else reversed(sides)
    line = single(debit, credit, asset.code, order.units)
    try:
        post_batch(tx, f"asset_{kind}:{cause}", [line], now_s)
    except InsufficientFunds as error:
        raise NotHeld(
            f"got {order.units} units of {asset.code} to redeem, expected no more than available",
            error.details,
        ) from error
    except tuple(BY_LEDGER) as error:
        raise BY_LEDGER[type(error)](f"got {order.units} units of {asset.code}: {error}") from error


def _event(made: Issue) -> dict[str, object]:
    return {
        "id": made.id,
        "asset": made.asset,
        "account_id": made.account_id,
        "amount_units": str(made.units),
        "issued_units": str(made.issued_units),
        "redeemed_units": str(made.redeemed_units),
        "external_id": made.external_id,
        "by": made.done_by,
    }
