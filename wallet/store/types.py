"""Column types. Base units outgrow BIGINT (wei), so they get a type of their own."""

from typing import Any

from sqlalchemy import Numeric, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

DIGITS = 78
"""Decimal digits of 2^256: the largest number any chain can put in an amount."""

_BIAS = 10**DIGITS


def encode_units(value: int) -> str:
    """Fixed-width text that sorts as the number does: "p" + digits, or "n" + complement."""
    if value < 0:
        return "n" + str(_BIAS + value).rjust(DIGITS, "0")
    return "p" + str(value).rjust(DIGITS, "0")


def decode_units(text: str) -> int:
    """The number that encode_units made a text of."""
    value = int(text[1:])
    return value - _BIAS if text[0] == "n" else value


class BaseUnits(TypeDecorator[int]):
    """An integer of up to 78 digits: NUMERIC(78,0) on PostgreSQL, fixed-width text on SQLite."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(DIGITS, 0, asdecimal=True))
        return dialect.type_descriptor(String(DIGITS + 1))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return value if dialect.name == "postgresql" else encode_units(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        return int(value) if dialect.name == "postgresql" else decode_units(value)
