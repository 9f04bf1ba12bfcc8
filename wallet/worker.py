"""Run the service's recurring work on a schedule; every job is one step that may fail and recur."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to do again and again. `run` does what is due now and returns.

    `end` is called when nothing is due any more; a run that takes long returns then.
    """

    name: str
    every_ms: int
    run: Callable[[], None]
    end: Callable[[], None] | None = None


Admit = Callable[[str], bool]
"""Whether this process may do the job of a name now."""


def quietly(step: Callable[[], object]) -> Callable[[], None]:
    """A job of a step whose result nobody waits for."""

    def run() -> None:
        step()

    return run


def admit_all(_name: str) -> bool:
    """The only process there is."""
    return True


class Worker:
    """The schedule. A job never overlaps itself; a late one runs once, not as often as missed.

    `admit` is asked before each run: of several processes on one database, one does each job.
    """

    def __init__(self, jobs: Sequence[Job], admit: Admit = admit_all) -> None:
        self._admit = admit
        self._ends = [job.end for job in jobs if job.end is not None]
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._failing: dict[str, str] = {}
        self.stopping = Event()
        for job in jobs:
            self._scheduler.add_job(
                self._run_safely,
                "interval",
                args=[job],
                seconds=timedelta(milliseconds=job.every_ms).total_seconds(),
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
                id=job.name,
            )

    def start(self) -> None:
        """Begin, each job at once."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))  # noqa: TID251 - the scheduler wants its own kind of time
        self._scheduler.start()

    def stop(self) -> None:
        """Let running jobs finish their step, start no other."""
        self.stopping.set()
        for end in self._ends:
            end()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    @property
    def failing(self) -> Mapping[str, str]:
        """Jobs whose last run raised, and the error's code."""
        return dict(self._failing)

    def _run_safely(self, job: Job) -> None:
        """The outermost loop of a job: whatever went wrong is told, and the job comes again."""
        if self.stopping.is_set():
            return
        try:
            if not self._admit(job.name):
                return
            job.run()
        except Exception as error:  # noqa: BLE001 - the one place where a job may fail
            code = getattr(error, "code", type(error).__name__)
            # Told once: a node that is away for an hour is one line, not thousands.
            if self._failing.get(job.name) != code:
                _LOG.warning("job.failed", job=job.name, code=code, message=str(error)[:500])
            self._failing[job.name] = code
        else:
            if self._failing.pop(job.name, None) is not None:
                _LOG.warning("job.recovered", job=job.name)
