"""Scan coverage: ranges without a gap, found gaps stop the scan, old rules are named."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, select, update

from tests.deposit_world import NETWORK, RULES, Bench, ScriptedChain, make_bench, pay
from wallet.deposits.scanned import coverage
from wallet.deposits.scanned.coverage import CoverageBroken, ScanVersion, cover_again, ranges
from wallet.deposits.scanned.gaps import find_gaps
from wallet.deposits.scanned.proving import CoverageProof, prove_coverage
from wallet.deposits.scanned.stops import GAP, gap_detector, stops
from wallet.deposits.watcher import ReorgTooDeep, Seen
from wallet.store.database import Database
from wallet.store.schema import blocks, deposits, scan_ranges, utxos

ASSETS = {"BTC": RULES.asset}


@pytest.fixture
def bench(database: Database) -> Bench:
    return make_bench(database)


def covered(bench: Bench) -> list[tuple[int, int, int]]:
    """(from, to, adapter version) of every range."""
    with bench.database.read() as tx:
        return [(r.from_height, r.to_height, r.version.adapter) for r in ranges(tx, NETWORK)]


def gap_codes(bench: Bench) -> list[tuple[str, int, int]]:
    with bench.database.read() as tx:
        return [(g.code, g.from_height, g.to_height) for g in find_gaps(tx, NETWORK)]


def proof(bench: Bench, start_height: int = 0) -> CoverageProof:
    return prove_coverage(bench.database, bench.chain, ASSETS, start_height)  # type: ignore[arg-type]


def mined(bench: Bench, count: int) -> None:
    for _ in range(count):
        bench.chain.mine()
    bench.follow()


def test_one_range_grows_with_every_block(bench: Bench) -> None:
    mined(bench, 5)

    assert covered(bench) == [(0, 4, 0)]
    shown = proof(bench)
    assert shown.is_proven
    assert (shown.behind_blocks, list(shown.stale)) == (0, [])


def test_a_reorg_cuts_the_range_back_to_the_fork(bench: Bench) -> None:
    mined(bench, 5)
    bench.chain.drop(3)
    for _ in range(2):
        bench.chain.mine(salt="b")
    bench.chain.mine(salt="b")
    bench.chain.mine(salt="b")
    bench.follow()

    assert covered(bench) == [(0, 5, 0)]
    assert gap_codes(bench) == []
    with bench.database.read() as tx:
        (known,) = ranges(tx, NETWORK)
    assert known.to_hash == bench.chain.tip().hash


class NewerChain(ScriptedChain):
    """The same chain read by a newer adapter."""

    adapter_version = 7
    evidence_mode = "output"


def test_another_adapter_begins_a_range_and_the_older_one_is_named(database: Database) -> None:
    old = make_bench(database)
    mined(old, 3)
    newer = make_bench(database, chain=NewerChain(blocks=old.chain.blocks))
    mined(newer, 2)

    assert covered(newer) == [(0, 2, 0), (3, 4, 7)]
    shown = proof(newer)
    assert shown.is_proven
    assert [(one.from_height, one.to_height) for one in shown.stale] == [(0, 2)]


def test_the_rules_version_follows_what_is_watched_for() -> None:
    bitcoin = ScriptedChain().assets[0]

    def rules(**changes: object) -> str:
        asset = replace(bitcoin, **changes)  # type: ignore[arg-type]
        chain = ScriptedChain(assets=(asset,))
        known = {"BTC": RULES.asset, "OTHER": RULES.asset}
        return coverage.scan_version(chain, known).rules  # type: ignore[arg-type]

    versions = {rules(), rules(decimals=7), rules(contract="0x12"), rules(code="OTHER")}
    assert len(versions) == 4
    assert rules(code="UNLISTED") not in versions
    newer = NewerChain()
    assert coverage.scan_version(newer, ASSETS).rules != rules()  # type: ignore[arg-type]


def test_a_reorg_into_an_older_range_leaves_no_empty_one(database: Database) -> None:
    old = make_bench(database)
    mined(old, 3)
    newer = make_bench(database, chain=NewerChain(blocks=old.chain.blocks))
    mined(newer, 2)
    newer.chain.drop(4)
    for _ in range(5):
        newer.chain.mine(salt="b")
    newer.follow()

    assert covered(newer) == [(0, 0, 0), (1, 5, 7)]
    assert gap_codes(newer) == []


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ([0], [(0, 0, 9), (1, 4, 0)]),
        ([2], [(0, 1, 0), (2, 2, 9), (3, 4, 0)]),
        ([4], [(0, 3, 0), (4, 4, 9)]),
        ([1, 2, 3], [(0, 0, 0), (1, 3, 9), (4, 4, 0)]),
        ([0, 1, 2, 3, 4], [(0, 4, 9)]),
        ([2, 2], [(0, 1, 0), (2, 2, 9), (3, 4, 0)]),
    ],
)
def test_scanning_again_moves_heights_to_the_new_version(
    bench: Bench, again: list[int], expected: list[tuple[int, int, int]]
) -> None:
    mined(bench, 5)
    version = ScanVersion(adapter=9, rules="new")
    for height in again:
        with bench.database.write() as tx:
            cover_again(tx, NETWORK, bench.chain.block_at(height), version)

    assert covered(bench) == expected
    assert gap_codes(bench) == []


def test_a_height_that_nothing_covers_cannot_be_covered_again(bench: Bench) -> None:
    mined(bench, 2)
    above = bench.chain.mine()
    with bench.database.write() as tx, pytest.raises(CoverageBroken):
        cover_again(tx, NETWORK, above, ScanVersion(adapter=9, rules="new"))


def test_a_missing_block_is_found_stops_the_scan_and_alerts_once(bench: Bench) -> None:
    mined(bench, 5)
    with bench.database.write() as tx:
        tx.execute(delete(blocks).where(blocks.c.height == 2))
    detect = gap_detector(bench.database, NETWORK, bench.watcher._clock)
    detect()
    detect()

    assert gap_codes(bench) == [("blocks_missing", 2, 2)]
    bench.chain.mine()
    with pytest.raises(CoverageBroken):
        bench.watcher.step()
    assert bench.event_types().count("alert.scan_stopped") == 1
    shown = proof(bench)
    assert not shown.is_proven
    assert shown.stops == [GAP]


def test_a_scan_goes_on_once_the_gap_is_gone(bench: Bench) -> None:
    mined(bench, 5)
    taken = bench.chain.block_at(2)
    with bench.database.write() as tx:
        row = tx.execute(select(blocks).where(blocks.c.height == 2)).mappings().one()
        tx.execute(delete(blocks).where(blocks.c.height == 2))
    detect = gap_detector(bench.database, NETWORK, bench.watcher._clock)
    detect()
    with bench.database.write() as tx:
        tx.execute(blocks.insert().values(**row))
    detect()
    bench.chain.mine()

    assert bench.watcher.step().seen is Seen.PROGRESS
    assert taken.hash == row["hash"]
    assert "scan.resumed" in bench.event_types()


def test_a_restarted_watcher_looks_for_gaps_before_its_first_block(bench: Bench) -> None:
    mined(bench, 3)
    with bench.database.write() as tx:
        tx.execute(delete(scan_ranges))
    bench.chain.mine()
    with pytest.raises(CoverageBroken):
        make_bench(bench.database, chain=bench.chain).watcher.step()

    assert gap_codes(bench) == [("not_covered", 0, 2)]


def test_a_running_watcher_refuses_a_block_that_does_not_follow_its_range(bench: Bench) -> None:
    mined(bench, 3)
    with bench.database.write() as tx:
        tx.execute(update(scan_ranges).values(to_hash="ff" * 32))
    bench.chain.mine()
    with pytest.raises(CoverageBroken):
        bench.watcher.step()

    with bench.database.read() as tx:
        assert stops(tx, NETWORK) == [GAP]
        assert len(tx.execute(select(blocks)).all()) == 3


def _spoil_parent(bench: Bench) -> None:
    with bench.database.write() as tx:
        tx.execute(update(blocks).where(blocks.c.height == 2).values(parent="ff" * 32))


def _spoil_range_start(bench: Bench) -> None:
    with bench.database.write() as tx:
        tx.execute(update(scan_ranges).values(from_hash="ff" * 32))


def _shorten_range(bench: Bench) -> None:
    with bench.database.write() as tx:
        below = select(blocks.c.hash).where(blocks.c.height == 3).scalar_subquery()
        tx.execute(update(scan_ranges).values(to_height=3, to_hash=below))


def _late_range(bench: Bench) -> None:
    with bench.database.write() as tx:
        above = select(blocks.c.hash).where(blocks.c.height == 1).scalar_subquery()
        tx.execute(update(scan_ranges).values(from_height=1, from_hash=above))


def _hole_between_ranges(bench: Bench) -> None:
    with bench.database.write() as tx:
        version = ScanVersion(adapter=9, rules="new")
        cover_again(tx, NETWORK, bench.chain.block_at(2), version)
        tx.execute(delete(scan_ranges).where(scan_ranges.c.from_height == 2))


def _overlap(bench: Bench) -> None:
    _hole_between_ranges(bench)
    with bench.database.write() as tx:
        third = select(blocks.c.hash).where(blocks.c.height == 3).scalar_subquery()
        tx.execute(
            update(scan_ranges)
            .where(scan_ranges.c.from_height == 0)
            .values(to_height=3, to_hash=third)
        )


def _ranges_without_blocks(bench: Bench) -> None:
    with bench.database.write() as tx:
        tx.execute(delete(blocks))


def _deposit_elsewhere(bench: Bench) -> None:
    with bench.database.write() as tx:
        tx.execute(update(deposits).values(block_hash="ff" * 32))


def _output_elsewhere(bench: Bench) -> None:
    with bench.database.write() as tx:
        tx.execute(update(utxos).values(height=77))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_spoil_parent, ("parent_differs", 2, 2)),
        (_spoil_range_start, ("range_differs", 0, 0)),
        (_shorten_range, ("not_covered", 4, 4)),
        (_late_range, ("not_covered", 0, 0)),
        (_hole_between_ranges, ("not_covered", 2, 2)),
        (_overlap, ("covered_twice", 3, 3)),
        (_ranges_without_blocks, ("blocks_missing", 0, 4)),
        (_deposit_elsewhere, ("deposits_misplaced", 1, 1)),
        (_output_elsewhere, ("utxos_misplaced", 77, 77)),
    ],
)
def test_each_kind_of_gap_is_named(bench: Bench, spoil: object, expected: object) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 5_000)))
    mined(bench, 3)
    spoil(bench)  # type: ignore[operator]

    assert expected in gap_codes(bench)
    assert not proof(bench).is_proven


def test_a_start_below_the_first_block_and_another_chain_are_named(bench: Bench) -> None:
    bench.chain.mine()
    bench.watcher._start_height = 1
    mined(bench, 3)
    assert [gap.code for gap in proof(bench).gaps] == ["start_not_covered"]
    assert proof(bench, start_height=1).is_proven
    bench.chain.drop(1)
    bench.chain.mine(salt="other")

    assert [gap.code for gap in proof(bench, start_height=1).gaps] == ["tip_differs"]


def test_deeper_than_allowed_the_scan_stops_and_a_person_decides(bench: Bench) -> None:
    mined(bench, 8)
    bench.watcher._reorg_blocks_max = 3
    bench.chain.drop(4)
    for _ in range(5):
        bench.chain.mine(salt="b")
    for _ in range(2):
        with pytest.raises(ReorgTooDeep):
            bench.watcher.step()
    assert bench.event_types().count("alert.scan_stopped") == 1
    bench.watcher._reorg_blocks_max = 4

    assert Seen.REORGANISED in bench.follow()
    assert proof(bench).is_proven
    assert bench.event_types().count("scan.resumed") == 1


def test_a_stop_is_lifted_when_the_right_node_is_back(bench: Bench) -> None:
    mined(bench, 8)
    right = list(bench.chain.blocks)
    bench.watcher._reorg_blocks_max = 3
    bench.chain.drop(5)
    for _ in range(6):
        bench.chain.mine(salt="b")
    with pytest.raises(ReorgTooDeep):
        bench.watcher.step()
    bench.chain.blocks[:] = right
    bench.follow()

    assert proof(bench).is_proven
    assert "scan.resumed" in bench.event_types()


@pytest.mark.parametrize("depth", [10, 50, 100])
def test_reorgs_to_depth_one_hundred_are_followed(bench: Bench, depth: int) -> None:
    payments = [pay(("deposit", 5_000 + n), nonce=n) for n in range(depth)]
    bench.chain.mine()
    for payment in payments:
        bench.chain.mine(payment)
    bench.chain.mine()
    bench.chain.mine()
    bench.follow()
    total = sum(5_000 + n for n in range(depth))
    assert bench.owned() == total
    bench.chain.drop(min(depth, 100))
    for _ in range(depth):
        bench.chain.mine(salt="b")
    bench.chain.mine(*payments[2:], salt="b")
    bench.chain.mine(salt="b")
    bench.follow()

    assert bench.owned() == total
    assert bench.event_types().count("deposit.reversed") == depth - 2
    assert proof(bench).is_proven
