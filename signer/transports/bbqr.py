"""BBQr (Coinkite): `B$`, encoding, file type, count and index in base 36, then hex or base32."""

import re
import zlib
from base64 import b32decode, b32encode
from binascii import Error as BadBase32
from collections.abc import Mapping
from enum import StrEnum

from signer.transports.errors import (
    BbqrDeflate,
    BbqrEncoding,
    BbqrHeader,
    BbqrInflated,
    BbqrLength,
    BbqrNumbering,
    BbqrText,
    BbqrTrailing,
    BbqrType,
    ConflictingParts,
    FragmentSize,
    FrameTooLong,
    Incomplete,
    MessageSize,
    MixedMessages,
    TooManyParts,
)
from signer.transports.limits import (
    BBQR_PARTS_MAX,
    FRAGMENT_BYTES_MAX,
    FRAGMENT_BYTES_MIN,
    FRAME_CHARS_MAX,
    MESSAGE_BYTES_MAX,
)
from signer.transports.message import Kind, Message, require_psbt

_WINDOW_BITS = -10
"""Raw deflate with a window of 1 KiB, as the standard fixes it for small devices."""

_SAME = 6
"""Characters of the header that all frames of a message share."""

_FORM = re.compile(r"B\$(.)(.)([0-9A-Z]{2})([0-9A-Z]{2})(.*)")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_KINDS: Mapping[str, Kind] = {
    "P": Kind.PSBT,
    "T": Kind.TRANSACTION,
    "J": Kind.JSON,
    "C": Kind.CBOR,
    "U": Kind.TEXT,
    "B": Kind.BYTES,
}
"""File types; `X`, executable, and all reserved ones are refused."""


class Encoding(StrEnum):
    """How bytes become text."""

    HEX = "H"
    BASE32 = "2"
    DEFLATED = "Z"


class BbqrSource:
    """The frames of a message, deflated where that makes it smaller."""

    def __init__(
        self,
        kind: Kind,
        content: bytes,
        fragment_bytes: int,
        encoding: Encoding = Encoding.DEFLATED,
    ) -> None:
        if not FRAGMENT_BYTES_MIN <= fragment_bytes <= FRAGMENT_BYTES_MAX:
            raise FragmentSize(
                f"got fragments of {fragment_bytes} bytes, expected"
                f" {FRAGMENT_BYTES_MIN} to {FRAGMENT_BYTES_MAX}"
            )
        if not 0 < len(content) <= MESSAGE_BYTES_MAX:
            raise MessageSize(f"got {len(content)} bytes, expected 1 to {MESSAGE_BYTES_MAX}")
        codes = [code for code, one in _KINDS.items() if one is kind]
        if not codes:
            raise BbqrType(f"got {kind}, expected one of {', '.join(_KINDS.values())}")
        if kind is Kind.PSBT:
            require_psbt(content)
        data = content
        if encoding is Encoding.DEFLATED:
            data = _deflated(content)
            if len(data) >= len(content):
                data, encoding = content, Encoding.BASE32
        # Whole groups of five bytes: base32 has no letters left over between frames.
        size = fragment_bytes - fragment_bytes % 5
        self._pieces = [
            _to_text(data[at : at + size], encoding) for at in range(0, len(data), size)
        ]
        self.count = self.loop = len(self._pieces)
        if self.count > BBQR_PARTS_MAX:
            raise TooManyParts(f"got {self.count} parts, expected larger fragments")
        self._head = f"B${encoding}{codes[0]}{_base36(self.count)}"

    def frame(self, number: int) -> str:
        """Frame `number`, from 1; after the last comes the first again."""
        index = (number - 1) % self.count
        return f"{self._head}{_base36(index)}{self._pieces[index]}"


class BbqrDecoder:
    """Collects the frames of one BBQr series; frames of any other are refused."""

    def __init__(self) -> None:
        self._head = ""
        self._need = 0
        self._pieces: dict[int, str] = {}

    @property
    def have(self) -> int:
        """Different frames taken."""
        return len(self._pieces)

    @property
    def need(self) -> int:
        """Frames of the series; 0 before the first."""
        return self._need

    def add(self, text: str) -> None:
        """Take a frame. Raises a TransportError."""
        if len(text) > FRAME_CHARS_MAX:
            raise FrameTooLong(f"got {len(text)} characters, expected at most {FRAME_CHARS_MAX}")
        form = _FORM.fullmatch(text)
        if form is None:
            raise BbqrHeader("got a BBQr frame without its header of eight characters")
        if form[1] not in tuple(Encoding):
            raise BbqrEncoding(f"got encoding {form[1]!r}, expected H, 2 or Z")
        if form[2] not in _KINDS:
            raise BbqrType(f"got file type {form[2]!r}, expected one of {', '.join(_KINDS)}")
        need, index = int(form[3], 36), int(form[4], 36)
        if index >= need:
            raise BbqrNumbering(f"got frame {index} of {need}, counted from 0")
        if self._head not in ("", text[:_SAME]):
            raise MixedMessages("got a frame of another message; begin again with one of them")
        _to_bytes(form[5], Encoding(form[1]))
        if self._pieces.get(index, form[5]) != form[5]:
            raise ConflictingParts(f"got frame {index} a second time with other content")
        self._pieces[index] = form[5]
        self._head, self._need = text[:_SAME], need
        if sum(map(len, self._pieces.values())) > 2 * MESSAGE_BYTES_MAX:
            raise MessageSize(f"got more text than {MESSAGE_BYTES_MAX} bytes take")

    def message(self) -> Message:
        """The whole message. Raises a TransportError."""
        if not self._need or len(self._pieces) < self._need:
            raise Incomplete(f"got {len(self._pieces)} frames, expected {self._need or 'some'}")
        pieces = [self._pieces[index] for index in range(self._need)]
        lengths = {len(piece) for piece in pieces[:-1]}
        if len(lengths) > 1 or (lengths and len(pieces[-1]) > max(lengths)):
            raise BbqrLength(
                "got frames of different lengths, expected only the last to be shorter"
            )
        encoding = Encoding(self._head[2])
        data = b"".join(_to_bytes(piece, encoding) for piece in pieces)
        if len(data) > MESSAGE_BYTES_MAX:
            raise MessageSize(f"got {len(data)} bytes, expected at most {MESSAGE_BYTES_MAX}")
        if encoding is Encoding.DEFLATED:
            data = _inflated(data)
        return Message(kind=_KINDS[self._head[3]], content=data)


def _to_text(data: bytes, encoding: Encoding) -> str:
    if encoding is Encoding.HEX:
        return data.hex().upper()
    return b32encode(data).decode().rstrip("=")


def _to_bytes(text: str, encoding: Encoding) -> bytes:
    try:
        if encoding is Encoding.HEX:
            data = bytes.fromhex(text)
        else:
            data = b32decode(text + "=" * (-len(text) % 8))
    except (BadBase32, ValueError) as error:
        raise BbqrText("got a frame that is not hex or base32") from error
    # Leftover bits, blanks and small letters would make two texts of one content.
    if not data or _to_text(data, encoding) != text:
        raise BbqrText("got a frame that is empty or not written in the one canonical way")
    return data


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(level=9, wbits=_WINDOW_BITS)
    return packer.compress(content) + packer.flush()


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=_WINDOW_BITS)
    try:
        content = unpacker.decompress(data, MESSAGE_BYTES_MAX + 1)
    except zlib.error as error:
        raise BbqrDeflate("got a message that does not inflate") from error
    if len(content) > MESSAGE_BYTES_MAX:
        raise BbqrInflated(f"got a message that inflates to more than {MESSAGE_BYTES_MAX} bytes")
    if not unpacker.eof:
        raise BbqrDeflate("got a compressed message that ends too early")
    if unpacker.unused_data:
        raise BbqrTrailing(f"got {len(unpacker.unused_data)} bytes behind the compressed message")
    return content


def _base36(number: int) -> str:
    return _DIGITS[number // 36] + _DIGITS[number % 36]
