"""Frames of any known scheme, from any source, into one message."""

from collections.abc import Iterable

from signer.transports.bbqr import BbqrDecoder
from signer.transports.errors import FrameTooLong, Incomplete, MixedMessages, UnknownFrame
from signer.transports.limits import FRAME_CHARS_MAX
from signer.transports.message import FrameDecoder, Message
from signer.transports.ur import UrDecoder


class Collector:
    """Collects one message: the first frame decides which, and every other message is refused.

    Refusing, where skipping would also do, tells the person that two displays, or a stale and a new
    file, were mixed. A collector is made for one reading and keeps nothing for the next.
    """

    def __init__(self) -> None:
        self._decoder: FrameDecoder | None = None

    @property
    def have(self) -> int:
        """Parts collected that say something new."""
        return self._decoder.have if self._decoder else 0

    @property
    def need(self) -> int:
        """Parts needed; 0 while unknown."""
        return self._decoder.need if self._decoder else 0

    @property
    def complete(self) -> bool:
        """Whether nothing more is needed."""
        return 0 < self.need <= self.have

    @property
    def percent(self) -> int:
        """How much is there, rounded down."""
        return 100 * self.have // self.need if self.need else 0

    def add(self, text: str) -> None:
        """Take a frame. Raises a TransportError."""
        if len(text) > FRAME_CHARS_MAX:
            raise FrameTooLong(f"got {len(text)} characters, expected at most {FRAME_CHARS_MAX}")
        decoder: FrameDecoder
        if text[:3].lower() == "ur:":
            decoder = UrDecoder()
        elif text.startswith("B$"):
            decoder = BbqrDecoder()
        else:
            raise UnknownFrame("got a text that is neither a UR nor BBQr")
        if self._decoder is None:
            decoder.add(text)
            self._decoder = decoder
            return
        if type(decoder) is not type(self._decoder):
            raise MixedMessages("got UR and BBQr frames together; begin again with one of them")
        self._decoder.add(text)

    def message(self) -> Message:
        """The whole message. Raises a TransportError."""
        if self._decoder is None:
            raise Incomplete("got no frame")
        return self._decoder.message()


def collected(texts: Iterable[str]) -> Message:
    """The one message that all these frames are of. Raises a TransportError."""
    collector = Collector()
    for text in texts:
        collector.add(text)
    return collector.message()
