"""What travels: content and what it is said to be."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from signer.transports.errors import MessageSize, NotPsbt

_PSBT_MAGIC = b"psbt\xff"


class Kind(StrEnum):
    """What a message's content is, whichever way it came."""

    BYTES = "bytes"
    PSBT = "psbt"
    TRANSACTION = "transaction"
    JSON = "json"
    CBOR = "cbor"
    TEXT = "text"
    ETH_SIGN_REQUEST = "eth-sign-request"
    ETH_SIGNATURE = "eth-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Content that arrived whole. For ETH_ kinds it is the CBOR; `ur_types` reads it."""

    kind: Kind
    content: bytes

    def __post_init__(self) -> None:
        if not self.content:
            raise MessageSize("got a message without content")
        if self.kind is Kind.PSBT:
            require_psbt(self.content)


class FrameDecoder(Protocol):
    """Collects the frames of one message."""

    @property
    def have(self) -> int:
        """Parts collected that say something new."""

    @property
    def need(self) -> int:
        """Parts needed; 0 while unknown."""

    def add(self, text: str) -> None:
        """Take a frame. Raises a TransportError."""

    def message(self) -> Message:
        """The message. Raises Incomplete and what its content is refused for."""


class FrameSource(Protocol):
    """The frames of one message, to be shown."""

    @property
    def count(self) -> int:
        """Frames that are enough if none is lost."""

    @property
    def loop(self) -> int:
        """Frames after which a recorded animation may begin again."""

    def frame(self, number: int) -> str:
        """Frame `number`, from 1 without end, in letters of the QR alphanumeric mode."""


def require_psbt(content: bytes) -> None:
    """Raise NotPsbt unless the content begins as a PSBT (BIP-174)."""
    if not content.startswith(_PSBT_MAGIC):
        raise NotPsbt(f"got content that begins with {content[:5].hex()}, expected a PSBT")
