"""The one writer of a ledger: many callers, few commits.

Callers give batches and wait. One thread judges what waits as one group, at the heights it will
have; another writes the group before it and commits it once, for all its batches. What a caller
is told was committed before.

Other transactions may post between two groups (`post_batch` in a worker's own): the height with
its state hash is the fencing token, and so is the version of accounts' terms. A group is written
only on the state and by the terms it was judged on; if they went on, it is judged again. A writer
that was stopped and revived can therefore do no harm.
"""

import queue
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

from msgspec.structs import replace
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from wallet.clock import Clock
from wallet.ledger import loading
from wallet.ledger.books import Basis, Books
from wallet.ledger.errors import LedgerBusy, LedgerError
from wallet.ledger.judging import Judge
from wallet.ledger.posting import (
    Earlier,
    Posted,
    checked,
    earlier_batches,
    post_each,
    post_whole,
    repeated,
)
from wallet.ledger.results import Result
from wallet.ledger.sealing import Heights, Sealed, seal, together
from wallet.ledger.transfers import Transfer, content_digest
from wallet.ledger.writing import write
from wallet.store.database import Database

GROUP_LINES = 150_000
"""Transfers after which no further batch joins a group: a second of work. The larger it is, the
fewer balances are written: an account that changed twice in a group is written once."""

TURN = timedelta(milliseconds=1)
"""How long the judging thread keeps the interpreter from the writing one, which wants it for a
moment between two waits for the database; Python's own 5 ms cost a tenth of the throughput."""

WAITING_MAX = 10_000
"""Batches that may wait; more are refused, so that a caller learns in time."""

POSITIONS_MAX = 1_000_000
"""Accounts kept in memory before the writer forgets them and starts again."""


@dataclass(slots=True)
class _Request:
    """A batch and whom to tell. `whole`: all of it or nothing."""

    cause: str
    transfers: Sequence[Transfer]
    content: bytes
    whole: bool
    answer: "Future[Posted]" = field(default_factory=Future)


@dataclass(slots=True)
class _Group:
    """Requests judged together: those with heights to write, and those answered without."""

    requests: list[_Request] = field(default_factory=list)
    answers: list[Posted] = field(default_factory=list)
    sealed: list[Sealed] = field(default_factory=list)
    heights: Heights | None = None
    basis: Basis | None = None
    """What it was judged on."""
    has_posted_ids: bool = False
    """Whether an id or a cause of it was posted before, which the database told."""

    def tell(self) -> None:
        """Answer everybody."""
        for request, posted in zip(self.requests, self.answers, strict=True):
            request.answer.set_result(posted)


_WAKE = _Request("", (), b"", whole=False)
"""Given to the judging thread when it must look at what failed."""


class _Stale(Exception):
    """The ledger is not at the height, or accounts not on the terms, that a group was judged on."""


class LedgerWriter:
    """Posts batches for many threads; `close` waits for what was given."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        group_lines: int = GROUP_LINES,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        sys.setswitchinterval(TURN.total_seconds())
        self._database = database
        self._clock = clock
        self._group_lines = group_lines
        self._waiting: queue.Queue[_Request | None] = queue.Queue(waiting_max)
        self._judged: queue.Queue[_Group | None] = queue.Queue(1)
        self._books: Books | None = None
        self._failed: list[_Group] = []
        self._closed = False
        self._door = threading.Lock()
        self._threads = [
            threading.Thread(target=self._judge_all, name="ledger-judge", daemon=True),
            threading.Thread(target=self._write_all, name="ledger-write", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, cause: str, transfers: Sequence[Transfer], *, whole: bool = False
    ) -> "Future[Posted]":
        """Give a batch; the future has its results once they are durable.

        `whole` posts all transfers or none, and says by their results which stood in the way.
        Raises BadTransfer, LedgerBusy; the future raises CauseConflict, and StoreBusy or the
        database's own error where what became of the batch is not known: give it again, under
        the same cause, to learn it.
        """
        numbered = checked(cause, transfers)
        request = _Request(cause, numbered, content_digest(numbered), whole)
        request.answer.set_running_or_notify_cancel()  # what was given cannot be taken back
        with self._door:
            if self._closed:
                raise LedgerBusy("the ledger's writer is stopping, try again at the next start")
            try:
                self._waiting.put_nowait(request)
            except queue.Full:
                raise LedgerBusy(
                    f"{self._waiting.maxsize} batches wait already, try again later"
                ) from None
        return request.answer

    def post(self, cause: str, transfers: Sequence[Transfer], *, whole: bool = False) -> Posted:
        """Give a batch and wait for its results."""
        return self.submit(cause, transfers, whole=whole).result()

    def close(self) -> None:
        """Post what waits, then stop; what comes later is refused."""
        with self._door:  # nothing comes in behind the end, where nobody would ever answer it
            self._closed = True
        self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    # The judging thread.

    def _judge_all(self) -> None:
        is_last = False
        while not is_last:
            requests, is_last = self._gather()
            if self._failed:
                self._judged.join()
                self._recover()
            if requests:
                self._take(requests)
        self._judged.join()
        self._recover()
        self._judged.put(None)

    def _gather(self) -> tuple[list[_Request], bool]:
        """All that waits, up to a group; the flag says that there will be no more."""
        requests: list[_Request] = []
        lines = 0
        while lines < self._group_lines:
            try:
                request = self._waiting.get(block=not requests)
            except queue.Empty:
                break
            if request is None:
                return requests, True
            if request is _WAKE:
                break
            requests.append(request)
            lines += len(request.transfers)
        return requests, False

    def _take(self, requests: list[_Request]) -> None:
        try:
            with self._database.read() as tx:
                group = self._judge(tx, requests)
        except Exception as error:  # noqa: BLE001 - the callers are told, the thread lives on
            self._books = None
            _fail(requests, error)
            return
        self._judged.put(group)

    def _judge(self, tx: Connection, requests: Sequence[_Request]) -> _Group:
        """Judge requests on the books in memory, reading from `tx` what is not in them."""
        books, now = self._books, loading.basis(tx)
        # A refusal is not written: no height would tell that it came of books others went past.
        stale = books is None or (
            books.terms_version != now.terms_version or now.height > books.height
        )
        if books is None or stale or books.size > POSITIONS_MAX:
            books = self._books = Books()
            loading.load_head(tx, books)
        found = earlier_batches(tx, [request.cause for request in requests])
        group = _Group(basis=books.basis)
        now_s = self._clock.now_s()

        @cache  # once for all of the group
        def load() -> None:
            loading.load_for(tx, books, [t for request in requests for t in request.transfers])

        for request in requests:
            try:
                posted = self._judge_one(tx, books, request, found, now_s, group, load)
            except LedgerError as error:
                request.answer.set_exception(error)
                continue
            group.requests.append(request)
            group.answers.append(posted)
        group.heights = together(group.sealed) if group.sealed else None
        return group

    def _judge_one(
        self,
        tx: Connection,
        books: Books,
        request: _Request,
        found: dict[str, Earlier],
        now_s: int,
        group: _Group,
        load: Callable[[], None],
    ) -> Posted:
        earlier = found.get(request.cause)
        if earlier is not None:
            return repeated(tx, request.cause, request.transfers, request.content, earlier)
        judge = Judge(books, now_s=now_s, load=load)
        judged = (judge.whole if request.whole else judge.each)(request.transfers)
        _name_known(tx, books, request.transfers, judged.results, now_s)
        if not judged.posted:
            return Posted(
                height=0, state_hash=books.state_hash, repeated=False, results=judged.results
            )
        sealed = seal(books, judged, request.cause, request.content, now_s)
        group.sealed.append(sealed)
        return Posted(
            height=sealed.height,
            state_hash=sealed.state_hash,
            repeated=False,
            results=judged.results,
        )

    def _recover(self) -> None:
        """Post what could not be written as judged; the writing thread is idle meanwhile."""
        failed, self._failed = self._failed, []
        for group in [group for group in failed if group.requests]:
            if group.has_posted_ids or not self._post_together(group.requests):
                self._post_singly(group.requests)
        self._books = None

    def _post_together(self, requests: Sequence[_Request]) -> bool:
        """Judge and write in one transaction, where nobody comes in between; False: it failed."""
        self._books = None
        try:
            with self._database.write() as tx:
                group = self._judge(tx, requests)
                if group.heights is not None:
                    write(tx, group.heights)
        except Exception:  # noqa: BLE001 - one by one tells each caller what is wrong with his
            return False
        group.tell()
        return True

    def _post_singly(self, requests: Sequence[_Request]) -> None:
        for request in requests:
            if request.answer.done():
                continue
            try:
                with self._database.write() as tx:
                    act: Callable[..., Posted] = post_whole if request.whole else post_each
                    now_s = self._clock.now_s()
                    posted = act(tx, request.cause, request.transfers, now_s)
            except Exception as error:  # noqa: BLE001 - the caller is told, the thread lives on
                request.answer.set_exception(error)
            else:
                request.answer.set_result(posted)

    # The writing thread.

    def _write_all(self) -> None:
        while (group := self._judged.get()) is not None:
            self._write(group)
            self._judged.task_done()

    def _write(self, group: _Group) -> None:
        if self._failed:
            # Judged on heights that do not exist: what it refuses may be good.
            self._failed.append(group)
            return
        try:
            if group.heights is not None:
                with self._database.write() as tx:
                    if loading.basis(tx) != group.basis:
                        raise _Stale
                    write(tx, group.heights)
        except _Stale:
            self._fail_later(group)
        except IntegrityError:
            group.has_posted_ids = True
            self._fail_later(group)
        except Exception as error:  # noqa: BLE001 - the callers are told, the thread lives on
            self._fail_later(_Group())
            _fail(group.requests, error)
        else:
            group.tell()

    def _fail_later(self, group: _Group) -> None:
        self._failed.append(group)
        with suppress(queue.Full):  # then the judging thread has something to do already
            self._waiting.put_nowait(_WAKE)


def _name_known(
    tx: Connection,
    books: Books,
    transfers: Sequence[Transfer],
    results: list[Result],
    now_s: int,
) -> None:
    """Say of refused transfers that they exist, where they do: they were not looked up before.

    An accepted one that exists is found when it is written.
    """
    if results.count(Result.OK) == len(results):
        return
    refused = [place for place, result in enumerate(results) if not result.is_posted]
    known = loading.known_transfers(tx, [transfers[place].id for place in refused])
    for place in refused:
        if transfers[place].id in known:
            alone = replace(transfers[place], linked=False)
            (results[place],) = Judge(books, now_s=now_s, known=known).each([alone]).results


def _fail(requests: Sequence[_Request], error: Exception) -> None:
    for request in requests:
        if not request.answer.done():
            request.answer.set_exception(error)
