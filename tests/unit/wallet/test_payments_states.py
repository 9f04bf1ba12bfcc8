"""The payment's machine: every arrow is taken, every other pair of states is refused."""

from itertools import product

import pytest

from wallet.payments.states import ARROWS, FINAL, ForbiddenPaymentArrow, check_arrow
from wallet.payments.states import PaymentStatus as P

ALLOWED = [
    (P.BUILT, P.SIGNING),
    (P.BUILT, P.ABANDONED),
    (P.SIGNING, P.SIGNED),
    (P.SIGNING, P.ABANDONED),
    (P.SIGNED, P.BROADCAST),
    (P.BROADCAST, P.CONFIRMING),
    (P.BROADCAST, P.FAILED),
    (P.CONFIRMING, P.COMPLETED),
    (P.CONFIRMING, P.BROADCAST),
    (P.CONFIRMING, P.FAILED),
]
FORBIDDEN = [pair for pair in product(P, P) if pair not in ALLOWED]


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_an_arrow_of_the_payment_machine_is_taken(before: P, after: P) -> None:
    check_arrow(before, after)


@pytest.mark.parametrize(("before", "after"), FORBIDDEN)
def test_any_other_payment_arrow_is_refused(before: P, after: P) -> None:
    with pytest.raises(ForbiddenPaymentArrow, match=f"got {before} -> {after}"):
        check_arrow(before, after)


def test_valid_bytes_are_never_given_up_without_the_chain() -> None:
    for state in (P.SIGNED, P.BROADCAST, P.CONFIRMING):
        assert P.ABANDONED not in ARROWS[state]
    assert frozenset({P.COMPLETED, P.FAILED, P.ABANDONED}) == FINAL
