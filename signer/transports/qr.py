"""Frames as QR codes: in a terminal, as PNG files, as one animated GIF."""

import io
from itertools import zip_longest
from typing import TYPE_CHECKING

from signer.transports.errors import LibraryMissing, TooManyParts
from signer.transports.limits import IMAGE_FRAMES_MAX
from signer.transports.message import FrameSource

if TYPE_CHECKING:
    import segno

FRAME_MS = 250
"""How long a frame is shown; what small devices are tuned for."""

_SCALE = 6
"""Pixels of a module in images."""

_BORDER = 4
"""Light modules around the code (ISO/IEC 18004)."""

_DARK, _LIGHT = b"\x00", b"\xff"

_BLOCKS = {(1, 1): "\u2588", (1, 0): "\u2580", (0, 1): "\u2584", (0, 0): " "}
"""Upper and lower module in one character."""

_BLACK_ON_WHITE, _PLAIN = "\x1b[30;107m", "\x1b[0m"


def recorded(source: FrameSource) -> list[str]:
    """The frames of one round. Raises TooManyParts."""
    if source.loop > IMAGE_FRAMES_MAX:
        raise TooManyParts(f"got {source.loop} frames, expected at most {IMAGE_FRAMES_MAX}")
    return [source.frame(number) for number in range(1, source.loop + 1)]


def version_of(frames: list[str]) -> int:
    """The QR version that holds every frame: codes that change their size are hard to film."""
    return max(int(_code(max(frames, key=len), 1).version), 1)


def terminal_text(frame: str, version: int) -> str:
    """A code in half blocks, dark on light whatever the terminal's colours are."""
    rows = list(_code(frame, version).matrix_iter(border=_BORDER))
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=bytes(len(rows)))
    lines = ("".join(_BLOCKS[dots] for dots in zip(*pair, strict=True)) for pair in pairs)
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_PLAIN}" for line in lines)


def png(frame: str, version: int) -> bytes:
    """A code as a PNG file."""
    out = io.BytesIO()
    _code(frame, version).save(out, kind="png", scale=_SCALE, border=_BORDER)
    return out.getvalue()


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
        rows = list(_code(frame, version).matrix_iter(scale=_SCALE, border=_BORDER))
        dots = b"".join(_DARK if dot else _LIGHT for row in rows for dot in row)
        pictures.append(Image.frombytes("L", (len(rows), len(rows)), dots))
    out = io.BytesIO()
    pictures[0].save(
        out, "GIF", save_all=True, append_images=pictures[1:], duration=FRAME_MS, loop=0
    )
    return out.getvalue()


def _code(frame: str, version: int) -> "segno.QRCode":
    """The code in alphanumeric mode, at least of this version, at level L: screens are clean."""
    import segno  # noqa: PLC0415 - only where something is shown

    code = segno.make_qr(frame, error="L", mode="alphanumeric", boost_error=False)
    if int(code.version) >= version:
        return code
    return segno.make_qr(frame, error="L", version=version, mode="alphanumeric", boost_error=False)
