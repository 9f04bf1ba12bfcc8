"""Ether that contracts moved inside transactions, from either of the two trace formats.

Only frames that move value count: a delegatecall shows its caller's value again, and nothing under
a reverted frame happened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import UnexpectedAnswer
from chains.evm.blocks import Block, address, data_bytes, field, items, quantity, txid

_MOVING = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})
_STILL = frozenset({"DELEGATECALL", "STATICCALL", "CALLCODE"})
_FLAT_MOVING = frozenset({"call"})
_FLAT_STILL = frozenset({"delegatecall", "staticcall", "callcode"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalTransfer:
    """Wei that moved inside a transaction; `path` names the frame, such as (0, 2)."""

    txid: str
    path: tuple[int, ...]
    sender: bytes
    to: bytes
    units: int


def from_call_tracer(answer: Any, whole: Block) -> tuple[InternalTransfer, ...]:
    """What debug_traceBlockByHash with callTracer tells. Raises UnexpectedAnswer."""
    found: list[InternalTransfer] = []
    traces = items(answer, "traces")
    if len(traces) != len(whole.transactions):
        raise UnexpectedAnswer(
            f"got {len(traces)} traces, expected {len(whole.transactions)} transactions"
        )
    for trace, transaction in zip(traces, whole.transactions, strict=True):
        named = trace.get("txHash") if isinstance(trace, dict) else None
        if named is not None and txid(named) != transaction.txid:
            raise UnexpectedAnswer("got the trace of another transaction")
        found += _nested(field(trace, "result"), transaction.txid)
    return tuple(found)


def from_trace_block(answer: Any, whole: Block) -> tuple[InternalTransfer, ...]:
    """What trace_block tells. Raises UnexpectedAnswer."""
    entries = [entry for entry in items(answer, "traces") if field(entry, "type") != "reward"]
    if any(
        data_bytes(field(e, "blockHash"), "block hash", 32).hex() != whole.ref.hash for e in entries
    ):
        raise UnexpectedAnswer("got a trace of another block")
    failed: set[tuple[str, tuple[int, ...]]] = set()
    traced: set[str] = set()
    found: list[InternalTransfer] = []
    for entry in entries:
        name = txid(field(entry, "transactionHash"))
        path = _path(field(entry, "traceAddress"))
        traced.add(name)
        if entry.get("error") is not None:
            failed.add((name, path))
        move = _flat_move(entry)
        if move is not None and path:
            sender, to, units = move
            found.append(InternalTransfer(txid=name, path=path, sender=sender, to=to, units=units))
    if traced != {transaction.txid for transaction in whole.transactions}:
        raise UnexpectedAnswer(f"got traces of {len(traced)} transactions, expected all of them")
    return tuple(
        move
        for move in found
        if not any((move.txid, move.path[:depth]) in failed for depth in range(len(move.path) + 1))
    )


def _nested(top: Any, name: str) -> Iterator[InternalTransfer]:
    """Frames below the top one, without recursion: calls nest up to 1024 deep."""
    waiting: list[tuple[Any, tuple[int, ...]]] = [(top, ())]
    while waiting:
        frame, path = waiting.pop()
        kind = field(frame, "type")
        if kind not in _MOVING | _STILL:
            raise UnexpectedAnswer(f"got a frame of type {str(kind)[:20]!r}")
        if frame.get("error"):
            continue
        if path and kind in _MOVING:
            units = quantity(frame.get("value") or "0x0", "frame value")
            if units and frame.get("to") is not None:
                sender = address(field(frame, "from"), "frame payer")
                to = address(frame["to"], "frame payee")
                yield InternalTransfer(txid=name, path=path, sender=sender, to=to, units=units)
        below = items(frame.get("calls") or [], "calls")
        waiting += [(call, (*path, number)) for number, call in enumerate(below)]


def _flat_move(entry: Any) -> tuple[bytes, bytes, int] | None:
    """(payer, payee, wei) of a flat trace entry, or None when it moves nothing."""
    kind, action = field(entry, "type"), field(entry, "action")
    match kind:
        case "call":
            call_type = field(action, "callType")
            if call_type not in _FLAT_MOVING | _FLAT_STILL:
                raise UnexpectedAnswer(f"got call type {str(call_type)[:20]!r}")
            if call_type in _FLAT_STILL:
                return None
            sender, to, units = (field(action, name) for name in ("from", "to", "value"))
        case "create":
            created = entry.get("result") or {}
            sender, to = field(action, "from"), created.get("address")
            units = field(action, "value")
        case "suicide" | "selfdestruct":
            sender, to = field(action, "address"), field(action, "refundAddress")
            units = field(action, "balance")
        case _:
            raise UnexpectedAnswer(f"got a trace of type {str(kind)[:20]!r}")
    value = quantity(units, "trace value")
    if not value or to is None:
        return None
    return address(sender, "trace payer"), address(to, "trace payee"), value


def _path(steps: Sequence[Any]) -> tuple[int, ...]:
    if not isinstance(steps, list) or any(type(step) is not int for step in steps):
        raise UnexpectedAnswer("got a trace address of another shape")
    return tuple(steps)
