"""Decimal text to base units and back; the only place that knows a decimal point."""

import re

from chains.errors import CodecError

_DECIMAL = re.compile(r"(?P<whole>0|[1-9][0-9]{0,59})(?:\.(?P<part>[0-9]{1,36}))?")


def to_units(text: str, decimals: int) -> int:
    """Base units of a decimal string such as "1.25". Raises CodecError on any other shape."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise CodecError(f"got amount {text[:80]!r}, expected a plain decimal such as 1.25")
    part = match["part"] or ""
    if len(part.rstrip("0")) > decimals:
        raise CodecError(f"got {len(part)} decimals, expected at most {decimals}")
    fraction = part[:decimals].ljust(decimals, "0")
    return int(match["whole"] + fraction)


def to_text(units: int, decimals: int) -> str:
    """Decimal string of base units, without trailing zeros: 125 at 2 decimals is "1.25"."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), 10**decimals)
    tail = str(part).rjust(decimals, "0").rstrip("0") if part else ""
    return f"{sign}{whole}.{tail}" if tail else f"{sign}{whole}"
