"""What happens around every route: read within limits, authenticate, then parse; and once-only."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.types import Message

from chains.nesting import TooDeep, check_nesting
from wallet.api.auth import Admitted, Presented, admit, authenticate, enter
from wallet.api.errors import RequestTooDeep, RequestTooLarge
from wallet.api.idempotency import Answer, OnceKey, claim, keep, request_hash, stored
from wallet.api.keys import ApiKey
from wallet.api.permissions import PERMISSIONS, Scope
from wallet.api.services import Services
from wallet.assets.authority import Actor
from wallet.settlements.wire import BYTES_MAX

BODY_BYTES_MAX = 64 * 1024
"""No request body is larger; counted while reading, before anything is parsed."""

LARGE_BODIES: Mapping[str, int] = {
    "preview_apportionment": 2 * 1024 * 1024,
    "create_apportionment": 2 * 1024 * 1024,
    "create_settlement": BYTES_MAX,
}
"""Route name -> bytes, where a request names thousands of accounts."""

BODY_DEPTH_MAX = 32
"""No request body nests deeper; checked before a parser that recurses sees it."""

OWN_DECODERS = frozenset({"create_settlement"})
"""Routes that decode their bodies themselves, within a depth that their types fix."""

IDEMPOTENCY_KEY = r"^[A-Za-z0-9._:-]{8,128}$"

_REPLAYED = {"Idempotent-Replayed": "true"}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authenticated request as its route sees it; `key_id` is empty on a public route."""

    services: Services
    key_id: str
    scopes: frozenset[Scope]
    request_id: str
    method: str
    uri: str
    body: bytes

    @property
    def actor(self) -> Actor:
        """Who asks, for parts that ask by whom."""
        return Actor(key_id=self.key_id, scopes=frozenset(map(str, self.scopes)))


class SignedRoute(APIRoute):
    """A route that is entered only with a token good for exactly this request."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler behind our checks."""
        inner = super().get_route_handler()
        scope = PERMISSIONS[self.name]
        bytes_max = LARGE_BODIES.get(self.name, BODY_BYTES_MAX)

        async def handle(request: Request) -> Response:
            services: Services = request.app.state.services
            presented, admitted = _presented(request), None
            if scope is not None and bytes_max > BODY_BYTES_MAX:
                admitted = await run_in_threadpool(
                    admit, services.db, services.clock, presented, scope
                )
            body = await _read(request, bytes_max)
            if self.name not in OWN_DECODERS:
                _check_depth(body)
            key_id, scopes = "", frozenset[Scope]()
            if scope is not None:
                key = await run_in_threadpool(
                    _authenticated, services, replace(presented, body=body), scope, admitted
                )
                key_id, scopes = key.id, key.scopes
            request.state.call = Call(
                services=services,
                key_id=key_id,
                scopes=scopes,
                request_id=request.state.request_id,
                method=request.method,
                uri=presented.uri,
                body=body,
            )
            return await inner(Request(request.scope, _replay(body)))

        return handle


def _authenticated(
    services: Services, presented: Presented, scope: Scope, admitted: Admitted | None
) -> ApiKey:
    if admitted is None:
        return authenticate(services.db, services.clock, presented, scope)
    return enter(services.db, services.clock, admitted, presented.body)


def _presented(request: Request) -> Presented:
    """The request before its body is read."""
    return Presented(
        authorization=request.headers.get("authorization"),
        uri=_uri(request),
        body=b"",
        peer=request.client.host if request.client else "",
    )


def _check_depth(body: bytes) -> None:
    """Raise RequestTooDeep for JSON that nests beyond BODY_DEPTH_MAX."""
    try:
        check_nesting(body, BODY_DEPTH_MAX)
    except TooDeep as error:
        raise RequestTooDeep(
            f"got a body nested over {BODY_DEPTH_MAX} deep, expected a flat one"
        ) from error


def _call(request: Request) -> Call:
    call: Call = request.state.call
    return call


CallNow = Annotated[Call, Depends(_call)]
"""The authenticated request, for a route that reads."""


@dataclass(frozen=True, slots=True)
class Once:
    """A request that changes something, to be done at most once under its Idempotency-Key."""

    call: Call
    idempotency_key: str

    def run(self, effect: Callable[[Connection], tuple[int, BaseModel]]) -> Response:
        """Run `effect` in one transaction with its stored answer, or give that answer again.

        An error leaves nothing behind, the key included: the same request may be tried again.
        """
        services, once = self.call.services, self._key()
        with services.db.write() as tx:
            answer = claim(tx, once, services.clock.now_s())
            if answer is not None:
                return _response(answer, _REPLAYED)
            status, view = effect(tx)
            answer = Answer(status, view.model_dump_json())
            keep(tx, once, answer)
        return _response(answer, {})

    def again(self) -> Response | None:
        """The stored answer, if this very request was done before: for a check that costs."""
        with self.call.services.db.read() as tx:
            answer = stored(tx, self._key())
        return None if answer is None else _response(answer, _REPLAYED)

    def _key(self) -> OnceKey:
        call = self.call
        asked = request_hash(call.method, call.uri, call.body)
        return OnceKey(call.key_id, self.idempotency_key, asked)


def _once(
    call: CallNow,
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            pattern=IDEMPOTENCY_KEY,
            description="One for each thing to be done",
        ),
    ],
) -> Once:
    return Once(call, idempotency_key)


OnceNow = Annotated[Once, Depends(_once)]
"""The authenticated request with its Idempotency-Key, for a route that changes something."""


def _response(answer: Answer, headers: dict[str, str]) -> Response:
    return Response(answer.body, answer.status_code, headers, media_type="application/json")


def _uri(request: Request) -> str:
    """Path and query exactly as sent, still percent-encoded: what the token's `uri` must equal."""
    raw: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    whole = raw + b"?" + query if query else raw
    return whole.decode("ascii", errors="replace")


async def _read(request: Request, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > bytes_max:
            raise RequestTooLarge(f"got a body above the limit, expected at most {bytes_max}")
        chunks.append(chunk)
    return b"".join(chunks)


def _replay(body: bytes) -> Callable[[], Coroutine[Any, Any, Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
