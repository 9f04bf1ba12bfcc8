"""Cursor pages: newest first, stable while rows are added, one query a page."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import Column, Connection, RowMapping, Select, and_, or_

from wallet.errors import Invalid

LIMIT_MAX = 200
"""Rows of one page."""

_CURSOR = re.compile(r"([0-9]{1,12}):([0-9a-f-]{36})")

View = TypeVar("View", bound=BaseModel)


class CursorInvalid(Invalid):
    """The cursor is not one that this API gave out."""

    code = "request.cursor_invalid"


class Page(BaseModel, Generic[View]):
    """Some rows, and where the next ones begin; `next_cursor` is null on the last page."""

    data: list[View]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None


def _window(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
    cursor: Annotated[str | None, Query(max_length=128, pattern=r"^[A-Za-z0-9_-]+$")] = None,
) -> Window:
    return Window(limit, cursor)


WindowNow = Annotated[Window, Depends(_window)]
"""The `limit` and `cursor` of a list route."""


def read_page(
    tx: Connection,
    query: Select[Any],
    window: Window,
    order: tuple[Column[int], Column[str]],
    view: Callable[[RowMapping], View],
) -> Page[View]:
    """One page of `query`, newest first by `order` = (time, id). Raises CursorInvalid."""
    time_s, row_id = order
    if window.cursor is not None:
        last_s, last_id = _decode(window.cursor)
        query = query.where(or_(time_s < last_s, and_(time_s == last_s, row_id < last_id)))
    query = query.order_by(time_s.desc(), row_id.desc()).limit(window.limit + 1)
    rows: Sequence[RowMapping] = tx.execute(query).mappings().all()
    shown = rows[: window.limit]
    more = len(rows) > window.limit
    last = (shown[-1][time_s], shown[-1][row_id]) if more else None
    return Page[Any](data=[view(row) for row in shown], next_cursor=_encode(last))


def _encode(last: tuple[int, str] | None) -> str | None:
    if last is None:
        return None
    return base64.urlsafe_b64encode(f"{last[0]}:{last[1]}".encode()).rstrip(b"=").decode()


def _decode(cursor: str) -> tuple[int, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise CursorInvalid("got another cursor, expected a next_cursor of this list") from error
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise CursorInvalid("got another cursor, expected a next_cursor of this list")
    return int(match[1]), match[2]
