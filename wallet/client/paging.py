"""Walking through all pages of a list."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from wallet.client.types import Page

Item = TypeVar("Item")


def every(read: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
    """Every item of a list: `every(lambda cursor: client.list_deposits(cursor=cursor))`."""
    cursor: str | None = None
    while True:
        page = read(cursor)
        yield from page.data
        cursor = page.next_cursor
        if cursor is None:
            return
