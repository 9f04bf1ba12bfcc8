"""The application: every route under one map of permissions, every answer with a request id."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chains.errors import invariant
from wallet.api import errors
from wallet.api.exchange import apportionments, escrows, settlements, transfers
from wallet.api.permissions import PERMISSIONS
from wallet.api.registered import assets as registered_assets
from wallet.api.registered import freezes, gateways, trust_lines
from wallet.api.routes import (
    accounts,
    addresses,
    assets,
    balances,
    deposits,
    events,
    health,
    hosted_keys,
    hosted_payments,
    ledger,
    reserves,
    treasury,
    webhooks,
    withdrawals,
)
from wallet.api.services import Services
from wallet.api.views import ErrorView

DESCRIPTION = """
Every request carries `Authorization: Bearer <JWT>`, signed with your key's Ed25519 half (`EdDSA`).
Claims: `sub` (key id), `uri` (path and query as sent), `nonce` (new each time), `iat`, `exp`
(at most 60 seconds later), `bodyHash` (SHA-256 of the body in hex; of nothing when empty).

Amounts are decimal strings beside base-unit strings. Requests that change something carry an
`Idempotency-Key`; the same request under the same key is done once and answered again.
"""

_ROUTERS = (
    accounts.router,
    addresses.router,
    assets.router,
    balances.router,
    ledger.router,
    reserves.router,
    deposits.router,
    withdrawals.router,
    treasury.router,
    hosted_keys.router,
    hosted_payments.router,
    apportionments.router,
    transfers.router,
    escrows.router,
    settlements.router,
    gateways.router,
    registered_assets.router,
    trust_lines.router,
    freezes.router,
    events.router,
    webhooks.router,
)

_SIGNED = HTTPBearer(auto_error=False, bearerFormat="JWT", description="See the introduction.")

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorView, "description": text}
    for status, text in {
        400: "The body cannot be read",
        401: "The token does not prove who asks",
        403: "The key may not do this",
        404: "There is no such thing",
        409: "The request contradicts what is there",
        413: "The body is too large",
        415: "The body is in an encoding that is not read here",
        422: "The request cannot be meant as it stands",
        429: "Asked too often; see details.retry_after_s",
        503: "A node or the database does not answer now; ask again",
    }.items()
}


def create_app(services: Services) -> FastAPI:
    """The API over these services; nothing is opened or started here."""
    app = FastAPI(
        title="Glaytos Wallet",
        version=version("glaytos-wallet"),
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_ERRORS,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    for router in _ROUTERS:
        app.include_router(router, dependencies=[Depends(_SIGNED)])
    app.include_router(health.router)
    errors.install(app)
    app.add_middleware(RequestIds, random=services.random)
    return app


def _operation_id(route: APIRoute) -> str:
    invariant(route.name in PERMISSIONS, f"route {route.name} is missing in PERMISSIONS")
    return route.name


class RequestIds:
    """Gives every request an id, in the answer's X-Request-ID and in our log."""

    def __init__(self, app: ASGIApp, random: Callable[[int], bytes]) -> None:
        self._app = app
        self._random = random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with `state.request_id` set."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._random(12).hex()
        scope.setdefault("state", {})["request_id"] = request_id
        await self._app(scope, receive, _with_id(send, request_id))


def _with_id(send: Send, request_id: str) -> Callable[[Message], Awaitable[None]]:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", request_id.encode()),
                (b"cache-control", b"no-store"),
            ]
        await send(message)

    return answer
