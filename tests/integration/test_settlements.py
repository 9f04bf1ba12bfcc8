"""Settlements in the books: worked examples with their numbers, and killed at any step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

import msgspec
import pytest

from tests.fakes import FakeClock
from wallet.addresses.accounts import create_account
from wallet.ledger import chart
from wallet.ledger.balances import asset_totals, balance, off_balance
from wallet.ledger.chart import SubAccount
from wallet.ledger.holds import void_expired
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.ledger.writer import LedgerWriter
from wallet.milestones import Milestone, pass_by
from wallet.settlements.errors import ExternalIdTaken, SettlementNotFound
from wallet.settlements.known import KnownAccounts
from wallet.settlements.posting import Door, Settlement, Status, posted_at, settle
from wallet.settlements.wire import SettlementOrder, TransferOrder
from wallet.store.database import Database

NOW_S = 1_800_000_000


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Venue:
    """Ann with 1,000 USDT and Bob with 2 BTC, both in their contract parts."""

    database: Database
    ann: str
    bob: str
    door: Door
    ledger: LedgerWriter
    clock: FakeClock

    def pay(
        self, payer: str, payee: str, units: int, asset: str = "USDT", **more: object
    ) -> TransferOrder:
        fields: dict[str, object] = {
            "id": str(uuid4()),
            "debit_account_id": payer,
            "debit_sub_account": "contract",
            "credit_account_id": payee,
            "credit_sub_account": "contract",
            "asset": asset,
            "units": str(units),
        }
        return msgspec.convert(fields | more, TransferOrder)

    def settle(
        self,
        transfers: Sequence[TransferOrder],
        external_id: str = "s-1",
        mode: Literal["atomic", "best_effort"] = "best_effort",
        milestone: Milestone = pass_by,
        now_s: int = NOW_S,
    ) -> Settlement:
        order = SettlementOrder(external_id=external_id, mode=mode, transfers=list(transfers))
        self.clock.time_s = now_s
        return settle(self.ledger, self.database, order, self.door, milestone)

    def has(self, account_id: str, asset: str = "USDT") -> int:
        with self.database.read() as tx:
            assert not off_balance(asset_totals(tx))
            return balance(tx, chart.user(account_id, SubAccount.CONTRACT), asset).available


@pytest.fixture
def venue(database: Database) -> Iterator[Venue]:
    with database.write() as tx:
        ann, bob = (create_account(tx, name, NOW_S) for name in ("ann", "bob"))
        lines = [
            Transfer.single(
                debit=chart.HOT,
                credit=chart.user(account_id, SubAccount.CONTRACT),
                asset=asset,
                units=units,
            )
            for account_id, asset, units in ((ann, "USDT", 1_000), (bob, "BTC", 2))
        ]
        post_batch(tx, "test", lines, NOW_S)
    door = Door(known=KnownAccounts(), is_asset={"USDT", "BTC"}.__contains__)
    clock = FakeClock(NOW_S)
    ledger = LedgerWriter(database, clock)
    yield Venue(database, ann, bob, door, ledger, clock)
    ledger.close()


def names(settlement: Settlement) -> list[str]:
    return [str(result) for result in settlement.results]


def test_best_effort_posts_what_it_can(venue: Venue) -> None:
    ann, bob, nobody = venue.ann, venue.bob, str(uuid4())
    done = venue.settle(
        [
            venue.pay(ann, bob, 600),
            venue.pay(ann, bob, 500),  # 400 are left
            venue.pay(ann, bob, 400),
            venue.pay(bob, ann, 1, "DOGE"),
            venue.pay(ann, nobody, 1),
            venue.pay(nobody, ann, 1),
            venue.pay(nobody, str(uuid4()), 1),
            venue.pay(ann, ann, 1),
        ]
    )
    assert names(done) == [
        "ok",
        "insufficient_funds",
        "ok",
        "asset_invalid",
        "account_unknown",
        "account_unknown",
        "account_unknown",
        "same_account",
    ]
    assert (venue.has(ann), venue.has(bob)) == (0, 1_000)
    assert (done.status, done.posted_count, done.height) == (Status.PARTLY_POSTED, 2, 2)


def test_a_trade_is_two_linked_transfers(venue: Venue) -> None:
    """Bob sells 1 BTC for 700 twice; Ann has 1,000: the second trade moves neither leg."""
    ann, bob = venue.ann, venue.bob
    trade = [venue.pay(ann, bob, 700, linked=True), venue.pay(bob, ann, 1, "BTC")]
    again = [venue.pay(bob, ann, 1, "BTC", linked=True), venue.pay(ann, bob, 700)]
    done = venue.settle([*trade, *again])
    assert names(done) == ["ok", "ok", "linked_failed", "insufficient_funds"]
    assert (venue.has(ann), venue.has(bob)) == (300, 700)
    assert (venue.has(ann, "BTC"), venue.has(bob, "BTC")) == (1, 1)


def test_atomic_posts_all_or_nothing(venue: Venue) -> None:
    ann, bob = venue.ann, venue.bob
    refused = venue.settle([venue.pay(ann, bob, 1), venue.pay(ann, bob, 1_000)], mode="atomic")
    assert names(refused) == ["linked_failed", "insufficient_funds"]
    assert (refused.status, refused.height, venue.has(ann)) == (Status.REFUSED, 0, 1_000)
    done = venue.settle([venue.pay(ann, bob, 1), venue.pay(ann, bob, 999)], mode="atomic")
    assert (done.status, venue.has(ann), venue.has(bob)) == (Status.POSTED, 0, 1_000)


def test_a_refused_settlement_may_be_tried_again(venue: Venue) -> None:
    """1,001 are asked for, 1,000 are there; once Ann has 1 more, the same call is good."""
    asked = [venue.pay(venue.ann, venue.bob, 1_001)]
    assert names(venue.settle(asked)) == ["insufficient_funds"]
    with venue.database.read() as tx, pytest.raises(SettlementNotFound):
        posted_at(tx, "s-1")
    with venue.database.write() as tx:
        line = Transfer.single(
            debit=chart.HOT,
            credit=chart.user(venue.ann, SubAccount.CONTRACT),
            asset="USDT",
            units=1,
        )
        post_batch(tx, "more", [line], NOW_S)
    assert names(venue.settle(asked)) == ["ok"]
    assert venue.has(venue.bob) == 1_001


def test_two_phases(venue: Venue) -> None:
    """600 held; 250 of them posted, the other 350 given back; then 300 held and all given back."""
    ann, bob = venue.ann, venue.bob
    hold = venue.pay(ann, bob, 600, kind="hold")
    assert names(venue.settle([hold], "s-1")) == ["ok"]
    assert (venue.has(ann), venue.has(bob)) == (400, 0)

    def end(kind: Literal["post", "void"], hold_id: str, units: str = "") -> TransferOrder:
        return TransferOrder(id=str(uuid4()), kind=kind, hold_id=hold_id, units=units)

    assert names(venue.settle([end("post", hold.id, "601")], "s-2")) == ["hold_exceeded"]
    assert names(venue.settle([end("post", hold.id, "250")], "s-3")) == ["ok"]
    assert (venue.has(ann), venue.has(bob)) == (750, 250)
    other = venue.pay(ann, bob, 300, kind="hold")
    ends = [other, end("void", other.id), end("post", other.id), end("void", hold.id)]
    assert names(venue.settle(ends, "s-4")) == ["ok", "ok", "hold_ended", "hold_ended"]
    assert (venue.has(ann), venue.has(bob)) == (750, 250)


def test_a_hold_is_not_posted_after_its_time(venue: Venue) -> None:
    hold = venue.pay(venue.ann, venue.bob, 600, kind="hold", expires_s=NOW_S + 10)
    venue.settle([hold])
    late = TransferOrder(id=str(uuid4()), kind="post", hold_id=hold.id)
    assert names(venue.settle([late], "s-2", now_s=NOW_S + 10)) == ["hold_expired"]
    with venue.database.write() as tx:
        assert void_expired(tx, NOW_S + 9) == []
        assert void_expired(tx, NOW_S + 10) == [hold.id]
    assert (venue.has(venue.ann), venue.has(venue.bob)) == (1_000, 0)
    assert names(venue.settle([late], "s-2", now_s=NOW_S + 10)) == ["hold_ended"]


@pytest.mark.parametrize("kind", ["post", "void"])
def test_a_hold_of_another_part_cannot_be_ended(
    venue: Venue, kind: Literal["post", "void"]
) -> None:
    """A withdrawal's hold, named here by its id, stays what it is; claiming the id helps nobody."""
    held = str(uuid4())
    line = Transfer.hold(
        id=held,
        debit=chart.user(venue.ann, SubAccount.CONTRACT),
        credit=chart.CLEARING,
        asset="USDT",
        units=600,
    )
    with venue.database.write() as tx:
        post_batch(tx, f"withdrawal:{held}:hold", [line], NOW_S)
    claim = venue.pay(venue.ann, venue.bob, 400, kind="hold", id=held)
    taking = TransferOrder(id=str(uuid4()), kind=kind, hold_id=held)
    assert names(venue.settle([claim, taking])) == [
        "exists_with_different_accounts",
        "hold_unknown",
    ]
    with venue.database.read() as tx:
        owner = chart.user(venue.ann, SubAccount.CONTRACT)
        assert balance(tx, owner, "USDT").held == 600


def test_the_same_call_is_done_once(venue: Venue) -> None:
    asked = [venue.pay(venue.ann, venue.bob, 600), venue.pay(venue.ann, venue.bob, 600)]
    done = venue.settle(asked)
    again = venue.settle(asked)
    assert (done.repeated, again.repeated) == (False, True)
    assert names(done) == ["ok", "insufficient_funds"]
    assert names(again) == ["exists", "refused_before"]
    assert (again.height, again.state_hash) == (done.height, done.state_hash)
    assert venue.has(venue.ann) == 400
    with venue.database.read() as tx:
        assert posted_at(tx, "s-1") == (done.height, done.state_hash)
    with pytest.raises(ExternalIdTaken):
        venue.settle(asked[:1])
    assert names(venue.settle(asked[:1], "s-2")) == ["exists"], "a transfer's id is its own, too"
    assert venue.has(venue.ann) == 400


def test_killed_before_the_answer_it_is_there_whole_and_once(venue: Venue) -> None:
    asked = [venue.pay(venue.ann, venue.bob, 100) for _ in range(5)]

    def die(name: str) -> None:
        assert name == "settlement.posted"
        raise Killed

    with pytest.raises(Killed):
        venue.settle(asked, milestone=die)
    assert (venue.has(venue.ann), venue.has(venue.bob)) == (500, 500)
    again = venue.settle(asked)
    assert (again.repeated, again.status) == (True, Status.POSTED)
    assert (venue.has(venue.ann), venue.has(venue.bob)) == (500, 500)


def test_known_accounts_are_asked_for_once_and_forgotten_when_they_are_too_many(
    venue: Venue,
) -> None:
    with venue.database.write() as tx:
        more = {create_account(tx, f"user-{n}", NOW_S) for n in range(3)}
    known = KnownAccounts(remembered_max=4)
    stranger = str(uuid4())
    with venue.database.read() as tx:
        assert known.unknown(tx, {venue.ann, venue.bob, stranger}) == {stranger}
        assert known.unknown(tx, {"no id\0", "'"}) == {"no id\0", "'"}
    with venue.database.read() as tx:
        assert known.unknown(tx, more) == set()
        assert known._known == more
    with venue.database.write() as tx:
        late = create_account(tx, "user-late", NOW_S)
    with venue.database.read() as tx:
        assert known.unknown(tx, {late, *more}) == set(), "who was unknown may come to exist"
