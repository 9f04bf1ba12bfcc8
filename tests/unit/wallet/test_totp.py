"""One-time codes as RFC 6238 publishes them."""

import pytest

from wallet.hosted_keys.totp import DRIFT_STEPS, STEP_S, code_at, matching_step

SECRET = b"12345678901234567890"
RFC_6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize("time_s", RFC_6238)
def test_codes_are_those_of_the_standard(time_s: int) -> None:
    assert code_at(SECRET, time_s // STEP_S, digits=8) == RFC_6238[time_s]


def test_a_code_is_good_one_step_early_and_late_and_no_more() -> None:
    now_s = 1_800_000_000
    step = now_s // STEP_S
    for drift in range(-3, 4):
        found = matching_step(SECRET, code_at(SECRET, step + drift), now_s)
        assert found == (step + drift if abs(drift) <= DRIFT_STEPS else None)


def test_text_that_is_no_code_matches_nothing() -> None:
    assert matching_step(SECRET, "é", 1_800_000_000) is None
