"""Deposits seen in a node's pool: shown, never credited, and ended by blocks or by time."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import select

from chains.ports import MempoolSight, Watched
from chains.types import BlockRef, Evidence, Inflow, PendingTx, Pool
from chains.utxo.transactions import Transaction
from tests.deposit_world import NETWORK, RULES, Bench, ScriptedChain, make_bench, pay
from wallet.deposits import pending
from wallet.deposits.mempool import MempoolWatcher
from wallet.ledger import chart
from wallet.store.database import Database
from wallet.store.schema import deposits

DROP_S = 100


@dataclass
class PoolChain(ScriptedChain):
    """A chain with a pool that a test fills, and nonces that it uses up."""

    pool: list[Transaction] = field(default_factory=list)
    conflict: str = ""
    used_up: set[str] = field(default_factory=set)

    def pending(self, watched: Watched) -> Pool:
        found = [
            PendingTx(
                txid=tx.txid,
                inflows=tuple(
                    Inflow(
                        txid=tx.txid,
                        position=f"out:{n}",
                        asset="BTC",
                        target=output.script,
                        units=output.sats,
                        evidence=Evidence.MEMPOOL,
                    )
                    for n, output in enumerate(tx.outputs)
                    if output.script in watched.targets
                ),
                conflicts=(self.conflict,) if self.conflict else tuple(map(str, tx.outpoints())),
            )
            for tx in self.pool
        ]
        return Pool(txids=frozenset(tx.txid for tx in self.pool), found=tuple(found))

    def is_used_up(self, conflict: str, at: BlockRef) -> bool:
        return conflict in self.used_up


@dataclass
class Clock:
    """A clock that a test moves."""

    time_s: int = 1_700_000_000

    def now_s(self) -> int:
        return self.time_s


@dataclass
class Looking:
    """A bench with a pool."""

    bench: Bench
    chain: PoolChain
    clock: Clock
    watcher: MempoolWatcher

    def look(self, *pool: Transaction) -> None:
        self.chain.pool = list(pool)
        self.watcher.step()

    def mine(self, *txs: Transaction, salt: str = "") -> None:
        self.chain.mine(*txs, salt=salt)
        self.bench.follow()

    def states(self) -> list[tuple[str, str, int | None]]:
        with self.bench.database.read() as tx:
            found = tx.execute(select(deposits).order_by(deposits.c.units))
            return [(row.status, row.sub_status, row.height) for row in found]

    def pending(self) -> set[str]:
        with self.bench.database.read() as tx:
            return set(pending.rows(tx, NETWORK))


@pytest.fixture
def looking(tmp_path: Path) -> Iterator[Looking]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    yield make_looking(database)
    database.close()


def make_looking(database: Database) -> Looking:
    """A bench with an empty pool and one block."""
    chain, clock = PoolChain(), Clock()
    bench = make_bench(database, chain=chain)
    bench.watcher._clock = clock
    watcher = MempoolWatcher(chain, chain, database, {"BTC": RULES}, clock, DROP_S)  # type: ignore[arg-type]
    made = Looking(bench=bench, chain=chain, clock=clock, watcher=watcher)
    made.mine()
    return made


def test_the_fake_offers_what_the_port_asks(looking: Looking) -> None:
    assert isinstance(looking.chain, MempoolSight)
    assert not isinstance(ScriptedChain(), MempoolSight)


def test_a_waiting_deposit_is_seen_once_without_height_and_credits_nothing(
    looking: Looking,
) -> None:
    payment = pay(("deposit", 5_000))
    looking.look(payment)
    looking.look(payment)
    for _ in range(6):
        looking.mine()
    assert looking.states() == [("seen", "", None)]
    assert looking.bench.owned() == looking.bench.owned(chart.HOT) == 0
    assert looking.bench.event_types().count("deposit.seen") == 1


def test_its_block_makes_it_a_deposit_that_is_credited_once(looking: Looking) -> None:
    payment = pay(("deposit", 5_000))
    looking.look(payment)
    looking.mine(payment)
    looking.look()
    assert looking.states() == [("confirming", "", 1)]
    looking.mine()
    looking.look()

    assert looking.states() == [("credited", "", 1)]
    assert looking.bench.owned() == 5_000
    assert looking.pending() == set()
    with looking.bench.database.read() as tx:
        assert tx.execute(select(deposits.c.evidence)).scalar_one() == Evidence.OUTPUT


def test_a_replacement_is_decided_by_the_block_not_by_the_pool(looking: Looking) -> None:
    first, second = pay(("deposit", 5_000)), pay(("deposit", 6_000))
    looking.look(first)
    looking.look(second)
    assert looking.states() == [("seen", "", None), ("seen", "", None)]
    looking.mine(second)
    looking.mine()

    assert looking.states() == [("replaced", second.txid, None), ("credited", "", 1)]
    assert looking.bench.owned() == 6_000
    assert "deposit.replaced" in looking.bench.event_types()


def test_a_replacement_that_pays_somebody_else_is_seen_too(looking: Looking) -> None:
    lost = pay(("deposit", 5_000))
    looking.look(lost)
    theft = replace(lost, outputs=(replace(lost.outputs[0], script=b"\x51"),))
    looking.mine(theft)

    assert looking.states() == [("replaced", theft.txid, None)]
    assert looking.pending() == set()


def test_a_used_nonce_replaces_once_the_scan_has_reached_it(looking: Looking) -> None:
    looking.chain.conflict = "0xsender:7"
    looking.look(pay(("deposit", 5_000)))
    looking.chain.used_up.add("0xsender:7")
    looking.look()
    looking.chain.mine()
    looking.look()
    assert looking.states() == [("seen", "", None)]
    looking.bench.follow()
    looking.look()

    assert looking.states() == [("replaced", "nonce_used", None)]


def test_what_stays_away_is_dropped_after_its_time_and_may_come_back(looking: Looking) -> None:
    payment = pay(("deposit", 5_000))
    looking.look(payment)
    looking.look()
    looking.clock.time_s += DROP_S - 1
    looking.look(payment)
    looking.clock.time_s += DROP_S
    looking.look()
    assert looking.states() == [("seen", "", None)]
    looking.clock.time_s += DROP_S
    looking.look()
    assert looking.states() == [("orphaned", "dropped", None)]
    looking.look(payment)
    assert looking.states() == [("seen", "", None)]
    looking.mine(payment)
    looking.mine()

    assert looking.bench.owned() == 5_000


def test_a_scan_that_is_behind_drops_nothing(looking: Looking) -> None:
    payment = pay(("deposit", 5_000))
    looking.look(payment)
    looking.chain.mine(payment)
    looking.look()
    looking.clock.time_s += 10 * DROP_S
    looking.look()
    assert looking.states() == [("seen", "", None)]
    looking.bench.follow()

    assert looking.states() == [("confirming", "", 1)]


def test_a_deposit_in_a_block_is_not_touched_by_a_lagging_pool(looking: Looking) -> None:
    payment = pay(("deposit", 5_000))
    looking.mine(payment)
    looking.look(payment)
    looking.mine()
    looking.look(payment)

    assert looking.states() == [("credited", "", 1)]
    assert looking.pending() == set()


def test_after_a_reorg_the_pool_shows_it_again(looking: Looking) -> None:
    payment = pay(("deposit", 5_000))
    looking.mine(payment)
    looking.mine()
    looking.chain.drop(2)
    for _ in range(3):
        looking.mine(salt="b")
    assert looking.states() == [("reversed", "", None)]
    looking.look(payment)
    assert looking.states() == [("seen", "", None)]
    looking.mine(payment)
    looking.mine()

    assert looking.states() == [("credited", "", 4)]
    assert looking.bench.owned() == 5_000


def test_what_a_mined_transaction_does_not_bring_is_ended(looking: Looking) -> None:
    promised = pay(("deposit", 5_000), ("deposit", 6_000))
    looking.look(promised)
    scan = looking.chain.scan

    def partly(block: BlockRef, watched: Watched) -> object:
        found = scan(block, watched)
        return replace(found, inflows=found.inflows[:1])

    looking.chain.scan = partly  # type: ignore[method-assign, assignment]
    looking.mine(promised)

    assert looking.states() == [("confirming", "", 1), ("orphaned", "not_in_block", None)]


def test_the_block_has_the_last_word_on_the_amount(looking: Looking) -> None:
    promised = pay(("deposit", 5_000))
    looking.look(promised)
    scan = looking.chain.scan

    def less(block: BlockRef, watched: Watched) -> object:
        found = scan(block, watched)
        return replace(found, inflows=tuple(replace(one, units=4_000) for one in found.inflows))

    looking.chain.scan = less  # type: ignore[method-assign, assignment]
    looking.mine(promised)
    looking.mine()

    assert looking.bench.owned() == 4_000
    assert looking.states() == [("credited", "", 1)]
