"""JSON to dataclasses: strict about what is missing, silent about what a newer API adds."""

import dataclasses
import types
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from wallet.client.errors import UnexpectedAnswer

Record = TypeVar("Record")


def decode(kind: type[Record], data: Any) -> Record:
    """A dataclass of `kind` from parsed JSON. Raises UnexpectedAnswer."""
    record: Record = _record(kind, {}, data)
    return record


def _record(kind: Any, bound: dict[Any, Any], data: Any) -> Any:
    if not isinstance(data, dict):
        raise UnexpectedAnswer(f"got {type(data).__name__}, expected an object")
    origin = get_origin(kind) or kind
    if get_origin(kind) is not None:
        bound = dict(zip(origin.__parameters__, get_args(kind), strict=True))
    hints = get_type_hints(origin)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(origin):
        if field.name not in data:
            raise UnexpectedAnswer(f"got no {field.name}, expected one in {origin.__name__}")
        values[field.name] = _value(hints[field.name], bound, data[field.name])
    return origin(**values)


def _value(hint: Any, bound: dict[Any, Any], data: Any) -> Any:
    hint = bound.get(hint, hint)
    if isinstance(hint, types.UnionType):
        inner = [arg for arg in get_args(hint) if arg is not types.NoneType]
        return None if data is None else _value(inner[0], bound, data)
    if get_origin(hint) is tuple:
        if not isinstance(data, list):
            raise UnexpectedAnswer(f"got {type(data).__name__}, expected a list")
        return tuple(_value(get_args(hint)[0], bound, item) for item in data)
    if get_origin(hint) is dict:
        return dict(data)
    if dataclasses.is_dataclass(hint):
        return _record(hint, bound, data)
    if hint is bool:
        return _truth(data)
    if hint is int:
        return _whole(data)
    if not isinstance(data, str):
        raise UnexpectedAnswer(f"got {type(data).__name__}, expected text")
    return data


def _truth(data: Any) -> bool:
    if type(data) is not bool:
        raise UnexpectedAnswer(f"got {type(data).__name__}, expected true or false")
    return data


def _whole(data: Any) -> int:
    """Base units travel as text, counts and times as numbers; both are whole."""
    if type(data) is int:
        return data
    if isinstance(data, str) and data.removeprefix("-").isdecimal():
        return int(data)
    raise UnexpectedAnswer(f"got {type(data).__name__}, expected a whole number")
