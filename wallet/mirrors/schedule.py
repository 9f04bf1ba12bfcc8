"""The recurring work: an image every so many hours, and the old ones removed."""

from collections.abc import Callable

from wallet.clock import Clock
from wallet.duties import HOUR_S
from wallet.ledger.loading import head_height
from wallet.milestones import Milestone, pass_by
from wallet.mirrors.folder import ImageFolder, outlived, scheduled_tag
from wallet.mirrors.making import make_image
from wallet.mirrors.manifest import Attest
from wallet.store.database import Database


class Schedule:
    """Takes images of a ledger that grew. `attest` is asked for when the first one is signed."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        folder: ImageFolder,
        attest: Callable[[], Attest],
        every_hours: int,
        daily: int,
        weekly: int,
        with_ids: bool,
        milestone: Milestone = pass_by,
    ) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._attest = attest
        self._every_s = every_hours * HOUR_S
        self._daily = daily
        self._weekly = weekly
        self._with_ids = with_ids
        self._milestone = milestone

    def step(self) -> None:
        """Take an image if one is due, then remove those that nothing keeps any more."""
        if self._is_due():
            now_s = self._clock.now_s()
            tag = scheduled_tag(now_s)
            make_image(
                self._database,
                self._folder.file_of(tag),
                tag=tag,
                attest=self._attest(),
                now_s=now_s,
                with_ids=self._with_ids,
            )
            self._milestone("image:taken")
        now_s = self._clock.now_s()
        for one in outlived(self._folder.listed(), now_s, daily=self._daily, weekly=self._weekly):
            one.path.unlink(missing_ok=True)

    def age_s(self) -> int | None:
        """How old the newest image is; None where there is none."""
        newest = self._folder.newest()
        return None if newest is None else max(0, self._clock.now_s() - newest.created_s)

    def is_late(self) -> bool:
        """Whether the newest image is older than two turns, and the ledger went on since."""
        age_s = self.age_s()
        return (age_s is None or age_s > 2 * self._every_s) and self._has_grown()

    def _is_due(self) -> bool:
        age_s = self.age_s()
        return (age_s is None or age_s >= self._every_s) and self._has_grown()

    def _has_grown(self) -> bool:
        newest = self._folder.newest()
        with self._database.read() as tx:
            return head_height(tx) > (0 if newest is None else newest.height)
