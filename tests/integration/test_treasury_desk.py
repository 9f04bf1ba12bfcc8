"""Thresholds, planned movements and staff approvals on a real database of either engine."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from policies import Direction, Mode, Policy, load_policy
from signer.protocol import (
    APPROVAL,
    Approval,
    Intent,
    Payee,
    Purpose,
    digest,
    dump,
    identity_sign,
    public_key_of,
)
from wallet.addresses.derivation import Derived
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.posting import Transfer, post_batch
from wallet.settings import AssetSettings, NetworkSettings, StaffSettings
from wallet.store.database import Database
from wallet.store.schema import accounts, withdrawals
from wallet.treasury import approvals, requests
from wallet.treasury.approvals import ApprovalDesk
from wallet.treasury.errors import (
    AlreadyApproved,
    BadSignature,
    BadTime,
    DeniedByPolicy,
    Expired,
    ForbiddenArrow,
    LostRace,
    NotRunning,
    NotWaiting,
    RequesterApproves,
    RequestNotFound,
    UnknownApprover,
    WrongIntent,
)
from wallet.treasury.planning import BadAmount, Planner, Wanted
from wallet.treasury.requests import AUTOMATIC
from wallet.treasury.states import RequestStatus
from wallet.treasury.thresholds import (
    BadThreshold,
    change_threshold,
    make_threshold,
    threshold_of,
)

NOW_S = 2_000_000
NET = "bitcoin-regtest"
BTC = AssetSettings(code="BTC", network=NET, decimals=8, hot_min=100, hot_target=200, hot_max=300)
NETWORK = NetworkSettings(
    id=NET,
    family="utxo",
    params=NET,
    node_url="",
    hot="bitcoin-hot",
    cold="bitcoin-cold",
    fee_units_max=50,
)
SEEDS = {name: name.encode().ljust(32, b".") for name in ("anna", "ben", "cora")}
STAFF = [
    StaffSettings(id=name, name=name.title(), public_key=public_key_of(seed).hex())
    for name, seed in SEEDS.items()
]


class NamedDeriver:
    """Addresses that say where they derive from."""

    def address_at(self, network: str, source: str, branch: int, position: int) -> Derived:
        text = f"{source}-{branch}-{position}"
        return Derived(address=text, target=text.encode())

    def has_one_address(self, network: str, source: str) -> bool:
        return False


def policy(**changes: Any) -> Policy:
    rule = {
        "network": NET,
        "asset": "BTC",
        "purposes": ["sweep", "refill"],
        "order_units_max": 1000,
        "tx_units_max": 1000,
        "tiers": [{"from_units": 0, "approvals": 0}, {"from_units": 900, "approvals": 3}],
    }
    return load_policy({"version": 1, "name": "test", "payments": [{**rule, **changes}]})


def planner(rules: Policy | None = None) -> Planner:
    numbers = itertools.count(1)
    return Planner(
        networks=[NETWORK],
        assets=[BTC],
        policy=rules or policy(),
        approvals_required=2,
        deriver=NamedDeriver(),
        new_id=lambda: f"request-{next(numbers)}",
    )


def fund(database: Database, hot: int = 0, cold: int = 0) -> None:
    with database.write() as tx:
        for owner, units in ((chart.HOT, hot), (chart.COLD, cold)):
            if units:
                line = Transfer.single(debit=owner, credit=chart.HOUSE, asset="BTC", units=units)
                post_batch(tx, f"fund:{owner}:{units}", [line], NOW_S)


def desk(released: list[str] | None = None) -> ApprovalDesk:
    kept: list[str] = [] if released is None else released
    return ApprovalDesk(STAFF, lambda tx, withdrawal_id: kept.append(withdrawal_id))


def yes(
    name: str, intent_digest: bytes, *, seed: str | None = None, time_s: int = NOW_S
) -> Approval:
    body = Approval.body_of(name, intent_digest, time_s)
    return Approval(body=body, sig=identity_sign(SEEDS[seed or name], digest(APPROVAL, body)))


def refill(database: Database, units: int = 100, requester: str = AUTOMATIC) -> Any:
    wanted = Wanted(purpose=Purpose.REFILL, asset="BTC", units=units, requester=requester)
    with database.write() as tx:
        return planner().ask(tx, wanted, NOW_S)


def types(database: Database) -> list[str]:
    with database.read() as tx:
        return [event.type for event in read_events(tx, 0, 100)]


# --- thresholds


def test_thresholds_change_at_any_time_with_an_event(database: Database) -> None:
    with database.write() as tx:
        first = threshold_of(tx, BTC)
        change_threshold(tx, BTC, make_threshold("share", 1, 2, 3), "anna", NOW_S)
        second = threshold_of(tx, BTC)
        change_threshold(tx, BTC, make_threshold("absolute", 10**30, 10**30, 10**30), "ben", NOW_S)
        third = threshold_of(tx, BTC)
    assert (first.changed_by, first.bounds.hot_max) == ("settings", 300)
    assert (second.changed_by, second.bounds.mode) == ("anna", Mode.SHARE)
    assert third.bounds.hot_min == 10**30
    assert types(database) == ["treasury.threshold_changed"] * 2


def test_senseless_bounds_are_refused(database: Database) -> None:
    for arguments in [("absolute", 3, 2, 1), ("share", 0, 0, 1_000_001), ("some", 1, 2, 3)]:
        with pytest.raises(BadThreshold) as caught:
            make_threshold(*arguments)
        assert caught.value.code == "treasury.bad_threshold"


# --- what is due


def test_above_the_ceiling_is_swept_once_and_needs_nobody(database: Database) -> None:
    fund(database, hot=500)
    with database.write() as tx:
        made = planner().act(tx, BTC, NOW_S)
        again = planner().act(tx, BTC, NOW_S)
    assert made is not None
    assert (made.purpose, made.units, made.status) == (Purpose.SWEEP, 300, RequestStatus.APPROVED)
    assert (made.intent.source, made.intent.payees[0].address) == (
        "bitcoin-hot",
        "bitcoin-cold-0-0",
    )
    assert made.requester == AUTOMATIC
    assert again is None
    assert types(database) == ["treasury.sweep.approved"]


def test_below_the_floor_is_asked_for_once_and_needs_the_quorum(database: Database) -> None:
    fund(database, hot=50, cold=1000)
    with database.write() as tx:
        made = planner().act(tx, BTC, NOW_S)
        again = planner().act(tx, BTC, NOW_S)
    assert made is not None
    assert (made.purpose, made.units, made.status) == (
        Purpose.REFILL,
        150,
        RequestStatus.REQUESTED,
    )
    assert (made.intent.source, made.approvals_required) == ("bitcoin-cold", 2)
    assert made.intent.payees == (Payee(address="bitcoin-hot-0-0", units=150),)
    assert made.intent.fee_units_max == 50
    assert made.intent_digest == made.intent.digest
    assert again is None


def test_changed_bounds_are_used_at_the_next_look(database: Database) -> None:
    fund(database, hot=250)
    with database.write() as tx:
        assert planner().look(tx, BTC).due is None
        change_threshold(tx, BTC, make_threshold("absolute", 0, 10, 20), "anna", NOW_S)
        due = planner().look(tx, BTC).due
    assert due is not None
    assert (due.direction, due.units) == (Direction.SWEEP, 240)


def test_without_bounds_nothing_moves_by_itself(database: Database) -> None:
    fund(database, hot=500)
    unset = replace(BTC, hot_min=0, hot_target=0, hot_max=0)
    with database.write() as tx:
        assert planner().look(tx, unset).due is None
        change_threshold(tx, unset, make_threshold("absolute", 0, 0, 0), "anna", NOW_S)
        due = planner().look(tx, unset).due
    assert due is not None
    assert due.units == 500


def test_a_share_is_of_what_we_owe(database: Database) -> None:
    with database.write() as tx:
        line = Transfer.single(debit=chart.HOT, credit=chart.user("u1"), asset="BTC", units=10_000)
        post_batch(tx, "deposit", [line], NOW_S)
        change_threshold(tx, BTC, make_threshold("share", 1, 50_000, 100_000), "anna", NOW_S)
        look = planner(policy(order_units_max=10**6, tx_units_max=10**6)).look(tx, BTC)
    assert look.facts.liabilities_units == 10_000
    assert look.due is not None
    assert look.due.units == 9_500


def test_money_promised_to_payees_is_not_swept(database: Database) -> None:
    fund(database, hot=500)
    with database.write() as tx:
        withdrawal(tx, "w1", units=150, status="queued")
        withdrawal(tx, "w2", units=60, status="completed")
        due = planner().look(tx, BTC).due
    assert due is not None
    assert due.units == 150


def test_a_large_movement_is_asked_for_in_parts(database: Database) -> None:
    fund(database, hot=2500)
    with database.write() as tx:
        parts = [planner(policy(tiers=[{"from_units": 0, "approvals": 0}])).act(tx, BTC, NOW_S)]
    with database.write() as tx:
        again = planner(policy(tiers=[{"from_units": 0, "approvals": 0}]))
        again._new_id = lambda: "second"
        parts.append(again.act(tx, BTC, NOW_S))
        again._new_id = lambda: "third"
        parts.append(again.act(tx, BTC, NOW_S))
        assert again.act(tx, BTC, NOW_S) is None
    assert [part.units for part in parts if part] == [1000, 1000, 300]


def test_what_the_policy_does_not_allow_is_not_asked_for(database: Database) -> None:
    rules = policy(windows=[{"seconds": 3600, "units_max": 150}])
    wanted = Wanted(purpose=Purpose.REFILL, asset="BTC", units=100, requester="anna")
    with database.write() as tx:
        planner(rules).ask(tx, wanted, NOW_S)
    with database.write() as tx, pytest.raises(DeniedByPolicy) as caught:
        planner(rules).ask(tx, wanted, NOW_S + 3599)
    assert caught.value.details == {"reasons": ["caps.window"]}
    with database.write() as tx:
        later = planner(rules)
        later._new_id = lambda: "later"
        later.ask(tx, wanted, NOW_S + 3601)
        assert len(requests.recent(tx, 10)) == 2


def test_a_tier_of_the_policy_may_ask_for_more_people(database: Database) -> None:
    assert refill(database, units=900).approvals_required == 3


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (Wanted(purpose=Purpose.REFILL, asset="BTC", units=0, requester="a"), BadAmount),
        (Wanted(purpose=Purpose.REFILL, asset="XYZ", units=1, requester="a"), NotRunning),
        (Wanted(purpose=Purpose.GATHER, asset="BTC", units=1, requester="a"), NotRunning),
    ],
)
def test_what_treasury_does_not_do_is_refused(
    database: Database, wanted: Wanted, error: type[Exception]
) -> None:
    with database.write() as tx, pytest.raises(error):
        planner().ask(tx, wanted, NOW_S)


# --- rows


def test_a_request_moves_by_compare_and_set(database: Database) -> None:
    request = refill(database)
    with database.write() as tx:
        requests.move(tx, request, RequestStatus.CANCELLED, NOW_S)
    with database.write() as tx, pytest.raises(LostRace):
        requests.move(tx, request, RequestStatus.APPROVED, NOW_S)
    with database.write() as tx, pytest.raises(ForbiddenArrow):
        requests.move(tx, requests.get(tx, request.id), RequestStatus.APPROVED, NOW_S)


# --- approvals


def test_two_of_three_approve_and_nobody_else_is_needed(database: Database) -> None:
    request = refill(database)
    with database.write() as tx:
        first = desk().receive(tx, yes("anna", request.intent_digest), NOW_S)
        assert requests.get(tx, request.id).status is RequestStatus.REQUESTED
        second = desk().receive(tx, yes("ben", request.intent_digest), NOW_S)
        assert requests.get(tx, request.id).status is RequestStatus.APPROVED
    assert (first.reached, second.reached) == (False, True)
    assert types(database) == [
        "treasury.refill.requested",
        "approval.received",
        "approval.received",
        "treasury.refill.approved",
    ]


BAD: dict[type[Exception], Callable[[bytes], Approval]] = {
    UnknownApprover: lambda d: yes("eve", d, seed="anna"),
    BadSignature: lambda d: yes("anna", d, seed="ben"),
    RequestNotFound: lambda d: yes("anna", b"\x01" * 32),
    BadTime: lambda d: yes("anna", d, time_s=NOW_S + 301),
}


@pytest.mark.parametrize("error", BAD)
def test_an_approval_that_fails_a_check_is_not_kept(
    database: Database, error: type[Exception]
) -> None:
    request = refill(database)
    with pytest.raises(error), database.write() as tx:
        desk().receive(tx, BAD[error](request.intent_digest), NOW_S)
    with database.read() as tx:
        assert approvals.stored(tx, request.intent_digest) == ()


def test_an_approval_dated_before_its_request_is_refused(database: Database) -> None:
    request = refill(database)
    early = yes("anna", request.intent_digest, time_s=NOW_S - 301)
    with pytest.raises(BadTime), database.write() as tx:
        desk().receive(tx, early, NOW_S)


def test_an_approval_with_more_than_a_yes_in_it_is_refused(database: Database) -> None:
    request = refill(database)
    body = dump(
        {
            "v": 1,
            "approver": "anna",
            "intent_digest": request.intent_digest,
            "decision": "approve",
            "time_s": NOW_S,
            "limit": 5,
        }
    )
    sig = identity_sign(SEEDS["anna"], digest(APPROVAL, body))
    with pytest.raises(BadSignature), database.write() as tx:
        desk().receive(tx, Approval(body=body, sig=sig), NOW_S)


def test_one_person_is_not_two(database: Database) -> None:
    request = refill(database)
    with database.write() as tx:
        desk().receive(tx, yes("anna", request.intent_digest), NOW_S)
    with pytest.raises(AlreadyApproved), database.write() as tx:
        desk().receive(tx, yes("anna", request.intent_digest, time_s=NOW_S + 1), NOW_S + 1)


def test_who_asks_does_not_approve(database: Database) -> None:
    request = refill(database, requester="anna")
    with pytest.raises(RequesterApproves), database.write() as tx:
        desk().receive(tx, yes("anna", request.intent_digest), NOW_S)


def test_somebody_off_the_roster_counts_no_more(database: Database) -> None:
    request = refill(database)
    with database.write() as tx:
        desk().receive(tx, yes("anna", request.intent_digest), NOW_S)
        later = ApprovalDesk(STAFF[1:], lambda tx, withdrawal_id: None)
        tally = later.receive(tx, yes("ben", request.intent_digest), NOW_S)
    assert tally.approvers == ("ben",)
    assert not tally.reached


def test_nothing_is_approved_after_its_time_or_its_end(database: Database) -> None:
    request = refill(database)
    late = yes("anna", request.intent_digest, time_s=request.expires_s)
    with pytest.raises(Expired), database.write() as tx:
        desk().receive(tx, late, request.expires_s)
    with database.write() as tx:
        requests.move(tx, request, RequestStatus.CANCELLED, NOW_S)
    with pytest.raises(NotWaiting), database.write() as tx:
        desk().receive(tx, yes("anna", request.intent_digest), NOW_S)


def test_a_withdrawal_that_waits_is_released_by_its_quorum(database: Database) -> None:
    released: list[str] = []
    with database.write() as tx:
        intent = withdrawal(tx, "w1", units=900, status="pending_approval", approvals=2)
        assert [subject.id for subject in approvals.waiting_withdrawals(tx)] == ["w1"]
        desk(released).receive(tx, yes("anna", intent.digest), NOW_S)
        assert released == []
        desk(released).receive(tx, yes("cora", intent.digest), NOW_S)
    assert released == ["w1"]


def test_an_intent_that_its_digest_is_not_of_is_never_shown(database: Database) -> None:
    with database.write() as tx:
        withdrawal(tx, "w1", units=5, status="pending_approval", digest_of=b"\x09" * 32)
    with database.read() as tx, pytest.raises(WrongIntent):
        approvals.subject_by_id(tx, "w1")


def withdrawal(
    tx: Connection,
    name: str,
    *,
    units: int,
    status: str,
    approvals: int = 0,
    digest_of: bytes | None = None,
) -> Intent:
    """A withdrawal row as the withdrawals part writes it."""
    intent = Intent(
        intent_id=name,
        purpose=Purpose.WITHDRAWAL,
        network=NET,
        asset="BTC",
        source="bitcoin-hot",
        payees=(Payee(address="somebody", units=units),),
        fee_units_max=50,
        requester="api-key",
        created_s=NOW_S,
        expires_s=NOW_S + 1000,
    )
    owner = f"account-{name}"
    tx.execute(insert(accounts).values(id=owner, external_id=owner, created_s=NOW_S))
    tx.execute(
        insert(withdrawals).values(
            id=name,
            external_id=name,
            account_id=owner,
            network=NET,
            asset="BTC",
            address="somebody",
            target=b"\x00",
            units=units,
            fee_units=0,
            status=status,
            sub_status="",
            intent=intent.encode(),
            intent_digest=digest_of or intent.digest,
            approvals_required=approvals,
            policy_hash="",
            requester="api-key",
            created_s=NOW_S,
            updated_s=NOW_S,
            since_s=NOW_S,
            deadline_s=NOW_S + 1000,
        )
    )
    return intent
