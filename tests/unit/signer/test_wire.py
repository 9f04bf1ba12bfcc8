"""The strict reader under every message: plain values in their one form, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import ProtocolError
from signer.protocol import dump, load
from signer.protocol.cbor import VALUES_MAX
from signer.protocol.wire import DEPTH_MAX

REFUSED = {
    "a tag: a float with a large exponent": ("c5821a0fffffff01", "expected at most 2"),
    "a tag: a decimal with a large exponent": ("c4821a3b9aca0001", "expected at most 2"),
    "a tag: a fraction by zero": ("d81e820100", "expected at most 2"),
    "a tag: a value that holds itself": ("d81c81d81d00", "expected at most 2"),
    "a tag: a time past all calendars": ("c11b00000000ffffffff", "tag 1, expected"),
    "a tag: a pattern": ("d8236a2828612b292b292b24", "expected at most 2"),
    "a negative number": ("20", "kind 1"),
    "a float": ("f93c00", "kind 7"),
    "true": ("f5", "kind 7"),
    "null": ("f6", "kind 7"),
    "bytes of indefinite length": ("5f4101ff", "indefinite"),
    "a list of indefinite length": ("9f01ff", "indefinite"),
    "a reserved head": ("1c", "indefinite"),
    "a number with a byte too many": ("1817", "shortest"),
    "a number with three bytes too many": ("1a000000ff", "shortest"),
    "a text that is longer than the message": ("636162", "too early"),
    "a list that is longer than the message": ("9affffffff", "expected at most"),
    "a map that is longer than the message": ("baffffffff", "expected at most"),
    "a list that ends too early": ("8201", "too early"),
    "a head that ends too early": ("19", "too early"),
    "nothing": ("", "too early"),
    "a text that is no UTF-8": ("61ff", "UTF-8"),
    "a key that is no text": ("a10000", "kind 0"),
    "a key twice": ("a2616100616101", "twice"),
    "keys out of order": ("a2616200616100", "out of order"),
    "a longer key before a shorter one": ("a262616100616200", "out of order"),
    "a large number that would be short": ("c248ffffffffffffffff", "shortest"),
    "a large number with a leading zero": ("c249000102030405060708", "shortest"),
    "a number beyond 256 bits": ("c25821" + "01" * 33, "expected at most 32"),
    "a byte behind the end": ("0000", "behind the end"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_no_message(name: str) -> None:
    data, why = REFUSED[name]
    with pytest.raises(ProtocolError, match=why):
        load(bytes.fromhex(data), "message")


def test_nesting_ends_at_the_limit() -> None:
    deep: Any = 1
    for _ in range(DEPTH_MAX - 1):
        deep = [deep]
    assert load(dump(deep), "message") == deep
    with pytest.raises(ProtocolError, match="too deep"):
        load(dump([deep]), "message")


def test_values_end_at_the_limit() -> None:
    most = [0] * (VALUES_MAX - 1)
    assert load(dump(most), "message") == most
    with pytest.raises(ProtocolError, match="more than"):
        load(dump([*most, 0]), "message")


PLAIN = st.recursive(
    st.integers(0, 2**256 - 1) | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def _nesting(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_nesting(item) for item in inner), default=0)


@given(PLAIN.filter(lambda value: _nesting(value) <= DEPTH_MAX))
def test_what_is_written_is_read_back(value: Any) -> None:
    assert load(dump(value), "message") == value


def _changed(data: bytes, at: int, put: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([put]) + data[at + 1 :]


@given(PLAIN, st.integers(0, 10_000), st.integers(0, 255))
def test_what_is_read_has_one_form_only(value: Any, at: int, put: int) -> None:
    _one_form(_changed(dump(value), at, put), lambda data: load(data, "message"))


@given(st.binary(max_size=60))
def test_noise_is_read_in_one_form_or_refused(data: bytes) -> None:
    _one_form(data, lambda data: load(data, "message"))


def _one_form(data: bytes, read: Callable[[bytes], Any]) -> None:
    try:
        value = read(data)
    except ProtocolError:
        return
    assert dump(value) == data
