"""Sweeps and refills over the whole wallet: real books, builders and watchers, fake nodes."""

from dataclasses import dataclass

import pytest

from signer.protocol import Purpose, public_key_of
from tests.payments_world import BTC, Keep, World, outside_address
from wallet.addresses.issuing import Purpose as AddressPurpose
from wallet.ledger import chart
from wallet.milestones import Milestone, pass_by
from wallet.payments.errors import NotOffline
from wallet.settings import StaffSettings
from wallet.signing.errors import AnswerRefused
from wallet.store.database import Database
from wallet.treasury import requests
from wallet.treasury.approvals import ApprovalDesk
from wallet.treasury.errors import NotExported
from wallet.treasury.movements import Movements
from wallet.treasury.planning import Planner
from wallet.treasury.requests import TreasuryRequest
from wallet.treasury.staff_desk import StaffDesk
from wallet.treasury.staff_keys import StaffKey
from wallet.treasury.states import RequestStatus
from wallet.treasury.thresholds import asset_named, change_threshold, make_threshold


def key(name: str) -> StaffKey:
    seed = name.encode().ljust(32, b".")
    return StaffKey(id=name, public_key=public_key_of(seed), seed=seed)


STAFF = [
    StaffSettings(id=name, name=name.title(), public_key=key(name).public_key.hex())
    for name in ("anna", "ben", "cora")
]


@dataclass
class Treasury:
    """The treasury of one process; make another over the same Keep to restart."""

    world: World
    movements: Movements
    staff: StaffDesk

    @classmethod
    def make(
        cls, database: Database, keep: Keep | None = None, milestone: Milestone = pass_by
    ) -> "Treasury":
        world = World(database, keep, milestone)
        planner = Planner(
            networks=tuple(world.networks.values()),
            assets=tuple(world.assets.values()),
            policy=world.policy,
            approvals_required=2,
            deriver=world.deriver,
            new_id=world.keep.ids,
        )
        desk = ApprovalDesk(STAFF, world.withdrawals.approved)
        movements = Movements(
            database=database,
            clock=world.keep.clock,
            planner=planner,
            desk=desk,
            movers=world.moves,
            milestone=milestone,
        )
        staff = StaffDesk(
            database=database,
            clock=world.keep.clock,
            planner=planner,
            approvals_desk=desk,
            offline=world.desk,
            reject=world.withdrawals.reject,
            staff=STAFF,
        )
        return cls(world, movements, staff)

    def bounds(self, asset: str, low: int, target: int, high: int) -> None:
        with self.world.database.write() as tx:
            found = asset_named(tuple(self.world.assets.values()), asset)
            change_threshold(tx, found, make_threshold("absolute", low, target, high), "anna", 1)

    def fund_cold(self, asset: str, units: int) -> None:
        network = self.world.assets[asset].network
        source = self.world.networks[network].cold
        cold = self.world.own_address(network, source, AddressPurpose.COLD)
        if network == BTC:
            self.world.keep.btc.fund(cold.target, units)
        else:
            self.world.keep.eth.fund(cold.target, asset, units)
        self.world.confirm()

    def go(self, rounds: int = 5) -> None:
        """What the service's jobs do, with blocks between."""
        for _ in range(rounds):
            self.movements.step()
            self.world.settle(1)
        self.movements.step()

    def all(self) -> list[TreasuryRequest]:
        with self.world.database.read() as tx:
            return requests.recent(tx, 100)

    def only(self) -> TreasuryRequest:
        (request,) = self.all()
        return request

    def approve(self, request_id: str, *names: str) -> None:
        for name in names:
            self.staff.approve(self.staff.show(request_id).subject.intent, key(name))

    def carry(self, request_id: str, *keyholders: str) -> None:
        """Files out to offline signers and back."""
        data = self.staff.export(request_id).data
        for name in keyholders:
            self.staff.take_answer(self.world.keep.signers[name].answer(data))


@pytest.fixture
def treasury(database: Database) -> Treasury:
    return Treasury.make(database)


@pytest.mark.parametrize(
    ("asset", "units", "target"),
    [("BTC", 300_000_000, 100_000_000), ("ETH", 5 * 10**18, 10**18), ("DUSD", 9_000_000, 10**6)],
)
def test_hot_above_its_ceiling_is_swept_to_cold(
    treasury: Treasury, asset: str, units: int, target: int
) -> None:
    world = treasury.world
    hot = world.fund_hot_gas()
    if asset == "BTC":
        world.deposit(world.account("anybody"), "BTC", units)
    else:
        world.keep.eth.fund(hot.target, asset, units)
        world.confirm()
    before = world.books(chart.HOT, asset)
    treasury.bounds(asset, 0, target, target + 1)
    treasury.go()
    request = treasury.only()
    assert (request.purpose, request.status) == (Purpose.SWEEP, RequestStatus.COMPLETED)
    assert request.units == before - target
    assert world.books(chart.COLD, asset) == request.units
    with pytest.raises(NotExported):
        treasury.staff.export(request.id)
    world.check_books()


@pytest.mark.parametrize(
    ("asset", "cold", "target"),
    [("BTC", 500_000_000, 200_000_000), ("ETH", 9 * 10**18, 4 * 10**18), ("DUSD", 10**9, 10**8)],
)
def test_hot_short_is_refilled_by_people_alone(
    treasury: Treasury, asset: str, cold: int, target: int
) -> None:
    world = treasury.world
    world.fund_hot_gas()
    treasury.fund_cold(asset, cold)
    hot = world.books(chart.HOT, asset)
    treasury.bounds(asset, hot + 1, target, 10 * target)
    treasury.go()
    request = treasury.only()
    assert (request.purpose, request.status) == (Purpose.REFILL, RequestStatus.REQUESTED)
    assert request.units == target - hot
    treasury.approve(request.id, "anna")
    treasury.go()
    assert treasury.only().status is RequestStatus.REQUESTED
    treasury.approve(request.id, "cora")
    treasury.go()
    treasury.carry(request.id, "keyholder-3")
    treasury.go()
    assert treasury.only().status is RequestStatus.EXPORTED
    treasury.carry(request.id, "keyholder-1")
    treasury.go()
    assert treasury.only().status is RequestStatus.COMPLETED
    assert treasury.staff.show(request.id).txid is not None
    assert world.books(chart.HOT, asset) >= target - 10**16
    world.check_books()


def test_signers_that_refuse_end_the_refill_and_free_its_coins(treasury: Treasury) -> None:
    world = treasury.world
    treasury.fund_cold("BTC", 500_000_000)
    treasury.bounds("BTC", 1, 100_000_000, 10**9)
    treasury.go()
    request = treasury.only()
    treasury.approve(request.id, "anna", "ben")
    treasury.go()
    for name in ("keyholder-1", "keyholder-2"):
        world.keep.signers[name].refuse = "fees.absolute"
    treasury.carry(request.id, "keyholder-1", "keyholder-2")
    assert treasury.staff.show(request.id).answers["keyholder-1"] == "refused (fees.absolute)"
    treasury.go()
    ended = treasury.only()
    assert (ended.status, ended.sub_status) == (RequestStatus.FAILED, "refused:fees.absolute")
    world.keep.clock.time_s += 600
    treasury.go(1)
    assert len(treasury.all()) == 2
    world.check_books()


def test_an_answer_that_was_changed_on_its_way_is_not_taken(treasury: Treasury) -> None:
    treasury.fund_cold("BTC", 500_000_000)
    treasury.bounds("BTC", 1, 100_000_000, 10**9)
    treasury.go()
    request = treasury.only()
    treasury.approve(request.id, "anna", "ben")
    treasury.go()
    data = treasury.staff.export(request.id).data
    good = treasury.world.keep.signers["keyholder-1"].answer(data)
    place = good.index(b"keyholder-1") + 10
    with pytest.raises(AnswerRefused):
        treasury.staff.take_answer(good[:place] + b"2" + good[place + 1 :])
    assert treasury.staff.show(request.id).answers == {}


def test_a_hot_payment_is_never_exported(treasury: Treasury) -> None:
    world = treasury.world
    world.deposit(world.account("anybody"), "BTC", 300_000_000)
    treasury.bounds("BTC", 0, 1_000_000, 2_000_000)
    treasury.movements.step()
    with pytest.raises(NotOffline):
        treasury.staff.export(treasury.only().id)


def test_a_withdrawal_larger_than_hot_brings_a_refill_and_is_then_paid(
    treasury: Treasury,
) -> None:
    world = treasury.world
    user = world.account("rich")
    world.deposit(user, "BTC", 150_000_000)
    treasury.fund_cold("BTC", 500_000_000)
    treasury.bounds("BTC", 10_000_000, 20_000_000, 10**9)
    paid = world.withdraw(user, "BTC", outside_address(1), 149_000_000, "large")
    treasury.movements.step()
    request = treasury.only()
    assert request.purpose is Purpose.REFILL
    treasury.approve(request.id, "ben", "cora")
    treasury.go(1)
    treasury.carry(request.id, "keyholder-1", "keyholder-2")
    treasury.go()
    assert str(world.read(paid.id).status) == "completed"
    assert treasury.only().status is RequestStatus.COMPLETED
    world.check_books()


class Killed(BaseException):
    """The process ends here."""


def dying_at(name: str) -> Milestone:
    def milestone(reached: str) -> None:
        if reached == name:
            raise Killed(name)

    return milestone


@pytest.mark.parametrize(
    "moment",
    [
        "treasury.requested",
        "payment.built",
        "treasury.exported",
        "payment.signing",
        "payment.answered:hot-a",
        "payment.signed",
        "payment.broadcast_started",
        "payment.broadcast",
        "payment.completed",
    ],
)
def test_killed_at_any_step_a_sweep_happens_once(database: Database, moment: str) -> None:
    first = Treasury.make(database, milestone=dying_at(moment))
    keep = first.world.keep
    first.world.deposit(first.world.account("anybody"), "BTC", 300_000_000)
    first.bounds("BTC", 0, 100_000_000, 150_000_000)
    with pytest.raises(Killed):
        first.go()
    second = Treasury.make(database, keep)
    second.go(6)
    request = second.only()
    assert (request.status, request.units) == (RequestStatus.COMPLETED, 200_000_000)
    assert second.world.books(chart.COLD, "BTC") == 200_000_000
    second.world.check_books()


@pytest.mark.parametrize(
    "moment", ["payment.signing", "payment.answered:keyholder-1", "payment.signed"]
)
@pytest.mark.parametrize("asset", ["BTC", "ETH"])
def test_killed_while_files_travel_a_refill_happens_once(
    database: Database, moment: str, asset: str
) -> None:
    start = Treasury.make(database)
    keep, units = start.world.keep, 10**8 if asset == "BTC" else 10**18
    start.world.fund_hot_gas()
    start.fund_cold(asset, 5 * units)
    hot = start.world.books(chart.HOT, asset)
    start.bounds(asset, hot + 1, hot + units, hot + 10 * units)
    start.go(1)
    request_id = start.only().id
    start.approve(request_id, "anna", "ben")
    start.go(1)
    dying = Treasury.make(database, keep, dying_at(moment))
    with pytest.raises(Killed):
        carry_all(dying, request_id)
    alive = Treasury.make(database, keep)
    if alive.only().status is RequestStatus.EXPORTED:
        carry_again(alive, request_id)
    alive.go(6)
    assert alive.only().status is RequestStatus.COMPLETED
    assert alive.world.books(chart.COLD, asset) <= 4 * units
    alive.world.check_books()


def carry_all(treasury: Treasury, request_id: str) -> None:
    treasury.carry(request_id, "keyholder-1", "keyholder-2")
    treasury.go()


def carry_again(treasury: Treasury, request_id: str) -> None:
    """The same files once more: a signer that has answered gives its recorded answer."""
    data = treasury.staff.export(request_id).data
    for name in ("keyholder-1", "keyholder-2"):
        signer = treasury.world.keep.signers[name]
        recorded = [answer for _, answer in signer.answers.values()]
        treasury.staff.take_answer(recorded[0] if recorded else signer.answer(data))


def test_eth_refill_leaves_the_hot_account_alone_until_owners_signed(treasury: Treasury) -> None:
    world = treasury.world
    world.fund_hot_gas()
    treasury.fund_cold("ETH", 9 * 10**18)
    treasury.bounds("ETH", 2 * 10**18, 3 * 10**18, 10**20)
    treasury.go()
    request = treasury.only()
    treasury.approve(request.id, "anna", "ben")
    treasury.go()
    assert treasury.only().status is RequestStatus.EXPORTED
    assert world.books(chart.COLD, "ETH") == 9 * 10**18
    world.keep.clock.time_s = request.expires_s
    treasury.go()
    assert treasury.all()[-1].status is RequestStatus.EXPIRED
    world.check_books()
