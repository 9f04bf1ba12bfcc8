"""PSBT version 2: the cases of BIP-370 as changes to a PSBT of ours, and conversions."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.utxo.coins import OwnPlace, Payout
from chains.utxo.descriptors import Template
from chains.utxo.psbt import MAGIC, Psbt, Sighasher
from chains.utxo.psbt_fields import read_map, write_map
from chains.utxo.psbt_roles import add_signatures, build, converted, finalize
from chains.utxo.transactions import Reader
from tests.utxo_world import coin, sign_all, vault

OWNER = vault(Template.WSH_MULTI)
GLOBAL, INPUT_0, INPUT_1, OUTPUT_0 = 0, 1, 2, 3
_Change = Callable[[dict[bytes, bytes]], object]


def _built(version: int, owner: Template = Template.WSH_MULTI) -> bytes:
    one = vault(owner)
    place = OwnPlace(source=one.name, branch=1, index=3)
    return build(
        coins=[coin(one, index, 100_000 + index) for index in range(2)],
        outputs=[
            Payout(script=b"\x00\x14" + bytes(20), sats=50_000),
            Payout(script=one.script_pubkey_at(1, 3), sats=40_000, place=place),
        ],
        vaults={one.name: one},
        psbt_version=version,
    )


def _edited(raw: bytes, changes: Mapping[int, Mapping[bytes, bytes | None]]) -> bytes:
    """The PSBT with fields of its maps set, or taken away where the value is None."""
    reader = Reader(raw)
    reader.at = len(MAGIC)
    maps = []
    while reader.at < reader.end:
        maps.append(read_map(reader))
    for at, fields in changes.items():
        merged = {**maps[at], **fields}
        maps[at] = {key: value for key, value in merged.items() if value is not None}
    return MAGIC + b"".join(write_map(one) for one in maps)


def _code(raw: bytes) -> str:
    with pytest.raises(CodecError) as caught:
        Psbt.parse(raw)
    return caught.value.code


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


V2_FIELDS = [
    (GLOBAL, b"\x02", _u32(2)),
    (GLOBAL, b"\x03", _u32(0)),
    (GLOBAL, b"\x04", b"\x02"),
    (GLOBAL, b"\x05", b"\x02"),
    (GLOBAL, b"\x06", b"\x00"),
    (INPUT_0, b"\x0e", bytes(32)),
    (INPUT_0, b"\x0f", _u32(0)),
    (INPUT_0, b"\x10", _u32(0xFFFFFFFF)),
    (INPUT_0, b"\x11", _u32(1_657_048_460)),
    (INPUT_0, b"\x12", _u32(10_000)),
    (OUTPUT_0, b"\x03", bytes(8)),
    (OUTPUT_0, b"\x04", b"\x51"),
]


@pytest.mark.parametrize(("at", "key", "value"), V2_FIELDS)
def test_version_0_with_a_field_of_version_2_is_refused(at: int, key: bytes, value: bytes) -> None:
    assert "psbt.malformed" == _code(_edited(_built(0), {at: {key: value}}))


@pytest.mark.parametrize(
    ("at", "key"),
    [
        (GLOBAL, b"\x02"),
        (GLOBAL, b"\x04"),
        (GLOBAL, b"\x05"),
        (INPUT_0, b"\x0e"),
        (INPUT_0, b"\x0f"),
        (OUTPUT_0, b"\x03"),
        (OUTPUT_0, b"\x04"),
        (GLOBAL, b"\xfb"),
    ],
)
def test_version_2_without_a_field_it_needs_is_refused(at: int, key: bytes) -> None:
    assert _code(_edited(_built(2), {at: {key: None}})) in (
        "psbt.malformed",
        "transaction.malformed",
    )


def test_version_2_with_an_unsigned_transaction_is_refused() -> None:
    unsigned = Psbt.parse(_built(0)).pairs[b"\x00"]

    assert "psbt.malformed" == _code(_edited(_built(2), {GLOBAL: {b"\x00": unsigned}}))


def test_version_0_that_says_it_is_2_is_refused() -> None:
    assert "psbt.malformed" == _code(_edited(_built(0), {GLOBAL: {b"\xfb": _u32(2)}}))


@pytest.mark.parametrize("flags", [1, 2, 3, 4, 7, 8, 0xFF])
def test_a_transaction_that_may_still_change_is_refused(flags: int) -> None:
    raw = _edited(_built(2), {GLOBAL: {b"\x06": bytes((flags,))}})

    assert "psbt.modifiable" == _code(raw)


def test_flags_of_nothing_are_a_finished_transaction() -> None:
    raw = _edited(_built(2), {GLOBAL: {b"\x06": b"\x00"}})

    assert Psbt.parse(raw).tx == Psbt.parse(_built(2)).tx


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\x11", _u32(499_999_999)),
        (b"\x12", _u32(500_000_000)),
        (b"\x12", _u32(0)),
        (b"\x11", b"\x00"),
    ],
)
def test_required_lock_times_out_of_range_are_refused(key: bytes, value: bytes) -> None:
    assert "psbt.malformed" == _code(_edited(_built(2), {INPUT_0: {key: value}}))


HEIGHT, TIME = b"\x12", b"\x11"


@pytest.mark.parametrize(
    ("fallback", "first", "second", "expected"),
    [
        (None, {}, {}, 0),
        (0, {}, {}, 0),
        (7, {}, {}, 7),
        (7, {HEIGHT: 10_000}, {}, 10_000),
        (None, {HEIGHT: 10_000}, {HEIGHT: 9_000}, 10_000),
        (None, {HEIGHT: 10_000}, {HEIGHT: 9_000, TIME: 1_657_048_460}, 10_000),
        (None, {HEIGHT: 10_000, TIME: 1_657_048_459}, {HEIGHT: 9_000, TIME: 1_657_048_460}, 10_000),
        (None, {TIME: 1_657_048_459}, {HEIGHT: 9_000, TIME: 1_657_048_460}, 1_657_048_460),
        (None, {HEIGHT: 10_000, TIME: 1_657_048_459}, {TIME: 1_657_048_460}, 1_657_048_460),
        (None, {}, {TIME: 1_657_048_460}, 1_657_048_460),
        (None, {}, {HEIGHT: 10_000, TIME: 1_657_048_460}, 10_000),
    ],
)
def test_the_lock_time_is_the_one_that_binds_every_input(
    fallback: int | None, first: Mapping[bytes, int], second: Mapping[bytes, int], expected: int
) -> None:
    head = {b"\x03": None if fallback is None else _u32(fallback)}
    inputs = [{key: _u32(value) for key, value in one.items()} for one in (first, second)]
    raw = _edited(_built(2), {GLOBAL: head, INPUT_0: inputs[0], INPUT_1: inputs[1]})

    assert expected == Psbt.parse(raw).tx.locktime


def test_lock_times_that_no_transaction_can_have_are_refused() -> None:
    raw = _edited(
        _built(2), {INPUT_0: {HEIGHT: _u32(10_000)}, INPUT_1: {TIME: _u32(1_657_048_460)}}
    )

    assert "psbt.lock_times" == _code(raw)


def test_an_absent_sequence_is_final() -> None:
    raw = _edited(_built(2), {INPUT_0: {b"\x10": None}})

    assert 0xFFFFFFFF == Psbt.parse(raw).tx.inputs[0].sequence


@pytest.mark.parametrize("template", list(Template))
def test_conversion_there_and_back_gives_the_same_bytes(template: Template) -> None:
    older, newer = _built(0, template), _built(2, template)

    assert (newer, older) == (converted(older, 2), converted(newer, 0))
    assert (older, newer) == (converted(older, 0), converted(newer, 2))


def test_conversion_keeps_signatures_and_unknown_fields() -> None:
    raw = _edited(_built(0), {GLOBAL: {b"\xfc\x01x": b"kept"}, INPUT_0: {b"\xfc\x01y": b"kept"}})
    signed = add_signatures(raw, sign_all(raw, (1, 2)))

    there = converted(signed, 2)

    assert 2 == there.count(b"kept")
    assert finalize(signed) == finalize(there) == finalize(converted(there, 0))


@settings(max_examples=25)
@given(locktime=st.integers(0, 2**32 - 1), version=st.integers(-(2**31), 2**31 - 1))
def test_conversion_keeps_what_is_signed(locktime: int, version: int) -> None:
    psbt = Psbt.parse(_built(0))
    tx = replace(psbt.tx, locktime=locktime, version=version)
    raw = _edited(_built(0), {GLOBAL: {b"\x00": tx.serialize(witness=False)}})

    newer = Psbt.parse(converted(raw, 2))

    assert tx == newer.tx
    assert Sighasher(Psbt.parse(raw)).digest(0) == Sighasher(newer).digest(0)


def test_required_lock_times_become_the_lock_time_of_version_0() -> None:
    raw = _edited(_built(2), {INPUT_0: {HEIGHT: _u32(10_000)}})

    assert 10_000 == Psbt.parse(converted(raw, 0)).tx.locktime
