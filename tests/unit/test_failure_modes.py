"""Every failure mode names tests, and every named test exists."""

from tests.failure_modes import MODES
from tests.node_ids import missing_tests


def test_all_twenty_five_modes_have_tests() -> None:
    assert list(MODES) == list(range(1, 26))
    assert [number for number, mode in MODES.items() if not mode.tests] == []


def test_every_named_test_exists() -> None:
    assert missing_tests(name for mode in MODES.values() for name in mode.tests) == []
