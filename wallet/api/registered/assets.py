"""/v1/assets: registering assets, issuing and redeeming them."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection

from wallet.api.bodies import CODE
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.registered.bodies import NewIssue, NewRegisteredAsset, units_of
from wallet.api.registered.views import IssueView, RegisteredAssetView, asset_view, issue_view
from wallet.api.route import CallNow, Once, OnceNow, SignedRoute
from wallet.assets import issuing, registration
from wallet.assets.authority import Actor
from wallet.assets.context import AssetContext
from wallet.assets.issuing import Issue, Order, issue_of, select_issues
from wallet.assets.registration import AssetType, NewAsset, asset_of, get_asset, select_assets
from wallet.store.schema import asset_issues, registered_assets

router = APIRouter(prefix="/v1/assets", tags=["registered assets"], route_class=SignedRoute)

AssetCode = Annotated[str, Path(pattern=CODE)]
Act = Callable[[Connection, AssetContext, Actor, Order], Issue]


@router.post("", status_code=201, response_model=RegisteredAssetView)
def register_asset(body: NewRegisteredAsset, once: OnceNow) -> Response:
    """Register an asset of a gateway, as that gateway or its agent; its terms are for ever."""
    call = once.call
    quota_units = None
    if body.quota is not None or body.quota_units is not None:
        quota_units = units_of(body.quota, body.quota_units, body.decimals or 0)
    new = NewAsset(
        gateway=body.gateway,
        symbol=body.symbol,
        name=body.name,
        type=AssetType(body.type),
        decimals=body.decimals,
        mirrors=body.mirrors,
        quota_units=quota_units,
    )

    def effect(tx: Connection) -> tuple[int, RegisteredAssetView]:
        made = registration.register(tx, call.services.registered, call.actor, new)
        return 201, asset_view(tx, made)

    return once.run(effect)


@router.get("/registered")
def list_registered_assets(
    call: CallNow,
    window: WindowNow,
    gateway: Annotated[str | None, Query(pattern=CODE)] = None,
) -> Page[RegisteredAssetView]:
    """Registered assets, newest first."""
    query = select_assets()
    if gateway is not None:
        query = query.where(registered_assets.c.gateway == gateway)
    order = (registered_assets.c.registered_s, registered_assets.c.id)
    with call.services.db.read() as tx:
        return read_page(tx, query, window, order, lambda row: asset_view(tx, asset_of(row)))


@router.get("/{asset}")
def read_registered_asset(call: CallNow, asset: AssetCode) -> RegisteredAssetView:
    """One registered asset and how much of it there is."""
    with call.services.db.read() as tx:
        return asset_view(tx, get_asset(tx, asset))


@router.post("/{asset}/issue", status_code=201, response_model=IssueView)
def issue_asset(body: NewIssue, once: OnceNow, asset: AssetCode) -> Response:
    """Issue to an account that trusts the asset, as its gateway or an agent."""
    return _act(issuing.issue, body, once, asset)


@router.post("/{asset}/redeem", status_code=201, response_model=IssueView)
def redeem_asset(body: NewIssue, once: OnceNow, asset: AssetCode) -> Response:
    """Take back from an account what it gets outside; never more than it has available."""
    return _act(issuing.redeem, body, once, asset)


@router.get("/{asset}/issues")
def list_issues(call: CallNow, window: WindowNow, asset: AssetCode) -> Page[IssueView]:
    """Issues and redemptions of an asset, newest first."""
    query = select_issues().where(asset_issues.c.asset == asset)
    order = (asset_issues.c.created_s, asset_issues.c.id)
    with call.services.db.read() as tx:
        decimals = get_asset(tx, asset).decimals
        return read_page(tx, query, window, order, lambda row: issue_view(issue_of(row), decimals))


def _act(act: Act, body: NewIssue, once: Once, asset: str) -> Response:
    call = once.call

    def effect(tx: Connection) -> tuple[int, IssueView]:
        decimals = get_asset(tx, asset).decimals
        order = Order(
            asset=asset,
            account_id=body.account_id,
            units=units_of(body.amount, body.amount_units, decimals),
            external_id=body.external_id,
        )
        made = act(tx, call.services.registered, call.actor, order)
        return 201, issue_view(made, decimals)

    return once.run(effect)
