"""Named moments right after (or inside) a commit, where a crash test may kill the process."""

import os
import signal
from collections.abc import Callable
from typing import TypeAlias

Milestone: TypeAlias = Callable[[str], None]


def pass_by(name: str) -> None:
    """Production: a milestone is nothing."""


def kill_at(wanted: str) -> Milestone:
    """Development chains only: die by SIGKILL, as a power cut would, at the first such moment."""

    def milestone(name: str) -> None:
        if name == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return milestone
