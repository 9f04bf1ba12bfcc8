"""What scans look for: never a miss, little memory."""

from hypothesis import given
from hypothesis import strategies as st

from chains.types import OutPoint
from chains.watched import WatchedOutpoints, WatchedScripts

OUTPOINTS = st.builds(
    OutPoint, st.binary(min_size=32, max_size=32).map(bytes.hex), st.integers(0, 2**32 - 1)
)


@given(st.sets(st.binary(max_size=40)), st.sets(st.binary(max_size=40)))
def test_no_script_is_ever_missed(watched: set[bytes], others: set[bytes]) -> None:
    scripts = WatchedScripts(watched)

    assert all(script in scripts for script in watched)
    assert not any(script in scripts for script in others - watched)
    assert len(watched) == len(scripts)


def test_growing_keeps_everything_and_stays_small() -> None:
    scripts = WatchedScripts()
    for number in range(50_000):
        scripts.add(number.to_bytes(25, "big"))
        scripts.add(number.to_bytes(25, "big"))

    assert 50_000 == len(scripts)
    assert all(number.to_bytes(25, "big") in scripts for number in range(50_000))
    assert scripts.memory_bytes <= 40 * len(scripts)
    assert b"other" not in scripts


@given(st.lists(OUTPOINTS), st.lists(OUTPOINTS))
def test_outpoints_are_an_exact_set(first: list[OutPoint], second: list[OutPoint]) -> None:
    outpoints = WatchedOutpoints(first)
    outpoints.update(second)

    assert {*first, *second} == set(outpoints)
    assert all(one in outpoints for one in first)

    outpoints.difference_update(first)

    assert set(second) - set(first) == set(outpoints)
    assert len(set(second) - set(first)) == len(outpoints)
    assert "text" not in outpoints
