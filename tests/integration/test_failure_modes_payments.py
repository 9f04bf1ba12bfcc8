"""Ways in which known systems lost or paid money twice, by their number, and what happens here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.simulated.line import Fault
from tests.integration.test_freed_nonces import check_proof, stranger_uses, with_nonce
from tests.integration.test_replacements import (
    AFTER,
    alerts,
    check_paid_once,
    payment_of,
    sent,
    stuck,
    versions_of,
    world_of,
)
from tests.payments_world import BTC, CUSTOMER, ETH, Keep, World, outside_address
from wallet.leases import LEASE_S, LeaseLost, Leases
from wallet.payments.context import role_of
from wallet.payments.replacing.nonces import FOREIGN_NONCE
from wallet.store.database import Database
from wallet.waiting import MACHINES, Machine
from wallet.withdrawals.states import WithdrawalStatus as W


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield database
    database.close()


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER])
@pytest.mark.parametrize("network", [BTC, ETH])
def test_mode_11_a_lost_answer_is_answered_by_the_same_bytes(
    lite: Database, network: str, fault: Fault
) -> None:
    world = world_of(lite)
    user = world.account("alice")
    if network == BTC:
        world.deposit(user, "BTC", 5_000_000)
        asked = world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    else:
        world.fund_hot_gas()
        world.deposit(user, "ETH", 10**18)
        asked = world.withdraw(user, "ETH", CUSTOMER, 10**16, "w-1")
    chain = world.keep.btc if network == BTC else world.keep.eth
    chain.faults.extend([fault, fault])
    world.settle(5)

    assert len(versions_of(world, asked)) == 1
    assert [payment_of(world, asked).txid] == sent(world.keep, network)
    check_paid_once(world, asked)
    check_proof(world)


def test_mode_12_of_two_executors_one_pays(database: Database) -> None:
    """The other held the role, stood still with the payment in its hands, and comes back."""
    keep = Keep()
    old, new = (Leases(database, keep.clock, name) for name in ("old", "new"))
    first = World(database, keep, fence=old.check)
    user = first.account("alice")
    first.deposit(user, "BTC", 1_000_000)
    asked = first.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    assert old.take(role_of(BTC))
    first.payer.pay_queued(BTC)
    keep.clock.time_s += LEASE_S
    assert new.take(role_of(BTC))
    second = World(database, keep, fence=new.check)
    second.desk.run(BTC)

    with pytest.raises(LeaseLost):
        first.desk.run(BTC)
    second.settle(4)
    assert len(keep.btc.sent) == 1
    check_paid_once(second, asked)


OURS = [one for one in MACHINES if one.name in ("payment", "withdrawal")]


@pytest.mark.parametrize("machine", OURS, ids=lambda machine: machine.name)
def test_mode_13_every_state_that_is_no_end_has_owner_time_and_way_out(
    machine: Machine,
) -> None:
    for state, after in machine.arrows.items():
        if state in machine.resting:
            continue
        duty = machine.duties[state]
        assert duty.late_s > 0
        assert duty.owner
        assert duty.way_out
        assert after, state


@pytest.mark.parametrize("network", [BTC, ETH])
def test_mode_13_a_stuck_payment_has_a_way_out(lite: Database, network: str) -> None:
    world, asked = stuck(lite, network)
    world.settle(AFTER + 5)

    assert world.read(asked.id).status is W.COMPLETED


def test_mode_14_a_hole_is_filled_and_a_strangers_use_is_told(lite: Database) -> None:
    world = world_of(lite)
    user = world.account("alice")
    world.fund_hot_gas()
    world.deposit(user, "ETH", 10**18)
    asked = with_nonce(world, user, 1)
    world.settle(AFTER + 4)
    check_paid_once(world, asked)
    assert [one for one in alerts(world) if "hole:" in one]

    world.keep.eth.history.base_fee_wei = 10**10
    other = world.withdraw(user, "ETH", CUSTOMER, 10**16, "w-2")
    world.work()
    stranger_uses(world, payment_of(world, other).nonce or 0)
    world.settle(3)
    assert len([one for one in alerts(world) if FOREIGN_NONCE in one]) == 1
    assert world.read(other.id).status is W.BROADCAST


@pytest.mark.parametrize("network", [BTC, ETH])
def test_mode_15_a_spike_is_followed_to_the_cap_and_no_further(
    lite: Database, network: str
) -> None:
    world, asked = stuck(lite, network)
    if network == BTC:
        world.keep.btc.history.floor = world.keep.btc.feerate = 10**7
    else:
        world.keep.eth.history.base_fee_wei = 10**15
    world.settle(4 * AFTER)

    ceiling = world.read(asked.id).intent.fee_units_max
    made = versions_of(world, asked)
    assert all(version.fee_units_max <= ceiling for version in made)
    fees = [version.fee_units_max for version in made]
    assert fees == sorted(set(fees))
    check_proof(world)
