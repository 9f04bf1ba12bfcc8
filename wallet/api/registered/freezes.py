"""/v1/freezes: accounts that neither give nor get in one asset."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from wallet.api.bodies import CODE
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.registered.bodies import FreezeOrder
from wallet.api.registered.views import TermsView, terms_view
from wallet.api.route import CallNow, Once, OnceNow, SignedRoute
from wallet.assets import freezing
from wallet.assets.authority import Actor
from wallet.assets.context import AssetContext
from wallet.assets.freezing import Frozen
from wallet.assets.registration import decimals_of
from wallet.ledger import chart
from wallet.ledger.terms.stated import Stated, select_newest, stated
from wallet.store.schema import account_terms

router = APIRouter(prefix="/v1/freezes", tags=["freezes"], route_class=SignedRoute)

Act = Callable[[Connection, AssetContext, Actor, Frozen], Stated]


@router.post("", status_code=201, response_model=TermsView)
def freeze_account(body: FreezeOrder, once: OnceNow) -> Response:
    """Freeze an account in an asset: nothing new leaves or arrives until it is lifted."""
    return _act(freezing.freeze, body, once, 201)


@router.post("/lift", response_model=TermsView)
def thaw_account(body: FreezeOrder, once: OnceNow) -> Response:
    """Let a frozen account go on in an asset."""
    return _act(freezing.thaw, body, once, 200)


@router.get("")
def list_freezes(
    call: CallNow,
    window: WindowNow,
    account_id: UUID | None = None,
    asset: Annotated[str | None, Query(pattern=CODE)] = None,
) -> Page[TermsView]:
    """What is frozen now, newest first, by whom and why."""
    context, c = call.services.registered, account_terms.c
    query = select_newest().where(c.frozen == 1)
    if account_id is not None:
        query = query.where(c.owner == chart.user(str(account_id)))
    if asset is not None:
        query = query.where(c.asset == asset)
    with call.services.db.read() as tx:
        return read_page(
            tx,
            query,
            window,
            (c.since_s, c.id),
            lambda row: terms_view(stated(row), decimals_of(tx, context, row["asset"])),
        )


def _act(act: Act, body: FreezeOrder, once: Once, status: int) -> Response:
    call, context = once.call, once.call.services.registered
    asked = Frozen(account_id=body.account_id, asset=body.asset, reason=body.reason)

    def effect(tx: Connection) -> tuple[int, TermsView]:
        made = act(tx, context, call.actor, asked)
        return status, terms_view(made, decimals_of(tx, context, body.asset))

    return once.run(effect)
