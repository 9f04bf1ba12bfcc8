"""What left, counted by time and in a row; and memory that reads records from before it grew."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from signer.log import LogKind, Record
from signer.spending import MONTH_S, Spending
from signer.state import State

FLOW = ("n", "A", "s", "withdrawal")
OTHER = ("n", "B", "s", "withdrawal")


@given(
    steps=st.lists(st.tuples(st.integers(0, MONTH_S), st.integers(1, 10**20)), max_size=40),
    window_s=st.integers(1, MONTH_S),
    signatures=st.integers(1, 50),
)
@settings(max_examples=100)
def test_sums_are_those_of_the_whole_history(
    steps: list[tuple[int, int]], window_s: int, signatures: int
) -> None:
    spending, history, now_s = Spending(), [], 0
    for wait_s, units in steps:
        now_s += wait_s
        spending.add(FLOW, now_s, units)
        spending.add(OTHER, now_s, 1)
        history.append((now_s, units))
    in_window = sum(units for time_s, units in history if time_s > now_s - window_s)
    last = history[-(signatures - 1) :] if signatures > 1 else []

    assert spending.in_window(FLOW, window_s, now_s) == in_window
    assert spending.in_row(FLOW, signatures) == sum(units for _, units in last)


def test_payments_in_a_row_are_remembered_however_long_ago() -> None:
    spending = Spending()
    spending.add(FLOW, 0, 5)
    spending.add(FLOW, 2 * MONTH_S, 7)

    assert spending.in_row(FLOW, 3) == 12
    assert spending.in_window(FLOW, MONTH_S, 2 * MONTH_S) == 7


def test_memory_of_time_does_not_grow_for_ever() -> None:
    spending = Spending()
    for step in range(3000):
        spending.add(FLOW, step * 3600, 1)

    assert len(spending._paid[FLOW]) == 1000
    assert spending.in_row(FLOW, 1000) == 999


def test_records_from_before_are_still_read() -> None:
    """Neither a quorum nor payments nor other signers were kept then."""
    state = State()
    configured = {"config_sha256": b"c", "policy_sha256": b"p", "policy_hash": "h"}
    signed = {
        "request_id": "r", "request_digest": b"d", "network": "n", "source": "s", "asset": "A",
        "purpose": "withdrawal", "units": 5, "fee_units": 1, "intents": [["i", b"i"]],
        "outpoints": [], "nonces": [], "change": [], "r_values": [], "answer": b"",
    }  # fmt: skip
    told: tuple[tuple[LogKind, dict[str, Any]], ...] = (
        (LogKind.CONFIGURED, configured),
        (LogKind.SIGNED, signed),
    )
    for seq, (kind, data) in enumerate(told, start=1):
        state.apply(
            Record(seq=seq, time_s=9, kind=kind, data=data, head=b"", mac=b"\x01", offset=0)
        )

    assert (state.activations, state.governance_quorum) == (1, 0)
    assert state.spent_units(FLOW, 60, 10) == 5
    assert state.payees_like("n", "x") == frozenset()
    assert state.siblings == {}
