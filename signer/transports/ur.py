"""Uniform Resources (BCR-2020-005): one frame, or parts of a fountain."""

import re
from dataclasses import dataclass

from signer.transports import bytewords
from signer.transports.errors import (
    FrameTooLong,
    Incomplete,
    MixedMessages,
    UrMalformed,
    UrNumbering,
)
from signer.transports.fountain import Decoder, Encoder, Part
from signer.transports.limits import FRAME_CHARS_MAX
from signer.transports.message import Message
from signer.transports.ur_types import UrType, pack, unpack

_FORM = re.compile(r"ur:([a-z0-9-]{1,40})/(?:([1-9][0-9]{0,9})-([1-9][0-9]{0,9})/)?([a-z]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class UrFrame:
    """One UR text: `part` of a message, or the whole of it in `data`."""

    ur_type: UrType
    data: bytes
    part: Part | None


def parse(text: str) -> UrFrame:
    """Parse one UR in letters of any case. Raises a TransportError."""
    if len(text) > FRAME_CHARS_MAX:
        raise FrameTooLong(f"got {len(text)} characters, expected at most {FRAME_CHARS_MAX}")
    # Some foreign letters turn into ASCII when made small.
    form = _FORM.fullmatch(text.lower()) if text.isascii() else None
    if form is None:
        raise UrMalformed("got a UR of another form than ur:type/[number-count/]bytewords")
    ur_type = UrType.of(form[1])
    data = bytewords.decode(form[4])
    if form[2] is None:
        return UrFrame(ur_type=ur_type, data=data, part=None)
    part = Part.decode(data)
    if (part.number, part.count) != (int(form[2]), int(form[3])):
        raise UrNumbering(f"got part {part.number} of {part.count} named as {form[2]} of {form[3]}")
    return UrFrame(ur_type=ur_type, data=data, part=part)


class UrSource:
    """The frames of a message; in one frame if it fits into one fragment."""

    def __init__(self, ur_type: UrType, content: bytes, fragment_bytes: int) -> None:
        self._ur_type = ur_type
        data = pack(ur_type, content)
        self._encoder = Encoder(data, fragment_bytes)
        self._single = data if self._encoder.count == 1 else None
        self.count = self._encoder.count
        # As many mixed parts again, so that one round of a recorded loop survives losses.
        self.loop = self.count if self._single else 2 * self.count

    def frame(self, number: int) -> str:
        """Frame `number`, from 1: fragments first, then mixes without end."""
        if self._single:
            return f"ur:{self._ur_type}/{bytewords.encode(self._single)}".upper()
        part = self._encoder.part(number)
        letters = bytewords.encode(part.encode())
        return f"ur:{self._ur_type}/{number}-{part.count}/{letters}".upper()


class UrDecoder:
    """Collects the frames of one UR; frames of any other are refused."""

    def __init__(self) -> None:
        self._ur_type: UrType | None = None
        self._single: bytes | None = None
        self._parts = Decoder()

    @property
    def have(self) -> int:
        """Parts that say something new."""
        return 1 if self._single else self._parts.have

    @property
    def need(self) -> int:
        """Parts needed; 0 before the first."""
        return 1 if self._single else self._parts.need

    def add(self, text: str) -> None:
        """Take a frame. Raises a TransportError."""
        frame = parse(text)
        if self._ur_type not in (None, frame.ur_type):
            raise MixedMessages(f"got a frame of ur:{frame.ur_type}, expected ur:{self._ur_type}")
        if frame.part is not None:
            if self._single is not None:
                raise MixedMessages("got a part after a message in one frame")
            self._parts.add(frame.part)
        else:
            if self._parts.need or self._single not in (None, frame.data):
                raise MixedMessages("got another message in one frame; begin again with one")
            self._single = frame.data
        self._ur_type = frame.ur_type

    def message(self) -> Message:
        """The whole message. Raises a TransportError."""
        if self._ur_type is None:
            raise Incomplete("got no frame")
        data = self._parts.message() if self._single is None else self._single
        return unpack(self._ur_type, data)
