"""What left, counted by time and by signatures, for each network, asset, source and purpose."""

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

from policies.loader import SIGNATURES_MAX

MONTH_S = 31 * 24 * 3600
"""Spending older than this is in no window of time and is forgotten."""

Flow = tuple[str, str, str, str]
"""Network, asset, source, purpose: what a window is counted for."""


@dataclass(slots=True)
class Spending:
    """Payments in order; `add` is the only writer and times never run backwards."""

    _paid: dict[Flow, deque[tuple[int, int]]] = field(default_factory=dict)

    def add(self, flow: Flow, time_s: int, units: int) -> None:
        """Count a payment."""
        paid = self._paid.setdefault(flow, deque())
        paid.append((time_s, units))
        while len(paid) > SIGNATURES_MAX and paid[0][0] < time_s - MONTH_S:
            paid.popleft()

    def in_window(self, flow: Flow, window_s: int, now_s: int) -> int:
        """Units of the last `window_s` seconds."""
        paid = self._paid.get(flow, ())
        return sum(units for time_s, units in paid if time_s > now_s - window_s)

    def in_row(self, flow: Flow, signatures: int) -> int:
        """Units of the last `signatures - 1` payments: with the next one they are `signatures`."""
        paid = self._paid.get(flow, deque())
        return sum(units for _, units in islice(reversed(paid), signatures - 1))
