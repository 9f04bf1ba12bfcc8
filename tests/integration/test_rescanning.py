"""Scanning blocks again: what was missed is found and credited once, whoever else is at work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from chains.types import BlockScan, Destination, TxSighting, TxState
from tests.deposit_world import NETWORK, RULES, TARGETS, USER, Bench, ScriptedChain, make_bench, pay
from wallet.deposits.rescanning import ChainMoved, NotMined, NotScanned, Rescanner
from wallet.deposits.rules import DepositRules
from wallet.deposits.scanned.coverage import ranges
from wallet.deposits.scanned.gaps import find_gaps
from wallet.deposits.watcher import ScanRace
from wallet.ledger import chart
from wallet.store.database import Database
from wallet.store.schema import addresses, deposits, utxos


@dataclass
class LooseChain(ScriptedChain):
    """A chain whose older adapter misses outputs of one size; it answers a rescan's questions."""

    missed_sats: int | None = None
    adapter_version: int = 1
    evidence_mode: str = "output"

    def scan(self, block: object, watched: object) -> BlockScan:
        found = super().scan(block, watched)  # type: ignore[arg-type]
        kept = tuple(one for one in found.inflows if one.units != self.missed_sats)
        return BlockScan(ref=found.ref, inflows=kept, spends=found.spends)

    def repair(self) -> None:
        self.missed_sats = None
        self.adapter_version += 1

    def sighting(self, txid: str) -> TxSighting:
        for ref, txs in self.blocks:
            if txid in {tx.txid for tx in txs}:
                return TxSighting(txid=txid, state=TxState.MINED, block=ref)
        return TxSighting(txid=txid, state=TxState.UNKNOWN)

    def destination(self, text: str) -> Destination:
        target = TARGETS[text]
        return Destination(network=NETWORK, address=text, target=target, kind="wsh")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    yield make_bench(database, chain=LooseChain(missed_sats=7_000))
    database.close()


def rescanner(bench: Bench, milestone: Callable[[str], None] = lambda name: None) -> Rescanner:
    rules: dict[str, DepositRules] = {"BTC": RULES}
    return Rescanner(bench.chain, bench.database, rules, bench.watcher._clock, milestone)  # type: ignore[arg-type]


def next_block(bench: Bench) -> None:
    """The live scan goes on by a block, and credits what is deep enough."""
    bench.chain.mine()
    bench.follow()


def silent(done: int, total: int) -> None:
    """Nobody looks."""


def with_a_missed_deposit(bench: Bench) -> str:
    missed = pay(("deposit", 7_000))
    bench.chain.mine()
    bench.chain.mine(missed, pay(("deposit", 5_000), nonce=1))
    for _ in range(3):
        bench.chain.mine()
    bench.follow()
    assert bench.rows() == [("credited", 5_000)]
    bench.chain.repair()  # type: ignore[attr-defined]
    return missed.txid


def test_what_an_older_adapter_missed_is_found_and_credited_once(bench: Bench) -> None:
    with_a_missed_deposit(bench)
    seen: list[tuple[int, int]] = []
    first = rescanner(bench).heights(0, 4, lambda done, total: seen.append((done, total)))
    again = rescanner(bench).heights(0, 4, silent)
    next_block(bench)

    assert (first.deposits, first.outputs, again.deposits, again.outputs) == (1, 1, 0, 0)
    assert seen == [(n, 5) for n in range(1, 6)]
    assert sorted(bench.rows()) == [("credited", 5_000), ("credited", 7_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 12_000
    assert bench.event_types().count("deposit.credited") == 2


def test_a_found_deposit_that_is_not_deep_waits_as_any_other(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 7_000)))
    bench.follow()
    bench.chain.repair()  # type: ignore[attr-defined]
    rescanner(bench).heights(1, 1, silent)
    assert bench.rows() == [("seen", 7_000)]
    next_block(bench)

    assert bench.rows() == [("credited", 7_000)]


def test_stale_ranges_are_scanned_again_and_then_none_is(bench: Bench) -> None:
    with_a_missed_deposit(bench)
    done = rescanner(bench).stale(silent)

    assert [(one.from_height, one.to_height, one.deposits) for one in done] == [(0, 4, 1)]
    assert list(rescanner(bench).stale(silent)) == []
    with bench.database.read() as tx:
        assert [(r.from_height, r.to_height) for r in ranges(tx, NETWORK)] == [(0, 4)]
        assert find_gaps(tx, NETWORK) == []


def test_a_transaction_is_found_by_its_block(bench: Bench) -> None:
    txid = with_a_missed_deposit(bench)
    assert rescanner(bench).transaction(txid, silent).deposits == 1
    next_block(bench)
    assert bench.owned() == 12_000
    with pytest.raises(NotMined):
        rescanner(bench).transaction("ff" * 32, silent)


def test_an_address_is_looked_for_alone_and_covers_nothing(bench: Bench) -> None:
    with_a_missed_deposit(bench)
    assert rescanner(bench).address("hot", None, None, silent).deposits == 0
    assert rescanner(bench).address("deposit", None, None, silent).deposits == 1
    assert rescanner(bench).address("deposit", 1, 1, silent).deposits == 0
    with bench.database.read() as tx:
        assert [r.version.adapter for r in ranges(tx, NETWORK)] == [1]
    next_block(bench)

    assert bench.owned() == 12_000


def test_a_found_output_that_is_spent_since_counts_as_spent(bench: Bench) -> None:
    missed = pay(("deposit", 7_000))
    spending = pay(("hot", 6_000), spends=missed.txid)
    bench.chain.mine(missed)
    bench.chain.mine()
    bench.chain.mine(spending)
    bench.follow()
    bench.chain.repair()  # type: ignore[attr-defined]
    rescanner(bench).heights(0, 0, silent)

    with bench.database.read() as tx:
        spent = select(utxos.c.spent_txid).where(utxos.c.txid == missed.txid)
        assert tx.execute(spent).scalar_one() == spending.txid


def test_the_live_watcher_takes_over_outputs_that_a_rescan_found(bench: Bench) -> None:
    txid = with_a_missed_deposit(bench)
    rescanner(bench).heights(1, 1, silent)
    spending = pay(("hot", 6_000), spends=txid)
    bench.chain.mine(spending)
    bench.follow()

    with bench.database.read() as tx:
        spent = select(utxos.c.spent_txid).where(utxos.c.txid == txid)
        assert tx.execute(spent).scalar_one() == spending.txid


def test_a_block_scanned_while_a_rescan_found_outputs_is_scanned_anew(bench: Bench) -> None:
    txid = with_a_missed_deposit(bench)
    spending = pay(("hot", 6_000), spends=txid)
    bench.chain.mine(spending)
    scan = bench.chain.scan
    rescans = rescanner(bench)

    def interrupted(block: object, watched: object) -> BlockScan:
        found = scan(block, watched)  # type: ignore[arg-type]
        bench.chain.scan = scan  # type: ignore[method-assign]
        rescans.heights(1, 1, silent)
        return found

    bench.chain.scan = interrupted  # type: ignore[method-assign]
    with pytest.raises(ScanRace):
        bench.watcher.step()
    bench.follow()

    with bench.database.read() as tx:
        spent = select(utxos.c.spent_txid).where(utxos.c.txid == txid)
        assert tx.execute(spent).scalar_one() == spending.txid


@pytest.mark.parametrize(("low", "high"), [(0, 9), (3, 2), (5, 5)])
def test_only_scanned_heights_are_scanned_again(bench: Bench, low: int, high: int) -> None:
    with_a_missed_deposit(bench)
    with pytest.raises(NotScanned):
        rescanner(bench).heights(low, high, silent)


def test_before_the_first_block_there_is_nothing_to_scan_again(bench: Bench) -> None:
    with pytest.raises(NotScanned):
        rescanner(bench).heights(0, 0, silent)


def test_a_reorg_not_followed_yet_stops_a_rescan(bench: Bench) -> None:
    with_a_missed_deposit(bench)
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    with pytest.raises(ChainMoved):
        rescanner(bench).heights(4, 4, silent)


def test_a_reorg_during_a_rescan_records_nothing(bench: Bench) -> None:
    with_a_missed_deposit(bench)
    scan = bench.chain.scan

    def moved(block: object, watched: object) -> BlockScan:
        found = scan(block, watched)  # type: ignore[arg-type]
        bench.chain.scan = scan  # type: ignore[method-assign]
        bench.chain.drop(4)
        for _ in range(5):
            bench.chain.mine(salt="b")
        bench.follow()
        return found

    bench.chain.scan = moved  # type: ignore[method-assign]
    with pytest.raises(ChainMoved):
        rescanner(bench).heights(1, 1, silent)

    assert bench.rows() == [("reversed", 5_000)]
    assert bench.owned() == 0


def test_another_amount_in_a_scanned_block_alerts_and_changes_nothing(bench: Bench) -> None:
    with_a_missed_deposit(bench)
    with bench.database.write() as tx:
        tx.execute(update(deposits).values(units=4_999))
    rescanner(bench).heights(1, 1, silent)
    next_block(bench)

    assert "alert.rescan_differs" in bench.event_types()
    assert bench.owned() == 12_000


class _Killed(BaseException):
    """Stands for a power cut."""


@pytest.mark.parametrize("moment", ["block.rescanning", "block.rescanned"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_at_any_block_it_goes_on(bench: Bench, moment: str, at: int) -> None:
    with_a_missed_deposit(bench)
    passed = [0]

    def die(name: str) -> None:
        passed[0] += name == moment
        if name == moment and passed[0] == at:
            raise _Killed

    with pytest.raises(_Killed):
        rescanner(bench, die).stale(silent)
    left = rescanner(bench).stale(silent)

    committed = at - 1 if moment == "block.rescanning" else at
    assert sum(one.blocks for one in left) == 5 - committed
    next_block(bench)
    assert bench.owned() == bench.owned(chart.HOT) == 12_000
    assert list(rescanner(bench).stale(silent)) == []


def test_an_address_restored_later_gets_what_was_paid_to_it_before(bench: Bench) -> None:
    with bench.database.write() as tx:
        row = tx.execute(select(addresses).where(addresses.c.purpose == "deposit")).mappings().one()
        tx.execute(delete(addresses).where(addresses.c.purpose == "deposit"))
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 5_000)))
    bench.chain.mine()
    bench.follow()
    assert bench.rows() == []
    with bench.database.write() as tx:
        tx.execute(addresses.insert().values(**(dict(row) | {"position": 4_000})))
    rescanner(bench).address("deposit", None, None, silent)
    next_block(bench)

    assert bench.rows() == [("credited", 5_000)]
    assert bench.owned(chart.user(USER)) == 5_000


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_scan_twice_is_scan_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever is scanned again, whenever, between blocks and reorgs: the books are the same."""
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('db') / 'w.sqlite'}")
    database.migrate()
    bench = make_bench(database, chain=LooseChain())
    pool = [pay(("deposit", 1_000 + n), nonce=n) for n in range(6)]
    for salt in range(data.draw(st.integers(2, 6))):
        if len(bench.chain.blocks) > 1 and data.draw(st.booleans()):
            bench.chain.drop(data.draw(st.integers(1, len(bench.chain.blocks) - 1)))
        for _ in range(data.draw(st.integers(1, 3))):
            mined = {tx.txid for _, txs in bench.chain.blocks for tx in txs}
            free = [tx for tx in pool if tx.txid not in mined]
            some = st.lists(st.sampled_from(free or pool), unique_by=lambda t: t.txid)
            bench.chain.mine(*(data.draw(some) if free else []), salt=str(salt))
        for _ in range(3):
            bench.follow()
        last = len(bench.chain.blocks) - 1
        low = data.draw(st.integers(0, last))
        rescanner(bench).heights(low, data.draw(st.integers(low, last)), silent)
    for _ in range(2):
        bench.chain.mine(salt="end")
    for _ in range(3):
        bench.follow()
    rescanner(bench).heights(0, len(bench.chain.blocks) - 1, silent)
    bench.chain.mine(salt="last")
    bench.follow()
    mined_units = sum(o.sats for _, txs in bench.chain.blocks for tx in txs for o in tx.outputs)

    assert bench.owned() == bench.owned(chart.HOT) == mined_units
    with database.read() as tx:
        assert find_gaps(tx, NETWORK) == []
    database.close()
