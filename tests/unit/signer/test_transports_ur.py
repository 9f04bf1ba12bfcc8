"""UR as Blockchain Commons published it, and what of it is refused."""

import zlib
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import count
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.protocol.cbor import Reader
from signer.transports import bytewords, mixing
from signer.transports.errors import CborMalformed, TransportError
from signer.transports.fountain import Decoder, Encoder, Part, fragment_size
from signer.transports.limits import (
    FRAME_CHARS_MAX,
    MESSAGE_BYTES_MAX,
    PARTS_MAX,
    SEQUENCE_MAX,
)
from signer.transports.mixing import Xoshiro256
from signer.transports.ur import UrDecoder, UrSource, parse
from signer.transports.ur_types import UrType
from tests import transport_vectors as published

WOLF = b"Wolf"


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def wolf_bytes(size: int) -> bytes:
    rng = Xoshiro256(WOLF)
    return bytes(rng.next_int(0, 255) for _ in range(size))


def code_of(error: pytest.ExceptionInfo[TransportError]) -> str:
    return error.value.code


def ur(name: str, cbor: bytes) -> str:
    return f"ur:{name}/{bytewords.encode(cbor)}"


def part_ur(part: Part) -> str:
    return f"ur:bytes/{part.number}-{part.count}/{bytewords.encode(part.encode())}"


def refused(*texts: str) -> str:
    with pytest.raises(TransportError) as error:
        decoded(*texts)
    return code_of(error)


def decoded(*texts: str) -> bytes:
    decoder = UrDecoder()
    for text in texts:
        decoder.add(text)
    return decoder.message().content


@pytest.mark.parametrize(("data", "letters"), published.BYTEWORDS)
def test_bytewords_are_the_published_ones(data: bytes, letters: str) -> None:
    assert letters == bytewords.encode(data)
    assert data == bytewords.decode(letters)


def test_generator_is_the_published_one() -> None:
    wolf, crc, small = (
        Xoshiro256(seed) for seed in (WOLF, zlib.crc32(WOLF).to_bytes(4, "big"), WOLF)
    )
    assert numbers(published.RNG_WOLF) == [wolf.next() % 100 for _ in range(100)]
    assert numbers(published.RNG_WOLF_CRC) == [crc.next() % 100 for _ in range(100)]
    assert numbers(published.RNG_WOLF_1_TO_10) == [small.next_int(1, 10) for _ in range(100)]


def test_sampler_and_shuffle_are_the_published_ones() -> None:
    rng = Xoshiro256(WOLF)
    sampler = mixing.Sampler.of([Fraction(weight) for weight in (1, 2, 4, 8)])
    assert published.SAMPLED_1_2_4_8 == "".join(str(sampler.next(rng)) for _ in range(100))
    rng = Xoshiro256(WOLF)
    for line in published.SHUFFLED.strip().splitlines():
        assert numbers(line) == mixing.shuffled(range(1, 11), rng, 10)


def test_degrees_and_fragments_are_the_published_ones() -> None:
    drawn = [
        mixing.degrees(11).next(Xoshiro256(f"Wolf-{nonce}".encode())) + 1 for nonce in range(1, 201)
    ]
    assert numbers(published.DEGREES_OF_11) == drawn
    checksum = zlib.crc32(wolf_bytes(1024))
    chosen = [mixing.fragments_of(number, 11, checksum) for number in range(1, 31)]
    assert list(published.FRAGMENTS_OF_11) == chosen


def alias_table(weights: Sequence[float]) -> tuple[list[float], list[int]]:
    """The reference implementation's tables, in this machine's floating point."""
    total = 0.0
    for weight in weights:
        total += weight
    size = len(weights)
    left = [weight * float(size) / total for weight in weights]
    small = [at for at in reversed(range(size)) if left[at] < 1]
    large = [at for at in reversed(range(size)) if left[at] >= 1]
    chances, aliases = [1.0] * size, [0] * size
    while small and large:
        less, more = small.pop(), large.pop()
        chances[less], aliases[less] = left[less], more
        left[more] += left[less] - 1
        (small if left[more] < 1 else large).append(more)
    return chances, aliases


@pytest.mark.parametrize("size", [*range(1, 40), 100, 257, PARTS_MAX])
def test_tables_without_floating_point_equal_those_with_it(size: int) -> None:
    chances, aliases = alias_table([1 / degree for degree in range(1, size + 1)])
    ours = mixing.degrees(size)
    assert [Fraction(chance) for chance in chances] == list(ours.chances)
    assert aliases == list(ours.aliases)


@settings(max_examples=100)
@given(st.integers(min_value=0, max_value=2**64 - 1), st.integers(min_value=1, max_value=2**64))
def test_rounding_is_that_of_doubles(top: int, bottom: int) -> None:
    assert Fraction(top / bottom) == mixing.rounded(Fraction(top, bottom))
    assert -Fraction(top / bottom) == mixing.rounded(-Fraction(top, bottom))


def test_fragments_are_as_long_as_the_published_ones() -> None:
    assert 1764 == fragment_size(12345, 1005, 1955)
    assert 12345 == fragment_size(12345, 1005, 30000)


def test_parts_are_the_published_ones() -> None:
    encoder = Encoder(wolf_bytes(256), 30)
    expected = published.PARTS_CBOR.split()
    assert expected == [encoder.part(number).encode().hex() for number in range(1, 21)]
    assert [encoder.part(1), encoder.part(20)] == [
        Part.decode(bytes.fromhex(expected[0])),
        Part.decode(bytes.fromhex(expected[-1])),
    ]


def test_urs_are_the_published_ones() -> None:
    single = UrSource(UrType.BYTES, wolf_bytes(50), 100)
    assert published.SINGLE_UR.upper() == single.frame(1)
    source = UrSource(UrType.BYTES, wolf_bytes(256), 30)
    texts = [f"ur:bytes/{line}" for line in published.UR_PARTS.split()]
    assert [text.upper() for text in texts] == [source.frame(number) for number in range(1, 21)]
    decoder = UrDecoder()
    for text in texts[9:]:
        decoder.add(text)
    assert 9 == decoder.need
    for text in texts[:9]:
        decoder.add(text)
    assert wolf_bytes(256) == decoder.message().content


@settings(max_examples=20, deadline=None)
@given(
    st.binary(min_size=1, max_size=3000),
    st.integers(min_value=20, max_value=120),
    st.randoms(use_true_random=False),
)
def test_half_of_the_frames_may_be_lost_in_any_order(
    content: bytes, fragment: int, chance: Any
) -> None:
    source = UrSource(UrType.BYTES, content, fragment)
    decoder = UrDecoder()
    shown = 0
    for round_ in count():
        numbers_of_round = list(range(round_ * source.loop + 1, (round_ + 1) * source.loop + 1))
        chance.shuffle(numbers_of_round)
        for number in numbers_of_round:
            shown += 1
            if chance.random() < 0.5:
                decoder.add(source.frame(number))
        if decoder.have == source.count:
            break
    assert content == decoder.message().content
    assert shown <= 8 * source.loop + 64


def test_mixed_parts_alone_are_enough() -> None:
    content = wolf_bytes(2000)
    source = UrSource(UrType.BYTES, content, 50)
    decoder = UrDecoder()
    for number in range(1000, 1000 + 2 * source.count):
        decoder.add(source.frame(number))
    assert content == decoder.message().content


def test_the_largest_message_arrives() -> None:
    content = wolf_bytes(1000) * 1000
    source = UrSource(UrType.BYTES, content, 1000)
    decoder = UrDecoder()
    for number in range(3, source.count + 1):
        decoder.add(source.frame(number))
    number = source.count
    while decoder.have < decoder.need:
        number += 1
        decoder.add(source.frame(number))
    assert content == decoder.message().content


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ur:bytes", "ur.malformed"),
        ("ur:bytes/", "ur.malformed"),
        ("ur:bytes/0-3/aeae", "ur.malformed"),
        ("ur:bytes/1-0/aeae", "ur.malformed"),
        ("ur:bytes/1/aeae", "ur.malformed"),
        ("ur:by\u212aes/aeae", "ur.malformed"),
        ("ur:bytes/ae\n", "ur.malformed"),
        ("ur:crypto-seed/" + bytewords.encode(b"\x40"), "ur.type"),
        ("ur:bytes/aea", "bytewords.malformed"),
        ("ur:bytes/qqqqqqqqqq", "bytewords.malformed"),
        ("ur:bytes/aeaeaeae", "bytewords.malformed"),
        ("ur:bytes/aeaeaeaeaeae", "bytewords.checksum"),
        ("ur:bytes/" + "a" * FRAME_CHARS_MAX, "transport.frame_size"),
        (ur("bytes", b"\x61a"), "ur.cbor"),
        (ur("bytes", b"\x41"), "ur.cbor"),
        (ur("bytes", b"\x41ab"), "ur.cbor"),
        (ur("bytes", b"\x58\x01a"), "ur.cbor"),
        (ur("bytes", b"\x5f\x41a\xff"), "ur.cbor"),
        (ur("bytes", b"\x5f" + bytes(31)), "ur.cbor"),
        (ur("bytes", b"\x5c" + bytes(28)), "ur.cbor"),
        (ur("bytes", b"\xd9\x9d\x76\x41a"), "ur.cbor"),
        (ur("bytes", b"\x40"), "transport.message_size"),
        (ur("psbt", b"\x45psbt_"), "transport.not_psbt"),
        (ur("crypto-psbt", b"\x41p"), "transport.not_psbt"),
    ],
)
def test_a_bad_frame_is_refused(text: str, code: str) -> None:
    assert code == refused(text)


WHOLE = b"0123456789" * 3


def a_part(**changes: object) -> Part:
    fields = {
        "number": 1,
        "count": 3,
        "size": 30,
        "checksum": zlib.crc32(WHOLE),
        "data": WHOLE[:10],
    }
    return Part(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"size": MESSAGE_BYTES_MAX + 1}, "transport.message_size"),
        ({"count": PARTS_MAX + 1}, "transport.parts"),
        ({"number": SEQUENCE_MAX + 1}, "transport.sequence"),
        ({"number": 0}, "ur.part"),
        ({"size": 0}, "ur.part"),
        ({"size": 31}, "ur.part"),
        ({"size": 20}, "ur.part"),
        ({"count": 0}, "ur.part"),
        ({"data": b""}, "ur.part"),
        ({"checksum": 1 << 32}, "ur.cbor"),
    ],
)
def test_a_part_out_of_bounds_is_refused(changes: dict[str, object], code: str) -> None:
    part = a_part(**changes)
    with pytest.raises(TransportError) as error:
        Part.decode(part.encode())
    assert code == code_of(error)


def test_a_part_of_another_shape_is_refused() -> None:
    with pytest.raises(TransportError) as error:
        Part.decode(cbor2.dumps([1, 3, 30, 0]))
    assert "ur.part" == code_of(error)


def test_a_part_under_another_number_is_refused() -> None:
    letters = bytewords.encode(a_part().encode())
    assert "ur.numbering" == refused(f"ur:bytes/2-3/{letters}")
    assert "ur.numbering" == refused(f"ur:bytes/1-4/{letters}")


def parts_of(content: bytes, name: str = "bytes", size: int = 20) -> list[str]:
    source = UrSource(UrType(name), content, size)
    return [source.frame(number) for number in range(1, source.loop + 1)]


def test_frames_of_two_messages_are_refused_together() -> None:
    one, two = parts_of(b"a" * 70), parts_of(b"b" * 70)
    assert "transport.mixed" == refused(one[0], two[1])
    assert "transport.mixed" == refused(*one, two[1])
    assert "transport.mixed" == refused(one[0], ur("bytes", b"\x41a"))
    assert "transport.mixed" == refused(ur("bytes", b"\x41a"), one[0])
    assert "transport.mixed" == refused(ur("bytes", b"\x41a"), ur("bytes", b"\x41b"))
    assert "transport.mixed" == refused(one[0], one[1].replace("BYTES", "PSBT"))
    assert "transport.mixed" == refused(one[0], parts_of(b"a" * 70, size=30)[1])


def test_a_stale_part_that_contradicts_the_others_is_refused() -> None:
    one = part_ur(a_part())
    forged = part_ur(a_part(data=b"x" * 10))
    assert "transport.conflict" == refused(one, forged)


def test_a_frame_seen_again_changes_nothing() -> None:
    frames = parts_of(b"a" * 70)
    decoder = UrDecoder()
    for frame in [frames[0], frames[0], *frames, *frames]:
        decoder.add(frame)
    assert b"a" * 70 == decoder.message().content


def test_missing_parts_are_told() -> None:
    assert "transport.incomplete" == refused()
    assert "transport.incomplete" == refused(*parts_of(b"a" * 70)[:3])


def test_a_message_other_than_promised_is_refused() -> None:
    pieces = (b"0123456789", b"0123456789", b"012345678?")
    parts = [
        part_ur(a_part(number=number, data=piece)) for number, piece in enumerate(pieces, start=1)
    ]
    assert "ur.checksum" == refused(*parts)


def test_bytes_hidden_behind_the_end_are_refused() -> None:
    content = WHOLE[:25]
    pieces = (content[:10], content[10:20], content[20:] + b"\0\0\0\0!")
    checksum = zlib.crc32(content)
    parts = [
        part_ur(a_part(number=number, size=25, checksum=checksum, data=piece))
        for number, piece in enumerate(pieces, start=1)
    ]
    assert "ur.padding" == refused(*parts)


@pytest.mark.parametrize(
    ("content", "size", "code"),
    [
        (b"", 100, "transport.message_size"),
        (b"a" * (MESSAGE_BYTES_MAX + 1), 1000, "transport.message_size"),
        (b"a" * 20_600, 20, "transport.parts"),
        (b"a", 19, "transport.fragment_size"),
        (b"a", 1001, "transport.fragment_size"),
    ],
)
def test_what_cannot_be_shown_is_refused(content: bytes, size: int, code: str) -> None:
    with pytest.raises(TransportError) as error:
        Encoder(content, size)
    assert code == code_of(error)


def test_letters_may_be_small_or_large() -> None:
    text = published.SINGLE_UR
    assert parse(text) == parse(text.upper())


def test_one_fragment_needs_no_count() -> None:
    assert "/1-" not in UrSource(UrType.BYTES, b"a", 20).frame(1)
    decoder = Decoder()
    decoder.add(Encoder(b"a", 20).part(1))
    assert b"a" == decoder.message()


@settings(max_examples=200)
@given(st.text(alphabet="ur:bytes/-0123456789aelpdjk", max_size=80) | st.text(max_size=40))
def test_any_text_ends_in_a_typed_refusal(text: str) -> None:
    with suppress(TransportError):
        decoded(text)


@settings(max_examples=200)
@given(st.sampled_from(list(UrType)), st.binary(min_size=1, max_size=60))
def test_any_content_ends_in_a_message_or_a_typed_refusal(kind: UrType, data: bytes) -> None:
    for text in (ur(kind, data), f"ur:{kind}/1-1/{bytewords.encode(data)}"):
        with suppress(TransportError):
            decoded(text)


@settings(max_examples=200)
@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_the_reader_takes_numbers_as_they_are_written(number: int) -> None:
    reader = Reader(cbor2.dumps(number), CborMalformed)
    assert number == reader.uint(2**64 - 1)
    reader.done()
