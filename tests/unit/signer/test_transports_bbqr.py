"""BBQr as other wallets write it, bombs and stale frames refused."""

import zlib
from base64 import b32encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.transports import bbqr
from signer.transports.bbqr import BbqrDecoder, BbqrSource, Encoding
from signer.transports.collect import Collector, collected
from signer.transports.errors import TransportError
from signer.transports.limits import FRAME_CHARS_MAX, MESSAGE_BYTES_MAX
from signer.transports.message import Kind
from signer.transports.ur import UrSource
from signer.transports.ur_types import UrType
from tests import transport_vectors as published


def refused(*texts: str) -> str:
    with pytest.raises(TransportError) as error:
        decoded(*texts)
    return error.value.code


def decoded(*texts: str) -> bytes:
    decoder = BbqrDecoder()
    for text in texts:
        decoder.add(text)
    return decoder.message().content


def frames_of(content: bytes, kind: Kind = Kind.BYTES, size: int = 20, **kw: Encoding) -> list[str]:
    source = BbqrSource(kind, content, size, **kw)
    return [source.frame(number) for number in range(1, source.count + 1)]


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-10)
    return packer.compress(content) + packer.flush()


def as_frames(data: bytes, head: str = "B$ZB") -> list[str]:
    text = b32encode(data).decode().rstrip("=")
    pieces = [text[at : at + 4000] for at in range(0, len(text), 4000)]
    assert len(pieces) < 36
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [
        f"{head}0{digits[len(pieces)]}0{digits[index]}{piece}" for index, piece in enumerate(pieces)
    ]


@pytest.mark.parametrize(("frames", "content"), published.BBQR, ids=["sparrow", "nunchuk"])
def test_codes_of_other_wallets_are_read(frames: tuple[str, ...], content: bytes) -> None:
    message = collected(reversed(frames))
    assert (Kind.TEXT, content) == (message.kind, message.content)


@pytest.mark.parametrize(("frames", "content"), published.BBQR, ids=["sparrow", "nunchuk"])
def test_our_text_is_that_of_other_wallets(frames: tuple[str, ...], content: bytes) -> None:
    ours = frames_of(content, Kind.TEXT, 1000)
    assert "".join(frame[8:] for frame in frames) == "".join(frame[8:] for frame in ours)


def test_headers_are_the_published_ones() -> None:
    hexed = frames_of(bytes(2150), size=1000, encoding=Encoding.HEX)
    assert ["B$HB0300", "B$HB0301", "B$HB0302"] == [frame[:8] for frame in hexed]
    assert "300" == str(len(hexed[-1]) - 8)
    assert "B$2B0100NBUQ" == frames_of(b"hi")[0]
    many = frames_of(bytes(range(256)) * 100, size=20, encoding=Encoding.BASE32)
    assert ("B$2BZK00", "B$2BZKZJ") == (many[0][:8], many[-1][:8])


@settings(max_examples=40, deadline=None)
@given(
    st.binary(min_size=1, max_size=2000),
    st.integers(min_value=20, max_value=1000),
    st.sampled_from(list(Encoding)),
    st.randoms(use_true_random=False),
)
def test_frames_come_back_in_any_order(
    content: bytes, size: int, encoding: Encoding, chance: Any
) -> None:
    frames = frames_of(content, size=size, encoding=encoding) * 2
    chance.shuffle(frames)
    assert content == collected(frames).content


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("B$", "bbqr.header"),
        ("B$2B01", "bbqr.header"),
        ("B$2B0a00NBUQ", "bbqr.header"),
        ("B$2B0100NB\nUQ", "bbqr.header"),
        ("B$3B0100NBUQ", "bbqr.encoding"),
        ("B$2X0100NBUQ", "bbqr.type"),
        ("B$2B0000NBUQ", "bbqr.numbering"),
        ("B$2B0101NBUQ", "bbqr.numbering"),
        ("B$2B0100", "bbqr.text"),
        ("B$2B0100NBUR", "bbqr.text"),
        ("B$2B0100nbuq", "bbqr.text"),
        ("B$2B0100NBUQ====", "bbqr.text"),
        ("B$2B0100N", "bbqr.text"),
        ("B$HB0100ABC", "bbqr.text"),
        ("B$HB0100ab", "bbqr.text"),
        ("B$HB0100AB CD", "bbqr.text"),
        ("B$HB0100\u0661\u0661", "bbqr.text"),
        ("B$HB0100" + "A" * FRAME_CHARS_MAX, "transport.frame_size"),
        ("B$2P0100NBUQ", "transport.not_psbt"),
        ("B$ZB0100NBUQ", "bbqr.deflate"),
    ],
)
def test_a_bad_frame_is_refused(text: str, code: str) -> None:
    assert code == refused(text)


def test_a_bomb_is_refused_before_it_is_whole() -> None:
    assert "bbqr.inflated" == refused(*as_frames(deflated(bytes(10 * MESSAGE_BYTES_MAX))))
    assert "bbqr.inflated" == refused(*as_frames(deflated(bytes(MESSAGE_BYTES_MAX + 1))))


def test_the_largest_message_inflates() -> None:
    assert MESSAGE_BYTES_MAX == len(
        collected(as_frames(deflated(bytes(MESSAGE_BYTES_MAX)))).content
    )


def test_a_stream_cut_short_is_refused() -> None:
    assert "bbqr.deflate" == refused(*as_frames(deflated(b"a" * 100)[:-1]))


def test_stale_bytes_behind_the_stream_are_refused() -> None:
    assert "bbqr.trailing" == refused(*as_frames(deflated(b"new") + b"old"))


def test_frames_that_differ_in_length_are_refused() -> None:
    assert "bbqr.length" == refused("B$HB0300AA", "B$HB0301AAAA", "B$HB0302AA")
    assert "bbqr.length" == refused("B$HB0200AA", "B$HB0201AAAA")


def test_a_frame_with_other_content_the_second_time_is_refused() -> None:
    assert "transport.conflict" == refused("B$HB0200AA", "B$HB0200AB")


def test_frames_of_two_messages_are_refused_together() -> None:
    assert "transport.mixed" == refused("B$HB0200AA", "B$HB0301AA")
    assert "transport.mixed" == refused("B$HB0200AA", "B$2B0201NBUQ")
    assert "transport.mixed" == refused("B$HB0200AA", "B$HU0201AA")


def test_too_much_text_is_refused_before_it_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bbqr, "MESSAGE_BYTES_MAX", 4)
    decoder = BbqrDecoder()
    decoder.add("B$HB0300AAAAAA")
    with pytest.raises(TransportError) as error:
        decoder.add("B$HB0301AAAAAA")
    assert "transport.message_size" == error.value.code
    assert "transport.message_size" == refused("B$2B0100NBUQNBUQ")


def test_missing_frames_are_told() -> None:
    assert "transport.incomplete" == refused()
    assert "transport.incomplete" == refused("B$HB0200AA")


@pytest.mark.parametrize(
    ("content", "kind", "size", "code"),
    [
        (b"", Kind.BYTES, 100, "transport.message_size"),
        (bytes(MESSAGE_BYTES_MAX + 1), Kind.BYTES, 100, "transport.message_size"),
        (b"a", Kind.BYTES, 19, "transport.fragment_size"),
        (b"a", Kind.BYTES, 1001, "transport.fragment_size"),
        (b"a", Kind.ETH_SIGNATURE, 100, "bbqr.type"),
        (b"a", Kind.PSBT, 100, "transport.not_psbt"),
    ],
)
def test_what_cannot_be_shown_is_refused(content: bytes, kind: Kind, size: int, code: str) -> None:
    with pytest.raises(TransportError) as error:
        BbqrSource(kind, content, size)
    assert code == error.value.code


def test_a_series_beyond_two_digits_is_refused() -> None:
    with pytest.raises(TransportError) as error:
        BbqrSource(Kind.BYTES, bytes(26_000), 20, Encoding.BASE32)
    assert "transport.parts" == error.value.code


def test_schemes_are_not_mixed_and_strangers_refused() -> None:
    source = UrSource(UrType.BYTES, bytes(50), 20)
    for texts, code in (
        ([source.frame(1), "B$HB0200AA"], "transport.mixed"),
        (["B$HB0200AA", source.frame(1)], "transport.mixed"),
        (["https://example.org"], "transport.unknown"),
        (["B$HB0200AA", "hello"], "transport.unknown"),
        (["x" * (FRAME_CHARS_MAX + 1)], "transport.frame_size"),
        ([], "transport.incomplete"),
    ):
        with pytest.raises(TransportError) as error:
            collected(texts)
        assert code == error.value.code


def test_progress_is_told() -> None:
    collector = Collector()
    assert (0, 0, 0, False) == (
        collector.have,
        collector.need,
        collector.percent,
        collector.complete,
    )
    for frame, percent in zip(frames_of(bytes(range(60))), (33, 66, 100), strict=True):
        collector.add(frame)
        assert (3, percent) == (collector.need, collector.percent)
    assert collector.complete


@settings(max_examples=200)
@given(
    st.lists(st.text(alphabet="B$HZ2PTJCUX0123456789ABCDEF=", max_size=40) | st.text(), max_size=3)
)
def test_any_texts_end_in_a_message_or_a_typed_refusal(texts: list[str]) -> None:
    with suppress(TransportError):
        collected(f"B${text}" for text in texts)


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=100))
def test_any_stream_ends_in_a_message_or_a_typed_refusal(data: bytes) -> None:
    with suppress(TransportError):
        collected(as_frames(data))
