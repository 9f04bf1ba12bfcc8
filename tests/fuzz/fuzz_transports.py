"""Any bytes as frames: plain, and behind right checksums, so that every layer is reached."""

from base64 import b32encode
from collections.abc import Iterable
from contextlib import suppress

from signer.transports import bytewords
from signer.transports.bbqr import BbqrSource
from signer.transports.collect import collected
from signer.transports.errors import TransportError
from signer.transports.message import Kind
from signer.transports.ur import UrSource
from signer.transports.ur_types import UrType


def one_input(data: bytes) -> None:
    """Raise nothing but what is a fault."""
    if len(data) < 3:
        return
    choice, rest = data[0], data[1:]
    ur_type = list(UrType)[choice % len(UrType)]
    base32 = b32encode(rest[:2000]).decode().rstrip("=")
    attempts = (
        rest.decode("latin-1").split("\n"),
        [f"ur:{ur_type}/{bytewords.encode(rest)}"],
        _parts(ur_type, rest),
        [f"B$ZB0100{base32}"],
        [f"B${rest.decode('latin-1')}"],
    )
    for texts in attempts:
        with suppress(TransportError):
            collected(texts)


def seeds() -> Iterable[bytes]:
    """Messages as frames of both schemes, whole and in parts."""
    content = bytes(range(90))
    for fragment_bytes in (30, 200):
        for source in (
            UrSource(UrType.BYTES, content, fragment_bytes),
            BbqrSource(Kind.BYTES, content, fragment_bytes),
        ):
            frames = [source.frame(number) for number in range(1, source.loop + 1)]
            yield b"\x00" + "\n".join(frames[:5]).encode()


def _parts(ur_type: UrType, data: bytes) -> list[str]:
    """Parts that begin right and go on as the bytes say, named as they name themselves."""
    pieces = data.split(b"\n")
    return [
        f"ur:{ur_type}/{piece[0]}-{piece[1]}/{bytewords.encode(bytes([0x85]) + piece[2:])}"
        for piece in pieces
        if len(piece) > 2
    ]
