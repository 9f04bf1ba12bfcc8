"""/v1/settlements: many transfers between users in one call, as JSON or MessagePack."""

import hashlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from wallet.api.bodies import EXTERNAL_ID
from wallet.api.exchange.amounts import decimals
from wallet.api.route import Call, CallNow, SignedRoute
from wallet.api.services import Services
from wallet.assets.errors import AssetUnknown
from wallet.settlements import posting
from wallet.settlements.posting import Door, Settlement
from wallet.settlements.wire import JSON, MSGPACK, SettlementOrder, decode

router = APIRouter(prefix="/v1/settlements", tags=["settlements"], route_class=SignedRoute)


class SettlementView(BaseModel):
    """What became of a settlement: `results` has a name for each transfer, in their order.

    `ok` is posted now, `exists` was before; every other name says why a transfer changed nothing.
    `height` and `state_hash` name the ledger's state that contains it; `height` is 0, and the state
    the ledger's, where nothing was posted.
    """

    external_id: str
    mode: str
    status: str
    height: int
    state_hash: str
    repeated: bool
    posted_count: int
    results: list[str]
    created_s: int


def _described() -> dict[str, Any]:
    """The request body for OpenAPI: read by our own decoder, not by the framework's."""
    _, parts = msgspec.json.schema_components([SettlementOrder])
    whole = parts["SettlementOrder"]
    whole["properties"]["transfers"]["items"] = parts["TransferOrder"]
    return {"required": True, "content": {JSON: {"schema": whole}, MSGPACK: {"schema": whole}}}


@router.post(
    "",
    response_model=SettlementView,
    openapi_extra={"requestBody": _described()},
)
def create_settlement(request: Request, call: CallNow) -> Response:
    """Post up to 50,000 transfers as one ledger height; once under `external_id` with this body.

    Answers in the encoding it is asked in. Needs no Idempotency-Key: the external_id is one.
    """
    services = call.services
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    order = decode(call.body, media_type)
    settlement = _settle(call, services, order)
    view = _plain(settlement)
    encoder = msgspec.msgpack.encode if media_type == MSGPACK else msgspec.json.encode
    return Response(encoder(view), media_type=media_type)


@router.get("/external/{external_id}")
def read_settlement(
    call: CallNow, external_id: Annotated[str, Path(pattern=EXTERNAL_ID)]
) -> SettlementView:
    """What became of a settlement of which anything was posted: what to ask after a lost answer."""
    with call.services.db.read() as tx:
        return SettlementView(**_plain(posting.get(tx, external_id)))


def _settle(call: Call, services: Services, order: SettlementOrder) -> Settlement:
    door = Door(known=services.known_accounts, is_asset=lambda code: _is_asset(services, code))
    content = hashlib.sha256(call.body).digest()
    with services.db.write() as tx:
        return posting.settle(
            tx,
            order,
            content,
            door,
            requester=call.key_id,
            now_s=services.clock.now_s(),
            milestone=services.milestone,
        )


def _is_asset(services: Services, code: str) -> bool:
    try:
        decimals(services, code)
    except AssetUnknown:
        return False
    return True


def _plain(settlement: Settlement) -> dict[str, Any]:
    return {
        "external_id": settlement.external_id,
        "mode": settlement.mode,
        "status": str(settlement.status),
        "height": settlement.height,
        "state_hash": settlement.state_hash.hex(),
        "repeated": settlement.repeated,
        "posted_count": settlement.posted_count,
        "results": settlement.results,
        "created_s": settlement.created_s,
    }
