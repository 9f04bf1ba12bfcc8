"""A moment in the past, as a request names it: a height of the ledger, or a time."""

from calendar import timegm
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime
from sqlalchemy import Connection

from wallet.ledger.versions.findings import BadRange
from wallet.ledger.versions.history import height_at

HEIGHT_MAX = 2**62

AtHeight = Annotated[
    int | None, Query(ge=0, le=HEIGHT_MAX, description="After this height of the ledger")
]
"""The `at_height` of a route."""

At = Annotated[
    AwareDatetime | None, Query(description="At this moment (RFC 3339), which must be over")
]
"""The `at` of a route."""


def asked_height(
    tx: Connection, at_height: int | None, at: AwareDatetime | None, now_s: int
) -> int | None:
    """The height that is asked for, None for the present. Raises BadRange."""
    if at is None:
        return at_height
    if at_height is not None:
        raise BadRange("got at_height and at, expected one of them")
    return height_at(tx, timegm(at.utctimetuple()), now_s)
