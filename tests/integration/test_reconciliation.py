"""Books against chain: counted from blocks alone, differences found, open items explained."""

import pytest
from sqlalchemy import update

from tests.deposit_world import Bench, FixedClock, make_bench, pay
from tests.reconciling import reporter
from wallet.ledger import chart
from wallet.ledger.posting import post_batch, single
from wallet.reconciliation.report import BooksMoving, NothingScanned, Report, Reporter
from wallet.store.database import Database
from wallet.store.schema import utxos


@pytest.fixture
def bench(database: Database) -> Bench:
    bench = make_bench(database)
    funding = pay(("deposit", 50_000))
    bench.chain.mine()
    bench.chain.mine(funding)
    bench.chain.mine(pay(("hot", 40_000), spends=funding.txid))
    return bench


def reporter_of(bench: Bench) -> Reporter:
    return reporter(bench.chain, bench.database, FixedClock())  # type: ignore[arg-type]


def report_of(bench: Bench) -> Report:
    return reporter_of(bench).report(recount=True)


def difference(bench: Bench) -> tuple[int, int, int, int]:
    report = report_of(bench)
    (row,) = report.rows
    assert report.recounted == {"BTC": row.chain}
    return row.ledger, row.under_way, row.chain, row.difference


def test_what_is_not_booked_yet_is_explained(bench: Bench) -> None:
    bench.chain.drop(1)
    bench.follow()

    assert difference(bench) == (0, 50_000, 50_000, 0)
    bench.chain.mine()
    bench.follow()
    assert difference(bench) == (50_000, 0, 50_000, 0)
    assert report_of(bench).is_right


def test_a_spend_that_is_not_ours_is_a_difference(bench: Bench) -> None:
    bench.chain.mine()
    bench.follow()

    assert difference(bench) == (90_000, 0, 40_000, -50_000)


def test_a_booking_without_coins_is_a_difference(bench: Bench) -> None:
    bench.chain.drop(1)
    bench.chain.mine()
    bench.follow()
    with bench.database.write() as tx:
        post_batch(tx, "from nothing", [single(chart.HOT, chart.HOUSE, "BTC", 7)], 1)

    assert difference(bench) == (50_007, 0, 50_000, -7)
    assert not report_of(bench).is_right


def test_the_statements_do_not_believe_our_own_list_of_outputs(bench: Bench) -> None:
    bench.chain.drop(1)
    bench.chain.mine()
    bench.follow()
    with bench.database.write() as tx:
        tx.execute(update(utxos).values(units=1))

    assert difference(bench) == (50_000, 0, 50_000, 0)


def test_a_chain_nobody_followed_is_said_so(bench: Bench) -> None:
    with pytest.raises(NothingScanned):
        report_of(bench)


def test_books_that_keep_moving_are_not_compared(bench: Bench) -> None:
    bench.follow()

    def busy(what: str, done: int, total: int) -> None:
        if what == "recount" and done == total:
            bench.chain.mine(salt=str(len(bench.chain.blocks)))
            bench.follow()

    with pytest.raises(BooksMoving):
        reporter_of(bench).report(busy, recount=True)
