"""The writer: many callers, few commits, and each is told only what is durable."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from wallet.ledger import chart, writer, writing
from wallet.ledger.balances import asset_totals, balance, off_balance
from wallet.ledger.errors import BadTransfer, CauseConflict, LedgerBusy
from wallet.ledger.posting import Posted, Result, Transfer, checked, post_batch, single
from wallet.ledger.sealing import Heights
from wallet.ledger.terms.stated import Change, state_frozen
from wallet.ledger.versions.verifying import verify
from wallet.ledger.writer import LedgerWriter
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_batches, ledger_transfers

NOW_S = 1_700_000_000
ALICE, BOB, CAROL = map(chart.user, ("alice", "bob", "carol"))
CALLERS = 8


class Clock:
    """Stands still."""

    def now_s(self) -> int:
        return NOW_S


@pytest.fixture
def posting(database: Database) -> Iterator[LedgerWriter]:
    """Alice has 1,000 of BTC."""
    with database.write() as tx:
        post_batch(tx, "start", [single(chart.HOUSE, ALICE, "BTC", 1_000)], NOW_S)
    posting = LedgerWriter(database, Clock())
    yield posting
    posting.close()


def pay(units: int, number: int) -> Transfer:
    id = str(UUID(int=number))
    return Transfer.single(id=id, debit=ALICE, credit=BOB, asset="BTC", units=units)


def net(database: Database, owner: str) -> int:
    with database.read() as tx:
        assert off_balance(asset_totals(tx)) == []
        assert verify(tx).finding is None
        return balance(tx, owner, "BTC").net


def rows(database: Database) -> tuple[int, int]:
    with database.read() as tx:
        batches = tx.execute(select(func.count()).select_from(ledger_batches)).scalar_one()
        transfers = tx.execute(select(func.count()).select_from(ledger_transfers)).scalar_one()
    return batches, transfers


def test_callers_at_once_get_a_height_each(database: Database, posting: LedgerWriter) -> None:
    with ThreadPoolExecutor(CALLERS) as callers:
        done = list(callers.map(lambda n: posting.post(f"pay:{n}", [pay(1, n)]), range(1, 201)))
    assert [[Result.OK]] * 200 == [posted.results for posted in done]
    assert list(range(2, 202)) == sorted(posted.height for posted in done)
    assert (800, 200) == (net(database, ALICE), net(database, BOB))


def test_what_waits_is_committed_at_once(
    database: Database, posting: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    go = Event()
    write = writing.write

    def counting(tx: Connection, heights: Heights) -> None:
        go.wait(60)
        groups.append(len(heights.sealed))
        write(tx, heights)

    monkeypatch.setattr(writer, "write", counting)
    waiting = [posting.submit(f"pay:{n}", [pay(1, n)]) for n in range(1, 101)]
    go.set()
    assert {Result.OK} == {future.result().results[0] for future in waiting}
    assert sum(groups) == 100
    assert len(groups) <= 4


def test_each_transfer_has_its_result(database: Database, posting: LedgerWriter) -> None:
    posted = posting.post("some", [pay(900, 1), pay(101, 2), pay(100, 3)])
    assert [Result.OK, Result.INSUFFICIENT_FUNDS, Result.OK] == posted.results
    assert (0, 1_000) == (net(database, ALICE), net(database, BOB))


def test_nothing_is_refused_by_books_that_others_went_past(
    database: Database, posting: LedgerWriter
) -> None:
    """A worker credits Alice between two batches: what was too much before no longer is."""
    assert posting.post("one", [pay(1_000, 1)]).results == [Result.OK]
    assert posting.post("two", [pay(5, 2)]).results == [Result.INSUFFICIENT_FUNDS]
    with database.write() as tx:
        post_batch(tx, "deposit", [single(chart.HOUSE, ALICE, "BTC", 5)], NOW_S)
    assert posting.post("two", [pay(5, 2)]).results == [Result.OK]


def test_what_was_posted_before_is_said_to_exist_even_when_it_could_not_be_posted_now(
    posting: LedgerWriter,
) -> None:
    first, other = pay(1_000, 1), pay(1_000, 2)
    assert posting.post("one", [first]).results == [Result.OK]
    assert posting.post("two", [first, other]).results == [
        Result.EXISTS,
        Result.INSUFFICIENT_FUNDS,
    ]
    assert posting.post("three", [pay(999, 1)]).results == [Result.EXISTS_WITH_DIFFERENT_AMOUNT]
    assert posting.post("four", [first], whole=True).results == [Result.EXISTS]


def test_a_whole_batch_is_posted_or_not(database: Database, posting: LedgerWriter) -> None:
    posted = posting.post("all", [pay(900, 1), pay(101, 2)], whole=True)
    assert [Result.LINKED_FAILED, Result.INSUFFICIENT_FUNDS] == posted.results
    assert posted.height == 0
    assert rows(database) == (1, 1)
    assert posting.post("all", [pay(900, 1), pay(100, 2)], whole=True).height == 2


def test_a_cause_posts_once(database: Database, posting: LedgerWriter) -> None:
    first = posting.post("pay", [pay(600, 1), pay(600, 2)])
    assert [Result.OK, Result.INSUFFICIENT_FUNDS] == first.results
    again = posting.post("pay", [pay(600, 1), pay(600, 2)])
    assert (again.height, again.repeated) == (first.height, True)
    assert [Result.EXISTS, Result.REFUSED_BEFORE] == again.results
    with pytest.raises(CauseConflict):
        posting.post("pay", [pay(601, 1)])
    assert net(database, BOB) == 600


def test_a_cause_given_twice_at_once_posts_once(database: Database, posting: LedgerWriter) -> None:
    both = [posting.submit("pay", [pay(5, 1)]) for _ in range(6)]
    assert sorted(str(future.result().results[0]) for future in both) == ["exists"] * 5 + ["ok"]
    assert net(database, BOB) == 5


def test_an_id_posts_once(database: Database, posting: LedgerWriter) -> None:
    posting.post("first", [pay(5, 1)])
    several = [posting.submit(f"again:{n}", [pay(5, 1), pay(1, n)]) for n in range(2, 5)]
    assert [[Result.EXISTS, Result.OK]] * 3 == [future.result().results for future in several]
    other = posting.post("other", [pay(6, 1)])
    assert [Result.EXISTS_WITH_DIFFERENT_AMOUNT] == other.results
    assert net(database, BOB) == 8


def test_others_post_in_between(database: Database, posting: LedgerWriter) -> None:
    """Whoever has the database's lock posts; the writer judges again on what is there then."""

    def other(number: int) -> None:
        with database.write() as tx:
            post_batch(tx, f"other:{number}", [single(ALICE, BOB, "BTC", 1)], NOW_S)

    with ThreadPoolExecutor(CALLERS) as callers:
        others = [callers.submit(other, number) for number in range(40)]
        done = [callers.submit(posting.post, f"pay:{n}", [pay(1, n)]) for n in range(1, 61)]
        assert {Result.OK} == {future.result().results[0] for future in done}
        for future in others:
            future.result()
    assert (900, 100) == (net(database, ALICE), net(database, BOB))
    assert rows(database) == (101, 101)
    taken = posting.post("rest", [pay(901, 99), pay(900, 100)])
    assert [Result.INSUFFICIENT_FUNDS, Result.OK] == taken.results


def test_a_database_error_is_told_and_the_next_batch_goes_on(
    database: Database, posting: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = writing.write

    def failing(tx: Connection, heights: Heights) -> None:
        write(tx, heights)
        tx.execute(text("SELECT nothing"))

    monkeypatch.setattr(writer, "write", failing)
    with pytest.raises(DBAPIError):
        posting.post("pay", [pay(1, 1)])
    monkeypatch.setattr(writer, "write", write)
    assert rows(database) == (1, 1)
    assert [Result.OK] == posting.post("pay", [pay(1, 1)]).results


def test_holds_made_and_ended_across_groups(database: Database, posting: LedgerWriter) -> None:
    id = str(UUID(int=1))
    hold = Transfer.hold(id=id, debit=ALICE, credit=BOB, asset="BTC", units=700)
    assert [Result.OK] == posting.post("hold", [hold]).results
    assert [Result.INSUFFICIENT_FUNDS] == posting.post("too much", [pay(301, 2)]).results
    ends = [posting.submit(f"end:{n}", [Transfer.post(hold_id=id)]) for n in range(3)]
    results = sorted(str(future.result().results[0]) for future in ends)
    assert results == ["hold_ended", "hold_ended", "ok"]
    assert (300, 700) == (net(database, ALICE), net(database, BOB))


def test_a_batch_that_cannot_be_meant_is_refused_at_once(posting: LedgerWriter) -> None:
    with pytest.raises(BadTransfer):
        posting.submit("nothing", [])


def test_more_than_may_wait_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    go = Event()
    write = writing.write

    def slow(tx: Connection, heights: Heights) -> None:
        go.wait(60)
        write(tx, heights)

    monkeypatch.setattr(writer, "write", slow)
    posting = LedgerWriter(database, Clock(), group_lines=1, waiting_max=2)
    given: list[Future[Posted]] = []

    def give() -> None:
        for number in range(10):
            given.append(posting.submit(f"pay:{number}", [pay(1, number + 1)]))  # noqa: PERF401

    with pytest.raises(LedgerBusy):
        give()
    go.set()
    posting.close()
    assert {Result.INSUFFICIENT_FUNDS} == {future.result().results[0] for future in given}


def test_close_posts_what_waits(database: Database, posting: LedgerWriter) -> None:
    own = LedgerWriter(database, Clock(), group_lines=3)
    given = [own.submit(f"pay:{n}", [pay(1, n)]) for n in range(1, 31)]
    own.close()
    assert all(future.done() for future in given)
    assert net(database, BOB) == 30


def test_a_writer_that_has_stopped_takes_nothing(database: Database) -> None:
    own = LedgerWriter(database, Clock())
    own.close()
    with pytest.raises(LedgerBusy):
        own.submit("late", [pay(1, 1)])


def test_the_same_height_of_another_history_is_judged_again(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a rollback and as many new heights: the number is the same, the state is not."""
    with own_database.write() as tx:
        post_batch(tx, "start", [single(chart.HOUSE, ALICE, "BTC", 1_000)], NOW_S)
    again: list[str] = []
    post_together = LedgerWriter._post_together

    def counting(own: LedgerWriter, requests: Sequence[Any]) -> bool:
        again.extend(request.cause for request in requests)
        return post_together(own, requests)

    monkeypatch.setattr(LedgerWriter, "_post_together", counting)
    own = LedgerWriter(own_database, Clock())
    own.post("known", [pay(1, 1)])
    with own_database.write() as tx:
        table = " ON ledger_batches" if own_database.dialect == "postgresql" else ""
        tx.execute(text(f"DROP TRIGGER ledger_batches_no_update{table}"))
        tx.execute(ledger_batches.update().values(state_hash=b"x" * 32))
    assert [Result.OK] == own.post("next", [pay(1, 2)]).results
    own.close()
    assert again == ["next"]


class Between:
    """Does one thing while a group is judged: after its books were read, before it is written."""

    def __init__(self, database: Database, act: Callable[[Connection], object]) -> None:
        self._database = database
        self._acts = [act]

    def now_s(self) -> int:
        while self._acts:
            act = self._acts.pop()
            with self._database.write() as tx:
                act(tx)
        return NOW_S


def take(units: int) -> Callable[[Connection], object]:
    return lambda tx: post_batch(tx, "between", [single(ALICE, BOB, "BTC", units)], NOW_S)


@pytest.mark.parametrize("whole", [False, True])
def test_a_group_that_lost_its_fence_is_judged_on_what_is_there_now(
    database: Database, posting: LedgerWriter, whole: bool
) -> None:
    """By its own books it was good, by the ledger's it no longer is; nothing of it is written."""
    own = LedgerWriter(database, Between(database, take(600)))
    posted = own.post("late", [pay(401, 1), pay(400, 2)], whole=whole)
    own.close()
    late = [Result.INSUFFICIENT_FUNDS, Result.LINKED_FAILED if whole else Result.OK]
    assert posted.results == late
    assert posted.height == (0 if whole else 3)
    assert net(database, ALICE) == (400 if whole else 0)
    assert rows(database) == ((2, 2) if whole else (3, 3))


class SecondTime:
    """Does one thing while the second group is judged; the first waits until `go`."""

    def __init__(self, database: Database, act: Callable[[Connection], object]) -> None:
        self._database, self._act = database, act
        self._calls, self.judging, self.go = 0, Event(), Event()

    def now_s(self) -> int:
        self._calls += 1
        if self._calls == 1:
            self.judging.set()
            self.go.wait(60)
        if self._calls == 2:
            with self._database.write() as tx:
                self._act(tx)
        return NOW_S


def test_a_group_that_lost_its_fence_is_still_committed_at_once(
    database: Database, posting: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    write = writing.write

    def counting(tx: Connection, heights: Heights) -> None:
        groups.append(len(heights.sealed))
        write(tx, heights)

    clock = SecondTime(database, take(600))
    monkeypatch.setattr(writer, "write", counting)
    own = LedgerWriter(database, clock)
    given = [own.submit("first", [pay(1, 100)])]
    assert clock.judging.wait(60)
    given += [own.submit(f"pay:{n}", [pay(1, n)]) for n in range(1, 51)]
    clock.go.set()
    assert [Result.OK] * 51 == [future.result().results[0] for future in given]
    own.close()
    assert groups == [1, 50]


def test_a_group_that_lost_its_fence_to_one_of_its_own_transfers_is_posted_one_by_one(
    database: Database, posting: LedgerWriter
) -> None:
    same = replace(pay(7, 1), id=str(UUID(int=77)))
    own = LedgerWriter(database, Between(database, lambda tx: post_batch(tx, "b", [same], NOW_S)))
    posted = own.post("late", [same, pay(5, 2)])
    own.close()
    assert posted.results == [Result.EXISTS, Result.OK]
    assert net(database, ALICE) == 1_000 - 7 - 5


def test_who_was_told_while_a_group_was_judged_again_is_not_told_twice(
    database: Database, posting: LedgerWriter
) -> None:
    """Its cause was posted with others; and because of an id all are posted one by one."""
    same = replace(pay(7, 1), id=str(UUID(int=77)))

    def between(tx: Connection) -> None:
        post_batch(tx, "taken", [pay(1, 5)], NOW_S)
        post_batch(tx, "b", [same], NOW_S)

    clock = SecondTime(database, between)
    own = LedgerWriter(database, clock)
    first = own.submit("first", [pay(1, 9)])
    assert clock.judging.wait(60)
    taken, late = own.submit("taken", [pay(2, 6)]), own.submit("late", [same, pay(5, 2)])
    clock.go.set()
    with pytest.raises(CauseConflict):
        taken.result(60)
    assert late.result(60).results == [Result.EXISTS, Result.OK]
    assert first.result(60).results == [Result.OK]
    own.close()


def test_groups_behind_one_that_lost_its_fence_are_judged_again_in_their_order(
    database: Database, posting: LedgerWriter
) -> None:
    """They were judged on heights that never came to be."""
    own = LedgerWriter(database, Between(database, take(600)), group_lines=1)
    given = [own.submit(f"pay:{n}", [pay(150, n)]) for n in range(1, 6)]
    results = [future.result() for future in given]
    own.close()
    assert [posted.results[0] for posted in results] == [
        Result.OK,
        Result.OK,
        Result.INSUFFICIENT_FUNDS,
        Result.INSUFFICIENT_FUNDS,
        Result.INSUFFICIENT_FUNDS,
    ]
    assert [posted.height for posted in results] == [3, 4, 0, 0, 0]
    assert net(database, ALICE) == 100


@pytest.fixture
def two_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first group is written when the second has been judged, and not before."""
    second, judging, write = Event(), LedgerWriter._judge, LedgerWriter._write
    judged: list[object] = []

    def judge(own: LedgerWriter, tx: Connection, requests: Sequence[Any]) -> Any:
        judged.append(group := judging(own, tx, requests))
        if len(judged) == 2:
            second.set()
        return group

    def write_later(own: LedgerWriter, group: Any) -> None:
        assert second.wait(60)
        write(own, group)

    monkeypatch.setattr(LedgerWriter, "_judge", judge)
    monkeypatch.setattr(LedgerWriter, "_write", write_later)


@pytest.mark.usefixtures("two_judged")
def test_what_a_new_account_needs_is_read_beside_what_is_not_written_yet(
    database: Database, posting: LedgerWriter
) -> None:
    """The totals in the database are those before the first group; `net` verifies them."""
    own = LedgerWriter(database, Clock(), group_lines=1)
    new = Transfer.single(id=str(UUID(int=2)), debit=ALICE, credit=CAROL, asset="BTC", units=5)
    given = [own.submit("known", [pay(100, 1)]), own.submit("new", [new])]
    assert [future.result(60).results for future in given] == [[Result.OK], [Result.OK]]
    own.close()
    assert (net(database, ALICE), net(database, CAROL)) == (895, 5)


@pytest.mark.usefixtures("two_judged")
def test_what_a_failed_group_left_no_funds_for_is_judged_again(
    database: Database, posting: LedgerWriter
) -> None:
    """The second group is refused by the books of the first, which are then never written."""
    own = LedgerWriter(database, Between(database, take(200)), group_lines=1)
    given = [own.submit("900", [pay(900, 1)]), own.submit("700", [pay(700, 2)])]
    results = [future.result(60).results for future in given]
    own.close()
    assert results == [[Result.INSUFFICIENT_FUNDS], [Result.OK]]
    assert net(database, ALICE) == 1_000 - 200 - 700


def test_a_group_is_not_written_by_terms_that_were_changed_since(
    database: Database, posting: LedgerWriter
) -> None:
    change = Change(changed_by="staff", reason="a court", since_height=1, since_s=NOW_S)
    frozen = Between(database, lambda tx: state_frozen(tx, ALICE, "BTC", True, change))
    own = LedgerWriter(database, frozen)
    assert own.post("late", [pay(1, 1)]).results == [Result.ACCOUNT_FROZEN]
    own.close()
    assert rows(database) == (1, 1)


def test_what_is_given_in_the_moment_of_closing_is_refused(
    database: Database, posting: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called while the writer took requests, given when it no longer does."""
    own = LedgerWriter(database, Clock())

    def late(cause: str, transfers: Sequence[Transfer]) -> Sequence[Transfer]:
        own.close()
        return checked(cause, transfers)

    monkeypatch.setattr(writer, "checked", late)
    with pytest.raises(LedgerBusy):
        own.submit("late", [pay(1, 1)]).result(5)
    assert rows(database) == (1, 1)
