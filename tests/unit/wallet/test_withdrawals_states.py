"""The withdrawal's machine: every arrow is taken, every other pair of states is refused."""

from itertools import product

import pytest

from wallet.withdrawals.states import (
    ARROWS,
    CANCELLABLE,
    FINAL,
    PAYING,
    ForbiddenArrow,
    check_arrow,
)
from wallet.withdrawals.states import WithdrawalStatus as W

ALLOWED = [
    (W.SUBMITTED, W.SCREENING),
    (W.SCREENING, W.PENDING_APPROVAL),
    (W.SCREENING, W.QUEUED),
    (W.SCREENING, W.REJECTED),
    (W.PENDING_APPROVAL, W.QUEUED),
    (W.PENDING_APPROVAL, W.CANCELLED),
    (W.PENDING_APPROVAL, W.REJECTED),
    (W.QUEUED, W.SIGNING),
    (W.QUEUED, W.CANCELLED),
    (W.QUEUED, W.BLOCKED),
    (W.QUEUED, W.FAILED),
    (W.BLOCKED, W.QUEUED),
    (W.BLOCKED, W.CANCELLED),
    (W.BLOCKED, W.REJECTED),
    (W.BLOCKED, W.FAILED),
    (W.SIGNING, W.BROADCAST),
    (W.SIGNING, W.QUEUED),
    (W.SIGNING, W.BLOCKED),
    (W.SIGNING, W.FAILED),
    (W.BROADCAST, W.CONFIRMING),
    (W.BROADCAST, W.FAILED),
    (W.CONFIRMING, W.COMPLETED),
    (W.CONFIRMING, W.BROADCAST),
    (W.CONFIRMING, W.FAILED),
]
FORBIDDEN = [pair for pair in product(W, W) if pair not in ALLOWED]


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_an_arrow_of_the_machine_is_taken(before: W, after: W) -> None:
    check_arrow(before, after)


@pytest.mark.parametrize(("before", "after"), FORBIDDEN)
def test_any_other_arrow_is_refused(before: W, after: W) -> None:
    with pytest.raises(ForbiddenArrow, match=f"got {before} -> {after}"):
        check_arrow(before, after)


def test_every_state_has_a_way_out_or_is_final() -> None:
    assert set(ARROWS) == set(W)
    assert frozenset({W.COMPLETED, W.CANCELLED, W.REJECTED, W.FAILED}) == FINAL


def test_every_state_leads_to_an_end() -> None:
    ending = set(FINAL)
    while grown := {s for s, after in ARROWS.items() if s not in ending and after & ending}:
        ending |= grown
    assert ending == set(W)


def test_nothing_that_a_signer_may_have_seen_can_be_cancelled() -> None:
    assert not CANCELLABLE & PAYING
    assert frozenset({W.PENDING_APPROVAL, W.QUEUED, W.BLOCKED}) == CANCELLABLE
