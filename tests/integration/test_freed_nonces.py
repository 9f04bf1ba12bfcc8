"""Nonces of ours: a stuck payment dropped, a hole filled, a stranger's use told, never guessed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import coincurve
import pytest

from chains.evm.addresses import from_text
from chains.evm.transactions import UnsignedTx
from tests import evm_world
from tests.integration.test_replacements import (
    AFTER,
    Killed,
    alerts,
    check_paid_once,
    mine,
    payment_of,
    sent,
    stuck,
    versions_of,
    world_of,
)
from tests.payments_world import BTC, CUSTOMER, ETH, POLICY, World
from wallet.ledger import chart
from wallet.payments.errors import PolicyRefused, SenderBusy
from wallet.payments.replacing import versions
from wallet.payments.replacing.building import FeeAtCap, NotReplaceable
from wallet.payments.replacing.nonces import FOREIGN_NONCE, NotLost
from wallet.payments.replacing.proving import Prover
from wallet.payments.replacing.versions import Act, Version
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus as W


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield database
    database.close()


def check_proof(world: World) -> None:
    with world.database.read() as tx:
        assert Prover(world.chains, world.assets, ask_chain=True).prove(tx).violations == ()


def check_given_back(world: World, asked: Withdrawal) -> None:
    assert (world.read(asked.id).status, world.read(asked.id).sub_status) == (W.FAILED, "dropped")
    assert world.available(asked.account_id, "ETH") == 10**18
    assert world.keep.eth.held(asked.target, "ETH") == 0
    world.check_books()
    check_proof(world)


def test_a_dropped_withdrawal_gives_money_back_when_the_drop_is_final(database: Database) -> None:
    world, asked = stuck(database, ETH)
    payment = payment_of(world, asked)
    world.desk.freer.drop(payment.id)
    world.work()
    assert world.read(asked.id).status is W.BROADCAST
    world.keep.eth.mine()
    world.work()
    assert world.read(asked.id).status is W.CONFIRMING
    world.settle(3)

    assert [v.act for v in versions_of_payment(world, payment.id)] == [Act.PAY, Act.DROP]
    assert world.desk.get(payment.id).status is P.FAILED
    assert world.books(chart.NETWORK_FEES, "ETH") != 0
    check_given_back(world, asked)


def versions_of_payment(world: World, payment_id: str) -> list[Version]:
    with world.database.read() as tx:
        return versions.of(tx, payment_id)


def test_the_payment_may_still_win_over_its_drop(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    old = payment_of(world, asked)
    world.desk.freer.drop(old.id)
    world.keep.eth.history.base_fee_wei = 0
    world.keep.eth.mine()
    world.settle(4)

    assert world.desk.get(old.id).txid == old.txid
    check_paid_once(world, asked)
    check_proof(world)


@pytest.mark.parametrize(
    "step",
    [
        "payment.version_built",
        "payment.answered:hot-a",
        "payment.signed",
        "payment.broadcast_restarted",
        "payment.broadcast_sent",
        "payment.confirming",
        "payment.failed",
    ],
)
def test_killed_at_a_step_of_a_drop(lite: Database, step: str) -> None:
    world, asked = stuck(lite, ETH)
    dying = world_of(lite, world.keep, kill_at=step)

    def drop() -> None:
        dying.desk.freer.drop(payment_of(world, asked).id)
        dying.settle(5)

    with pytest.raises(Killed):
        drop()
    world = world_of(lite, world.keep)
    world.settle(5)

    check_given_back(world, asked)


def test_a_stuck_drop_is_bumped_and_stays_a_drop(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    payment = payment_of(world, asked)
    world.desk.freer.drop(payment.id)
    world.work()
    world.keep.eth.history.base_fee_wei = 2 * 10**10
    world.settle(AFTER + 4)

    made = versions_of_payment(world, payment.id)
    assert [v.act for v in made][:3] == [Act.PAY, Act.DROP, Act.DROP]
    check_given_back(world, asked)


def test_a_hole_below_our_nonces_is_filled(lite: Database) -> None:
    """The chain lost a transaction of ours for ever that no payment of this database has."""
    world = world_of(lite)
    user = world.account("alice")
    world.fund_hot_gas()
    world.deposit(user, "ETH", 10**18)
    asked = with_nonce(world, user, 2)
    world.settle(AFTER + 4)

    assert world.read(asked.id).status is W.COMPLETED
    assert len(sent(world.keep, ETH)) == 3
    assert sorted(one for one in alerts(world) if "hole:" in one)
    check_paid_once(world, asked)
    check_proof(world)


def with_nonce(world: World, user: str, nonce: int) -> Withdrawal:
    """A withdrawal whose payment got a nonce ahead of the chain's."""
    quote = world.desk.evm.quote

    def ahead(*args: object) -> object:
        return replace(quote(*args), nonce=nonce)  # type: ignore[arg-type]

    world.desk.evm.quote = ahead  # type: ignore[method-assign, assignment]
    asked = world.withdraw(user, "ETH", CUSTOMER, 10**16, "w-1")
    world.work()
    world.desk.evm.quote = quote  # type: ignore[method-assign]
    return asked


def test_a_strangers_use_of_our_nonce_is_told_once_and_ended_by_people(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    payment = payment_of(world, asked)
    stranger_uses(world, payment.nonce or 0)
    with pytest.raises(NotLost):
        world.desk.nonces.give_up(payment.id)
    world.settle(AFTER + 2)

    assert world.read(asked.id).status is W.BROADCAST
    assert len([one for one in alerts(world) if FOREIGN_NONCE in one]) == 1
    world.desk.nonces.give_up(payment.id)
    assert (world.read(asked.id).status, world.desk.get(payment.id).sub_status) == (
        W.FAILED,
        FOREIGN_NONCE,
    )


def stranger_uses(world: World, nonce: int) -> None:
    """Somebody with a copy of our key signs something else under our nonce."""
    unsigned = UnsignedTx(
        chain_id=evm_world.CHAIN_ID,
        nonce=nonce,
        priority_fee_wei=10**10,
        max_fee_wei=10**11,
        gas_limit=21_000,
        to=from_text(evm_world.HOT_KEY.address(0)),
        value_wei=5,
    )
    made = coincurve.PrivateKey(evm_world.HOT_KEY.secret(0)).sign_recoverable(
        unsigned.signing_hash, hasher=None
    )
    signed = unsigned.with_signature(made[:64] + bytes([27 + made[64]]))
    world.keep.eth.history.take(signed.raw)
    world.keep.eth.mine()
    mine(world)


def test_a_payment_that_is_mined_is_not_given_up(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    world.keep.eth.history.base_fee_wei = 0
    world.keep.eth.mine(5)
    with pytest.raises(NotLost, match="may still be mined"):
        world.desk.nonces.give_up(payment_of(world, asked).id)
    world.settle(3)
    check_paid_once(world, asked)
    assert versions_of(world, asked)


def test_coins_have_no_nonce_to_drop(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    with pytest.raises(NotReplaceable):
        world.desk.freer.drop(payment_of(world, asked).id)


def test_a_nonce_of_a_payment_of_ours_is_no_hole(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    payment = payment_of(world, asked)
    assert payment.request.sender is not None and payment.nonce is not None
    with pytest.raises(SenderBusy):
        world.desk.freer.fill(ETH, payment.request.sender, payment.nonce)


def test_a_drop_above_the_cap_is_not_made(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    payment = payment_of(world, asked)
    offered = UnsignedTx.decode(payment.request.payload).max_fee_wei
    world.networks[ETH] = replace(world.networks[ETH], feerate_max=offered)
    with pytest.raises(FeeAtCap):
        world.desk.freer.drop(payment.id)
    assert 1 == len(versions_of_payment(world, payment.id))


def test_without_a_rule_for_it_no_fee_frees_a_nonce(
    lite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = POLICY.read_text()
    start = text.index("# A fee for a stuck nonce")
    without = tmp_path / "policy.toml"
    without.write_text(text[:start] + text[text.index("# All three caps") :])
    monkeypatch.setattr("tests.payments_world.POLICY", without)
    world, asked = stuck(lite, ETH)
    with pytest.raises(PolicyRefused):
        world.desk.freer.drop(payment_of(world, asked).id)
    assert 1 == len(versions_of_payment(world, payment_of(world, asked).id))
