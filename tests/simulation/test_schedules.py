"""Random schedules of work and misfortune: nothing missed, nothing twice, books equal chains.

`SIMULATION_SEED` is the first seed; a failure names its own, which
`python -m tests.simulation --seed N --schedules 1 -v` runs again.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.simulated.randomness import Seeded
from tests.simulation import invariants, schedule
from tests.simulation.founding import Founded, prepare
from tests.simulation.life import Life
from tests.simulation.rules import RULES, order_move
from wallet.deposits import crediting
from wallet.ledger import chart
from wallet.payments.collecting import Collector
from wallet.payments.paying import WithdrawalPayer

FIRST_SEED = int(os.environ.get("SIMULATION_SEED", "1"))
PARTS, EACH, STEPS = 20, 25, 50


@pytest.fixture(scope="module")
def prepared() -> Iterator[Founded]:
    with schedule.folder() as place:
        yield prepare(Path(place))


@pytest.fixture
def life(prepared: Founded) -> Iterator[Life]:
    with schedule.folder() as place:
        life = Life(prepared, Path(place))
        yield life
        life.close()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(PARTS))
def test_schedules_end_well(prepared: Founded, part: int) -> None:
    first = FIRST_SEED + part * EACH
    sys.stdout.write(f"SIMULATION_SEED={FIRST_SEED}, schedules {first} to {first + EACH - 1}\n")
    seen = [schedule.run(prepared, first + number, STEPS) for number in range(EACH)]
    failures = [f"--seed {report.seed}: {report.failure}" for report in seen if report.failure]
    assert not failures, "\n".join(failures)
    assert sum(report.withdrawals for report in seen) > EACH
    assert sum(report.deaths for report in seen) > 0


def test_a_seed_repeats_exactly(prepared: Founded) -> None:
    first, second = (schedule.run(prepared, FIRST_SEED + 7, 30) for _ in range(2))
    assert first == second


def test_every_rule_is_drawn() -> None:
    random = Seeded("rules")
    drawn = {random.weighted(RULES) for _ in range(2_000)}
    assert drawn == {rule for rule, _ in RULES}


def test_a_deposit_that_is_credited_to_nobody_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crediting, "creditor", lambda _row: chart.HOUSE)
    assert "the chains say" in schedule.run(prepare(tmp_path), 1, 0).failure


def test_money_that_leaves_unbooked_is_found(life: Life) -> None:
    life.eth.history.state.move("DUSD", life.hot["ethereum-31337"].target, b"\x66" * 20, 1)
    with pytest.raises(AssertionError, match=r"books say .* DUSD, the chain"):
        invariants.check_quiet(life)


def test_a_second_payment_is_found_before_it_is_mined(life: Life) -> None:
    user = life.users[0]
    address, target = life.payee("bitcoin-regtest")
    withdrawal = life.world.withdraw(user, "BTC", address, 100_000, "w-0")
    life.expect(withdrawal, target)
    life.work()
    invariants.check_step(life)
    txid = life.btc.history.pay([(target, 100_000)])
    life.btc.history.ever[txid] = life.btc.mempool[txid]
    with pytest.raises(AssertionError, match="paid twice"):
        invariants.check_step(life)


def test_a_refill_through_the_safe_is_proven_paid_once(life: Life) -> None:
    life.eth.fund(life.cold["ethereum-31337"].target, "ETH", 10**18)
    life.eth.mine(3)
    life.work()
    assert order_move(life, "ETH", 10**17, refill=True)
    schedule.quieten(life)
    assert life.cold_units("ETH") == 10**18 - 10**17
    invariants.check_quiet(life)


def test_a_withdrawal_that_never_ends_is_found(
    prepared: Founded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "QUIET_ROUNDS", 2)
    monkeypatch.setattr(schedule, "RULES", tuple(r for r in RULES if r[0].__name__ == "withdraw"))
    monkeypatch.setattr(WithdrawalPayer, "pay_queued", lambda _payer, _network: 0)
    assert "stuck after" in schedule.run(prepared, 1, 3).failure


def test_a_gather_that_never_ends_is_found(
    prepared: Founded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "QUIET_ROUNDS", 8)
    monkeypatch.setattr(schedule, "RULES", tuple(r for r in RULES if r[0].__name__ == "deposit"))
    assert schedule.run(prepared, 1, 5).failure == ""
    monkeypatch.setattr(Collector, "begin", lambda _collector, _payment: False)
    assert "stuck after" in schedule.run(prepared, 1, 5).failure
