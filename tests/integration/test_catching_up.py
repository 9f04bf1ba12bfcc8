"""After a long absence: every block in order, others get their turn, and progress is told."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.deposit_world import NETWORK, RULES, Bench, make_bench, pay
from wallet.deposits.following import BLOCKS_PER_PASS, Follower
from wallet.deposits.scanned.pace import Pace, pace
from wallet.deposits.scanned.proving import prove_coverage
from wallet.store.database import Database

WEEK_BLOCKS = 2_500


@dataclass
class RunningClock:
    """A clock that a test moves; every look takes one second in twenty looks."""

    looks: int = 0

    def now_s(self) -> int:
        self.looks += 1
        return 1_700_000_000 + self.looks // 20


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    made = make_bench(database)
    made.watcher._clock = RunningClock()
    yield made
    database.close()


def test_a_week_of_blocks_is_caught_up_without_a_gap_in_passes(bench: Bench) -> None:
    for height in range(WEEK_BLOCKS):
        bench.chain.mine(*([pay(("deposit", 5_000), nonce=height)] if height % 500 == 7 else []))
    follower = Follower(bench.chain, bench.watcher, bench.database, bench.watcher._clock)  # type: ignore[arg-type]
    passes: list[int] = []
    with capture_logs() as told:
        while not passes or passes[-1] < WEEK_BLOCKS - 1:
            follower.run()
            proof = prove_coverage(bench.database, bench.chain, {"BTC": RULES.asset}, 0)  # type: ignore[arg-type]
            assert proof.is_proven
            assert proof.scanned is not None
            passes.append(proof.scanned.height)
        follower.run()

    assert passes == [BLOCKS_PER_PASS * n - 1 for n in range(1, 6)]
    assert bench.owned() == 5 * 5_000
    progress = [line for line in told if line["event"] == "chain.catching_up"]
    assert len(progress) > 5
    assert all(line["behind_blocks"] > 0 for line in progress)
    assert progress[-1]["estimate_s"] is not None
    assert progress[-1]["estimate_s"] < progress[1]["estimate_s"]
    assert [line["event"] for line in told].count("chain.caught_up") == 1


def test_pace_is_that_of_the_last_minutes_only(bench: Bench) -> None:
    with bench.database.read() as tx:
        assert pace(tx, NETWORK, 0) is None
    for _ in range(150):
        bench.chain.mine()
    bench.follow()
    now_s = bench.watcher._clock.now_s()
    with bench.database.read() as tx:
        found = pace(tx, NETWORK, now_s)
        assert pace(tx, NETWORK, now_s + 1_000) is None

    assert found is not None
    assert found.blocks == 100


def test_an_estimate_is_rounded_up_and_never_a_fraction() -> None:
    slow = Pace(blocks=100, seconds=40)

    assert slow.blocks_per_minute == 150
    assert [slow.estimate_s(n) for n in (0, 1, 100, 101)] == [0, 1, 40, 41]
