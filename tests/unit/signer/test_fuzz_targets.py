"""A short look by hypothesis at what `make fuzz` looks at for long."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import CORPUS, corpus_of, entry_point, names

CORPUS_BYTES_MAX = 200_000


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """An input of the corpus with some bytes replaced, cut out or put in; or any bytes."""
    data = bytearray(draw(st.sampled_from([b"", *corpus_of(name)])))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 4))
        data[start:end] = draw(st.binary(max_size=8))
    return bytes(data)


@pytest.mark.parametrize("name", names())
def test_no_bytes_end_a_decoder_otherwise_than_refused(name: str) -> None:
    one_input = entry_point(name)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(changed(name))
    def holds(data: bytes) -> None:
        one_input(data)

    holds()


@pytest.mark.parametrize("name", names())
def test_the_corpus_of_every_decoder_passes(name: str) -> None:
    inputs = corpus_of(name)

    assert inputs
    for data in inputs:
        entry_point(name)(data)


def test_the_corpus_stays_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) < CORPUS_BYTES_MAX
    assert {path.parent.name for path in files} == set(names())
