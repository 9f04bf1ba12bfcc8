"""Errors as HTTP: the only place that turns one into a status, and the shape they all share."""

import json
import traceback
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from chains.errors import ChainError, CodecError, NodeError
from signer.errors import ProtocolError
from wallet.addresses.marks import MarksUnreadable
from wallet.api.auth import Forbidden
from wallet.api.tokens import Unauthorized
from wallet.assets.errors import NotAllowed
from wallet.errors import Conflict, Invalid, NotFound, TooMany, WalletError
from wallet.ledger.errors import (
    AccountFrozen,
    InsufficientFunds,
    LedgerBusy,
    LimitExceeded,
    TransferExists,
    TrustMissing,
)
from wallet.settlements.errors import MediaTypeUnknown
from wallet.store.errors import StoreBusy

_log = structlog.get_logger("wallet.api")


class RequestTooLarge(WalletError):
    """The body is larger than the API reads."""

    code = "request.too_large"


class RequestTooDeep(Invalid):
    """The body nests deeper than the API reads."""

    code = "request.too_deep"


STATUS: dict[type[Exception], int] = {
    Unauthorized: 401,
    Forbidden: 403,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    InsufficientFunds: 409,
    AccountFrozen: 409,
    TrustMissing: 409,
    LimitExceeded: 409,
    TransferExists: 409,
    Invalid: 422,
    CodecError: 422,
    ProtocolError: 422,
    NodeError: 503,
    RequestTooLarge: 413,
    MediaTypeUnknown: 415,
    TooMany: 429,
    OperationalError: 503,
    StoreBusy: 503,
    LedgerBusy: 503,
    MarksUnreadable: 503,
}
"""Family of errors -> status; a subclass answers as its nearest family. None of these: 500."""

_FRAMEWORK_CODES = {
    400: "request.malformed",
    404: "request.no_such_route",
    405: "request.method_not_allowed",
    413: "request.too_large",
}


def status_of(error_class: type[BaseException]) -> int:
    """The HTTP status of an error class: that of its nearest family, 500 without one."""
    for base in error_class.__mro__:
        if base in STATUS:
            return STATUS[base]
    return 500


def install(app: FastAPI) -> None:
    """Answer every error of ours, of the framework and of nobody in the one shape."""
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(WalletError, _ours)
    app.add_exception_handler(ChainError, _ours)
    app.add_exception_handler(ProtocolError, _ours)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(Exception, _unknown)


def error_response(
    request: Request, status: int, code: str, message: str, details: Mapping[str, object]
) -> Response:
    """The shape of every error; ASCII, so that no input can break its encoding."""
    body = {
        "error": {
            "code": code,
            "message": message,
            "details": details,
            "request_id": request.scope["state"]["request_id"],
        }
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    text = json.dumps(body, default=str)
    return Response(text, status, headers=headers, media_type="application/json")


async def _ours(request: Request, error: Exception) -> Response:
    status = status_of(type(error))
    code: str = getattr(error, "code", "internal")
    if status == 500:
        return await _unknown(request, error)
    details = error.details if isinstance(error, WalletError) else {}
    message = str(error)
    if isinstance(error, NodeError):
        message = "a node does not answer now; ask again later"
    return error_response(request, status, code, message, details)


async def _busy(request: Request, error: Exception) -> Response:
    _log.warning("api.database_unavailable", request_id=request.scope["state"]["request_id"])
    message = "the database does not answer now; ask again with the same Idempotency-Key"
    return error_response(request, status_of(type(error)), "service.unavailable", message, {})


async def _validation(request: Request, error: Exception) -> Response:
    fields: list[dict[str, Any]] = []
    if isinstance(error, RequestValidationError):
        # The input itself is not echoed: it may be large, secret or not even valid text.
        fields = [
            {"field": ".".join(str(part) for part in item["loc"])[:200], "problem": item["msg"]}
            for item in error.errors()[:20]
        ]
    message = "got a request that does not fit the API description; see details.fields"
    return error_response(request, 422, "request.invalid", message, {"fields": fields})


async def _framework(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = _FRAMEWORK_CODES.get(status, "request.refused")
    response = error_response(request, status, code, _words(status), {})
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


async def _unknown(request: Request, error: Exception) -> Response:
    request_id = request.scope["state"]["request_id"]
    # Formatted here: a log renderer that shows local variables would show secrets.
    trace = "".join(traceback.format_exception(error))
    _log.error("api.failed", request_id=request_id, error=type(error).__name__, trace=trace)
    message = "this failed on our side; the request_id finds it in our log"
    return error_response(request, 500, "internal", message, {})


def _words(status: int) -> str:
    match status:
        case 400:
            return "got a body that cannot be read, expected JSON"
        case 404:
            return "got a path that the API does not have; see /v1/openapi.json"
        case 405:
            return "got a method that this path does not have; see /v1/openapi.json"
        case 413:
            return "got a body that is too large"
        case _:
            return "the request was refused"
