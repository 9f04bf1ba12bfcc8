"""JSON of any depth, read without recursion.

A trace nests as deep as calls do (1024), which anybody can put into a block; the standard parser
gives up before that, and a scan that gives up stops every deposit behind it.
"""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

DEPTH_MAX = 4096
"""Two levels for each of the EVM's 1024 calls, and room."""

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_END = object()


def loads(text: str) -> Any:
    """Parse JSON; numbers with a fraction stay text. Raises ValueError."""
    try:
        return json.loads(text, parse_float=str)
    except RecursionError:
        return _loads_deep(text)


def _loads_deep(text: str) -> Any:
    """The same by a stack of open lists and maps."""
    stack: list[Any] = []
    keys: list[str | None] = []
    at = _skip(text, 0)
    while True:
        value, at = _open_or_scalar(text, at, stack, keys)
        while value is not _END:
            if not stack:
                if _skip(text, at) != len(text):
                    raise ValueError("got bytes after the JSON value")
                return value
            value, at = _attach(text, at, stack, keys, value)


def _open_or_scalar(
    text: str, at: int, stack: list[Any], keys: list[str | None]
) -> tuple[Any, int]:
    """A finished value, or `_END` when a container was opened and its first item comes next."""
    mark = text[at : at + 1]
    if mark in ("{", "["):
        if len(stack) >= DEPTH_MAX:
            raise ValueError(f"got JSON deeper than {DEPTH_MAX}")
        container: Any = {} if mark == "{" else []
        inside = _skip(text, at + 1)
        if text[inside : inside + 1] == ("}" if mark == "{" else "]"):
            return container, inside + 1
        stack.append(container)
        keys.append(None)
        return _END, _next_key(text, inside, keys) if mark == "{" else inside
    if mark == '"':
        value, end = scanstring(text, at + 1, True)
        return value, end
    match = _SCALAR.match(text, at)
    if match is None:
        raise ValueError(f"got no JSON value at {at}")
    return json.loads(match[0], parse_float=str), match.end()


def _attach(
    text: str, at: int, stack: list[Any], keys: list[str | None], value: Any
) -> tuple[Any, int]:
    """Put a finished value into the open container; the container itself when that closes it."""
    container, key = stack[-1], keys[-1]
    if key is None:
        container.append(value)
    else:
        container[key] = value
    at = _skip(text, at)
    mark = text[at : at + 1]
    if mark == ",":
        at = _skip(text, at + 1)
        return _END, at if key is None else _next_key(text, at, keys)
    if mark != ("]" if key is None else "}"):
        raise ValueError(f"got no end of a JSON list or map at {at}")
    keys.pop()
    return stack.pop(), at + 1


def _next_key(text: str, at: int, keys: list[str | None]) -> int:
    if text[at : at + 1] != '"':
        raise ValueError(f"got no JSON key at {at}")
    keys[-1], at = scanstring(text, at + 1, True)
    at = _skip(text, at)
    if text[at : at + 1] != ":":
        raise ValueError(f"got no colon at {at}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
