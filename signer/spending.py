"""What left, counted by time and by signatures, for each network, asset, source and purpose."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from policies.loader import SIGNATURES_MAX

MONTH_S = 31 * 24 * 3600
"""Spending older than this is in no window of time and is forgotten."""

Counted = tuple[int, int]
"""Time and units of one payment."""

Flow = tuple[str, str, str, str]
"""Network, asset, source, purpose: what a window is counted for."""


@dataclass(slots=True)
class Spending:
    """Payments in order; `add` is the only writer and times never run backwards."""

    _paid: dict[Flow, deque[Counted]] = field(default_factory=dict)

    def add(self, flow: Flow, time_s: int, units: int) -> None:
        """Count a payment."""
        paid = self._paid.setdefault(flow, deque())
        paid.append((time_s, units))
        while len(paid) > SIGNATURES_MAX and paid[0][0] < time_s - MONTH_S:
            paid.popleft()

    def in_window(self, flow: Flow, window_s: int, now_s: int, but: Counted | None = None) -> int:
        """Units of the last `window_s` seconds; `but` is a payment that is made anew."""
        paid = self._without(flow, but)
        return sum(units for time_s, units in paid if time_s > now_s - window_s)

    def in_row(self, flow: Flow, signatures: int, but: Counted | None = None) -> int:
        """Units of the last `signatures - 1` payments: with the next one they are `signatures`."""
        paid = self._without(flow, but)
        return sum(units for _, units in islice(reversed(paid), signatures - 1))

    def holds(self, flow: Flow, counted: Counted) -> bool:
        """Whether a payment is counted."""
        return counted in self._paid.get(flow, ())

    def _without(self, flow: Flow, but: Counted | None) -> Sequence[Counted]:
        """All payments but one; several that look alike count all but once."""
        paid: Sequence[Counted] = self._paid.get(flow, deque())
        if but is None or but not in paid:
            return paid
        rest = list(paid)
        rest.remove(but)
        return rest
