"""One test per arrow of the treasury request's machine, and one per forbidden arrow."""

import itertools

import pytest

from wallet.treasury.errors import ForbiddenArrow
from wallet.treasury.states import ARROWS, FINAL, UNFINISHED, RequestStatus, check_arrow

EVERY = list(itertools.product(RequestStatus, RequestStatus))
ALLOWED = [(a, b) for a, b in EVERY if b in ARROWS[a]]
FORBIDDEN = [(a, b) for a, b in EVERY if b not in ARROWS[a]]


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_an_arrow_of_the_machine_is_taken(before: RequestStatus, after: RequestStatus) -> None:
    check_arrow(before, after)


@pytest.mark.parametrize(("before", "after"), FORBIDDEN)
def test_an_arrow_that_the_machine_does_not_have_is_refused(
    before: RequestStatus, after: RequestStatus
) -> None:
    with pytest.raises(ForbiddenArrow) as caught:
        check_arrow(before, after)
    assert caught.value.code == "treasury.forbidden_transition"


def test_every_state_has_a_way_to_its_end() -> None:
    for state in UNFINISHED:
        assert ARROWS[state]
    assert {"completed", "expired", "cancelled", "failed"} == set(FINAL)


def test_what_nodes_may_have_seen_is_never_given_up() -> None:
    assert ARROWS[RequestStatus.BROADCAST] == {RequestStatus.COMPLETED, RequestStatus.FAILED}
