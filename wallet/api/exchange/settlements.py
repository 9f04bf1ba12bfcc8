"""/v1/settlements: many transfers between users in one call, as JSON or MessagePack."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from wallet.api.bodies import EXTERNAL_ID
from wallet.api.exchange.amounts import decimals
from wallet.api.route import CallNow, SignedRoute
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


class PostedSettlementView(BaseModel):
    """Where in the ledger a settlement is; asked again as it was, it tells of each transfer."""

    external_id: str
    height: int
    state_hash: str


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
    """Post up to 50,000 transfers as one ledger height, once under their `external_id`.

    Answers in the encoding it is asked in. Needs no Idempotency-Key, as the external_id is one: ask
    again after a lost answer, and each transfer `exists` or was `refused_before`.
    """
    services = call.services
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    order = decode(call.body, media_type)
    door = Door(known=services.known_accounts, is_asset=lambda code: _is_asset(services, code))
    view = _plain(posting.settle(services.ledger, services.db, order, door, services.milestone))
    encoder = msgspec.msgpack.encode if media_type == MSGPACK else msgspec.json.encode
    return Response(encoder(view), media_type=media_type)


@router.get("/external/{external_id}")
def read_settlement(
    call: CallNow, external_id: Annotated[str, Path(pattern=EXTERNAL_ID)]
) -> PostedSettlementView:
    """Whether anything of a settlement was posted, and where."""
    with call.services.db.read() as tx:
        height, state_hash = posting.posted_at(tx, external_id)
    return PostedSettlementView(external_id=external_id, height=height, state_hash=state_hash.hex())


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
    }
