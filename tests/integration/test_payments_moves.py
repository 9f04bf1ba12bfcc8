"""Movements between hot and cold: signed by hot signers or by files, executed, booked once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from chains.evm.safe import SafeTx, SafeVault
from chains.evm.safe_signatures import recover_owners
from chains.evm.transactions import UnsignedTx
from signer.protocol import Approval, Intent, Payee, Purpose
from tests.payments_world import BTC, ETH, World, outside_address
from wallet.addresses.accounts import account_id_of
from wallet.addresses.issuing import Address
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.ledger import chart
from wallet.payments import journal
from wallet.payments.errors import BadOrder, NotOffline, PolicyRefused, SenderBusy
from wallet.payments.journal import AnswerConflict, Payment
from wallet.payments.states import ForbiddenPaymentArrow
from wallet.payments.states import PaymentStatus as P
from wallet.signing.errors import AnswerRefused
from wallet.store.database import Database
from wallet.store.schema import payments, utxos

DAY_S = 86_400


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[World]:
    """A world on SQLite alone."""
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield World(database)
    database.close()


def move(
    world: World, purpose: Purpose, asset: str, source: str, to: Address, units: int
) -> Payment:
    """The payment of a movement that two people approved."""
    now_s = world.keep.clock.now_s()
    intent = Intent(
        intent_id=world.keep.ids(),
        purpose=purpose,
        network=world.assets[asset].network,
        asset=asset,
        source=source,
        payees=(Payee(address=to.address, units=units),),
        fee_units_max=world.networks[world.assets[asset].network].fee_units_max,
        requester="treasury:automatic",
        created_s=now_s,
        expires_s=now_s + DAY_S,
    )
    approvals = [
        Approval(body=Approval.body_of(name, intent.digest, now_s), sig=b"verified elsewhere")
        for name in ("ann", "ben")
    ]
    made: list[str] = []

    def attach(tx: Connection, payment_id: str) -> None:
        made.append(payment_id)

    world.moves.build_move(intent, approvals, attach)
    return world.desk.get(made[0])


def answer(world: World, payment_id: str, *names: str) -> None:
    """The named keyholders sign from the exported file; their files come back."""
    file = world.desk.export(payment_id)
    for name in names:
        world.desk.attach(payment_id, world.keep.signers[name].answer(file))


def cold_btc(world: World, units: int = 8_000_000) -> tuple[Address, Address]:
    """House money in the cold vault; the hot address to refill."""
    cold = world.own_address(BTC, "bitcoin-cold", AddressPurpose.COLD)
    hot = world.own_address(BTC, "bitcoin-hot", AddressPurpose.HOT)
    world.keep.btc.fund(cold.target, units)
    world.confirm()
    return cold, hot


def cold_eth(world: World) -> Address:
    """House ether and tokens in the Safe; the hot account."""
    safe = world.own_address(ETH, "ethereum-cold", AddressPurpose.COLD)
    hot = world.fund_hot_gas()
    world.keep.eth.fund(safe.target, "ETH", 10**19)
    world.keep.eth.fund(safe.target, "DUSD", 70_000_000)
    world.confirm()
    return hot


def status(world: World, payment: Payment) -> tuple[P, str]:
    found = world.desk.get(payment.id)
    return found.status, found.sub_status


def child_of(world: World, payment: Payment) -> Payment:
    with world.database.read() as tx:
        child = journal.child_of(tx, payment.id)
    assert child is not None
    return child


def test_a_sweep_is_signed_by_the_hot_signers_alone(world: World) -> None:
    world.deposit(world.account("alice"), "BTC", 5_000_000)
    cold = world.own_address(BTC, "bitcoin-cold", AddressPurpose.COLD)
    payment = move(world, Purpose.SWEEP, "BTC", "bitcoin-hot", cold, 3_000_000)
    assert payment.request.own[0].source == "bitcoin-cold"
    world.settle()
    assert status(world, payment) == (P.COMPLETED, "")
    assert world.books(chart.COLD, "BTC") == 3_000_000
    assert world.available(account_id_of("alice"), "BTC") == 5_000_000
    world.check_books()


def test_an_ether_sweep_pays_the_safe(world: World) -> None:
    hot = cold_eth(world)
    safe = world.own_address(ETH, "ethereum-cold", AddressPurpose.COLD)
    payment = move(world, Purpose.SWEEP, "ETH", "ethereum-hot", safe, 10**17)
    world.settle()
    assert status(world, payment) == (P.COMPLETED, "")
    assert payment.sender == hot.address
    assert world.books(chart.COLD, "ETH") == 10**19 + 10**17
    world.check_books()


def test_a_refill_waits_for_two_of_three_keyholders(world: World) -> None:
    _, hot = cold_btc(world)
    payment = move(world, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 2_000_000)
    world.settle(2)
    assert status(world, payment) == (P.BUILT, "")
    answer(world, payment.id, "keyholder-1")
    world.settle(2)
    assert status(world, payment) == (P.SIGNING, "")
    answer(world, payment.id, "keyholder-3")
    world.settle()
    assert status(world, payment) == (P.COMPLETED, "")
    fee = world.desk.get(payment.id).fee_units
    assert fee is not None
    assert world.books(chart.HOT, "BTC") == 2_000_000
    assert world.books(chart.COLD, "BTC") == 8_000_000 - 2_000_000 - fee
    world.check_books()


def test_the_request_carries_the_approvals(lite: World) -> None:
    _, hot = cold_btc(lite)
    payment = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 2_000_000)
    assert [a.approver for a in payment.request.approvals] == ["ann", "ben"]
    assert payment.request.expires_s == payment.request.intents[0].expires_s
    assert payment.request.signers == ("keyholder-1", "keyholder-2", "keyholder-3")


def test_one_refusal_of_three_leaves_two(lite: World) -> None:
    _, hot = cold_btc(lite)
    payment = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 2_000_000)
    lite.keep.signers["keyholder-1"].refuse = "policy.denied"
    answer(lite, payment.id, "keyholder-1", "keyholder-2")
    lite.work()
    assert status(lite, payment) == (P.SIGNING, "")
    answer(lite, payment.id, "keyholder-3")
    lite.settle()
    assert status(lite, payment) == (P.COMPLETED, "")


def test_two_refusals_of_three_end_it_and_free_the_coins(lite: World) -> None:
    _, hot = cold_btc(lite)
    payment = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 2_000_000)
    for name in ("keyholder-1", "keyholder-2"):
        lite.keep.signers[name].refuse = "policy.denied"
    answer(lite, payment.id, "keyholder-1", "keyholder-2")
    lite.work()
    assert status(lite, payment) == (P.ABANDONED, "refused:policy.denied")
    assert reserved(lite) == 0


def reserved(world: World) -> int:
    with world.database.read() as tx:
        return tx.execute(
            select(func.count()).select_from(utxos).where(utxos.c.payment_id.is_not(None))
        ).scalar_one()


def test_a_refill_that_nobody_signs_expires(lite: World) -> None:
    _, hot = cold_btc(lite)
    built = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)
    lite.keep.clock.time_s += DAY_S
    lite.work()
    assert status(lite, built) == (P.ABANDONED, "expired")
    exported = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)
    answer(lite, exported.id, "keyholder-1")
    lite.keep.clock.time_s += DAY_S
    lite.work()
    assert status(lite, exported) == (P.ABANDONED, "expired")
    assert reserved(lite) == 0


def test_people_call_a_refill_off_until_it_is_valid(lite: World) -> None:
    _, hot = cold_btc(lite)
    first = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)
    lite.desk.export(first.id)
    lite.desk.abandon(first.id, "cancelled")
    assert status(lite, first) == (P.ABANDONED, "cancelled")
    second = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)
    answer(lite, second.id, "keyholder-1", "keyholder-2")
    lite.work()
    with pytest.raises(ForbiddenPaymentArrow):
        lite.desk.abandon(second.id, "too late")


def test_the_same_file_twice_changes_nothing(lite: World) -> None:
    _, hot = cold_btc(lite)
    payment = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)
    file = lite.desk.export(payment.id)
    assert lite.desk.export(payment.id) == file
    made = lite.keep.signers["keyholder-1"].answer(file)
    lite.desk.attach(payment.id, made)
    lite.desk.attach(payment.id, made)
    with lite.database.read() as tx:
        assert list(journal.answers(tx, payment.id)) == ["keyholder-1"]


def test_a_second_different_answer_of_one_signer_is_refused(lite: World) -> None:
    _, hot = cold_btc(lite)
    payment = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)
    file = lite.desk.export(payment.id)
    signer = lite.keep.signers["keyholder-1"]
    lite.desk.attach(payment.id, signer.answer(file))
    with pytest.raises(AnswerConflict):
        lite.desk.attach(payment.id, signer.answer(file))


def test_answers_that_do_not_belong_are_refused(lite: World) -> None:
    _, hot = cold_btc(lite)
    payment = move(lite, Purpose.REFILL, "BTC", "bitcoin-cold", hot, 1_000_000)
    file = lite.desk.export(payment.id)
    signer = lite.keep.signers["keyholder-1"]
    good = signer.answer(file)
    with pytest.raises(AnswerRefused, match="no answer"):
        lite.desk.attach(payment.id, good[:-1])
    with pytest.raises(AnswerRefused, match="expected one of"):
        lite.desk.attach(payment.id, lite.keep.signers["hot-a"].answer(file))
    signer.seed = b"\x99" * 32
    with pytest.raises(AnswerRefused, match="does not verify"):
        lite.desk.attach(payment.id, signer.answer(file))


def test_a_hot_payment_takes_no_files(lite: World) -> None:
    lite.deposit(lite.account("alice"), "BTC", 5_000_000)
    cold = lite.own_address(BTC, "bitcoin-cold", AddressPurpose.COLD)
    payment = move(lite, Purpose.SWEEP, "BTC", "bitcoin-hot", cold, 3_000_000)
    for call in (
        lambda: lite.desk.export(payment.id),
        lambda: lite.desk.attach(payment.id, b""),
        lambda: lite.desk.abandon(payment.id, "no"),
    ):
        with pytest.raises(NotOffline):
            call()


def test_a_movement_pays_nobody_but_ourselves(lite: World) -> None:
    lite.deposit(lite.account("alice"), "BTC", 5_000_000)
    cold = lite.own_address(BTC, "bitcoin-cold", AddressPurpose.COLD)
    stranger = replace(cold, address=outside_address(3))
    with pytest.raises(BadOrder, match="an address of ours"):
        move(lite, Purpose.SWEEP, "BTC", "bitcoin-hot", stranger, 1_000_000)


def test_the_policy_wants_cold_as_the_end_of_a_sweep(lite: World) -> None:
    lite.deposit(lite.account("alice"), "BTC", 5_000_000)
    hot = lite.own_address(BTC, "bitcoin-hot", AddressPurpose.HOT)
    with pytest.raises(PolicyRefused) as caught:
        move(lite, Purpose.SWEEP, "BTC", "bitcoin-hot", hot, 1_000_000)
    assert caught.value.details["reason"] == "destinations.owner"


@pytest.mark.parametrize(("asset", "units"), [("ETH", 10**18), ("DUSD", 5_000_000)])
def test_a_safe_refill_is_executed_by_the_hot_account(world: World, asset: str, units: int) -> None:
    hot = cold_eth(world)
    before = world.books(chart.HOT, "ETH")
    payment = move(world, Purpose.REFILL, asset, "ethereum-cold", hot, units)
    answer(world, payment.id, "keyholder-2", "keyholder-3")
    world.settle(6)
    assert status(world, payment) == (P.COMPLETED, "")
    child = child_of(world, payment)
    assert (child.status, child.source, child.parent_id) == (
        P.COMPLETED,
        "ethereum-hot",
        payment.id,
    )
    tx = UnsignedTx.decode(child.request.payload)
    nonce = child.request.safe_nonce
    assert nonce == SafeTx.decode(payment.request.payload).nonce
    inner, packed = SafeTx.decode_execution(
        tx.data, chain_id=tx.chain_id, safe=tx.to, nonce=nonce or 0
    )
    # What the hot signer checks before it lends its name to them.
    vault = world.desk.context.vault("ethereum-cold")
    assert isinstance(vault, SafeVault)
    assert set(recover_owners(inner.safe_tx_hash, packed)) <= set(vault.owners)
    assert child.fee_units is not None
    gained = units if asset == "ETH" else 0
    assert world.books(chart.HOT, "ETH") == before + gained - child.fee_units
    if asset == "DUSD":
        assert world.books(chart.HOT, "DUSD") == units
    assert world.desk.get(payment.id).txid is None
    world.check_books()


def test_an_execution_that_is_refused_is_built_again_with_the_same_payload(lite: World) -> None:
    hot = cold_eth(lite)
    payment = move(lite, Purpose.REFILL, "ETH", "ethereum-cold", hot, 10**18)
    answer(lite, payment.id, "keyholder-1", "keyholder-2")
    lite.keep.signers["hot-a"].refuse = "policy.denied"
    lite.work()
    lite.work()
    assert status(lite, payment)[0] is P.BROADCAST
    lite.keep.signers["hot-a"].refuse = ""
    lite.settle(6)
    assert status(lite, payment) == (P.COMPLETED, "")
    assert len(lite.keep.eth.sent) == 1
    lite.check_books()


def test_an_execution_that_reverts_fails_the_refill_and_books_the_gas(lite: World) -> None:
    hot = cold_eth(lite)
    payment = move(lite, Purpose.REFILL, "DUSD", "ethereum-cold", hot, 5_000_000)
    answer(lite, payment.id, "keyholder-1", "keyholder-2")
    lite.work()
    lite.keep.eth.reverting.add(hot.target)
    lite.settle(6)
    assert status(lite, payment) == (P.FAILED, "reverted")
    assert lite.books(chart.COLD, "DUSD") == 70_000_000
    lite.check_books()


def test_a_safe_payload_given_up_leaves_its_nonce(lite: World) -> None:
    hot = cold_eth(lite)
    first = move(lite, Purpose.REFILL, "ETH", "ethereum-cold", hot, 10**18)
    assert first.nonce == 0
    lite.desk.abandon(first.id, "cancelled")
    second = move(lite, Purpose.REFILL, "ETH", "ethereum-cold", hot, 10**18)
    assert second.nonce == 0
    answer(lite, second.id, "keyholder-1", "keyholder-2")
    lite.settle(6)
    third = move(lite, Purpose.REFILL, "ETH", "ethereum-cold", hot, 10**18)
    assert third.nonce == 1


STEPS = ["payment.built", "payment.signed", "payment.broadcast_sent", "payment.completed"]


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("wanted", STEPS)
@pytest.mark.parametrize("asset", ["BTC", "ETH"])
def test_a_refill_killed_at_a_step_is_paid_once(lite: World, asset: str, wanted: str) -> None:
    hot = cold_eth(lite) if asset == "ETH" else cold_btc(lite)[1]
    source = "ethereum-cold" if asset == "ETH" else "bitcoin-cold"
    units = 10**18 if asset == "ETH" else 10**6
    payment = move(lite, Purpose.REFILL, asset, source, hot, units)
    answer(lite, payment.id, "keyholder-1", "keyholder-2")

    def milestone(name: str) -> None:
        if name == wanted:
            raise Killed

    killed = World(lite.database, lite.keep, milestone)
    if asset == "ETH" or wanted != "payment.built":
        with pytest.raises(Killed):
            killed.settle(6)
    lite.settle(6)
    assert status(lite, payment) == (P.COMPLETED, "")
    chain = lite.keep.eth if asset == "ETH" else lite.keep.btc
    assert len(chain.sent) == 1
    with lite.database.read() as tx:
        count = tx.execute(select(func.count()).select_from(payments)).scalar_one()
    assert count == (2 if asset == "ETH" else 1)
    lite.check_books()


def test_a_safe_refill_too_small_for_its_fee_is_not_signed_at_all(lite: World) -> None:
    hot = cold_eth(lite)
    with pytest.raises(PolicyRefused) as caught:
        move(lite, Purpose.REFILL, "ETH", "ethereum-cold", hot, 10**9)
    assert caught.value.details["reason"] == "fees.share"


def test_the_second_safe_refill_waits_for_the_first(lite: World) -> None:
    """Both would take the Safe's next nonce: only one of them can ever run."""
    hot = cold_eth(lite)
    move(lite, Purpose.REFILL, "ETH", "ethereum-cold", hot, 10**18)
    with pytest.raises(SenderBusy):
        move(lite, Purpose.REFILL, "DUSD", "ethereum-cold", hot, 5_000_000)
