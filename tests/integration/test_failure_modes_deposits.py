"""The ways in which known services lose or duplicate deposits, by number: one test each at least.

1 cursor jumps, 2 swallowed block errors, 4 reorgs not applied, 5 several credits of a transaction,
6 credited twice on replay, 7 replaced payments counted, 20 too slow to scan again, 21 gap limits,
22 one address for two users.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from chains.errors import NodeUnavailable
from chains.types import BlockRef, BlockScan
from chains.utxo.descriptors import Template
from tests import utxo_world
from tests.deposit_world import NETWORK, RULES, USER, Bench, make_bench, pay
from tests.integration.test_mempool import make_looking
from tests.integration.test_rescanning import LooseChain, next_block, rescanner, silent
from wallet import pauses
from wallet.addresses.derivation import OwnDeriver
from wallet.addresses.issuing import issue
from wallet.deposits.scanned.coverage import CoverageBroken, ranges
from wallet.deposits.scanned.gaps import find_gaps
from wallet.deposits.scanned.proving import prove_coverage
from wallet.ledger import chart
from wallet.store.database import Database
from wallet.store.schema import addresses, blocks


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    yield make_bench(database, chain=LooseChain())
    database.close()


def test_mode_01_cursor_never_jumps_past_unscanned_blocks(bench: Bench) -> None:
    """However far behind: every height is scanned, in order, and covered without a gap."""
    scanned: list[int] = []
    scan = bench.chain.scan

    def noting(block: BlockRef, watched: object) -> BlockScan:
        scanned.append(block.height)
        return scan(block, watched)  # type: ignore[arg-type]

    bench.chain.scan = noting  # type: ignore[method-assign]
    for height in range(1_500):
        bench.chain.mine(*([pay(("deposit", 5_000), nonce=height)] if height in (3, 1_200) else []))
    bench.follow()

    assert scanned == list(range(1_500))
    assert bench.owned() == 10_000
    with bench.database.read() as tx:
        assert [(one.from_height, one.to_height) for one in ranges(tx, NETWORK)] == [(0, 1_499)]


def test_mode_01_a_hole_made_by_hand_stops_the_scan_and_is_named(bench: Bench) -> None:
    for _ in range(5):
        bench.chain.mine()
    bench.follow()
    with bench.database.write() as tx:
        tx.execute(delete(blocks).where(blocks.c.height.in_([2, 3])))
    bench.chain.mine()
    restarted = make_bench(bench.database, chain=bench.chain)
    with pytest.raises(CoverageBroken):
        restarted.follow()

    proof = prove_coverage(bench.database, bench.chain, {"BTC": RULES.asset}, 0)  # type: ignore[arg-type]
    assert [(gap.code, gap.from_height, gap.to_height) for gap in proof.gaps] == [
        ("blocks_missing", 2, 3)
    ]
    assert "alert.scan_stopped" in bench.event_types()


def test_mode_02_a_block_that_fails_is_not_passed_and_leaves_nothing(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 5_000)))
    bench.chain.mine()
    bench.chain.mine()
    scan, failures = bench.chain.scan, count()

    def failing(block: BlockRef, watched: object) -> BlockScan:
        if block.height == 1 and next(failures) < 3:
            raise NodeUnavailable("the node went away in the middle of a block")
        return scan(block, watched)  # type: ignore[arg-type]

    bench.chain.scan = failing  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(NodeUnavailable):
            bench.follow()
        with bench.database.read() as tx:
            assert tx.execute(select(func.max(blocks.c.height))).scalar_one() == 0
    bench.follow()

    assert bench.rows() == [("credited", 5_000)]


def test_mode_04_a_reorg_is_applied_booked_back_and_announced(bench: Bench) -> None:
    payment = pay(("deposit", 5_000))
    bench.chain.mine()
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()

    assert bench.rows() == [("reversed", 5_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 0
    told = bench.event_types()
    for event in (
        "chain.reorganised",
        "deposit.reversed",
        "alert.deposit_reversed",
        "withdrawals.paused",
    ):
        assert told.count(event) == 1
    with bench.database.read() as tx:
        assert pauses.holding(tx, NETWORK, "BTC")


def test_mode_05_each_output_of_a_transaction_is_a_deposit(bench: Bench) -> None:
    bench.chain.mine(pay(("deposit", 5_000), ("hot", 70), ("deposit", 5_000)))
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", 5_000), ("credited", 70), ("credited", 5_000)]
    assert bench.owned() == 10_000


def test_mode_06_replay_by_rescan_restart_and_reorg_credits_once(bench: Bench) -> None:
    payment = pay(("deposit", 5_000))
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    for _ in range(3):
        rescanner(bench).heights(0, 1, silent)
        make_bench(bench.database, chain=bench.chain).follow()
        next_block(bench)
    bench.chain.drop(len(bench.chain.blocks))
    for height in range(7):
        bench.chain.mine(*([payment] if height == 1 else []), salt="b")
    bench.follow()
    rescanner(bench).heights(0, 6, silent)
    next_block(bench)

    assert bench.owned() == bench.owned(chart.HOT) == 5_000
    types = bench.event_types()
    assert types.count("deposit.credited") - types.count("deposit.reversed") == 1


def test_mode_07_a_replaced_payment_never_counts(database: Database) -> None:
    looking = make_looking(database)
    first = pay(("deposit", 5_000))
    looking.look(first)
    assert looking.bench.owned() == 0
    elsewhere = replace(first, outputs=(replace(first.outputs[0], script=b"\x51"),))
    looking.mine(elsewhere)
    looking.mine()
    looking.look()

    assert looking.states() == [("replaced", elsewhere.txid, None)]
    assert looking.bench.owned() == 0


def test_mode_20_one_transaction_is_scanned_again_without_the_rest(bench: Bench) -> None:
    """A targeted rescan reads one block, however long the chain is."""
    bench.chain.missed_sats = 7_000  # type: ignore[attr-defined]
    missed = pay(("deposit", 7_000))
    for height in range(300):
        bench.chain.mine(*([missed] if height == 150 else []))
    bench.follow()
    bench.chain.repair()  # type: ignore[attr-defined]
    done = rescanner(bench).transaction(missed.txid, silent)
    next_block(bench)

    assert (done.blocks, done.deposits) == (1, 1)
    assert bench.rows() == [("credited", 7_000)]


def test_mode_21_addresses_are_watched_by_stored_index_not_by_gap(bench: Bench) -> None:
    """An index far beyond any gap limit is watched, and found again after a restore."""
    with bench.database.write() as tx:
        row = dict(tx.execute(select(addresses).where(addresses.c.id == "address-deposit"))
                   .mappings().one())  # fmt: skip
        tx.execute(delete(addresses).where(addresses.c.id == "address-deposit"))
    bench.chain.mine(pay(("deposit", 5_000)))
    bench.chain.mine()
    bench.follow()
    assert bench.rows() == []
    with bench.database.write() as tx:
        tx.execute(addresses.insert().values(**(row | {"position": 250_000})))
    bench.chain.mine(pay(("deposit", 6_000), nonce=1))
    bench.follow()
    rescanner(bench).address("deposit", 0, 1, silent)
    next_block(bench)

    assert sorted(bench.rows()) == [("credited", 5_000), ("credited", 6_000)]


def test_mode_22_no_two_users_ever_get_one_address(
    database: Database, reopen: Callable[[], Database]
) -> None:
    """Many processes ask at once: every index is given once, none is left out."""
    make_bench(database)
    vault = utxo_world.vault(Template.WSH_MULTI, (1, 2, 3), name="race")
    deriver = OwnDeriver([vault], {NETWORK: utxo_world.REGTEST})
    given: list[tuple[int, str]] = []

    def ask(own: Database) -> None:
        for _ in range(8):
            with own.write() as tx:
                made = issue(tx, deriver, network=NETWORK, source="race", account_id=USER, now_s=1)
            given.append((made.position, made.address))

    threads = [threading.Thread(target=ask, args=(reopen(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(position for position, _ in given) == list(range(32))
    assert len({address for _, address in given}) == 32
    with database.read() as tx:
        assert find_gaps(tx, NETWORK) == []
