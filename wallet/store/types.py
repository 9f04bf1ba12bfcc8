"""Column types. Base units outgrow BIGINT (wei), so they get a type of their own."""

from typing import Any

from sqlalchemy import ColumnElement, Numeric, String
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

DIGITS = 78
"""Decimal digits of 2^256: the largest number any chain can put in an amount."""

_BIAS = 10**DIGITS


def encode_units(value: int) -> str:
    """Fixed-width text that sorts as the number does: "p" + digits, or "n" + complement.

    Raises OverflowError beyond 78 digits.
    """
    if not -_BIAS < value < _BIAS:
        raise OverflowError(f"got {value}, expected at most {DIGITS} digits")
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
        """The engine's own column type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(DIGITS, 0, asdecimal=True))
        return dialect.type_descriptor(String(DIGITS + 1))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """A number on its way into the database."""
        if value is None:
            return None
        return value if dialect.name == "postgresql" else encode_units(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """A number on its way out of the database."""
        if value is None:
            return None
        return int(value) if dialect.name == "postgresql" else decode_units(value)


def units_sum(column: ColumnElement[int]) -> "UnitsSum":
    """The exact sum of a BaseUnits column; SQL's own SUM would misread SQLite's text.

    NULL over no rows, as SUM.
    """
    return UnitsSum(column)


class UnitsSum(FunctionElement[int]):
    """The SQL expression behind units_sum."""

    name = "units_sum"
    type = BaseUnits()
    inherit_cache = True


@compiles(UnitsSum)
def _sum_of_text(element: UnitsSum, compiler: SQLCompiler, **kw: Any) -> str:
    return f"units_sum({compiler.process(element.clauses, **kw)})"


@compiles(UnitsSum, "postgresql")
def _sum_of_numeric(element: UnitsSum, compiler: SQLCompiler, **kw: Any) -> str:
    return f"sum({compiler.process(element.clauses, **kw)})"


class UnitsTotal:
    """SQLite's aggregate behind units_sum."""

    def __init__(self) -> None:
        self._total: int | None = None

    def step(self, text: str | None) -> None:
        """Add one row; NULL is skipped as SQL does."""
        if text is not None:
            self._total = (self._total or 0) + decode_units(text)

    def finalize(self) -> str | None:
        """The sum as text, NULL when there was no row."""
        return None if self._total is None else encode_units(self._total)


def add_units(left: str, right: str) -> str:
    """SQLite's units_add."""
    return encode_units(decode_units(left) + decode_units(right))


def subtract_units(left: str, right: str) -> str:
    """SQLite's units_sub."""
    return encode_units(decode_units(left) - decode_units(right))
