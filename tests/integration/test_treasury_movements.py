"""Movements from threshold to booking, with a payments part that only writes rows."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from chains.utxo.coins import Payout
from chains.utxo.descriptors import Template
from chains.utxo.psbt_roles import build as build_psbt
from policies import load_policy
from signer.protocol import (
    ANSWER,
    Approval,
    Intent,
    Kind,
    Payee,
    Purpose,
    Result,
    Sealed,
    SignAnswer,
    SignRequest,
    digest,
    identity_sign,
    public_key_of,
)
from tests import utxo_world
from wallet.addresses.derivation import Derived
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.posting import Transfer, post_batch
from wallet.payments import journal
from wallet.payments.errors import FundsMissing
from wallet.payments.journal import NewPayment
from wallet.payments.states import PaymentStatus
from wallet.settings import AssetSettings, NetworkSettings, StaffSettings
from wallet.signing.coordinator import Coordinator
from wallet.store.database import Database
from wallet.store.schema import accounts, withdrawals
from wallet.treasury import requests, wording
from wallet.treasury.approvals import ApprovalDesk
from wallet.treasury.errors import (
    NotExported,
    NotWaiting,
    QuorumMissing,
    RequesterApproves,
    UnknownAnswer,
    UnknownApprover,
    WrongIntent,
)
from wallet.treasury.movements import Movements
from wallet.treasury.planning import Planner, Wanted
from wallet.treasury.ports import Attach
from wallet.treasury.staff_desk import StaffDesk
from wallet.treasury.staff_keys import StaffKey
from wallet.treasury.states import RequestStatus
from wallet.treasury.thresholds import make_threshold

NET = "bitcoin-regtest"
BTC = AssetSettings(code="BTC", network=NET, decimals=8, hot_min=100, hot_target=200, hot_max=300)
NETWORK = NetworkSettings(
    id=NET, family="utxo", params=NET, node_url="", hot="hot", cold="cold", fee_units_max=50
)
COORDINATOR = Coordinator(b"c" * 32)
SIGNER = b"s" * 32


def key(name: str) -> StaffKey:
    seed = name.encode().ljust(32, b".")
    return StaffKey(id=name, public_key=public_key_of(seed), seed=seed)


STAFF = [
    StaffSettings(id=name, name=name.title(), public_key=key(name).public_key.hex())
    for name in ("anna", "ben", "cora")
]


_VAULT = utxo_world.vault(Template.WSH_MULTI)
PSBT = build_psbt(
    coins=[utxo_world.coin(_VAULT, 1, 1_000_000)],
    outputs=[Payout(script=_VAULT.script_pubkey_at(1, 0), sats=900_000)],
    vaults={_VAULT.name: _VAULT},
)
"""The bytes are never looked at here; they only have to be some."""


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.time_s = 2_000_000

    def now_s(self) -> int:
        return self.time_s


class NamedDeriver:
    """Addresses that say where they derive from."""

    def address_at(self, network: str, source: str, branch: int, position: int) -> Derived:
        text = f"{source}-{branch}-{position}"
        return Derived(address=text, target=text.encode())

    def has_one_address(self, network: str, source: str) -> bool:
        return False


class RowPayments:
    """Writes payments as the payments part does, without any chain behind them."""

    def __init__(self, database: Database, clock: SetClock, new_id: Callable[[], str]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self.built: list[tuple[Intent, tuple[Approval, ...]]] = []
        self.refusal: Exception | None = None

    def build_move(self, intent: Intent, approvals: Sequence[Approval], attach: Attach) -> None:
        if self.refusal is not None:
            raise self.refusal
        now_s = self._clock.now_s()
        request = SignRequest(
            request_id=self._new_id(),
            created_s=now_s,
            expires_s=intent.expires_s,
            network=intent.network,
            source=intent.source,
            kind=Kind.PSBT,
            payload=PSBT,
            intents=(intent,),
            approvals=tuple(approvals),
            signers=("keyholder-1", "keyholder-2", "keyholder-3"),
        )
        new = NewPayment(
            id=self._new_id(),
            purpose=intent.purpose,
            asset=intent.asset,
            sealed=COORDINATOR.seal(request),
            request=request,
            payload_digest=b"p" * 32,
            units=intent.total_units,
            fee_units_max=intent.fee_units_max,
        )
        with self._database.write() as tx:
            attach(tx, journal.create(tx, new, now_s).id)
        self.built.append((intent, tuple(approvals)))

    def export(self, payment_id: str) -> bytes:
        with self._database.read() as tx:
            return journal.get(tx, payment_id).sealed.encode()

    def attach(self, payment_id: str, data: bytes) -> SignAnswer:
        answer = SignAnswer.decode(Sealed.decode(data, ANSWER).body)
        with self._database.write() as tx:
            journal.save_answer(tx, payment_id, answer.signer_id, data, self._clock.now_s())
        return answer

    def abandon(self, payment_id: str, why: str) -> None:
        self.set(payment_id, PaymentStatus.ABANDONED, sub_status=why)

    def set(self, payment_id: str, *states: PaymentStatus, **changes: object) -> None:
        for state in states:
            with self._database.write() as tx:
                journal.move(tx, journal.get(tx, payment_id), state, self._clock.now_s(), **changes)


@dataclass
class World:
    """Everything of one test."""

    database: Database
    clock: SetClock
    payments: RowPayments
    movements: Movements
    staff: StaffDesk
    milestones: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def request(self, request_id: str) -> Any:
        with self.database.read() as tx:
            return requests.get(tx, request_id)

    def refill(self) -> str:
        """A refill asked for by the threshold and approved by two."""
        fund(self.database, chart.COLD, 1000)
        (made,) = self.movements.step().made
        for name in ("anna", "ben"):
            intent = self.staff.show(made).subject.intent
            self.staff.approve(intent, key(name))
        return made


@pytest.fixture
def world(database: Database) -> World:
    numbers = itertools.count(1)
    clock = SetClock()

    def new_id() -> str:
        return f"id-{next(numbers)}"

    rule = {
        "network": NET,
        "asset": "BTC",
        "purposes": ["sweep", "refill"],
        "order_units_max": 1000,
        "tx_units_max": 1000,
        "tiers": [{"from_units": 0, "approvals": 0}],
    }
    planner = Planner(
        networks=[NETWORK],
        assets=[BTC],
        policy=load_policy({"version": 1, "name": "test", "payments": [rule]}),
        approvals_required=2,
        deriver=NamedDeriver(),
        new_id=new_id,
    )
    desk = ApprovalDesk(STAFF, lambda tx, withdrawal_id: None)
    payments = RowPayments(database, clock, new_id)
    milestones: list[str] = []
    rejected: list[str] = []
    movements = Movements(
        database=database,
        clock=clock,
        planner=planner,
        desk=desk,
        movers=payments,
        milestone=milestones.append,
    )
    staff = StaffDesk(
        database=database,
        clock=clock,
        planner=planner,
        approvals_desk=desk,
        offline=payments,
        reject=lambda tx, withdrawal_id, why: rejected.append(withdrawal_id),
        staff=STAFF,
    )
    return World(database, clock, payments, movements, staff, milestones, rejected)


def fund(database: Database, owner: str, units: int) -> None:
    with database.write() as tx:
        line = Transfer.single(debit=owner, credit=chart.HOUSE, asset="BTC", units=units)
        post_batch(tx, f"fund:{owner}:{units}", [line], 1)


def answer(request_id: str, signer: str, result: Result = Result.SIGNED, code: str = "") -> bytes:
    made = SignAnswer(
        request_id=request_id,
        request_digest=b"d" * 32,
        result=result,
        code=code,
        signatures=(),
        signer_id=signer,
        policy_hash="",
        counter=1,
        log_head=b"",
    )
    body = made.encode()
    return Sealed(ANSWER, body, identity_sign(SIGNER, digest(ANSWER, body))).encode()


def test_a_sweep_goes_all_the_way_by_itself(world: World) -> None:
    fund(world.database, chart.HOT, 500)
    first = world.movements.step()
    (request_id,) = first.made
    assert first.built == (request_id,)
    intent, approvals = world.payments.built[0]
    assert (intent.source, intent.payees, approvals) == (
        "hot",
        (Payee(address="cold-0-0", units=300),),
        (),
    )
    payment_id = world.request(request_id).payment_id
    assert world.movements.step().made == ()
    world.payments.set(
        payment_id, PaymentStatus.SIGNING, PaymentStatus.SIGNED, PaymentStatus.BROADCAST
    )
    world.movements.step()
    assert world.request(request_id).status is RequestStatus.BROADCAST
    world.payments.set(payment_id, PaymentStatus.CONFIRMING, PaymentStatus.COMPLETED)
    with world.database.write() as tx:
        line = Transfer.single(debit=chart.COLD, credit=chart.HOT, asset="BTC", units=300)
        post_batch(tx, "sweep", [line], 1)
    assert world.movements.step().made == ()
    assert world.request(request_id).status is RequestStatus.COMPLETED
    assert world.milestones == ["treasury.requested", "treasury.exported"]


def test_what_a_payment_has_just_booked_is_not_counted_as_still_moving(world: World) -> None:
    fund(world.database, chart.HOT, 500)
    (request_id,) = world.movements.step().made
    world.payments.set(
        world.request(request_id).payment_id,
        PaymentStatus.SIGNING,
        PaymentStatus.SIGNED,
        PaymentStatus.BROADCAST,
        PaymentStatus.CONFIRMING,
        PaymentStatus.COMPLETED,
    )
    with world.database.write() as tx:
        line = Transfer.single(debit=chart.COLD, credit=chart.HOT, asset="BTC", units=300)
        post_batch(tx, "sweep", [line], 1)
    assert world.movements._plan(BTC) is None
    assert world.request(request_id).status is RequestStatus.COMPLETED


def test_a_refill_waits_for_its_quorum_and_carries_it_to_the_signers(world: World) -> None:
    fund(world.database, chart.COLD, 1000)
    (request_id,) = world.movements.step().made
    assert world.movements.step().built == ()
    with pytest.raises(QuorumMissing):
        world.staff.export(request_id)
    shown = world.staff.show(request_id)
    world.staff.approve(shown.subject.intent, key("anna"))
    assert world.movements.step().built == ()
    world.staff.approve(shown.subject.intent, key("ben"))
    assert world.staff.waiting() == []
    assert world.movements.step().built == (request_id,)
    ((_, carried),) = world.payments.built
    assert [approval.approver for approval in carried] == ["anna", "ben"]
    for approval in carried:
        assert approval.intent_digest == shown.subject.intent.digest
    exported = world.staff.export(request_id)
    again = world.staff.export(request_id)
    assert exported == again
    assert exported.signers == ("keyholder-1", "keyholder-2", "keyholder-3")
    sealed = Sealed.decode(exported.data, "SR1")
    sealed.verify(COORDINATOR.public_key)
    assert sealed.digest == exported.digest


def test_answers_are_routed_by_their_request_and_taken_in_once(world: World) -> None:
    request_id = world.refill()
    world.movements.step()
    with world.database.read() as tx:
        sign_id = journal.get(tx, world.request(request_id).payment_id).request.request_id
    data = answer(sign_id, "keyholder-1")
    first, again = world.staff.take_answer(data), world.staff.take_answer(data)
    assert first == again
    assert (first.request_id, first.signer_id, first.signed) == (request_id, "keyholder-1", True)
    no = answer(sign_id, "keyholder-2", Result.REFUSED, "fees.absolute")
    refused = world.staff.take_answer(no)
    assert (refused.signed, refused.code) == (False, "fees.absolute")
    shown = world.staff.show(request_id)
    assert shown.answers == {
        "keyholder-1": "signed",
        "keyholder-2": "refused (fees.absolute)",
    }


@pytest.mark.parametrize("data", [b"", b"\xa0", b"x" * 100, answer("unheard-of", "keyholder-1")])
def test_a_file_that_answers_nothing_of_ours_is_refused(world: World, data: bytes) -> None:
    with pytest.raises(UnknownAnswer):
        world.staff.take_answer(data)


def test_what_cannot_be_built_now_waits_and_says_why(world: World) -> None:
    world.payments.refusal = FundsMissing("got too little")
    fund(world.database, chart.HOT, 500)
    (request_id,) = world.movements.step().made
    request = world.request(request_id)
    assert (request.status, request.sub_status) == (
        RequestStatus.APPROVED,
        "payment.funds_missing",
    )
    with pytest.raises(NotExported, match="funds_missing"):
        world.staff.export(request_id)
    world.payments.refusal = None
    assert world.movements.step().built == (request_id,)


def test_killed_before_its_payment_the_next_step_builds_it_once(world: World) -> None:
    class Killed(BaseException):
        pass

    fund(world.database, chart.HOT, 500)
    world.payments.refusal = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        world.movements.step()
    world.payments.refusal = None
    after = world.movements.step()
    assert after.made == ()
    assert len(after.built) == 1
    assert world.movements.step().built == ()
    assert len(world.payments.built) == 1


def test_a_payment_that_loses_the_race_is_not_written(world: World) -> None:
    fund(world.database, chart.HOT, 500)
    world.payments.refusal = FundsMissing("later")
    (request_id,) = world.movements.step().made
    world.payments.refusal = None
    request = world.request(request_id)
    with world.database.write() as tx:
        requests.move(tx, request, RequestStatus.CANCELLED, 1)
    assert world.movements._build(request) == "changed meanwhile"
    with world.database.read() as tx:
        assert journal.unfinished(tx, NET) == []


def test_an_approval_that_no_longer_counts_holds_the_refill_back(world: World) -> None:
    request_id = world.refill()
    gone = ApprovalDesk(STAFF[1:], lambda tx, withdrawal_id: None)
    world.movements._desk = gone
    assert world.movements.step().built == ()
    assert world.request(request_id).sub_status == "quorum_lost"


def test_what_nobody_acts_on_expires(world: World) -> None:
    fund(world.database, chart.COLD, 1000)
    (request_id,) = world.movements.step().made
    world.clock.time_s = world.request(request_id).expires_s
    assert world.movements.step().made == ()
    assert world.request(request_id).status is RequestStatus.EXPIRED
    world.clock.time_s += 600
    assert len(world.movements.step().made) == 1


def test_an_exported_request_ends_with_its_payment(world: World) -> None:
    request_id = world.refill()
    world.movements.step()
    request = world.request(request_id)
    world.payments.set(request.payment_id, PaymentStatus.ABANDONED, sub_status="refused:fees")
    world.movements.step()
    ended = world.request(request_id)
    assert (ended.status, ended.sub_status) == (RequestStatus.FAILED, "refused:fees")


def test_staff_call_off_what_is_not_signed(world: World) -> None:
    fund(world.database, chart.COLD, 1000)
    (request_id,) = world.movements.step().made
    assert world.staff.call_off(request_id, key("cora")) == "cancelled"
    world.clock.time_s += 600
    (second,) = world.movements.step().made
    for name in ("anna", "ben"):
        world.staff.approve(world.staff.show(second).subject.intent, key(name))
    world.movements.step()
    assert world.staff.call_off(second, key("cora")) == "cancelled"
    with world.database.read() as tx:
        assert journal.unfinished(tx, NET) == []


def test_staff_ask_in_their_own_name_and_do_not_approve_themselves(world: World) -> None:
    fund(world.database, chart.HOT, 200)
    wanted = Wanted(purpose=Purpose.REFILL, asset="BTC", units=5, requester="anna")
    made = world.staff.ask(wanted, key("anna"))
    assert (made.requester, made.approvals_required) == ("anna", 2)
    intent = world.staff.show(made.id).subject.intent
    with pytest.raises(RequesterApproves):
        world.staff.approve(intent, key("anna"))
    with pytest.raises(UnknownApprover):
        world.staff.ask(wanted, key("ben"))


def test_a_stranger_or_an_impostor_does_nothing(world: World) -> None:
    request_id = world.refill()
    intent = world.staff.show(request_id).subject.intent
    impostor = StaffKey(id="anna", public_key=key("eve").public_key, seed=key("eve").seed)
    wanted = Wanted(purpose=Purpose.REFILL, asset="BTC", units=5, requester="eve")
    bounds = make_threshold("absolute", 1, 2, 3)
    for who in (key("eve"), impostor):
        with pytest.raises(UnknownApprover):
            world.staff.approve(intent, who)
        with pytest.raises(UnknownApprover):
            world.staff.call_off(request_id, who)
        with pytest.raises(UnknownApprover):
            world.staff.ask(wanted, who)
        with pytest.raises(UnknownApprover):
            world.staff.change_bounds("BTC", bounds, who)


def test_an_approval_is_of_what_was_shown(world: World) -> None:
    fund(world.database, chart.COLD, 1000)
    (request_id,) = world.movements.step().made
    shown = world.staff.show(request_id).subject.intent
    with pytest.raises(WrongIntent):
        world.staff.approve(replace(shown, fee_units_max=shown.fee_units_max + 1), key("anna"))


def test_changed_bounds_act_at_the_next_step(world: World) -> None:
    fund(world.database, chart.HOT, 250)
    assert world.movements.step().made == ()
    world.staff.change_bounds("BTC", make_threshold("absolute", 0, 10, 20), key("anna"))
    assert world.staff.looks()[0].threshold.changed_by == "anna"
    assert len(world.movements.step().made) == 1


def test_a_waiting_withdrawal_is_rejected_through_the_withdrawals_part(world: World) -> None:
    with world.database.write() as tx:
        tx.execute(insert(accounts).values(id="a", external_id="a", created_s=1))
        for name, status in (("w1", "pending_approval"), ("w2", "queued"), ("w3", "other")):
            waiting(tx, name, status)
    world.staff.call_off("w1", key("anna"))
    with pytest.raises(NotWaiting):
        world.staff.call_off("w2", key("anna"))
    assert world.rejected == ["w1"]


def waiting(tx: Connection, name: str, status: str) -> None:
    """A withdrawal row as the withdrawals part writes it."""
    intent = Intent(
        intent_id=name,
        purpose=Purpose.WITHDRAWAL,
        network=NET,
        asset="BTC",
        source="hot",
        payees=(Payee(address="x", units=1),),
        fee_units_max=1,
        requester="k",
        created_s=1,
        expires_s=3_000_000,
    )
    tx.execute(
        insert(withdrawals).values(
            id=name,
            external_id=name,
            account_id="a",
            network=NET,
            asset="BTC",
            address="x",
            target=b"x",
            units=1,
            fee_units=0,
            status=status,
            sub_status="",
            intent=intent.encode(),
            intent_digest=intent.digest,
            approvals_required=1,
            policy_hash="",
            requester="k",
            created_s=1,
            updated_s=1,
            since_s=1,
            deadline_s=3_000_000,
        )
    )


def test_the_words_come_from_the_intent(world: World) -> None:
    request_id = world.refill()
    shown = world.staff.show(request_id)
    lines = dict(wording.intent_lines([BTC], shown.subject.intent))
    assert lines["what"] == "Refill the hot wallet from cold storage"
    assert (lines["pay"], lines["to"]) == ("0.000002 BTC", "hot-0-0")
    assert lines["hot holds"] == "0 BTC"
    assert lines["network fee at most"] == "0.0000005 BTC"
    assert lines["digest"] == shown.subject.intent.digest.hex()
    assert wording.tally_text(shown.tally) == "2 of 2 (anna, ben)"


def test_every_state_of_a_request_is_told_in_order(world: World) -> None:
    request_id = world.refill()
    world.movements.step()
    with world.database.read() as tx:
        told = [e.type for e in read_events(tx, 0, 100) if e.subject == request_id]
    assert told == [
        "treasury.refill.requested",
        "approval.received",
        "approval.received",
        "treasury.refill.approved",
        "treasury.refill.exported",
    ]
