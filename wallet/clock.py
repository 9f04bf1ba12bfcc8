"""Time as an argument: services take a Clock and never ask the machine themselves."""

import time
from typing import Protocol


class Clock(Protocol):
    """Unix seconds."""

    def now_s(self) -> int:
        """The time now, in whole seconds since 1970 (UTC)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_s(self) -> int:
        """The time now, in whole seconds since 1970 (UTC)."""
        return int(time.time())
