"""What happened, in order: written in the transaction that caused it, chained by hash.

hash(n) = SHA-256(hash(n-1) || n || created_s || field(type) || field(subject) || field(body))
with 8-byte big-endian numbers, field(x) = 4-byte length and UTF-8 bytes, hash(0) = 32 zero bytes.
A consumer who recomputes it knows that no event is missing, changed or out of order.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, insert, select

from wallet.errors import Invalid, WalletError
from wallet.store import counters
from wallet.store.schema import events

SEQUENCE = "events"
"""Name of the counter that numbers the events."""

GENESIS = b"\x00" * 32
"""What the first event's hash builds on."""

READ_MAX = 1000
"""Events one read returns at most."""

_INSERT = insert(events)


class EventBody(Invalid):
    """An event body that has no exact JSON form."""

    code = "events.body"


class EventChainBroken(WalletError):
    """Stored events that do not hash to what they should: history was changed."""

    code = "events.chain_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event about to be written; amounts are strings in its body."""

    type: str
    subject: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as stored; `body` is JSON text with sorted keys, exactly what was hashed."""

    seq: int
    type: str
    subject: str
    body: str
    hash: bytes
    created_s: int


def append_event(
    tx: Connection, type: str, subject: str, body: Mapping[str, object], now_s: int
) -> int:
    """Write the next event and return its number; gapless in commit order.

    Amounts go into `body` as strings. Raises EventBody for a float or what JSON cannot say.
    """
    return append_events(tx, [NewEvent(type=type, subject=subject, body=body)], now_s)


def append_events(tx: Connection, new: Sequence[NewEvent], now_s: int) -> int:
    """Write the next events in their order, at least one; the first one's number is returned.

    Raises EventBody as `append_event`.
    """
    texts = [_json(event.body) for event in new]
    first, head = counters.reserve_chained(tx, SEQUENCE, len(new))
    previous = head or GENESIS
    rows = []
    for seq, (event, text) in enumerate(zip(new, texts, strict=True), first):
        previous = event_hash(
            previous,
            seq=seq,
            created_s=now_s,
            type=event.type,
            subject=event.subject,
            body=text,
        )
        rows.append(
            {
                "seq": seq,
                "type": event.type,
                "subject": event.subject,
                "body": text,
                "hash": previous,
                "created_s": now_s,
            }
        )
    tx.execute(_INSERT, rows)
    counters.set_head(tx, SEQUENCE, previous)
    return first


def read_events(tx: Connection, after: int, limit: int) -> Sequence[Event]:
    """Events numbered above `after`, in order, at most `limit` (and never over READ_MAX)."""
    query = (
        select(events)
        .where(events.c.seq > after)
        .order_by(events.c.seq)
        .limit(max(0, min(limit, READ_MAX)))
    )
    return [_event(row) for row in tx.execute(query).mappings()]


def verify_chain(tx: Connection, after: int = 0) -> int:
    """Recompute every hash above `after` and return the last number.

    Raises EventChainBroken naming the first event that is missing or changed.
    """
    previous = GENESIS if after == 0 else _hash_of(tx, after)
    seq = after
    while page := read_events(tx, seq, READ_MAX):
        for event in page:
            seq += 1
            if event.seq != seq:
                raise EventChainBroken(f"got event {event.seq}, expected {seq}: events are missing")
            expected = event_hash(
                previous,
                seq=seq,
                created_s=event.created_s,
                type=event.type,
                subject=event.subject,
                body=event.body,
            )
            if event.hash != expected:
                raise EventChainBroken(f"event {seq} was changed: its hash does not match")
            previous = expected
    _check_end(tx, seq, previous)
    return seq


def last_seq(tx: Connection) -> int:
    """Number of the newest event, 0 before the first."""
    return int(tx.execute(select(func.max(events.c.seq))).scalar() or 0)


def event_hash(
    previous: bytes, *, seq: int, created_s: int, type: str, subject: str, body: str
) -> bytes:
    """The hash of one event, as the module says."""
    parts = [previous, seq.to_bytes(8, "big"), created_s.to_bytes(8, "big")]
    for field in (type, subject, body):
        raw = field.encode()
        parts += [len(raw).to_bytes(4, "big"), raw]
    return hashlib.sha256(b"".join(parts)).digest()


def _check_end(tx: Connection, seq: int, last: bytes) -> None:
    """The counter remembers the end of the chain, so a cut tail shows."""
    expected, head = counters.current(tx, SEQUENCE), counters.head(tx, SEQUENCE) or GENESIS
    if seq != expected or last != head:
        raise EventChainBroken(f"got events up to {seq}, expected up to {expected}")


def _hash_of(tx: Connection, seq: int) -> bytes:
    stored = tx.execute(select(events.c.hash).where(events.c.seq == seq)).scalar()
    if stored is None:
        raise EventChainBroken(f"event {seq} is missing")
    return bytes(stored)


def _event(row: RowMapping) -> Event:
    return Event(
        seq=row["seq"],
        type=row["type"],
        subject=row["subject"],
        body=row["body"],
        hash=bytes(row["hash"]),
        created_s=row["created_s"],
    )


def _json(body: Mapping[str, object]) -> str:
    _refuse_inexact(body)
    try:
        return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise EventBody(f"got a body JSON cannot say: {error}") from error


def _refuse_inexact(value: object) -> None:
    """Only text, whole numbers, truth values, null, and lists and maps of them."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise EventBody(f"got key {key!r}, expected text")
            _refuse_inexact(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_inexact(item)
    elif value is not None and not isinstance(value, str | int):
        raise EventBody(f"got {value!r:.80}, expected text, whole numbers, lists and maps")
