"""The schedule: a failing job is told once, comes again, and harms no other."""

from threading import Event

from structlog.testing import capture_logs

from wallet.worker import Job, Worker


class Flaky:
    """Fails its first runs, then works."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.worked = Event()

    def __call__(self) -> None:
        if self.left:
            self.left -= 1
            raise ValueError("not yet")
        self.worked.set()


def test_a_failing_job_is_told_once_and_comes_again() -> None:
    flaky, steady = Flaky(failures=3), Flaky(failures=0)
    worker = Worker(
        [
            Job(name="flaky", every_ms=10, run=flaky),
            Job(name="steady", every_ms=10, run=steady),
        ]
    )
    with capture_logs() as told:
        worker.start()
        assert flaky.worked.wait(timeout=30)
        assert steady.worked.wait(timeout=30)
        worker.stop()

    assert [(row["event"], row["job"]) for row in told] == [
        ("job.failed", "flaky"),
        ("job.recovered", "flaky"),
    ]
    assert worker.failing == {}


def test_a_job_that_fails_shows_its_code() -> None:
    ran = Event()

    def fail() -> None:
        ran.set()
        raise KeyError("gone")

    worker = Worker([Job(name="broken", every_ms=10, run=fail)])
    worker.start()
    assert ran.wait(timeout=30)
    worker.stop()

    assert worker.failing == {"broken": "KeyError"}


def test_a_job_of_another_process_is_left_alone() -> None:
    ours, theirs = Event(), Event()
    refused: list[str] = []

    def admit(name: str) -> bool:
        if name != "ours":
            refused.append(name)
        return name == "ours"

    jobs = [Job(name=n, every_ms=10, run=e.set) for n, e in (("theirs", theirs), ("ours", ours))]
    worker = Worker(jobs, admit)
    worker.start()
    assert ours.wait(timeout=30)
    worker.stop()

    assert not theirs.is_set()
    assert set(refused) <= {"theirs"}


def test_a_run_that_takes_long_is_ended_when_the_worker_stops() -> None:
    running, ended = Event(), Event()

    def run() -> None:
        running.set()
        ended.wait(timeout=30)

    worker = Worker([Job(name="long", every_ms=10, run=run, end=ended.set)])
    worker.start()
    assert running.wait(timeout=30)
    assert not ended.is_set()
    worker.stop()
    assert ended.is_set()
