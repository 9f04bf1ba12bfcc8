"""The log for other programs: every record as a JSON line, or the payments' columns as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from signer.log import Record
from signer.protocol import clean

COLUMNS = (
    "request_id",
    "code",
    "network",
    "asset",
    "source",
    "purpose",
    "units",
    "fee_units",
)
"""Fields of a record's data that a CSV line has, where the record has them."""

_EXACT_MAX = 2**53
_FORMULA = ("=", "+", "-", "@")


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """One JSON object a record. Bytes are hex; numbers that JSON readers would round are text."""
    for record in records:
        body = {
            "seq": record.seq,
            "time_s": record.time_s,
            "kind": str(record.kind),
            "authenticated": record.authenticated,
            "head": record.head.hex(),
            "data": _plain(record.data),
        }
        yield json.dumps(body, sort_keys=True) + "\n"


def csv_lines(records: Iterable[Record]) -> Iterator[str]:
    """A header, then one line a record."""
    yield _csv(("seq", "time_s", "kind", "authenticated", *COLUMNS, "head"))
    for record in records:
        data = [_cell(record.data.get(name, "")) for name in COLUMNS]
        fixed = (record.seq, record.time_s, str(record.kind), int(record.authenticated))
        yield _csv((*fixed, *data, record.head.hex()))


def sentence(record: Record) -> str:
    """A record as a line to read."""
    time = datetime.fromtimestamp(record.time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    said = " ".join(str(record.data[name]) for name in COLUMNS if record.data.get(name))
    for name in ("signer_id", "name", "policy_hash", "xpub"):
        said = said or str(record.data.get(name, ""))
    mark = "" if record.authenticated else " (written while locked)"
    return clean(f"{record.seq} {time} {record.kind} {said}{mark}")


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case int() if value >= _EXACT_MAX:
            return str(value)
        case _:
            return value


def _cell(value: object) -> str:
    """Without what a terminal obeys, and never a formula to a spreadsheet."""
    text = clean(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()
