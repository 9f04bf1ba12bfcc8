"""The nodes' best heights, remembered for a moment: health is asked often, nodes are slow."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from chains.errors import ChainError
from chains.ports import Chain
from wallet.clock import Clock

FRESH_S = 2
"""How long an answer, or the lack of one, is given again without asking the node."""


@dataclass(frozen=True, slots=True)
class _Seen:
    height: int | None
    at_s: int


class Tips:
    """Best height by network; None while a node does not answer."""

    def __init__(self, chains: Mapping[str, Chain], clock: Clock) -> None:
        self._chains = chains
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._locks = {network: Lock() for network in chains}

    @property
    def networks(self) -> tuple[str, ...]:
        """Every network that can be asked for."""
        return tuple(self._chains)

    def height(self, network: str) -> int | None:
        """The node's best height, at most FRESH_S old; one caller asks, the others wait."""
        lock = self._locks.get(network)
        if lock is None:
            return None
        with lock:
            seen = self._seen.get(network)
            now_s = self._clock.now_s()
            if seen is None or not 0 <= now_s - seen.at_s < FRESH_S:
                seen = _Seen(self._ask(network), now_s)
                self._seen[network] = seen
            return seen.height

    def _ask(self, network: str) -> int | None:
        try:
            return self._chains[network].tip().height
        except ChainError:
            return None
