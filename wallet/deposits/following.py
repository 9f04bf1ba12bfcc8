"""One pass of a watcher: some blocks, then others get their turn; catching up, it says how far."""

import structlog

from chains.errors import CodecError, UnexpectedAnswer
from chains.headers import HeaderError
from chains.ports import Chain
from wallet.clock import Clock
from wallet.deposits.scanned.pace import pace
from wallet.deposits.scanned.stops import NOT_BELIEVED, clear_stop, set_stop
from wallet.deposits.watcher import ScanRace, Seen, Step, Watcher
from wallet.store.database import Database

BLOCKS_PER_PASS = 500
"""Blocks one pass of a watcher scans before others get their turn."""

BEHIND_MIN = 10
"""From so many blocks on a scan is catching up rather than following."""

TOLD_EVERY_S = 10
"""How often progress is told."""

_LOG = structlog.get_logger()


class Follower:
    """Runs one network's watcher in passes."""

    def __init__(self, chain: Chain, watcher: Watcher, database: Database, clock: Clock) -> None:
        self._network = chain.network
        self._watcher = watcher
        self._database = database
        self._clock = clock
        self._told_s: int | None = None
        self._is_believed = False

    def run(self) -> None:
        """Scan until the tip is reached or the pass is full. Raises NodeError.

        A node whose answers cannot be is told of once, as a stop of the scan, until they can again.
        """
        try:
            self._pass()
        except ScanRace:
            raise
        except (CodecError, HeaderError, UnexpectedAnswer) as error:
            self._is_believed = False
            with self._database.write() as tx:
                detail = f"{error.code}: {error}"[:500]
                set_stop(tx, self._network, NOT_BELIEVED, detail, self._clock.now_s())
            raise
        if not self._is_believed:
            with self._database.write() as tx:
                clear_stop(tx, self._network, NOT_BELIEVED, self._clock.now_s())
            self._is_believed = True

    def _pass(self) -> None:
        for _ in range(BLOCKS_PER_PASS):
            step = self._watcher.step()
            if step.seen is Seen.REORGANISED:
                _LOG.warning("chain.reorganised", network=self._network, fork_height=step.height)
            if step.seen is Seen.SAME:
                self._tell_arrival(step)
                return
            self._tell_progress(step)

    def _tell_progress(self, step: Step) -> None:
        behind, now_s = step.tip_height - step.height, self._clock.now_s()
        if behind < BEHIND_MIN or (
            self._told_s is not None and now_s - self._told_s < TOLD_EVERY_S
        ):
            return
        with self._database.read() as tx:
            speed = pace(tx, self._network, now_s)
        _LOG.info(
            "chain.catching_up",
            network=self._network,
            height=step.height,
            behind_blocks=behind,
            blocks_per_minute=None if speed is None else speed.blocks_per_minute,
            estimate_s=None if speed is None else speed.estimate_s(behind),
        )
        self._told_s = now_s

    def _tell_arrival(self, step: Step) -> None:
        if self._told_s is not None and step.height >= step.tip_height:
            _LOG.info("chain.caught_up", network=self._network, height=step.height)
            self._told_s = None
