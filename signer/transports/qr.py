"""Frames as QR codes: in a terminal, as PNG files, as one animated GIF."""

import io
import sys
import zlib
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from itertools import zip_longest
from typing import Any

from signer.transports.errors import LibraryMissing, TooManyParts
from signer.transports.limits import FRAMES_MAX
from signer.transports.message import FrameSource

FRAME_MS = 250
"""How long a frame is shown; what small devices are tuned for."""

_SCALE = 6
"""Pixels of a module in images."""

_BORDER = 4
"""Light modules around the code (ISO/IEC 18004)."""

_BLOCKS = {(1, 1): "\u2588", (1, 0): "\u2580", (0, 1): "\u2584", (0, 0): " "}
"""Upper and lower module in one character."""

_BLACK_ON_WHITE, _PLAIN = "\x1b[30;107m", "\x1b[0m"


def recorded(source: FrameSource) -> list[str]:
    """The frames of one round. Raises TooManyParts."""
    if source.loop > FRAMES_MAX:
        raise TooManyParts(f"got {source.loop} frames, expected at most {FRAMES_MAX}")
    return [source.frame(number) for number in range(1, source.loop + 1)]


def version_of(frames: list[str]) -> int:
    """The QR version that holds every frame: codes that change their size are hard to film."""
    return int(_code(max(frames, key=len), None).version)


def terminal_text(frame: str, version: int) -> str:
    """A code in half blocks, dark on light whatever the terminal's colours are."""
    rows = modules(frame, version)
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=bytes(len(rows)))
    lines = ("".join(_BLOCKS[dots] for dots in zip(*pair, strict=True)) for pair in pairs)
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_PLAIN}" for line in lines)


def png(frame: str, version: int) -> bytes:
    """A code as a PNG file (ISO/IEC 15948) in shades of grey, of which it uses two."""
    side, dots = _pixels(frame, version)
    header = side.to_bytes(4, "big") * 2 + bytes((8, 0, 0, 0, 0))
    lines = b"".join(b"\0" + dots[at : at + side] for at in range(0, len(dots), side))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        for name, data in chunks
    )


def gif(frames: list[str], version: int) -> bytes:
    """All frames as one GIF file that repeats. Raises LibraryMissing."""
    try:
        from PIL import Image  # noqa: PLC0415 - optional
    except ImportError as error:
        raise LibraryMissing(
            "got no Pillow, expected glaytos-wallet[scan] to be installed"
        ) from error
    pictures = []
    for frame in frames:
        side, dots = _pixels(frame, version)
        pictures.append(Image.frombytes("L", (side, side), dots))
    out = io.BytesIO()
    pictures[0].save(
        out, "GIF", save_all=True, append_images=pictures[1:], duration=FRAME_MS, loop=0
    )
    return out.getvalue()


def modules(frame: str, version: int) -> list[bytes]:
    """The code's rows with its border, 1 for each dark module; larger only if it must be."""
    code = _code(frame, None)
    if code.version < version:
        code = _code(frame, version)
    side = bytes(_BORDER)
    rows = [side + bytes(row) + side for row in code.matrix]
    blank = [bytes(len(rows[0]))] * _BORDER
    return [*blank, *rows, *blank]


def _pixels(frame: str, version: int) -> tuple[int, bytes]:
    """Side in pixels, and black or white for each of them."""
    wide = (
        b"".join((b"\x00" if dot else b"\xff") * _SCALE for dot in row)
        for row in modules(frame, version)
    )
    lines = [line for line in wide for _ in range(_SCALE)]
    return len(lines), b"".join(lines)


def _code(frame: str, version: int | None) -> Any:
    """The code in alphanumeric mode at level L: screens are clean."""
    return _encoder().encode(
        frame, error="L", version=version, mode="alphanumeric", micro=False, boost_error=False
    )


@cache
def _encoder() -> Any:
    """The encoder of segno without its package, whose writers load an HTTP client by way of XML."""
    spec = find_spec("segno")
    if spec is None:
        raise LibraryMissing("got no segno, expected glaytos-wallet to be installed whole")
    before = sys.modules.get("segno")
    sys.modules["segno"] = module_from_spec(spec) if before is None else before
    try:
        return import_module("segno.encoder")
    finally:
        if before is None:
            del sys.modules["segno"]
