"""One signed request and its answer."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from wallet.api.tokens import LIFETIME_S_MAX, Claims, body_hash, issue_token
from wallet.client.credentials import Credentials
from wallet.client.errors import ApiError, NoAnswer, UnexpectedAnswer
from wallet.clock import Clock
from wallet.settlements.wire import JSON, MSGPACK

Query = Mapping[str, str | int | None]


class Transport:
    """Signs, sends and reads. `random` gives that many bytes."""

    def __init__(
        self,
        http: httpx.Client,
        credentials: Credentials,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._clock = clock
        self._random = random

    def get(self, path: str, query: Query) -> Any:
        """Read; parameters that are None are left out. Raises ApiError and NoAnswer."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        return self._exchange("GET", path, given, b"", None)

    def post(self, path: str, content: Mapping[str, object] | None, key: str | None) -> Any:
        """Change something, once under `key`; without one a new one is made."""
        body = b"" if content is None else json.dumps(content).encode()
        return self._exchange("POST", path, {}, body, key or self._random(16).hex())

    def post_bytes(self, path: str, body: bytes, media_type: str) -> Any:
        """Post a body that is encoded already, to a route that needs no Idempotency-Key."""
        return self._exchange("POST", path, {}, body, None, media_type)

    def _exchange(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: bytes,
        key: str | None,
        media_type: str = JSON,
    ) -> Any:
        request = self._http.build_request(method, path, params=query or None, content=body)
        request.headers["Authorization"] = "Bearer " + self._token(request, body)
        if body:
            request.headers["Content-Type"] = media_type
        if key is not None:
            request.headers["Idempotency-Key"] = key
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            raise NoAnswer(f"got {type(error).__name__} from {path}", key or "") from error
        return _content(response)

    def _token(self, request: httpx.Request, body: bytes) -> str:
        now_s = self._clock.now_s()
        claims = Claims(
            sub=self._credentials.key_id,
            uri=request.url.raw_path.decode("ascii"),
            nonce=self._random(16).hex(),
            iat=now_s,
            exp=now_s + LIFETIME_S_MAX,
            body_hash=body_hash(body),
        )
        return issue_token(self._credentials.private_key, claims)


def path_part(text: str) -> str:
    """One part of a path: an id with a slash must not become another route."""
    return quote(text, safe="")


def _content(response: httpx.Response) -> Any:
    packed = response.headers.get("Content-Type") == MSGPACK
    try:
        content = msgspec.msgpack.decode(response.content) if packed else response.json()
    except (ValueError, msgspec.DecodeError) as error:
        raise UnexpectedAnswer(f"got HTTP {response.status_code} without JSON") from error
    if response.is_success:
        return content
    try:
        error_part = content["error"]
        raise ApiError(
            response.status_code,
            error_part["code"],
            error_part["message"],
            error_part["details"],
            error_part["request_id"],
        )
    except (KeyError, TypeError) as error:
        raise UnexpectedAnswer(f"got HTTP {response.status_code} in another shape") from error
