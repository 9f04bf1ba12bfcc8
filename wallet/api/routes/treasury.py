"""/v1/treasury: movements between hot and cold with their approvals, runway, coins held back."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from signer.protocol import Approval
from wallet.api.bodies import CODE, NewApproval
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.reads import (
    approvers_of,
    one_treasury_request,
    select_treasury_requests,
    treasury_view,
)
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.views import (
    QuarantinedCoinsView,
    QuarantinedCoinView,
    RunwaysView,
    RunwayView,
    TreasuryRequestView,
)
from wallet.coins.quarantine import quarantined
from wallet.store.schema import treasury_requests
from wallet.treasury.errors import WrongIntent
from wallet.treasury.runway import forecast, runway_json
from wallet.treasury.states import RequestStatus

router = APIRouter(prefix="/v1/treasury", tags=["treasury"], route_class=SignedRoute)


@router.get("/requests")
def list_treasury_requests(
    call: CallNow,
    window: WindowNow,
    asset: Annotated[str | None, Query(pattern=CODE)] = None,
    status: RequestStatus | None = None,
) -> Page[TreasuryRequestView]:
    """Treasury requests, newest first."""
    query = select_treasury_requests()
    if asset is not None:
        query = query.where(treasury_requests.c.asset == asset)
    if status is not None:
        query = query.where(treasury_requests.c.status == status)
    with call.services.db.read() as tx:
        order = (treasury_requests.c.created_s, treasury_requests.c.id)
        return read_page(
            tx,
            query,
            window,
            order,
            lambda row: treasury_view(row, call.services, approvers_of(tx, [row["intent_digest"]])),
        )


@router.get("/requests/{request_id}")
def read_treasury_request(call: CallNow, request_id: UUID) -> TreasuryRequestView:
    """One treasury request with its intent's canonical bytes."""
    with call.services.db.read() as tx:
        return one_treasury_request(tx, call.services, str(request_id))


@router.get("/runway")
def list_runways(call: CallNow) -> RunwaysView:
    """How many hours the hot money of each asset lasts, by queue and usual outflow."""
    services, now_s = call.services, call.services.clock.now_s()
    with services.db.read() as tx:
        found = [forecast(tx, asset, now_s) for asset in services.settings.assets]
    return RunwaysView(data=[RunwayView.model_validate(runway_json(one)) for one in found])


@router.get("/quarantine")
def list_quarantined_coins(call: CallNow) -> QuarantinedCoinsView:
    """Coins held back as dusting until staff release them."""
    with call.services.db.read() as tx:
        found = quarantined(tx)
    return QuarantinedCoinsView(
        data=[
            QuarantinedCoinView(
                network=coin.network,
                outpoint=str(coin.outpoint),
                address=coin.address,
                units=str(coin.units),
                height=coin.height,
            )
            for coin in found
        ]
    )


@router.post("/requests/{request_id}/approvals", response_model=TreasuryRequestView)
def approve_treasury_request(body: NewApproval, once: OnceNow, request_id: UUID) -> Response:
    """Hand in an approval that a staff member signed with their own key."""
    services = once.call.services
    approval = Approval(body=bytes.fromhex(body.body), sig=bytes.fromhex(body.sig))
    approval.check()

    def effect(tx: Connection) -> tuple[int, TreasuryRequestView]:
        asked = one_treasury_request(tx, services, str(request_id))
        if approval.intent_digest.hex() != asked.intent_digest:
            raise WrongIntent(f"got an approval of another intent, expected {asked.intent_digest}")
        services.approvals.receive(tx, approval, services.clock.now_s())
        return 200, one_treasury_request(tx, services, str(request_id))

    return once.run(effect)
