"""Stuck batches: replaced by the very same batch at higher fees, whichever is mined counts once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chains.evm.addresses import checksum
from chains.evm.set_code import SignedSetCodeTx, call_of, decode_sweep
from signer.protocol import Kind
from tests.integration.test_gathers_batches import ETHER, UNITS, all_payments, gather, more, users
from tests.integration.test_replacements import AFTER, Killed, alerts, kill_once, make_dear
from tests.payments_world import ETH, Keep, World
from tests.sweeping_chain import SWEEPER, sweeping_keep
from wallet.ledger import chart
from wallet.milestones import Milestone, pass_by
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.proving import Prover
from wallet.payments.replacing.versions import Version
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database


def a_world(database: Database, keep: Keep, milestone: Milestone = pass_by) -> World:
    return World(database, keep, milestone, sweeper=checksum(SWEEPER), bump_after_blocks=AFTER)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def world(database: Database) -> World:
    return a_world(database, sweeping_keep())


def stuck(world: World) -> Payment:
    """A batch that gives leave for three addresses and that no miner takes any more."""
    world.fund_hot_gas(ETHER)
    users(world, 3)
    world.gatherer.run(ETH)
    world.desk.run(ETH)
    make_dear(world.keep, ETH)
    (batch,) = all_payments(world, Kind.EVM_BATCH)
    assert batch.status is P.BROADCAST
    return batch


def versions_of(world: World, batch: Payment) -> list[Version]:
    with world.database.read() as tx:
        return versions.of(tx, batch.id)


def check_gathered_once(world: World, batch: Payment, units: int = 3 * UNITS) -> None:
    done = world.desk.get(batch.id)
    assert (P.COMPLETED, batch.nonce) == (done.status, done.nonce)
    assert world.books(chart.HOT, "DUSD") == units
    assert world.books(chart.NETWORK_FEES, "ETH") == sum(
        one.fee_units or 0 for one in all_payments(world, Kind.EVM_BATCH)
    )
    world.check_books()
    with world.database.read() as tx:
        proof = Prover(world.chains, world.assets, ask_chain=True).prove(tx)
    assert () == proof.violations


def test_a_stuck_batch_is_replaced_by_the_same_at_higher_fees(world: World) -> None:
    batch = stuck(world)
    gather(world, AFTER + 6)

    first, second = (decode_sweep(one.request.payload) for one in versions_of(world, batch))
    old, new = call_of(first), call_of(second)
    assert (new.max_fee_wei, new.priority_fee_wei) > (old.max_fee_wei, old.priority_fee_wei)
    fees = {"max_fee_wei": old.max_fee_wei, "priority_fee_wei": old.priority_fee_wei}
    assert first == replace(second, call=replace(new, **fees))  # type: ignore[arg-type]
    assert isinstance(SignedSetCodeTx.decode(world.desk.get(batch.id).raw or b""), SignedSetCodeTx)
    check_gathered_once(world, batch)


def test_the_first_version_may_be_mined_after_all(world: World) -> None:
    batch = stuck(world)
    history = world.keep.eth.history
    while len(versions_of(world, batch)) < 2:
        gather(world, 1)
    world.desk.run(ETH)
    history.mempool.clear()
    history.base_fee_wei = 1
    world.keep.eth.broadcast(batch.raw or b"")
    gather(world, 6)

    assert world.desk.get(batch.id).txid == batch.txid
    check_gathered_once(world, batch)


def test_a_batch_without_leave_is_replaced_too(world: World) -> None:
    world.fund_hot_gas(ETHER)
    addresses = users(world, 3)
    gather(world)
    more(world, addresses)
    world.gatherer.run(ETH)
    world.desk.run(ETH)
    make_dear(world.keep, ETH)
    gather(world, AFTER + 6)

    batch = all_payments(world, Kind.EVM_BATCH)[1]
    assert 2 == len(versions_of(world, batch))
    assert 2 == (batch.raw or b"")[0]
    check_gathered_once(world, batch, 6 * UNITS)


@pytest.mark.parametrize("step", ["payment.version_built", "payment.signed", "payment.broadcast"])
def test_killed_while_it_is_replaced_it_is_gathered_once(database: Database, step: str) -> None:
    keep = sweeping_keep()
    batch = stuck(a_world(database, keep))
    with pytest.raises(Killed):
        gather(a_world(database, keep, kill_once(step)), AFTER + 6)
    world = a_world(database, keep)
    gather(world, AFTER + 6)

    assert 2 == len(versions_of(world, batch))
    check_gathered_once(world, batch)


def test_above_the_cap_it_is_held_and_people_are_told_once(world: World) -> None:
    batch = stuck(world)
    offered = call_of(decode_sweep(batch.request.payload)).max_fee_wei
    world.networks[ETH] = replace(world.networks[ETH], feerate_max=offered)
    gather(world, AFTER + 6)

    assert [1] == [one.number for one in versions_of(world, batch)]
    assert P.BROADCAST is world.desk.get(batch.id).status
    (told,) = [one for one in alerts(world) if "held:" in one]
    assert "payment.fee_at_cap" in told
