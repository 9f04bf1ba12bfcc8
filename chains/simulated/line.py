"""The line between the wallet and one node, and everything that can go wrong on it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chains.errors import NodeUnavailable


class Fault(StrEnum):
    """What goes wrong with the next broadcast."""

    LOST_BEFORE = "lost_before"  # no answer, and the node never got it
    LOST_AFTER = "lost_after"  # no answer, though the node took it
    DOUBLED = "doubled"  # delivered twice; the answer to the second copy is what comes back
    REJECTED = "rejected"  # the node's pool asks for a higher fee just now


class Lie(StrEnum):
    """What a dishonest node changes in the blocks that it shows; an honest reader finds out."""

    OMITS = "omits"  # a block without its last transaction
    INFLATES = "inflates"  # a block whose amounts are higher
    OTHER_BLOCK = "other_block"  # another block than the one asked for


@dataclass(kw_only=True)
class Line:
    """One connection. `lag` counts the newest blocks that this node has not seen yet.

    `cut_after` is how many more questions are answered before the node falls silent.
    `rejection` is what a Bitcoin-like node says when it rejects.
    """

    faults: deque[Fault] = field(default_factory=deque)
    is_down: bool = False
    lag: int = 0
    lie: Lie | None = None
    cut_after: int | None = None
    rejection: str = "min relay fee not met"

    def carry(self, method: str) -> None:
        """Let one question through. Raises NodeUnavailable."""
        if self.cut_after is not None:
            if self.cut_after == 0:
                self.cut_after, self.is_down = None, True
            else:
                self.cut_after -= 1
        if self.is_down:
            raise NodeUnavailable(f"{method}: no answer")

    def deliver(self, method: str, take: Callable[[], Any], refuse: Callable[[], Any]) -> Any:
        """Carry a broadcast through the next fault. Raises NodeUnavailable, or what they raise."""
        fault = self.faults.popleft() if self.faults else None
        match fault:
            case Fault.LOST_BEFORE:
                raise NodeUnavailable(f"{method}: no answer")
            case Fault.REJECTED:
                return refuse()
            case Fault.DOUBLED:
                take()
        answer = take()
        if fault is Fault.LOST_AFTER:
            raise NodeUnavailable(f"{method}: no answer")
        return answer

    def mend(self) -> None:
        """Everything works again."""
        self.faults.clear()
        self.is_down, self.lag, self.lie, self.cut_after = False, 0, None, None
