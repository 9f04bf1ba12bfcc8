"""Balances in the past are what they were when they were the latest, however they are found."""

from collections.abc import Mapping

import pytest
from sqlalchemy import text

from tests.ledger_world import ALICE, BOB, HEAD, NOW_S, fill
from wallet.ledger import chart
from wallet.ledger.partitions import Partitions
from wallet.ledger.posting import post_batch, single
from wallet.ledger.versions import history
from wallet.ledger.versions.findings import BadRange
from wallet.ledger.versions.history import balances_at, height_at, sums_at, sums_from_latest
from wallet.ledger.versions.replay import Replay, Sums
from wallet.ledger.versions.rows import accounts, parts, transfer_lines
from wallet.ledger.versions.verifying import verify
from wallet.store.database import Database

MORE = 6


@pytest.fixture
def books(own_database: Database) -> Database:
    """Heights up to HEAD, sealed where the engine seals, and a few after."""
    with own_database.write() as tx:
        fill(tx)
    Partitions(own_database, 1).step()
    with own_database.write() as tx:
        for number in range(MORE):
            move = single(ALICE, BOB, "BTC", number + 1)
            post_batch(tx, f"more:{number}", [move], NOW_S + 100 + number)
    return own_database


def replayed(database: Database) -> Mapping[int, Mapping[int, Sums]]:
    """Height to account number to sums, from the transfers in order."""
    replay, found = Replay(), {}
    with database.read() as tx:
        opened = accounts(tx)
        for batches in parts(tx, 1, HEAD + MORE):
            lines = dict(transfer_lines(tx, batches[0].height, batches[-1].height))
            for batch in batches:
                new = [row for row in opened if row.height == batch.height]
                replay.take(batch, new, lines[batch.height])
                found[batch.height] = {p.number: p.sums for p in replay.positions.values()}
    return found


def test_sums_at_every_height_are_those_of_the_replay(books: Database) -> None:
    nothing = (0, 0, 0, 0)
    expected = {0: {}, **replayed(books)}
    with books.read() as tx:
        numbers = [row.number for row in accounts(tx)]
        for height, sums in expected.items():
            wanted = {number: sums.get(number, nothing) for number in numbers}
            for found in (
                sums_at(tx, height),
                sums_at(tx, height, numbers),
                sums_from_latest(tx, height, numbers),
            ):
                assert {number: found.get(number, nothing) for number in numbers} == wanted
            one = numbers[1]
            assert sums_at(tx, height, [one]).get(one, nothing) == wanted[one]


def test_many_accounts_in_one_pass_are_the_same(
    books: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond some number of accounts all are read at once: none of the others is given."""
    with books.read() as tx:
        numbers = [row.number for row in accounts(tx)][1:]
        for height in range(HEAD + MORE + 1):
            few = sums_from_latest(tx, height, numbers)
            with monkeypatch.context() as patched:
                patched.setattr(history, "PASSES_MAX", 0)
                assert sums_from_latest(tx, height, numbers) == few
            assert set(few) <= set(numbers)


def test_ranges_over_sealed_partitions_are_good(books: Database) -> None:
    with books.read() as tx:
        for first in range(1, HEAD + MORE + 1):
            assert verify(tx, first).finding is None


def test_an_owners_balances_at_a_height(books: Database) -> None:
    """Alice got 1,000 at height 1; her first hold, of 10, is height 3's, with a move of some."""
    with books.read() as tx:
        assert balances_at(tx, ALICE, 0)["BTC"].net == 0
        first, second = balances_at(tx, ALICE, 1), balances_at(tx, ALICE, 2)
        assert (first["BTC"].net, first["ETH"].net) == (1_000, 0)
        assert (second["BTC"].available, second["ETH"].net) == (1_000, 10**21)
        assert balances_at(tx, ALICE, 3)["BTC"].held == 10
        assert balances_at(tx, chart.HOT, 1)["BTC"].net == 1_500
        assert balances_at(tx, chart.user("nobody"), 1) == {}


def test_heights_that_are_not_there_are_refused(books: Database) -> None:
    with books.read() as tx:
        for height in (-1, HEAD + MORE + 1):
            with pytest.raises(BadRange):
                sums_at(tx, height)


def test_a_time_is_the_last_height_up_to_it(books: Database) -> None:
    with books.read() as tx:
        times = [0, *tx.execute(text("SELECT created_s FROM ledger_batches ORDER BY 1")).scalars()]
        assert height_at(tx, NOW_S - 1, NOW_S + 500) == 0
        for height in range(1, HEAD + MORE + 1):
            last = max(h for h, time_s in enumerate(times) if time_s <= times[height])
            assert height_at(tx, times[height], NOW_S + 500) == last
        assert height_at(tx, NOW_S + 499, NOW_S + 500) == HEAD + MORE
        with pytest.raises(BadRange):
            height_at(tx, NOW_S + 500, NOW_S + 500)


def test_a_height_may_have_the_second_of_the_one_before(database: Database) -> None:
    with database.write() as tx:
        for number, time_s in enumerate((5, 5, 5, 9)):
            post_batch(tx, f"c:{number}", [single(chart.HOT, ALICE, "BTC", 1)], time_s)
    with database.read() as tx:
        assert [height_at(tx, time_s, 100) for time_s in (4, 5, 8, 9, 10)] == [0, 3, 3, 4, 4]
