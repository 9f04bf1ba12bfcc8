"""Withdrawals paid over fake chains: what is asked for is paid once and booked to the unit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from chains.errors import CodecError, NodeUnavailable
from chains.types import OutPoint, TxSighting, TxState
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from tests import evm_world
from tests.fakes import Fault, SignerFault
from tests.payments_world import BTC, CUSTOMER, ETH, World, outside_address
from wallet.events import read_events
from wallet.ledger import chart
from wallet.payments import journal
from wallet.payments.building.requesting import REQUEST_LIFE_S
from wallet.payments.replacing import versions
from wallet.payments.sending import attempts
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.store.schema import payments, utxos
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus as W


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


def a_batch(world: World, count: int = 3) -> list[Withdrawal]:
    user = world.account("alice")
    world.deposit(user, "BTC", 5_000_000)
    return [
        world.withdraw(user, "BTC", outside_address(i), 100_000 + i, f"w-{i}") for i in range(count)
    ]


def an_ether(world: World, units: int = 10**16) -> Withdrawal:
    user = world.account("bob")
    world.fund_hot_gas(10**18)
    world.deposit(user, "ETH", 10**18)
    return world.withdraw(user, "ETH", CUSTOMER, units, "e-1")


def a_token(world: World, units: int = 2_000_000) -> Withdrawal:
    user = world.account("carol")
    hot = world.fund_hot_gas(10**18)
    world.keep.eth.fund(hot.target, "DUSD", 50_000_000)
    world.deposit(user, "DUSD", 9_000_000)
    return world.withdraw(user, "DUSD", CUSTOMER, units, "d-1")


def states(world: World, asked: list[Withdrawal]) -> set[tuple[W, str]]:
    return {(w.status, w.sub_status) for w in (world.read(a.id) for a in asked)}


def payment_of(world: World, withdrawal: Withdrawal) -> journal.Payment:
    payment_id = world.read(withdrawal.id).payment_id
    assert payment_id is not None
    return world.desk.get(payment_id)


def all_payments(world: World) -> list[tuple[P, str]]:
    with world.database.read() as tx:
        rows = tx.execute(select(payments.c.status, payments.c.sub_status))
        return sorted((P(row.status), row.sub_status) for row in rows)


def alerts(world: World) -> list[str]:
    with world.database.read() as tx:
        return [e.body for e in read_events(tx, 0, 1000) if e.type == "alert.payment"]


def test_withdrawals_of_one_network_share_one_transaction(world: World) -> None:
    asked = a_batch(world, 5)
    user = asked[0].account_id
    assert {w.status for w in asked} == {W.QUEUED}
    world.settle()
    done = [world.read(w.id) for w in asked]
    assert {w.status for w in done} == {W.COMPLETED}
    assert len({w.txid for w in done}) == 1
    for withdrawal in asked:
        assert world.keep.btc.paid_units(withdrawal.target) == withdrawal.units
    spent = sum(w.units for w in asked) + 5 * 500
    assert world.available(user, "BTC") == 5_000_000 - spent
    assert world.books(chart.FEE_INCOME, "BTC") == 2_500
    assert world.books(chart.NETWORK_FEES, "BTC") == payment_of(world, asked[0]).fee_units
    assert world.books(chart.CLEARING, "BTC") == 0
    world.check_books()


def test_the_second_parser_sees_every_transaction_before_it_is_stored(lite: World) -> None:
    asked = a_batch(lite)
    lite.keep.second_parser.disagrees = CodecError("another sum")
    lite.settle()
    assert states(lite, asked) == {(W.SIGNING, "")}
    assert lite.keep.btc.sent == []
    assert "payment.bad_signatures" in alerts(lite)[0]
    lite.keep.second_parser.disagrees = None
    lite.settle()
    assert states(lite, asked) == {(W.COMPLETED, "")}


def test_a_signature_that_does_not_verify_is_never_sent(lite: World) -> None:
    asked = a_batch(lite, 1)
    real = lite.keep.signers["hot-b"].sign_with
    lite.keep.signers["hot-b"].sign_with = lambda request: [
        type(s)(
            index=s.index, public_key=s.public_key, signature=s.signature[:-5] + b"\0\0\0\0\x01"
        )
        for s in real(request)
    ]
    lite.settle()
    assert lite.keep.btc.sent == []
    assert states(lite, asked) == {(W.SIGNING, "")}


def test_evm_withdrawals_take_nonces_in_order(world: World) -> None:
    first = an_ether(world)
    more = [world.withdraw(first.account_id, "ETH", CUSTOMER, 10**16 + i, f"e-{i}") for i in (2, 3)]
    world.settle(8)
    assert states(world, [first, *more]) == {(W.COMPLETED, "")}
    assert world.keep.eth.held(evm_world.CUSTOMER, "ETH") == 3 * 10**16 + 5
    assert [payment_of(world, w).nonce for w in (first, *more)] == [0, 1, 2]
    world.check_books()


def test_a_token_withdrawal_is_booked_in_token_and_gas(world: World) -> None:
    asked = a_token(world)
    gas_before = world.books(chart.HOT, "ETH")
    world.settle()
    assert states(world, [asked]) == {(W.COMPLETED, "")}
    assert world.keep.eth.held(evm_world.CUSTOMER, "DUSD") == 2_000_000
    fee = payment_of(world, asked).fee_units
    assert fee is not None
    assert world.books(chart.HOT, "ETH") == gas_before - fee
    assert world.books(chart.HOT, "DUSD") == 48_000_000
    world.check_books()


def test_a_revert_gives_the_money_back_and_books_the_gas(world: World) -> None:
    asked = a_token(world)
    world.work()
    world.keep.eth.reverting.add(evm_world.CUSTOMER)
    world.settle()
    assert states(world, [asked]) == {(W.FAILED, "reverted")}
    assert world.available(asked.account_id, "DUSD") == 9_000_000
    assert world.books(chart.NETWORK_FEES, "ETH") == payment_of(world, asked).fee_units
    assert world.keep.eth.held(evm_world.CUSTOMER, "DUSD") == 0
    world.check_books()


def test_a_call_that_would_revert_is_not_sent(lite: World) -> None:
    asked = a_token(lite)
    lite.keep.eth.reverting.add(evm_world.CUSTOMER)
    lite.settle()
    assert states(lite, [asked]) == {(W.BLOCKED, "payment.would_revert")}
    assert lite.keep.eth.sent == []
    lite.keep.eth.reverting.clear()
    with lite.database.write() as tx:
        lite.withdrawals.release(tx, asked.id)
    lite.settle()
    assert states(lite, [asked]) == {(W.COMPLETED, "")}


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER])
@pytest.mark.parametrize("network", [BTC, ETH])
def test_a_lost_answer_is_resolved_by_looking(lite: World, fault: Fault, network: str) -> None:
    asked = a_batch(lite) if network == BTC else [an_ether(lite)]
    chain = lite.keep.btc if network == BTC else lite.keep.eth
    chain.faults.append(fault)
    lite.work()
    assert states(lite, asked) == {(W.BROADCAST, "")}
    raw = payment_of(lite, asked[0]).raw
    lite.settle(6)
    assert states(lite, asked) == {(W.COMPLETED, "")}
    assert len(chain.sent) == 1
    assert payment_of(lite, asked[0]).raw == raw
    lite.check_books()


@pytest.mark.parametrize(
    ("words", "told"), [("mempool full", 0), ("mandatory-script-verify-flag-failed", 1)]
)
def test_a_rejected_broadcast_waits_with_the_same_bytes(lite: World, words: str, told: int) -> None:
    """People are told only where the table of rejections says that they have to look."""
    asked = a_batch(lite)
    lite.keep.btc.line.rejection = words
    lite.keep.btc.faults.extend([Fault.REJECTED, Fault.REJECTED])
    lite.settle(3)
    payment = payment_of(lite, asked[0])
    assert len(alerts(lite)) == told
    lite.settle(5)
    assert states(lite, asked) == {(W.COMPLETED, "")}
    with lite.database.read() as tx:
        outcomes = [a.outcome for a in attempts.of(tx, payment.id)]
    assert outcomes == ["rejected", "rejected", "accepted"]
    assert lite.keep.btc.sent == [payment.txid]


@pytest.mark.parametrize("network", [BTC, ETH])
def test_a_reorg_before_the_end_sends_the_same_bytes_again(lite: World, network: str) -> None:
    asked = a_batch(lite) if network == BTC else [an_ether(lite)]
    chain = lite.keep.btc if network == BTC else lite.keep.eth
    lite.work()
    chain.mine()
    lite.work()
    assert states(lite, asked) == {(W.CONFIRMING, "")}
    txid = payment_of(lite, asked[0]).txid
    chain.reorg(1, keep=False)
    lite.work()
    assert states(lite, asked) == {(W.BROADCAST, "")}
    assert payment_of(lite, asked[0]).height is None
    lite.keep.clock.time_s += 300
    lite.settle(6)
    done = [lite.read(w.id) for w in asked]
    assert {w.status for w in done} == {W.COMPLETED}
    assert {w.txid for w in done} == {txid}
    assert chain.sent == [txid]
    lite.check_books()


@pytest.mark.parametrize("network", [BTC, ETH])
def test_after_a_deep_reorg_a_payment_must_be_deeper_too(lite: World, network: str) -> None:
    asked = a_batch(lite) if network == BTC else [an_ether(lite)]
    chain = lite.keep.btc if network == BTC else lite.keep.eth
    chain.mine(2)
    lite.work()
    chain.reorg(2)
    lite.networks[network] = replace(
        lite.networks[network],
        reorg_alarm_depth=2,
        reorg_alarm_blocks=50,
        reorg_alarm_confirmations=9,
    )
    lite.settle(9)
    assert states(lite, asked) == {(W.CONFIRMING, "")}
    lite.settle(3)
    assert states(lite, asked) == {(W.COMPLETED, "")}


def test_a_coin_spent_elsewhere_for_good_ends_the_payment(world: World) -> None:
    asked = a_batch(world)
    world.keep.btc.faults.append(Fault.LOST_BEFORE)
    world.work()
    payment = payment_of(world, asked[0])
    with world.database.read() as tx:
        coin = tx.execute(select(utxos).where(utxos.c.payment_id == payment.id)).one()
    thief = Transaction(
        inputs=(TxInput(txid=coin.txid, vout=coin.vout, witness=(b"\x01",)),),
        outputs=(TxOutput(sats=1000, script=b"\x00\x14" + bytes(20)),),
    )
    world.keep.btc.mempool[thief.txid] = thief
    world.keep.btc.mine()
    world.work()
    assert states(world, asked) == {(W.BROADCAST, "")}  # one block deep is not for good
    world.keep.btc.mine()
    world.work()
    assert states(world, asked) == {(W.FAILED, "conflict")}
    assert world.available(asked[0].account_id, "BTC") == 5_000_000
    assert OutPoint(coin.txid, coin.vout) == OutPoint(thief.inputs[0].txid, thief.inputs[0].vout)


def test_a_refused_batch_is_tried_one_by_one(lite: World) -> None:
    asked = a_batch(lite)
    bad = asked[1].intent_digest
    signer = lite.keep.signers["hot-a"]
    normal = signer._refusal

    def refuses_one(request: object) -> str:
        digests = [intent.digest for intent in request.intents]  # type: ignore[attr-defined]
        return "policy.denied" if bad in digests else normal(request)  # type: ignore[arg-type]

    signer._refusal = refuses_one  # type: ignore[method-assign]
    lite.settle(10)
    found = [lite.read(w.id) for w in asked]
    assert [w.status for w in found] == [W.COMPLETED, W.BLOCKED, W.COMPLETED]
    assert found[1].sub_status == "refused:policy.denied"
    assert lite.keep.btc.paid_units(asked[1].target) == 0
    lite.check_books()


def test_refused_by_the_second_signer_ends_and_gives_back(lite: World) -> None:
    asked = a_batch(lite)
    lite.keep.signers["hot-b"].refuse = "policy.denied"
    lite.settle()
    assert states(lite, asked) == {(W.FAILED, "refused:policy.denied")}
    assert lite.available(asked[0].account_id, "BTC") == 5_000_000
    assert all_payments(lite) == [(P.ABANDONED, "refused:policy.denied")]
    lite.keep.signers["hot-b"].refuse = ""
    again = lite.withdraw(asked[0].account_id, "BTC", outside_address(1), 4_000_000, "w-again")
    lite.settle()
    assert states(lite, [again]) == {(W.COMPLETED, "")}  # its coins were free again


@pytest.mark.parametrize("fault", [SignerFault.SILENT_BEFORE, SignerFault.UNREADY])
def test_a_signer_that_does_not_answer_is_asked_again(lite: World, fault: SignerFault) -> None:
    asked = a_batch(lite)
    lite.keep.signers["hot-b"].faults.extend([fault, fault, fault])
    lite.work()
    assert states(lite, asked) == {(W.SIGNING, "")}
    assert "signing." in payment_of(lite, asked[0]).sub_status
    lite.settle(6)
    assert states(lite, asked) == {(W.COMPLETED, "")}


def test_a_request_too_old_to_sign_is_given_up_and_built_anew(lite: World) -> None:
    asked = a_batch(lite)
    lite.keep.signers["hot-a"].faults.append(SignerFault.SILENT_BEFORE)
    lite.keep.signers["hot-b"].faults.append(SignerFault.SILENT_BEFORE)
    lite.work()
    lite.keep.clock.time_s += REQUEST_LIFE_S
    lite.settle(5)
    assert states(lite, asked) == {(W.COMPLETED, "")}
    assert all_payments(lite) == [(P.ABANDONED, "expired"), (P.COMPLETED, "")]
    assert len(lite.keep.btc.sent) == 1
    lite.check_books()


def test_nothing_is_given_up_while_a_signer_may_have_signed(lite: World) -> None:
    asked = a_batch(lite)
    lite.keep.signers["hot-a"].faults.append(SignerFault.SILENT_AFTER)
    lite.keep.signers["hot-b"].faults.append(SignerFault.SILENT_BEFORE)
    lite.work()
    lite.keep.clock.time_s += REQUEST_LIFE_S
    lite.keep.signers["hot-a"].faults.append(SignerFault.SILENT_BEFORE)
    lite.work()
    assert states(lite, asked) == {(W.SIGNING, "")}
    lite.work()
    # Now both have said what they know: one signature of two can never be a payment.
    assert states(lite, asked) == {(W.FAILED, "expired")}
    assert lite.available(asked[0].account_id, "BTC") == 5_000_000


def test_a_built_payment_that_nobody_saw_expires_into_the_queue(lite: World) -> None:
    asked = a_batch(lite)
    lite.scan()
    lite.payer.pay_queued(BTC)
    lite.keep.clock.time_s += REQUEST_LIFE_S
    lite.desk.run(BTC)
    assert states(lite, asked) == {(W.QUEUED, "")}
    lite.settle()
    assert states(lite, asked) == {(W.COMPLETED, "")}


def test_an_abandoned_nonce_is_used_again(lite: World) -> None:
    first = an_ether(lite)
    lite.keep.signers["hot-a"].refuse = "policy.denied"
    lite.settle(2)
    assert states(lite, [first]) == {(W.BLOCKED, "refused:policy.denied")}
    lite.keep.signers["hot-a"].refuse = ""
    second = lite.withdraw(first.account_id, "ETH", CUSTOMER, 10**15, "e-2")
    lite.settle()
    assert states(lite, [second]) == {(W.COMPLETED, "")}
    assert payment_of(lite, second).nonce == 0


def test_a_sender_has_one_unsigned_payment_at_a_time(lite: World) -> None:
    first = an_ether(lite)
    second = lite.withdraw(first.account_id, "ETH", CUSTOMER, 10**15, "e-2")
    lite.keep.signers["hot-a"].faults.append(SignerFault.SILENT_BEFORE)
    assert lite.payer.pay_queued(ETH) == 1
    assert states(lite, [first]) == {(W.SIGNING, "")}
    assert states(lite, [second]) == {(W.QUEUED, "")}
    lite.settle(6)
    assert states(lite, [first, second]) == {(W.COMPLETED, "")}
    assert payment_of(lite, second).nonce == 1


def test_a_queue_of_one_sender_is_built_in_one_pass(lite: World) -> None:
    first = an_ether(lite)
    for number in range(5):
        lite.withdraw(first.account_id, "ETH", CUSTOMER, 10**15, f"more-{number}")
    assert lite.payer.pay_queued(ETH) == 6
    lite.keep.eth.mine()
    assert len(lite.keep.eth.sent) == 6


def test_too_little_hot_money_waits_and_the_smaller_ones_go(lite: World) -> None:
    user = lite.account("alice")
    lite.deposit(user, "BTC", 1_000_000)
    asked = [lite.withdraw(user, "BTC", outside_address(i), 300_000, f"w-{i}") for i in range(3)]
    with lite.database.write() as tx:  # as if a part of the coins were in cold storage
        tx.execute(update(utxos).values(height=None))
    lite.payer.pay_queued(BTC)
    assert states(lite, asked) == {(W.QUEUED, "payment.funds_missing")}
    lite.deposit(lite.account("bob"), "BTC", 700_000)
    lite.work()
    assert [lite.read(w.id).status for w in asked] == [W.BROADCAST, W.BROADCAST, W.QUEUED]


def test_evm_funds_promised_to_others_are_not_spent_twice(lite: World) -> None:
    user = lite.account("bob")
    lite.fund_hot_gas(10**17)
    lite.deposit(user, "ETH", 10**18)
    asked = [lite.withdraw(user, "ETH", CUSTOMER, 6 * 10**16, f"e-{i}") for i in range(2)]
    lite.work()
    lite.payer.pay_queued(ETH)
    assert [lite.read(w.id).status for w in asked] == [W.BROADCAST, W.QUEUED]
    assert lite.read(asked[1].id).sub_status == "payment.funds_missing"


def test_uncredited_coins_are_not_spent(lite: World) -> None:
    user = lite.account("alice")
    lite.deposit(user, "BTC", 200_000)
    fresh = lite.address(user, BTC)
    lite.keep.btc.fund(fresh.target, 5_000_000)
    lite.keep.btc.mine()  # one block deep, two are asked for
    lite.scan()
    with lite.database.read() as tx:
        assert lite.desk.utxo.spendable_units(tx, BTC, "bitcoin-hot") == 200_000


def test_a_coin_is_never_in_two_payments(lite: World) -> None:
    user = lite.account("alice")
    lite.deposit(user, "BTC", 1_000_000)
    first = lite.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    lite.payer.pay_queued(BTC)
    second = lite.withdraw(user, "BTC", outside_address(2), 100_000, "w-2")
    lite.payer.pay_queued(BTC)
    assert lite.read(first.id).status is W.SIGNING
    assert states(lite, [second]) == {(W.QUEUED, "payment.funds_missing")}
    lite.settle(6)
    assert states(lite, [first, second]) == {(W.COMPLETED, "")}  # the second from the change
    lite.check_books()


def test_a_receipt_in_a_block_we_have_not_scanned_is_no_evidence_yet(lite: World) -> None:
    asked = an_ether(lite)
    lite.work()
    lite.keep.eth.mine(3)
    lite.desk.run(ETH)
    assert states(lite, [asked]) == {(W.BROADCAST, "")}
    lite.work()
    assert states(lite, [asked]) == {(W.COMPLETED, "")}


def test_a_fee_over_the_cap_waits_for_cheaper_hours(lite: World) -> None:
    asked = a_batch(lite)
    lite.keep.btc.feerate = 1_000_000
    lite.settle(2)
    assert states(lite, asked) == {(W.QUEUED, "payment.fee_over_cap")}
    lite.keep.btc.feerate = 5_000
    lite.settle()
    assert states(lite, asked) == {(W.COMPLETED, "")}


def test_a_fee_that_the_policy_denies_waits_too(lite: World) -> None:
    user = lite.account("alice")
    lite.deposit(user, "BTC", 5_000_000)
    asked = lite.withdraw(user, "BTC", outside_address(1), 10_000, "w-1")
    lite.settle(2)
    assert states(lite, [asked]) == {(W.QUEUED, "fees.share")}
    lite.keep.btc.feerate = 1_000
    lite.settle()
    assert states(lite, [asked]) == {(W.COMPLETED, "")}


def test_a_node_that_is_down_stops_building_and_loses_nothing(lite: World) -> None:
    asked = an_ether(lite)
    lite.keep.eth.is_down = True
    with pytest.raises(NodeUnavailable):
        lite.payer.pay_queued(ETH)
    lite.keep.eth.is_down = False
    lite.settle()
    assert states(lite, [asked]) == {(W.COMPLETED, "")}


def test_our_own_transactions_are_known_by_purpose(lite: World) -> None:
    asked = a_batch(lite)
    lite.settle()
    txid = lite.read(asked[0].id).txid
    assert txid is not None
    with lite.database.read() as tx:
        assert versions.purposes_of(tx, BTC, [txid, "ff" * 32]) == {txid: "withdrawal"}


def test_a_node_is_asked_about_a_payment_once_for_each_block(
    lite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    sighting = lite.keep.eth.sighting

    def counted(txid: str) -> TxSighting:
        asked.append(txid)
        return sighting(txid)

    monkeypatch.setattr(lite.keep.eth, "sighting", counted)
    withdrawal = an_ether(lite)
    lite.work()
    lite.work()
    assert lite.read(withdrawal.id).status is W.BROADCAST
    assert asked == []  # what was sent a moment ago is in no block that was scanned before

    lite.keep.eth.mine()
    lite.work()
    assert lite.read(withdrawal.id).status is W.CONFIRMING
    first = len(asked)
    lite.work()
    assert len(asked) == first
    lite.keep.eth.mine()
    lite.work()
    assert len(asked) == first + 1
    assert lite.read(withdrawal.id).status is W.COMPLETED


def test_a_payment_that_a_node_does_not_know_is_looked_for_without_a_new_block(
    lite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdrawal = an_ether(lite)
    lite.work()
    lite.keep.eth.mine()
    sighting = lite.keep.eth.sighting
    lags = [True]

    def lagging(txid: str) -> TxSighting:
        return TxSighting(txid=txid, state=TxState.UNKNOWN) if lags else sighting(txid)

    monkeypatch.setattr(lite.keep.eth, "sighting", lagging)
    lite.work()
    assert lite.read(withdrawal.id).status is W.BROADCAST

    lags.clear()
    lite.work()
    assert lite.read(withdrawal.id).status is W.CONFIRMING
