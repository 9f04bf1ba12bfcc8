"""/v1/gateways: who answers for registered assets, and the keys that act for them."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from wallet.api.bodies import CODE
from wallet.api.registered.bodies import GatewayKey, NewGateway
from wallet.api.registered.views import GatewaysView, GatewayView, gateway_view
from wallet.api.route import CallNow, Once, OnceNow, SignedRoute
from wallet.assets import gateways
from wallet.assets.authority import Actor
from wallet.assets.gateways import Gateway

router = APIRouter(prefix="/v1/gateways", tags=["gateways"], route_class=SignedRoute)

GatewayId = Annotated[str, Path(pattern=CODE)]
Change = Callable[[Connection, Actor, str, str, int], Gateway]
"""What is done to a gateway with an API key."""


@router.post("", status_code=201, response_model=GatewayView)
def open_gateway(body: NewGateway, once: OnceNow) -> Response:
    """Open a gateway for an API key; its id is for ever."""
    call = once.call

    def effect(tx: Connection) -> tuple[int, GatewayView]:
        now_s = call.services.clock.now_s()
        opened = gateways.open_gateway(tx, call.actor, body.id, body.name, body.key_id, now_s)
        return 201, gateway_view(opened)

    return once.run(effect)


@router.get("")
def list_gateways(call: CallNow) -> GatewaysView:
    """All gateways, oldest first."""
    with call.services.db.read() as tx:
        return GatewaysView(data=[gateway_view(one) for one in gateways.list_gateways(tx)])


@router.get("/{gateway_id}")
def read_gateway(call: CallNow, gateway_id: GatewayId) -> GatewayView:
    """One gateway."""
    with call.services.db.read() as tx:
        return gateway_view(gateways.get_gateway(tx, gateway_id))


@router.post("/{gateway_id}/key", response_model=GatewayView)
def change_gateway_key(body: GatewayKey, once: OnceNow, gateway_id: GatewayId) -> Response:
    """Make another API key the gateway, when the first is lost or stolen; its agents stay."""
    return _change(gateways.change_key, body.key_id, once, gateway_id)


@router.post("/{gateway_id}/agents", response_model=GatewayView)
def appoint_agent(body: GatewayKey, once: OnceNow, gateway_id: GatewayId) -> Response:
    """Let an API key register and issue for the gateway; only the gateway itself can."""
    return _change(gateways.appoint_agent, body.key_id, once, gateway_id)


@router.post("/{gateway_id}/agents/{key_id}/dismiss", response_model=GatewayView)
def dismiss_agent(once: OnceNow, gateway_id: GatewayId, key_id: UUID) -> Response:
    """Let an agent act no more; only the gateway itself can."""
    return _change(gateways.dismiss_agent, str(key_id), once, gateway_id)


def _change(change: Change, key_id: str, once: Once, gateway_id: str) -> Response:
    call = once.call

    def effect(tx: Connection) -> tuple[int, GatewayView]:
        now_s = call.services.clock.now_s()
        return 200, gateway_view(change(tx, call.actor, gateway_id, key_id, now_s))

    return once.run(effect)
