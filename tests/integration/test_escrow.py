"""Escrows over the ledger: every way they go, with the numbers, and killed at every step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from tests.fakes import FakeClock
from wallet.addresses.accounts import create_account
from wallet.errors import WalletError
from wallet.escrow import holding, records
from wallet.escrow.errors import (
    BadDeadline,
    BadFee,
    BadRelease,
    Disputed,
    EscrowMoved,
    EscrowNotFound,
    ExternalIdTaken,
    ForbiddenArrow,
    NotDisputed,
    PastDeadline,
    SameAccount,
)
from wallet.escrow.fees import FEE_BASIS_POINTS_MAX
from wallet.escrow.records import Escrow, Order, Party, changed
from wallet.escrow.states import DEADLINE_S_MAX
from wallet.escrow.states import EscrowStatus as E
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.balances import asset_totals, balance, off_balance
from wallet.ledger.chart import SubAccount
from wallet.ledger.errors import InsufficientFunds
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.milestones import Milestone, pass_by
from wallet.store.database import Database


class Killed(BaseException):
    """The process is gone."""


def kill_at(step: str) -> Milestone:
    def milestone(name: str) -> None:
        if name == step:
            raise Killed

    return milestone


@dataclass
class Trade:
    """A payer with 1,000,000 units and a payee with none."""

    database: Database
    clock: FakeClock
    payer: str
    payee: str

    def order(
        self, units: int = 600_000, basis_points: int = 25, external_id: str = "trade-1"
    ) -> Order:
        return Order(
            external_id=external_id,
            network="net",
            asset="BTC",
            payer=Party(account_id=self.payer),
            payee=Party(account_id=self.payee, sub_account=SubAccount.MARGIN),
            units=units,
            fee_basis_points=basis_points,
            deadline_s=self.clock.time_s + 3600,
        )

    def do(self, act: Callable[..., Escrow], *args: object, **named: object) -> Escrow:
        named.setdefault("milestone", pass_by)
        with self.database.write() as tx:
            return act(tx, *args, now_s=self.clock.now_s(), **named)

    def hold(self, order: Order | None = None, milestone: Milestone = pass_by) -> Escrow:
        asked = order or self.order()
        return self.do(holding.hold, asked, requester="key", milestone=milestone)

    def expire(self, milestone: Milestone = pass_by) -> int:
        return holding.expire(self.database, self.clock, milestone)

    def read(self, escrow_id: str) -> Escrow:
        with self.database.read() as tx:
            return records.get(tx, escrow_id)

    @property
    def books(self) -> tuple[int, int, int, int]:
        """Payer available, payer held, payee, fees."""
        with self.database.read() as tx:
            assert not off_balance(asset_totals(tx))
            payer = balance(tx, chart.user(self.payer), "BTC")
            payee = balance(tx, chart.user(self.payee, SubAccount.MARGIN), "BTC")
            fees = balance(tx, chart.ESCROW_FEES, "BTC")
        return payer.available, payer.held, payee.available, fees.net

    @property
    def told(self) -> list[str]:
        with self.database.read() as tx:
            return [event.type for event in read_events(tx, 0, 100)]


@pytest.fixture
def trade(database: Database) -> Trade:
    clock = FakeClock()
    with database.write() as tx:
        payer, payee = (create_account(tx, name, clock.now_s()) for name in ("ann", "bob"))
        line = Transfer.single(
            debit=chart.HOT, credit=chart.user(payer), asset="BTC", units=1_000_000
        )
        post_batch(tx, "test", [line], clock.now_s())
    return Trade(database, clock, payer, payee)


def test_held_and_released(trade: Trade) -> None:
    escrow = trade.hold()
    assert trade.books == (400_000, 600_000, 0, 0)
    # 25 basis points of 600,000 are 1,500.
    done = trade.do(holding.release, escrow.id, None)
    assert trade.books == (400_000, 0, 598_500, 1_500)
    assert (done.status, done.held_units, done.released_units, done.fee_units) == (
        E.RELEASED,
        0,
        600_000,
        1_500,
    )
    assert done == trade.read(escrow.id)
    assert trade.told == ["escrow.held", "escrow.released"]


def test_released_in_parts_pays_the_same_fee(trade: Trade) -> None:
    escrow = trade.hold(trade.order(units=1_000))
    # 25 basis points of 399 are 0.9975, of 400 are 1, of 1,000 are 2.5: 0, then 1, then 1.
    assert trade.do(holding.release, escrow.id, 399).status is E.HELD
    assert trade.books == (999_000, 601, 399, 0)
    assert trade.do(holding.release, escrow.id, 1).status is E.HELD
    assert trade.books == (999_000, 600, 399, 1)
    done = trade.do(holding.release, escrow.id, None)
    assert (done.status, done.releases, done.fee_units) == (E.RELEASED, 3, 2)
    assert trade.books == (999_000, 0, 998, 2)
    parts = ["escrow.part_released"] * 2
    assert trade.told == ["escrow.held", *parts, "escrow.released"]


def test_held_and_returned(trade: Trade) -> None:
    escrow = trade.hold()
    assert trade.do(holding.give_back, escrow.id).status is E.RETURNED
    assert trade.books == (1_000_000, 0, 0, 0)
    assert trade.told == ["escrow.held", "escrow.returned"]


def test_the_rest_is_returned_after_a_part(trade: Trade) -> None:
    escrow = trade.hold()
    trade.do(holding.release, escrow.id, 200_000)
    done = trade.do(holding.give_back, escrow.id)
    assert (done.status, done.released_units, done.held_units) == (E.RETURNED, 200_000, 0)
    assert trade.books == (800_000, 0, 199_500, 500)


def test_its_deadline_gives_it_back(trade: Trade) -> None:
    escrow = trade.hold()
    assert trade.expire() == 0
    trade.clock.time_s += 3599
    assert trade.expire() == 0
    trade.clock.time_s += 1
    assert trade.expire() == 1
    assert trade.expire() == 0
    assert trade.read(escrow.id).status is E.EXPIRED
    assert trade.books == (1_000_000, 0, 0, 0)
    assert trade.told == ["escrow.held", "escrow.expired"]


def test_after_its_deadline_it_only_goes_back(trade: Trade) -> None:
    """The job has not run yet: the answer is the same as when it has."""
    escrow = trade.hold()
    trade.clock.time_s += 3600
    with pytest.raises(PastDeadline):
        trade.do(holding.release, escrow.id, None)
    with pytest.raises(PastDeadline):
        trade.do(holding.dispute, escrow.id, "late")
    assert trade.do(holding.give_back, escrow.id).status is E.RETURNED


def test_a_dispute_outlives_the_deadline_and_waits_for_a_person(trade: Trade) -> None:
    escrow = trade.hold()
    disputed = trade.do(holding.dispute, escrow.id, "no cash came")
    assert (disputed.status, disputed.reason) == (E.DISPUTED, "no cash came")
    trade.clock.time_s += 10**6
    assert trade.expire() == 0
    assert trade.books == (400_000, 600_000, 0, 0)
    with pytest.raises(Disputed):
        trade.do(holding.release, escrow.id, None)
    with pytest.raises(Disputed):
        trade.do(holding.give_back, escrow.id)
    with pytest.raises(Disputed):
        trade.do(holding.dispute, escrow.id, "again")


@pytest.mark.parametrize(
    ("units", "status", "books"),
    [
        (0, E.RETURNED, (1_000_000, 0, 0, 0)),
        (600_000, E.RELEASED, (400_000, 0, 598_500, 1_500)),
        (250_000, E.RELEASED, (750_000, 0, 249_375, 625)),  # split between the two
    ],
)
def test_a_person_decides(
    trade: Trade, units: int, status: E, books: tuple[int, int, int, int]
) -> None:
    escrow = trade.hold()
    trade.do(holding.dispute, escrow.id, "no cash came")
    for wrong in (-1, 600_001):
        with pytest.raises(BadRelease):
            trade.do(holding.decide, escrow.id, wrong, by="alice")
    done = trade.do(holding.decide, escrow.id, units, by="alice")
    assert (done.status, done.decided_by, done.reason) == (status, "alice", "no cash came")
    assert trade.books == books
    with pytest.raises(NotDisputed):
        trade.do(holding.decide, escrow.id, units, by="alice")


def test_nobody_decides_what_is_not_disputed(trade: Trade) -> None:
    escrow = trade.hold()
    with pytest.raises(NotDisputed):
        trade.do(holding.decide, escrow.id, 0, by="alice")
    assert trade.books == (400_000, 600_000, 0, 0)


@pytest.mark.parametrize("units", [0, -1, 600_001])
def test_no_more_is_released_than_is_held(trade: Trade, units: int) -> None:
    escrow = trade.hold()
    with pytest.raises(BadRelease):
        trade.do(holding.release, escrow.id, units)
    assert trade.books == (400_000, 600_000, 0, 0)


def test_what_is_over_stays_over(trade: Trade) -> None:
    ends: dict[str, Callable[..., Escrow]] = {
        "a": partial(holding.release, units=None),
        "b": holding.give_back,
    }
    for name, end in ends.items():
        escrow = trade.hold(trade.order(units=10, external_id=name))
        trade.do(end, escrow_id=escrow.id)
        before = trade.books
        with pytest.raises(ForbiddenArrow):
            trade.do(holding.release, escrow.id, None)
        with pytest.raises(ForbiddenArrow):
            trade.do(holding.give_back, escrow.id)
        with pytest.raises(ForbiddenArrow):
            trade.do(holding.dispute, escrow.id, "too late")
        assert trade.books == before


def test_the_same_external_id_holds_once(trade: Trade) -> None:
    order = trade.order()
    escrow = trade.hold(order)
    trade.clock.time_s += 10**7
    assert trade.hold(order) == escrow, "asked again after any time"
    assert trade.books == (400_000, 600_000, 0, 0)
    with pytest.raises(ExternalIdTaken):
        trade.hold(trade.order(units=1))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda t: t.order(units=1_000_001), InsufficientFunds),
        (lambda t: t.order(basis_points=-1), BadFee),
        (lambda t: t.order(basis_points=FEE_BASIS_POINTS_MAX + 1), BadFee),
        (lambda t: _with(t, payee=Party(account_id=t.payer)), SameAccount),
        (lambda t: _with(t, deadline_s=t.clock.time_s), BadDeadline),
        (lambda t: _with(t, deadline_s=t.clock.time_s + DEADLINE_S_MAX + 1), BadDeadline),
    ],
)
def test_a_refused_escrow_holds_nothing(
    trade: Trade, change: Callable[[Trade], Order], error: type[WalletError]
) -> None:
    with pytest.raises(error):
        trade.hold(change(trade))
    assert trade.books == (1_000_000, 0, 0, 0)
    with trade.database.read() as tx, pytest.raises(EscrowNotFound):
        records.get_by_external_id(tx, "trade-1")
    with pytest.raises(EscrowNotFound):
        trade.read(records.id_of("trade-1"))


def _with(trade: Trade, **changes: object) -> Order:
    return replace(trade.order(), **changes)  # type: ignore[arg-type]


def test_of_two_who_read_the_same_only_one_changes_it(trade: Trade) -> None:
    escrow = trade.hold()
    trade.do(holding.release, escrow.id, 10)
    with trade.database.write() as tx, pytest.raises(EscrowMoved):
        records.move(tx, escrow, changed(escrow, E.RETURNED, trade.clock.now_s()))
    now = trade.read(escrow.id)
    trade.do(holding.dispute, escrow.id, "why")
    with trade.database.write() as tx, pytest.raises(EscrowMoved):
        records.move(tx, now, changed(now, E.RETURNED, trade.clock.now_s()))


def test_one_that_cannot_be_given_back_does_not_keep_the_others(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trade.hold(trade.order(units=10, external_id="a"))
    second = trade.hold(trade.order(units=10, external_id="b"))
    trade.clock.time_s += 3600
    real = post_batch

    def refuse(tx: object, cause: str, *rest: object) -> object:
        if first.id in cause:
            raise InsufficientFunds("refused")
        return real(tx, cause, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(holding, "post_batch", refuse)
    with pytest.raises(InsufficientFunds):
        trade.expire()
    assert (trade.read(first.id).status, trade.read(second.id).status) == (E.HELD, E.EXPIRED)
    monkeypatch.undo()
    assert trade.expire() == 1


Act = Callable[[Trade, str, Milestone], object]

ACTS: dict[str, tuple[Act, tuple[int, int, int, int]]] = {
    "release": (
        lambda t, escrow_id, m: t.do(holding.release, escrow_id, None, milestone=m),
        (400_000, 0, 598_500, 1_500),
    ),
    "part": (
        lambda t, escrow_id, m: t.do(holding.release, escrow_id, 200_000, milestone=m),
        (400_000, 400_000, 199_500, 500),
    ),
    "return": (
        lambda t, escrow_id, m: t.do(holding.give_back, escrow_id, milestone=m),
        (1_000_000, 0, 0, 0),
    ),
    "dispute": (
        lambda t, escrow_id, m: t.do(holding.dispute, escrow_id, "why", milestone=m),
        (400_000, 600_000, 0, 0),
    ),
}


@pytest.mark.parametrize("step", ["escrow.booked", "escrow.kept"])
@pytest.mark.parametrize("name", ACTS)
def test_killed_at_a_step_it_is_done_once_or_not(trade: Trade, name: str, step: str) -> None:
    act, books = ACTS[name]
    escrow = trade.hold()
    with pytest.raises(Killed):
        act(trade, escrow.id, kill_at(step))
    assert trade.read(escrow.id) == escrow
    assert trade.books == (400_000, 600_000, 0, 0)
    act(trade, escrow.id, pass_by)
    assert trade.books == books


@pytest.mark.parametrize("step", ["escrow.booked", "escrow.kept"])
def test_killed_while_holding_it_is_held_once(trade: Trade, step: str) -> None:
    with pytest.raises(Killed):
        trade.hold(milestone=kill_at(step))
    assert trade.books == (1_000_000, 0, 0, 0)
    assert trade.hold() == trade.hold()
    assert trade.books == (400_000, 600_000, 0, 0)


@pytest.mark.parametrize("step", ["escrow.booked", "escrow.kept"])
def test_killed_while_a_decision_is_written_it_is_made_once(trade: Trade, step: str) -> None:
    escrow = trade.hold()
    disputed = trade.do(holding.dispute, escrow.id, "why")
    with pytest.raises(Killed):
        trade.do(holding.decide, escrow.id, 250_000, by="alice", milestone=kill_at(step))
    assert trade.read(escrow.id) == disputed
    trade.do(holding.decide, escrow.id, 250_000, by="alice")
    assert trade.books == (750_000, 0, 249_375, 625)


@pytest.mark.parametrize("step", ["escrow.booked", "escrow.kept", "escrow.expired"])
def test_killed_among_several_that_expire_each_goes_back_once(trade: Trade, step: str) -> None:
    for name in ("a", "b", "c"):
        trade.hold(trade.order(units=100_000, external_id=name))
    trade.clock.time_s += 3600
    with pytest.raises(Killed):
        trade.expire(kill_at(step))
    done = int(step == "escrow.expired")
    assert trade.books == (700_000 + 100_000 * done, 300_000 - 100_000 * done, 0, 0)
    assert trade.expire() == 3 - done
    assert trade.books == (1_000_000, 0, 0, 0)
    assert trade.told == ["escrow.held"] * 3 + ["escrow.expired"] * 3
