"""Stuck payments: replaced step by step to the cap, paid once whichever version is mined."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from chains.simulated.line import Fault
from chains.utxo.psbt import Psbt
from chains.utxo.transactions import parse
from tests.payments_world import BTC, CUSTOMER, ETH, Keep, World, outside_address
from wallet.payments import journal
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.proving import Prover
from wallet.payments.replacing.versions import NoConflict, Version, VersionStatus
from wallet.payments.sending.broadcasting import RETRY_S_MAX
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.store.schema import events
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus as W

AFTER = 3
"""Blocks that a payment waits in these tests before it is replaced."""


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield database
    database.close()


class Killed(BaseException):
    """The process is gone; nothing in it runs any more."""


def kill_once(wanted: str) -> Callable[[str], None]:
    def milestone(name: str) -> None:
        if name == wanted:
            raise Killed

    return milestone


def world_of(database: Database, keep: Keep | None = None, kill_at: str = "") -> World:
    return World(database, keep, milestone=kill_once(kill_at), bump_after_blocks=AFTER)


def stuck(database: Database, network: str, units: int = 100_000) -> tuple[World, Withdrawal]:
    """A withdrawal that nodes have, at a fee that no miner takes any more."""
    world = world_of(database)
    user = world.account("alice")
    if network == BTC:
        world.deposit(user, "BTC", 5_000_000)
        asked = world.withdraw(user, "BTC", outside_address(1), units, "w-1")
        world.keep.btc.history.floor = 8_000
    else:
        world.fund_hot_gas()
        world.deposit(user, "ETH", 10**18)
        asked = world.withdraw(user, "ETH", CUSTOMER, 10**16, "w-1")
    world.work()
    assert world.read(asked.id).status is W.BROADCAST
    make_dear(world.keep, network)
    return world, asked


def make_dear(keep: Keep, network: str) -> None:
    if network == BTC:
        keep.btc.feerate = 12_000
    else:
        keep.eth.history.base_fee_wei = 3 * 10**9
        keep.eth.mine()


def payment_of(world: World, asked: Withdrawal) -> Payment:
    payment_id = world.read(asked.id).payment_id
    assert payment_id is not None
    return world.desk.get(payment_id)


def versions_of(world: World, asked: Withdrawal) -> list[Version]:
    with world.database.read() as tx:
        return versions.of(tx, payment_of(world, asked).id)


def alerts(world: World) -> list[str]:
    with world.database.read() as tx:
        rows = tx.execute(select(events).where(events.c.type == "alert.payment"))
        return [str(row.body) for row in rows]


def sent(keep: Keep, network: str) -> list[str]:
    return keep.btc.sent if network == BTC else keep.eth.sent


def check_paid_once(world: World, asked: Withdrawal) -> None:
    done = world.read(asked.id)
    assert done.status is W.COMPLETED
    if asked.network == BTC:
        assert world.keep.btc.paid_units(asked.target) == asked.units
    else:
        assert world.keep.eth.held(asked.target, "ETH") == asked.units
    world.check_books()


@pytest.mark.parametrize("network", [BTC, ETH])
def test_a_stuck_payment_is_replaced_and_paid_once(database: Database, network: str) -> None:
    world, asked = stuck(database, network)
    first = payment_of(world, asked)
    world.settle(AFTER + 4)

    made = versions_of(world, asked)
    assert [v.status for v in made] == [VersionStatus.SIGNED, VersionStatus.SIGNED]
    assert made[0].consumes & made[1].consumes
    assert made[1].fee_units_max > made[0].fee_units_max
    assert [v.txid for v in made] == sent(world.keep, network)
    final = payment_of(world, asked)
    assert (final.status, final.version, final.txid) == (P.COMPLETED, 2, made[1].txid)
    assert world.read(asked.id).txid == made[1].txid
    assert first.txid == made[0].txid
    check_paid_once(world, asked)


@pytest.mark.parametrize("network", [BTC, ETH])
def test_the_first_version_may_win_after_all(lite: Database, network: str) -> None:
    """Another miner had the old bytes: they settle the payment, the replacement loses."""
    world, asked = stuck(lite, network)
    first = payment_of(world, asked)
    world.work()
    while payment_of(world, asked).version == 1:
        mine(world)
        world.work()
    old_bytes_win(world, network, first)
    world.settle(4)

    final = payment_of(world, asked)
    assert (final.status, final.version, final.txid) == (P.COMPLETED, 1, first.txid)
    check_paid_once(world, asked)


def mine(world: World) -> None:
    world.keep.btc.mine()
    world.keep.eth.mine()
    world.keep.clock.time_s += 10


def old_bytes_win(world: World, network: str, old: Payment, depth: int = 1) -> None:
    assert old.raw is not None
    keep = world.keep
    if network == BTC:
        keep.btc.history.reorg(depth, keep=False)
        keep.btc.history.mempool.clear()
        keep.btc.history.floor = 0
        keep.btc.history.take(parse(old.raw))
    else:
        keep.eth.history.reorg(depth, keep=False)
        keep.eth.history.mempool.clear()
        keep.eth.history.base_fee_wei = 0
        keep.eth.history.take(old.raw)
    mine(world)


def test_change_pays_for_the_rise_and_all_inputs_stay(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    world.settle(AFTER + 1)
    first, second = (Psbt.parse(v.request.payload) for v in versions_of(world, asked))

    assert [i.outpoint for i in first.inputs] == [i.outpoint for i in second.inputs]
    rise = second.fee_sats() - first.fee_sats()
    assert rise > 0
    assert {o.script for o in first.outputs} == {o.script for o in second.outputs}
    paid = [o.sats for o in second.outputs if o.script == asked.target]
    assert paid == [asked.units]
    relay = 1_000 * parse(versions_of(world, asked)[1].raw or b"").vsize
    assert rise * 1000 >= relay


def test_where_change_is_too_small_a_confirmed_coin_joins(lite: Database) -> None:
    world = world_of(lite)
    user = world.account("alice")
    world.deposit(user, "BTC", 101_500)
    asked = world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    world.keep.btc.history.floor = 10_500
    world.work()
    world.deposit(user, "BTC", 50_000)
    world.keep.btc.feerate = 14_000
    world.settle(AFTER + 4)

    first, second = versions_of(world, asked)
    assert first.consumes < second.consumes
    check_paid_once(world, asked)


@pytest.mark.parametrize("network", [BTC, ETH])
def test_at_the_cap_it_holds_and_tells_people_once(lite: Database, network: str) -> None:
    world, asked = stuck(lite, network)
    if network == BTC:
        world.keep.btc.history.floor = 10**6
        world.keep.btc.feerate = 10**6
    else:
        world.keep.eth.history.base_fee_wei = 10**15
    world.networks[network] = replace(world.networks[network], bump_step_ppm=2_000_000)
    world.settle(6 * AFTER)

    made = versions_of(world, asked)
    assert 2 <= len(made) <= 5
    assert made[-1].reason
    assert len([one for one in alerts(world) if "held:" in one]) == 1
    assert world.read(asked.id).status is W.BROADCAST
    ceiling = world.read(asked.id).intent.fee_units_max
    assert all(version.fee_units_max <= ceiling for version in made)


@pytest.mark.parametrize("answer", ["taken", "rejected"])
def test_a_gather_that_has_nothing_left_for_a_rise_is_held(lite: Database, answer: str) -> None:
    world = world_of(lite)
    eth = world.keep.eth
    world.fund_hot_gas()
    address = world.deposit(world.account("alice"), "ETH", 5 * 10**16)
    if answer == "rejected":
        eth.faults.append(Fault.REJECTED)
    eth.history.base_fee_wei = 10**9
    assert world.gatherer.run(ETH) == 1
    world.work()
    eth.history.base_fee_wei = 10**11
    for _ in range(AFTER + 2):
        mine(world)
        world.work()
    with lite.read() as tx:
        (payment,) = journal.unfinished(tx, ETH)
        (only,) = versions.of(tx, payment.id)
    assert only.reason == "payment.funds_missing"
    assert sum("held:payment.funds_missing" in alert for alert in alerts(world)) == 1

    eth.history.base_fee_wei = 10**9
    world.keep.clock.time_s += RETRY_S_MAX
    world.work()
    world.settle()
    assert world.desk.get(payment.id).status is P.COMPLETED
    assert eth.held(address.target, "ETH") < 10**15
    world.check_books()


def test_no_rise_is_paid_with_ether_that_a_reorg_may_take(lite: Database) -> None:
    world = world_of(lite)
    eth = world.keep.eth
    world.fund_hot_gas()
    address = world.deposit(world.account("alice"), "ETH", 5 * 10**16)
    eth.history.base_fee_wei = 10**9
    assert world.gatherer.run(ETH) == 1
    world.work()
    eth.history.base_fee_wei = 10**11
    for _ in range(AFTER - 1):
        mine(world)
        world.work()
    eth.fund(address.target, "ETH", 10**18)
    mine(world)
    world.work()
    with lite.read() as tx:
        (payment,) = journal.unfinished(tx, ETH)
        (only,) = versions.of(tx, payment.id)
    assert only.reason == "payment.funds_missing"


def test_signers_that_refuse_a_replacement_leave_the_first_one_alone(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    for signer in world.keep.signers.values():
        signer.refuse = "policy.denied"
    world.settle(AFTER + 2)

    first, second = versions_of(world, asked)
    assert (second.status, second.raw) == (VersionStatus.GIVEN_UP, None)
    assert payment_of(world, asked).version == 1
    assert [one for one in alerts(world) if "replacement:" in one]
    world.keep.btc.history.floor = 0
    world.settle(4)
    assert payment_of(world, asked).txid == first.txid
    check_paid_once(world, asked)


def test_a_version_that_conflicts_with_nothing_is_never_stored(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    with lite.write() as tx:
        payment = journal.get(tx, payment_of(world, asked).id)
        (first,) = versions.of(tx, payment.id)
        beside = versions.NewVersion(
            act=first.act,
            sealed=first.sealed,
            request=first.request,
            payload_digest=first.payload_digest,
            fee_units_max=first.fee_units_max + 1,
            consumes=frozenset({"ff" * 32 + ":0"}),
            height=first.height,
        )
        with pytest.raises(NoConflict):
            versions.add(tx, payment.id, beside, 0)


STEPS = [
    "payment.version_built",
    "payment.answered:hot-a",
    "payment.signed",
    "payment.broadcast_restarted",
    "payment.broadcast_sent",
    "payment.broadcast",
    "payment.confirming",
    "payment.completed",
]


@pytest.mark.parametrize("network", [BTC, ETH])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_of_a_replacement_it_is_paid_once(
    lite: Database, network: str, step: str
) -> None:
    world, asked = stuck(lite, network)
    with pytest.raises(Killed):
        world_of(lite, world.keep, kill_at=step).settle(AFTER + 4)
    world = world_of(lite, world.keep)
    world.settle(AFTER + 5)

    made = [v for v in versions_of(world, asked) if v.status is VersionStatus.SIGNED]
    assert [v.txid for v in made if v.txid in sent(world.keep, network)]
    assert all(made[0].consumes & later.consumes for later in made[1:])
    check_paid_once(world, asked)


@pytest.mark.parametrize("network", [BTC, ETH])
def test_another_version_in_the_better_branch_settles_it(lite: Database, network: str) -> None:
    """Version 2 was mined, a reorg takes it away, and version 1 is in the new branch."""
    world, asked = stuck(lite, network)
    first = payment_of(world, asked)
    while payment_of(world, asked).status is not P.CONFIRMING:
        world.work()
        mine(world)
    assert payment_of(world, asked).version == 2
    old_bytes_win(world, network, first, depth=2)
    world.settle(5)

    assert payment_of(world, asked).txid == first.txid
    check_paid_once(world, asked)


def test_the_proof_holds_over_replaced_payments(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    world.settle(AFTER + 4)
    prover = Prover(world.chains, world.assets, ask_chain=True)
    with lite.read() as tx:
        proof = prover.prove(tx)

    assert (proof.violations, proof.versions, proof.withdrawals) == ((), 2, 1)
    check_paid_once(world, asked)


def test_blocks_from_before_it_was_sent_are_no_wait(lite: Database) -> None:
    """Down for many blocks with signed bytes in hand: they are sent first, and not replaced."""
    world = world_of(lite)
    user = world.account("alice")
    world.deposit(user, "BTC", 5_000_000)
    asked = world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    with pytest.raises(Killed):
        world_of(lite, world.keep, kill_at="payment.signed").work()
    world.keep.btc.mine(10 * AFTER)
    world = world_of(lite, world.keep)
    for _ in range(3):
        world.work()
    assert len(versions_of(world, asked)) == 1
    world.settle(4)

    assert len(versions_of(world, asked)) == 1
    check_paid_once(world, asked)
