"""What an account's terms refuse: every case, with the numbers written out."""

import pytest

from wallet.ledger.results import Result
from wallet.ledger.terms.rules import (
    NO_TERMS,
    Motion,
    Terms,
    holder_of,
    motion,
    needs_trust,
    refusal,
)

ALICE, BOB = "user:alice", "user:bob"
ISSUED = "issued:zurich"
TRUSTS_100 = Terms(limit_units=100)
FROZEN = Terms(frozen=True)


def arriving(
    units: int, limit_units: int | None, net_units: int = 0, incoming_units: int = 0
) -> Result | None:
    """What a trust line says to units of a registered asset that would arrive."""
    return refusal(
        Terms(limit_units=limit_units),
        Motion.ARRIVES,
        units,
        net_units=net_units,
        incoming_units=incoming_units,
        trust=True,
    )


@pytest.mark.parametrize(
    ("units", "net_units", "incoming_units", "expected"),
    [
        (100, 0, 0, None),  # 0 + 0 + 100 = 100: the limit itself may be reached
        (101, 0, 0, Result.LIMIT_EXCEEDED),  # 101 > 100
        (40, 60, 0, None),  # 60 + 40 = 100
        (41, 60, 0, Result.LIMIT_EXCEEDED),  # 60 + 41 = 101
        (10, 60, 30, None),  # 60 + 30 on its way + 10 = 100
        (11, 60, 30, Result.LIMIT_EXCEEDED),  # 60 + 30 + 11 = 101: incoming holds count
        (1, 100, 0, Result.LIMIT_EXCEEDED),  # full
        (1, 0, 100, Result.LIMIT_EXCEEDED),  # full of promises
        (10**60, 0, 0, Result.LIMIT_EXCEEDED),
    ],
)
def test_a_trust_line_of_100(
    units: int, net_units: int, incoming_units: int, expected: Result | None
) -> None:
    assert arriving(units, 100, net_units, incoming_units) == expected


@pytest.mark.parametrize("units", [1, 100, 10**60])
def test_without_a_trust_line_nothing_registered_arrives(units: int) -> None:
    assert arriving(units, None) == Result.TRUST_MISSING


@pytest.mark.parametrize("units", [1, 100, 10**60])
def test_native_assets_need_no_trust(units: int) -> None:
    assert refusal(NO_TERMS, Motion.ARRIVES, units, net_units=5) is None


@pytest.mark.parametrize(
    ("limit_units", "net_units", "incoming_units", "expected"),
    [
        (50, 80, 0, Result.LIMIT_EXCEEDED),  # lowered from 100 to 50 while holding 80
        (0, 80, 0, Result.LIMIT_EXCEEDED),  # no inflow, but still a trust line: 80 are held
        (0, 0, 20, Result.LIMIT_EXCEEDED),  # 20 promised before: not withdrawn yet
        (0, 0, 0, Result.TRUST_MISSING),  # nothing held or coming: withdrawn
    ],
)
def test_a_limit_below_what_is_held_stops_inflow(
    limit_units: int, net_units: int, incoming_units: int, expected: Result
) -> None:
    assert arriving(1, limit_units, net_units, incoming_units) == expected


@pytest.mark.parametrize("limit_units", [0, 50])
def test_a_limit_below_what_is_held_stops_nothing_else(limit_units: int) -> None:
    lowered = Terms(limit_units=limit_units)
    assert refusal(lowered, Motion.LEAVES, 80, net_units=80, trust=True) is None


def test_what_leaves_needs_no_trust() -> None:
    assert refusal(NO_TERMS, Motion.LEAVES, 1, net_units=1, trust=True) is None


@pytest.mark.parametrize("how", [Motion.LEAVES, Motion.ARRIVES])
@pytest.mark.parametrize("trust", [False, True])
def test_a_freeze_stops_both_ways(how: Motion, trust: bool) -> None:
    assert refusal(FROZEN, how, 1, net_units=10, trust=trust) == Result.ACCOUNT_FROZEN


def test_a_freeze_is_named_before_trust_and_limit() -> None:
    full = Terms(frozen=True, limit_units=10)
    assert refusal(full, Motion.ARRIVES, 1, net_units=10, trust=True) == Result.ACCOUNT_FROZEN
    assert refusal(FROZEN, Motion.ARRIVES, 1, trust=True) == Result.ACCOUNT_FROZEN


@pytest.mark.parametrize("terms", [FROZEN, NO_TERMS, Terms(frozen=True, limit_units=0)])
@pytest.mark.parametrize("how", [Motion.ENDS, Motion.BOOKED])
def test_what_was_promised_or_happened_is_never_refused(terms: Terms, how: Motion) -> None:
    assert refusal(terms, how, 30, net_units=100, incoming_units=30, trust=True) is None


def test_a_bound_without_trust_holds_the_issuer() -> None:
    """A quota of 1,000 on what a gateway answers for: 900 + 100 passes, 900 + 101 does not."""
    quota = Terms(limit_units=1_000)
    assert refusal(quota, Motion.ARRIVES, 100, net_units=900) is None
    assert refusal(quota, Motion.ARRIVES, 101, net_units=900) == Result.LIMIT_EXCEEDED
    assert refusal(Terms(limit_units=0), Motion.ARRIVES, 1) == Result.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("grows", "ends_hold", "other", "expected"),
    [
        (True, False, BOB, Motion.ARRIVES),
        (False, False, BOB, Motion.LEAVES),
        (True, False, ISSUED, Motion.ARRIVES),
        (False, False, "clearing:withdrawals", Motion.LEAVES),
        (True, True, BOB, Motion.ENDS),
        (False, True, "clearing:withdrawals", Motion.ENDS),
        (True, False, "chain:deposit", Motion.BOOKED),  # a deposit
        (False, False, "chain:hot", Motion.BOOKED),  # a deposit taken back by a reorganisation
        (True, False, "chainsaw:x", Motion.ARRIVES),
    ],
)
def test_motions(grows: bool, ends_hold: bool, other: str, expected: Motion) -> None:
    assert motion(grows=grows, ends_hold=ends_hold, other=other) == expected


@pytest.mark.parametrize(
    ("owner", "is_registered", "expected"),
    [
        (ALICE, True, True),
        (ALICE, False, False),
        (ISSUED, True, False),
        ("clearing:withdrawals", True, False),
        ("escrow:1", True, False),
        ("equity:house", True, False),
        ("username:alice", True, False),
    ],
)
def test_holders_of_registered_assets_need_trust(
    owner: str, is_registered: bool, expected: bool
) -> None:
    assert needs_trust(owner, is_registered=is_registered) is expected


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (ALICE, ALICE),
        ("user:alice/margin", ALICE),
        ("issued:zurich", "issued:zurich"),
        ("escrow:1/2", "escrow:1/2"),
        ("username:a/b", "username:a/b"),
    ],
)
def test_parts_of_a_users_account_are_kept_on_the_users_terms(owner: str, expected: str) -> None:
    assert holder_of(owner) == expected


def test_a_worked_example_of_one_trust_line() -> None:
    """Alice trusts 1,000: she gets 700, is promised 250, lowers to 600, and empties the account."""
    limit, held, coming = 1_000, 0, 0
    assert arriving(700, limit, held, coming) is None
    held += 700  # 700
    assert arriving(250, limit, held, coming) is None  # 700 + 250 = 950
    coming += 250
    assert arriving(51, limit, held, coming) == Result.LIMIT_EXCEEDED  # 950 + 51 = 1,001
    assert arriving(50, limit, held, coming) is None  # 950 + 50 = 1,000
    limit = 600
    assert arriving(1, limit, held, coming) == Result.LIMIT_EXCEEDED
    # The promise made under the old limit is kept: a post is decided when its hold is.
    assert refusal(Terms(limit_units=limit), Motion.ENDS, 250, net_units=700, trust=True) is None
    held, coming = held + coming, 0  # 950, above the new limit
    assert refusal(Terms(limit_units=limit), Motion.LEAVES, 950, net_units=held, trust=True) is None
    held -= 950
    assert arriving(600, limit, held, coming) is None
    limit = 0
    assert arriving(1, limit, held, coming) == Result.TRUST_MISSING
