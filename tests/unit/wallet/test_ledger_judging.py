"""Judging: each result has its example, with the numbers written out. Nothing here is stored."""

from collections.abc import Callable
from uuid import UUID

import pytest
from msgspec.structs import replace

from wallet.ledger import chart
from wallet.ledger.books import Books
from wallet.ledger.judging import Judge, Judged
from wallet.ledger.results import Result
from wallet.ledger.terms.rules import Terms
from wallet.ledger.transfers import SECONDS_MAX, UNITS_MAX, Transfer, number, single

ALICE, BOB, CAROL = map(chart.user, ("alice", "bob", "carol"))
NOW_S = 1_000
HELD, EXPIRING, MOVED, ENDED, OTHER = (str(UUID(int=n)) for n in range(1, 6))


def move(debit: str, credit: str, units: int, *, id: str = "", linked: bool = False) -> Transfer:
    return Transfer.single(
        debit=debit, credit=credit, asset="BTC", units=units, id=id, linked=linked
    )


def hold(id: str, units: int, *, expires_s: int = 0, linked: bool = False) -> Transfer:
    return Transfer.hold(
        id=id,
        debit=ALICE,
        credit=chart.CLEARING,
        asset="BTC",
        units=units,
        expires_s=expires_s,
        linked=linked,
    )


@pytest.fixture
def books() -> Books:
    """Alice got 100 by MOVED; 30 of it are held by HELD, 20 until 1,100 by EXPIRING.

    ENDED held 5, which were posted. So she has 95, of which 45 are available. Bob has 50.
    """
    books = Books()
    start = [
        move(chart.HOT, ALICE, 100, id=MOVED),
        move(chart.HOT, BOB, 50),
        hold(HELD, 30),
        hold(EXPIRING, 20, expires_s=1_100),
        hold(ENDED, 5),
        Transfer.post(hold_id=ENDED),
    ]
    judged = judge(books, start)
    assert set(judged.results) == {Result.OK}
    books.height = 1
    return books


def judge(
    books: Books, transfers: list[Transfer], now_s: int = NOW_S, known: list[Transfer] | None = None
) -> Judged:
    stored = {transfer.id: transfer for transfer in known or ()}
    given = number(f"cause:{books.height}:{now_s}", transfers)
    return Judge(books, now_s=now_s, known=stored).each(given)


def money(books: Books, owner: str) -> tuple[int, int]:
    """What an owner has, and what of it is held."""
    position = books.owners("BTC")[owner]
    return position.credits - position.debits, position.debits_held


def test_ok_moves_the_units(books: Books) -> None:
    judged = judge(books, [move(ALICE, BOB, 45)])
    assert judged.results == [Result.OK]
    assert (money(books, ALICE), money(books, BOB)) == ((50, 50), (95, 0))
    assert judged.posted.units == [45]


def sums(books: Books) -> dict[str, object]:
    """All there is of every account."""
    return {owner: p.sums() for asset in books.positions.values() for owner, p in asset.items()}


REFUSED: list[tuple[Result, Transfer]] = [
    (Result.EXPIRY_INVALID, replace(move(BOB, ALICE, 1), expires_s=2_000)),
    (Result.EXPIRY_INVALID, replace(Transfer.void(hold_id=HELD), expires_s=2_000)),
    (Result.ACCOUNT_UNKNOWN, single("pocket:x", ALICE, "BTC", 1)),
    (Result.ACCOUNT_UNKNOWN, single(chart.HOUSE, "user:", "BTC", 1)),
    (Result.SAME_ACCOUNT, move(ALICE, ALICE, 1)),
    (Result.SAME_ACCOUNT, move(CAROL, CAROL, 1)),
    (Result.SAME_ACCOUNT, move("pocket:x", "pocket:x", 1)),
    (Result.ASSET_INVALID, single(chart.HOUSE, ALICE, "", 1)),
    (Result.ASSET_INVALID, single(chart.HOUSE, ALICE, "B\tC", 1)),
    (Result.ASSET_INVALID, single(chart.HOUSE, ALICE, "B" * 65, 1)),
    (Result.AMOUNT_INVALID, move(ALICE, BOB, 0)),
    (Result.AMOUNT_INVALID, move(ALICE, BOB, -1)),
    (Result.AMOUNT_INVALID, move(chart.HOT, BOB, UNITS_MAX + 1)),
    (Result.EXPIRY_INVALID, hold(OTHER, 1, expires_s=NOW_S)),
    (Result.EXPIRY_INVALID, hold(OTHER, 1, expires_s=SECONDS_MAX + 1)),
    (Result.INSUFFICIENT_FUNDS, move(ALICE, BOB, 46)),
    (Result.INSUFFICIENT_FUNDS, hold(OTHER, 46)),
    (Result.INSUFFICIENT_FUNDS, move(CAROL, BOB, 1)),
    (Result.HOLD_UNKNOWN, Transfer.post(hold_id=OTHER)),
    (Result.HOLD_UNKNOWN, Transfer.void(hold_id=MOVED)),
    (Result.HOLD_ENDED, Transfer.post(hold_id=ENDED)),
    (Result.HOLD_ENDED, Transfer.void(hold_id=ENDED)),
    (Result.HOLD_EXCEEDED, Transfer.post(hold_id=HELD, units=31)),
    (Result.AMOUNT_INVALID, Transfer.post(hold_id=HELD, units=-1)),
]


def of_other_asset() -> Transfer:
    given = Transfer.post(hold_id=HELD)
    return Transfer(
        id="",
        kind=given.kind,
        debit="",
        credit="",
        asset="ETH",
        units=0,
        hold_id=HELD,
    )


def part_of_a_void() -> Transfer:
    given = Transfer.void(hold_id=HELD)
    return Transfer(id="", kind=given.kind, debit="", credit="", asset="", units=29, hold_id=HELD)


REFUSED += [
    (Result.ASSET_MISMATCH, of_other_asset()),
    (Result.AMOUNT_INVALID, part_of_a_void()),
]


@pytest.mark.parametrize(("result", "transfer"), REFUSED)
def test_a_refused_transfer_leaves_no_trace(
    books: Books, result: Result, transfer: Transfer
) -> None:
    before = (sums(books), books.accounts)
    judged = judge(books, [transfer])
    assert judged.results == [result]
    assert not any((judged.posted, judged.changed, judged.opened, judged.made))
    assert (sums(books), books.accounts) == before


def test_insufficient_funds_says_what_there_was(books: Books) -> None:
    assert judge(books, [move(ALICE, BOB, 46)]).available == 45


def test_a_hold_is_posted_until_it_expires_and_voided_after(books: Books) -> None:
    post, void = Transfer.post(hold_id=EXPIRING), Transfer.void(hold_id=EXPIRING)
    assert judge(books, [post], now_s=1_100).results == [Result.HOLD_EXPIRED]
    assert judge(books, [post], now_s=1_101).results == [Result.HOLD_EXPIRED]
    assert money(books, ALICE) == (95, 50)
    assert judge(books, [void], now_s=1_101).results == [Result.OK]
    assert money(books, ALICE) == (95, 30)


def test_a_hold_is_posted_in_its_last_second(books: Books) -> None:
    assert judge(books, [Transfer.post(hold_id=EXPIRING)], now_s=1_099).results == [Result.OK]
    assert money(books, ALICE) == (75, 30)


def test_a_part_of_a_hold_gives_back_the_rest(books: Books) -> None:
    """Of 30 held, 12 move and 18 are free again: 95 - 12 = 83, of which the other 20 are held."""
    assert judge(books, [Transfer.post(hold_id=HELD, units=12)]).results == [Result.OK]
    assert money(books, ALICE) == (83, 20)
    assert money(books, chart.CLEARING) == (17, 0)


FROZEN: list[Callable[[], Transfer]] = [
    lambda: move(ALICE, BOB, 1),
    lambda: move(BOB, ALICE, 1),
    lambda: hold(OTHER, 1),
]


@pytest.mark.parametrize("made", FROZEN)
def test_a_frozen_account_neither_pays_nor_is_paid(
    books: Books, made: Callable[[], Transfer]
) -> None:
    books.terms[ALICE, "BTC"] = Terms(frozen=True)
    books.limit(books.owners("BTC")[ALICE])
    assert judge(books, [made()]).results == [Result.ACCOUNT_FROZEN]


def test_a_frozen_account_gets_its_holds_back(books: Books) -> None:
    books.terms[ALICE, "BTC"] = Terms(frozen=True)
    books.limit(books.owners("BTC")[ALICE])
    assert judge(books, [Transfer.void(hold_id=HELD)]).results == [Result.OK]


def test_a_frozen_account_keeps_what_it_promised_before(books: Books) -> None:
    """The 30 held may have been paid on a chain already."""
    books.terms[ALICE, "BTC"] = Terms(frozen=True)
    books.limit(books.owners("BTC")[ALICE])
    assert judge(books, [Transfer.post(hold_id=HELD)]).results == [Result.OK]


def test_a_registered_asset_needs_the_receivers_trust() -> None:
    books = Books(trusted_assets={"GOLD"})
    issue = single(chart.HOUSE, ALICE, "GOLD", 10)
    assert judge(books, [issue]).results == [Result.TRUST_MISSING]
    books.terms[ALICE, "GOLD"] = Terms(limit_units=10)
    assert judge(books, [issue]).results == [Result.OK]


def test_a_trust_line_ends_at_its_limit() -> None:
    """A limit of 10: 7 fit, 4 more do not, 3 more do."""
    books = Books(terms={(ALICE, "GOLD"): Terms(limit_units=10)})
    given = [single(chart.HOUSE, ALICE, "GOLD", units) for units in (7, 4, 3)]
    assert judge(books, given).results == [Result.OK, Result.LIMIT_EXCEEDED, Result.OK]


def test_what_is_held_for_an_account_counts_towards_its_limit() -> None:
    """A limit of 10: with 7 held for Bob, 4 more would be 11."""
    books = Books(terms={(BOB, "GOLD"): Terms(limit_units=10)})
    held = Transfer.hold(id=OTHER, debit=chart.HOUSE, credit=BOB, asset="GOLD", units=7)
    given = [held, single(chart.HOUSE, BOB, "GOLD", 4), single(chart.HOUSE, BOB, "GOLD", 3)]
    assert judge(books, given).results == [Result.OK, Result.LIMIT_EXCEEDED, Result.OK]


# --- ids that were used before -------------------------------------------------------------------

STORED = move(chart.HOT, ALICE, 100, id=MOVED)


@pytest.mark.parametrize(
    ("result", "asked"),
    [
        (Result.EXISTS, STORED),
        (Result.EXISTS_WITH_DIFFERENT_KIND, hold(MOVED, 100)),
        (Result.EXISTS_WITH_DIFFERENT_ACCOUNTS, move(chart.HOT, BOB, 100, id=MOVED)),
        (Result.EXISTS_WITH_DIFFERENT_AMOUNT, move(chart.HOT, ALICE, 99, id=MOVED)),
    ],
)
def test_an_id_is_posted_once(books: Books, result: Result, asked: Transfer) -> None:
    judged = judge(books, [asked], known=[STORED])
    assert (judged.results, len(judged.posted)) == ([result], 0)


def test_a_hold_of_the_same_id_with_another_expiry_is_another(books: Books) -> None:
    asked = hold(HELD, 30, expires_s=2_000)
    judged = judge(books, [asked], known=[hold(HELD, 30)])
    assert judged.results == [Result.EXISTS_WITH_DIFFERENT_EXPIRY]


def test_an_end_of_the_same_id_for_another_hold_is_another(books: Books) -> None:
    stored, asked = Transfer.post(hold_id=HELD, id=OTHER), Transfer.post(hold_id=EXPIRING, id=OTHER)
    judged = judge(books, [asked], known=[stored])
    assert judged.results == [Result.EXISTS_WITH_DIFFERENT_HOLD]


@pytest.mark.parametrize(
    ("first", "again", "result"),
    [
        (None, None, Result.EXISTS),
        (None, 30, Result.EXISTS),
        (30, None, Result.EXISTS),
        (12, 12, Result.EXISTS),
        (12, None, Result.EXISTS_WITH_DIFFERENT_AMOUNT),
        (None, 12, Result.EXISTS_WITH_DIFFERENT_AMOUNT),
    ],
)
def test_a_post_of_all_and_one_of_as_many_units_are_the_same(
    books: Books, first: int | None, again: int | None, result: Result
) -> None:
    """The hold is of 30 units: all of it is 30, and 12 is not all of it."""
    given = [Transfer.post(hold_id=HELD, units=units, id=OTHER) for units in (first, again)]
    assert judge(books, given).results == [Result.OK, result]


# --- linked transfers ----------------------------------------------------------------------------


def test_linked_transfers_are_posted_together(books: Books) -> None:
    """Alice pays Bob 40 if Bob pays Carol 90: he has 50, so only together it can be."""
    linked = [move(ALICE, BOB, 40, linked=True), move(BOB, CAROL, 90)]
    assert judge(books, linked).results == [Result.OK, Result.OK]
    assert [money(books, owner)[0] for owner in (ALICE, BOB, CAROL)] == [55, 0, 90]


def test_linked_transfers_fail_together_and_leave_no_trace(books: Books) -> None:
    """Bob would have 50 + 40 = 90 and shall pay 91: all three are taken back, the fourth stands."""
    judged = judge(
        books,
        [
            hold(OTHER, 5, linked=True),
            move(ALICE, BOB, 40, linked=True),
            move(BOB, CAROL, 91),
            move(BOB, ALICE, 7),
        ],
    )
    failed = Result.LINKED_FAILED
    assert judged.results == [failed, failed, Result.INSUFFICIENT_FUNDS, Result.OK]
    assert (money(books, ALICE), money(books, BOB)) == ((102, 50), (43, 0))
    assert CAROL not in books.owners("BTC")
    assert OTHER not in books.holds
    lines = judged.posted.lines(judged.height).text.splitlines()
    assert [line.split(b"\t")[1] for line in lines] == [b"0"]


def test_a_failed_chain_opens_ended_holds_again(books: Books) -> None:
    linked = [
        Transfer.post(hold_id=HELD, linked=True),
        Transfer.void(hold_id=EXPIRING, linked=True),
        move(BOB, ALICE, 51),
    ]
    assert judge(books, linked).results[2] is Result.INSUFFICIENT_FUNDS
    assert money(books, ALICE) == (95, 50)
    assert judge(books, [Transfer.post(hold_id=HELD)]).results == [Result.OK]


def test_the_first_bad_transfer_of_a_chain_has_the_reason(books: Books) -> None:
    linked = [
        move(ALICE, BOB, 0, linked=True),
        move(BOB, ALICE, 999, linked=True),
        move(BOB, ALICE, 1),
    ]
    failed = Result.LINKED_FAILED
    assert judge(books, linked).results == [Result.AMOUNT_INVALID, failed, failed]


def test_what_a_failed_chain_asked_for_may_be_asked_again(books: Books) -> None:
    again = move(ALICE, BOB, 1, id=OTHER)
    linked = [move(ALICE, BOB, 1, id=OTHER, linked=True), move(BOB, ALICE, 999)]
    assert judge(books, [*linked, again]).results[-1] is Result.OK


def test_a_transfer_twice_in_a_chain_is_posted_once(books: Books) -> None:
    one = move(ALICE, BOB, 1, id=OTHER, linked=True)
    judged = judge(books, [one, one, move(BOB, ALICE, 2)])
    assert judged.results == [Result.OK, Result.EXISTS, Result.OK]
    assert (len(judged.posted), money(books, BOB)[0]) == (2, 49)


def test_a_chain_without_an_end_is_not_posted(books: Books) -> None:
    linked = [
        move(ALICE, BOB, 1),
        move(ALICE, BOB, 1, linked=True),
        move(BOB, ALICE, 1, linked=True),
    ]
    results = judge(books, linked).results
    assert results == [Result.OK, Result.LINKED_FAILED, Result.LINK_OPEN]
    assert money(books, BOB)[0] == 51


def test_a_failed_chain_leaves_the_totals_those_of_the_accounts(books: Books) -> None:
    chain = [
        replace(move(ALICE, chart.HOT, 5), linked=True),
        replace(Transfer.post(hold_id=HELD, units=3), linked=True),
        hold(OTHER, 1_000),
    ]
    before = {key: totals.sums() for key, totals in books.totals.items()}
    assert Result.INSUFFICIENT_FUNDS in judge(books, chain).results
    assert {key: totals.sums() for key, totals in books.totals.items()} == before


def test_a_whole_batch_is_one_chain(books: Books) -> None:
    given = number("cause", [move(ALICE, BOB, 40), move(BOB, CAROL, 91)])
    judged = Judge(books, now_s=NOW_S).whole(given)
    assert judged.results == [Result.LINKED_FAILED, Result.INSUFFICIENT_FUNDS]
    assert (len(judged.posted), money(books, ALICE)) == (0, (95, 50))


def test_the_second_of_two_new_accounts_being_unknown_opens_none(books: Books) -> None:
    opened = books.accounts
    assert judge(books, [single(CAROL, "pocket:x", "BTC", 1)]).results == [Result.ACCOUNT_UNKNOWN]
    assert (books.accounts, CAROL in books.owners("BTC")) == (opened, False)
