"""Freezes and trust lines hold for every transfer: in a batch, by itself, or by the writer."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.assets_world import GOLD, NOW_S, AssetsWorld
from wallet.assets.gateways import change_key
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.errors import AccountFrozen, LimitExceeded, TrustMissing
from wallet.ledger.posting import Result, post_batch, post_each
from wallet.ledger.terms.stated import Change, state_frozen, state_limit
from wallet.ledger.transfers import Transfer, single
from wallet.ledger.writer import LedgerWriter
from wallet.store.database import Database

ALICE, BOB, CAROL = map(chart.user, ("alice", "bob", "carol"))
MARGIN = f"{ALICE}/margin"
HELD = str(UUID(int=1))
CHANGE = Change(changed_by="key", reason="why", since_height=0, since_s=NOW_S)
OK, FROZEN = Result.OK, Result.ACCOUNT_FROZEN
MISSING, LIMIT = Result.TRUST_MISSING, Result.LIMIT_EXCEEDED


class Clock:
    """Stands still."""

    def now_s(self) -> int:
        return NOW_S


@pytest.fixture
def gold(database: Database) -> Database:
    """GOLD.zurich is registered; Alice trusts 100 of it, Bob 50; each has 1,000 of BTC."""
    world = AssetsWorld(database)
    world.open()
    world.gold()
    with database.write() as tx:
        state_limit(tx, ALICE, GOLD, 100, CHANGE)
        state_limit(tx, BOB, GOLD, 50, CHANGE)
        start = [single(chart.HOUSE, owner, "BTC", 1_000) for owner in (ALICE, BOB, CAROL)]
        post_batch(tx, "start", [*start, single(chart.issued("zurich"), ALICE, GOLD, 90)], NOW_S)
    return database


def each(database: Database, *transfers: Transfer, cause: str = "each") -> list[Result]:
    with database.write() as tx:
        return list(post_each(tx, cause, transfers, NOW_S).results)


def held(database: Database, owner: str, asset: str = GOLD) -> int:
    with database.read() as tx:
        return balance(tx, owner, asset).net


def freeze(database: Database, owner: str, asset: str, frozen: bool = True) -> None:
    with database.write() as tx:
        state_frozen(tx, owner, asset, frozen, CHANGE)


def test_trust_limits_hold_between_holders(gold: Database) -> None:
    """Alice has 90 and trusts 100; Bob trusts 50; Carol trusts nothing."""
    results = each(
        gold,
        single(ALICE, CAROL, GOLD, 1),  # no trust line
        single(ALICE, BOB, GOLD, 51),  # 51 > 50
        single(ALICE, BOB, GOLD, 30),  # Bob 30
        single(ALICE, BOB, GOLD, 21),  # 30 + 21 = 51
        single(ALICE, BOB, GOLD, 20),  # 50: full; Alice 40
        single(BOB, ALICE, GOLD, 50),  # Alice 90
        single(chart.issued("zurich"), ALICE, GOLD, 11),  # 90 + 11 = 101
        single(chart.issued("zurich"), ALICE, GOLD, 10),  # 100
    )
    assert results == [MISSING, LIMIT, OK, LIMIT, OK, OK, LIMIT, OK]
    assert (held(gold, ALICE), held(gold, BOB)) == (100, 0)


def test_a_whole_batch_is_refused_by_name(gold: Database) -> None:
    for error, line in (
        (TrustMissing, single(ALICE, CAROL, GOLD, 1)),
        (LimitExceeded, single(ALICE, BOB, GOLD, 51)),
    ):
        with pytest.raises(error), gold.write() as tx:
            post_batch(tx, "whole", [single(ALICE, BOB, "BTC", 1), line], NOW_S)
    freeze(gold, BOB, "BTC")
    with pytest.raises(AccountFrozen), gold.write() as tx:
        post_batch(tx, "whole", [single(ALICE, BOB, "BTC", 1)], NOW_S)
    assert held(gold, BOB, "BTC") == 1_000


def test_the_quota_bounds_what_is_issued_in_the_books_too(gold: Database) -> None:
    """90 of 1,000 are out: nobody gets more than 910 into the books, past the registry or not."""
    with gold.write() as tx:
        state_limit(tx, ALICE, GOLD, 10_000, CHANGE)
    issued = chart.issued("zurich")
    results = each(gold, single(issued, ALICE, GOLD, 911), single(issued, ALICE, GOLD, 910))
    assert results == [LIMIT, OK]


def test_a_freeze_stops_both_ways_in_one_asset(gold: Database) -> None:
    freeze(gold, ALICE, "BTC")
    results = each(
        gold,
        single(ALICE, BOB, "BTC", 1),
        single(BOB, ALICE, "BTC", 1),
        single(ALICE, chart.FEE_INCOME, "BTC", 1),
        single(ALICE, BOB, GOLD, 1),
        single(BOB, CAROL, "BTC", 1),
    )
    assert results == [FROZEN, FROZEN, FROZEN, OK, OK]


def test_parts_of_an_account_are_frozen_and_trusted_with_it(gold: Database) -> None:
    assert each(gold, single(ALICE, MARGIN, GOLD, 60), cause="move") == [OK]
    freeze(gold, ALICE, GOLD)
    results = each(gold, single(MARGIN, ALICE, GOLD, 1), single(MARGIN, BOB, GOLD, 1))
    assert results == [FROZEN, FROZEN]


def test_what_happened_on_a_chain_is_booked(gold: Database) -> None:
    """A deposit to a frozen account, and its reversal."""
    freeze(gold, ALICE, "BTC")
    results = each(
        gold, single(chart.DEPOSIT, ALICE, "BTC", 5), single(ALICE, chart.DEPOSIT, "BTC", 5)
    )
    assert results == [OK, OK]


@pytest.mark.parametrize("posted", [True, False])
def test_a_hold_made_before_a_freeze_ends_as_it_would(gold: Database, posted: bool) -> None:
    """A withdrawal that was sent is gone; one that was not comes back."""
    hold = Transfer.hold(id=HELD, debit=ALICE, credit=chart.CLEARING, asset="BTC", units=400)
    assert each(gold, hold, cause="hold") == [OK]
    freeze(gold, ALICE, "BTC")
    end = Transfer.post(hold_id=HELD) if posted else Transfer.void(hold_id=HELD)
    assert each(gold, end, cause="end") == [OK]
    assert held(gold, ALICE, "BTC") == (600 if posted else 1_000)
    again = Transfer.hold(
        id=str(UUID(int=2)), debit=ALICE, credit=chart.CLEARING, asset="BTC", units=1
    )
    assert each(gold, again, cause="again") == [FROZEN]


def test_a_lowered_limit_keeps_promises_and_stops_new_ones(gold: Database) -> None:
    """Bob trusts 50; 40 are held for him when he lowers to 10."""
    hold = Transfer.hold(id=HELD, debit=ALICE, credit=BOB, asset=GOLD, units=40)
    assert each(gold, hold, single(ALICE, BOB, GOLD, 11), cause="hold") == [OK, LIMIT]
    with gold.write() as tx:
        state_limit(tx, BOB, GOLD, 10, CHANGE)
    assert each(gold, Transfer.post(hold_id=HELD), single(ALICE, BOB, GOLD, 1)) == [OK, LIMIT]
    assert held(gold, BOB) == 40
    assert each(gold, single(BOB, ALICE, GOLD, 40), cause="back") == [OK]
    with gold.write() as tx:
        state_limit(tx, BOB, GOLD, 0, CHANGE)
    assert each(gold, single(ALICE, BOB, GOLD, 1), cause="closed") == [MISSING]


def test_assets_on_their_way_need_no_trust_line(gold: Database) -> None:
    hold = Transfer.hold(id=HELD, debit=ALICE, credit=chart.CLEARING, asset=GOLD, units=40)
    results = each(gold, hold, single(ALICE, chart.UNALLOCATED, GOLD, 1))
    assert results == [OK, OK]


# --- the writer ----------------------------------------------------------------------------------


@pytest.fixture
def posting(gold: Database) -> Iterator[LedgerWriter]:
    made = LedgerWriter(gold, Clock())
    yield made
    made.close()


def test_the_writer_learns_of_every_change(gold: Database, posting: LedgerWriter) -> None:
    """Its accounts stay in memory between groups, and their terms do not outlive a change."""

    def pay(number: int, units: int = 1, asset: str = "BTC") -> Result:
        return posting.post(f"pay:{number}", [single(ALICE, CAROL, asset, units)]).results[0]

    assert (pay(1), pay(2, asset=GOLD)) == (OK, MISSING)
    freeze(gold, CAROL, "BTC")
    assert pay(3) is FROZEN
    with gold.write() as tx:
        state_limit(tx, CAROL, GOLD, 7, CHANGE)
    assert (pay(4, 8, GOLD), pay(5, 7, GOLD), pay(6, 1, GOLD)) == (LIMIT, OK, LIMIT)
    freeze(gold, CAROL, "BTC", frozen=False)
    assert pay(7) is OK
    freeze(gold, CAROL, "BTC")
    assert (pay(8), pay(9)) == (FROZEN, FROZEN)  # refused now from what is in memory
    freeze(gold, CAROL, "BTC", frozen=False)
    assert pay(10) is OK


def test_an_asset_registered_later_needs_trust_from_then_on(
    gold: Database, posting: LedgerWriter
) -> None:
    """The writer knew its code as one that needs none."""
    first = [single(chart.HOUSE, ALICE, "BTC.zurich", 1)]
    assert posting.post("before", first).results[0] is OK
    world = AssetsWorld(gold)
    with gold.write() as tx:
        change_key(tx, world.operator, "zurich", world.gateway.key_id, NOW_S)
    world.coin()
    assert posting.post("after", first).results[0] is MISSING


def test_frozen_between_judging_and_writing_is_judged_again(
    gold: Database, posting: LedgerWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gold.write
    done: list[bool] = []

    def freezing() -> object:
        if not done:
            done.append(True)
            freeze(gold, CAROL, "BTC")
        return real()

    assert posting.post("one", [single(ALICE, CAROL, "BTC", 1)]).results == [OK]
    monkeypatch.setattr(gold, "write", freezing)
    assert posting.post("two", [single(ALICE, CAROL, "BTC", 1)]).results == [FROZEN]
    assert held(gold, CAROL, "BTC") == 1_001
