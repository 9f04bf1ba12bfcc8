"""Fountain parts (BCR-2020-005, BCR-2024-001): enough of any parts give the message back.

The decoder solves the parts as linear equations, so it is done with the first set of parts that
determines the message, and a part that contradicts the others is noticed, not mixed in.
"""

import zlib
from dataclasses import dataclass

from signer.protocol import dump
from signer.protocol.cbor import Reader
from signer.transports.errors import (
    CborMalformed,
    ConflictingParts,
    FragmentSize,
    Incomplete,
    MessageSize,
    MixedMessages,
    SequenceTooHigh,
    TooManyParts,
    UrChecksum,
    UrPadding,
    UrPartInvalid,
)
from signer.transports.limits import (
    FRAGMENT_BYTES_MAX,
    FRAGMENT_BYTES_MIN,
    FRAME_CHARS_MAX,
    MESSAGE_BYTES_MAX,
    PARTS_MAX,
    SEQUENCE_MAX,
)
from signer.transports.mixing import fragments_of

_UINT32_MAX = 0xFFFFFFFF

_LEAST_BYTES = 10
"""Of a fragment, in the reference encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A mix of fragments: `number` from 1, of a message of `size` bytes in `count` fragments."""

    number: int
    count: int
    size: int
    checksum: int
    data: bytes

    def encode(self) -> bytes:
        """The CBOR that a UR part carries."""
        return dump([self.number, self.count, self.size, self.checksum, self.data])

    @classmethod
    def decode(cls, data: bytes) -> "Part":
        """Parse and check against every limit. Raises a TransportError."""
        reader = Reader(data, CborMalformed)
        if reader.array(5) != 5:
            raise UrPartInvalid("got a part of another shape, expected five fields")
        part = cls(
            number=reader.uint(_UINT32_MAX),
            count=reader.uint(_UINT32_MAX),
            size=reader.uint(_UINT32_MAX),
            checksum=reader.uint(_UINT32_MAX),
            data=reader.blob(FRAME_CHARS_MAX),
        )
        reader.done()
        part.check()
        return part

    def check(self) -> None:
        """Raise unless the fields fit together and keep the limits."""
        if self.size > MESSAGE_BYTES_MAX:
            raise MessageSize(f"got {self.size} bytes, expected at most {MESSAGE_BYTES_MAX}")
        if self.count > PARTS_MAX:
            raise TooManyParts(f"got {self.count} parts, expected at most {PARTS_MAX}")
        if self.number > SEQUENCE_MAX:
            raise SequenceTooHigh(f"got part {self.number}, expected at most {SEQUENCE_MAX}")
        covered = self.count * len(self.data)
        if not (self.number and covered - len(self.data) < self.size <= covered):
            raise UrPartInvalid(
                f"got {self.size} bytes in {self.count} fragments of {len(self.data)}"
            )


class Encoder:
    """The endless parts of a message; the first `count` are its fragments, the others mixes."""

    def __init__(self, message: bytes, fragment_bytes_max: int) -> None:
        if not FRAGMENT_BYTES_MIN <= fragment_bytes_max <= FRAGMENT_BYTES_MAX:
            raise FragmentSize(
                f"got fragments of {fragment_bytes_max} bytes, expected"
                f" {FRAGMENT_BYTES_MIN} to {FRAGMENT_BYTES_MAX}"
            )
        if not 0 < len(message) <= MESSAGE_BYTES_MAX:
            raise MessageSize(f"got {len(message)} bytes, expected 1 to {MESSAGE_BYTES_MAX}")
        size = fragment_size(len(message), _LEAST_BYTES, fragment_bytes_max)
        self.count = -(-len(message) // size)
        if self.count > PARTS_MAX:
            raise TooManyParts(f"got {self.count} parts, expected larger fragments")
        self._size = len(message)
        self._checksum = zlib.crc32(message)
        padded = message.ljust(self.count * size, b"\0")
        self._fragments = [padded[at : at + size] for at in range(0, len(padded), size)]

    def part(self, number: int) -> Part:
        """Part `number`, from 1."""
        mixed = 0
        for index in fragments_of(number, self.count, self._checksum):
            mixed ^= int.from_bytes(self._fragments[index], "big")
        return Part(
            number=number,
            count=self.count,
            size=self._size,
            checksum=self._checksum,
            data=mixed.to_bytes(len(self._fragments[0]), "big"),
        )


def fragment_size(message: int, least: int, most: int) -> int:
    """Bytes of each of the fewest equal fragments of at most `most`, or else about `least`."""
    size = message
    for count in range(1, message // least + 1):
        size = -(-message // count)
        if size <= most:
            break
    return size


class Decoder:
    """Collects parts of one message, given by its first part, in any order and with losses."""

    def __init__(self) -> None:
        self._first: Part | None = None
        self._rows: dict[int, tuple[int, int]] = {}

    @property
    def have(self) -> int:
        """Fragments' worth of parts that say something new."""
        return len(self._rows)

    @property
    def need(self) -> int:
        """Fragments of the message; 0 before the first part."""
        return self._first.count if self._first else 0

    def add(self, part: Part) -> None:
        """Take a part. Raises MixedMessages, ConflictingParts."""
        self._first = self._first or part
        if _identity(part) != _identity(self._first):
            raise MixedMessages("got a part of another message; begin again with one of them")
        indexes = fragments_of(part.number, part.count, part.checksum)
        mask, value = sum(1 << index for index in indexes), int.from_bytes(part.data, "big")
        while mask:
            pivot = mask.bit_length() - 1
            if pivot not in self._rows:
                self._rows[pivot] = (mask, value)
                return
            known_mask, known_value = self._rows[pivot]
            mask, value = mask ^ known_mask, value ^ known_value
        if value:
            raise ConflictingParts(f"got part {part.number} that contradicts the parts before")

    def message(self) -> bytes:
        """The whole message. Raises Incomplete, UrPadding, UrChecksum."""
        first = self._first
        if first is None or len(self._rows) < first.count:
            raise Incomplete(f"got {self.have} parts, expected {self.need or 'some'}")
        solved: list[int] = []
        for index in range(first.count):
            mask, value = self._rows[index]
            mask ^= 1 << index
            while mask:
                lowest = (mask & -mask).bit_length() - 1
                value ^= solved[lowest]
                mask &= mask - 1
            solved.append(value)
        whole = b"".join(value.to_bytes(len(first.data), "big") for value in solved)
        message, padding = whole[: first.size], whole[first.size :]
        if any(padding):
            raise UrPadding("got bytes behind the message's end, expected zeros")
        if zlib.crc32(message) != first.checksum:
            raise UrChecksum("got a message with another checksum than its parts promised")
        return message


def _identity(part: Part) -> tuple[int, int, int, int]:
    return part.count, part.size, part.checksum, len(part.data)
