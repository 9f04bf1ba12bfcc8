"""Books against chain: counted from blocks alone, differences found, open items explained."""

import pytest
from sqlalchemy import update

from chains.types import BlockScan
from tests.deposit_world import Bench, make_bench, pay
from wallet.ledger import chart
from wallet.ledger.posting import post_batch, single
from wallet.reconciliation import BooksMoving, NothingScanned, reconcile_network
from wallet.settings import NetworkSettings
from wallet.store.database import Database
from wallet.store.schema import utxos

NETWORK = NetworkSettings(
    id="bitcoin-regtest", family="utxo", params="bitcoin-regtest", node_url="http://127.0.0.1"
)


@pytest.fixture
def bench(database: Database) -> Bench:
    bench = make_bench(database)
    funding = pay(("deposit", 50_000))
    bench.chain.mine()
    bench.chain.mine(funding)
    bench.chain.mine(pay(("hot", 40_000), spends=funding.txid))
    return bench


def difference(bench: Bench) -> tuple[int, int, int, int]:
    row = reconcile_network(bench.database, bench.chain, NETWORK, "BTC")[0]  # type: ignore[arg-type]
    return row.ledger, row.under_way, row.chain, row.difference


def test_what_is_not_booked_yet_is_explained(bench: Bench) -> None:
    bench.chain.drop(1)
    bench.follow()

    assert difference(bench) == (0, 50_000, 50_000, 0)
    bench.chain.mine()
    bench.follow()
    assert difference(bench) == (50_000, 0, 50_000, 0)


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


def test_the_count_does_not_believe_our_own_list_of_outputs(bench: Bench) -> None:
    bench.chain.drop(1)
    bench.chain.mine()
    bench.follow()
    with bench.database.write() as tx:
        tx.execute(update(utxos).values(units=1))

    assert difference(bench) == (50_000, 0, 50_000, 0)


def test_a_chain_nobody_followed_is_said_so(bench: Bench) -> None:
    with pytest.raises(NothingScanned):
        difference(bench)


def test_books_that_keep_moving_are_not_compared(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.follow()
    scan = bench.chain.scan

    def busy(block: object, watched: object) -> BlockScan:
        monkeypatch.setattr(bench.chain, "scan", scan)
        bench.chain.mine(salt=str(len(bench.chain.blocks)))
        bench.follow()
        monkeypatch.setattr(bench.chain, "scan", busy)
        return scan(block, watched)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.chain, "scan", busy)
    with pytest.raises(BooksMoving):
        difference(bench)
