"""Texts of QR codes in image files and before a camera. What reads them is optional."""

import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from signer.storage import read_limited
from signer.transports.errors import (
    CameraUnusable,
    ImageRefused,
    LibraryMissing,
    TooManyFrames,
    UnknownFrame,
)
from signer.transports.limits import (
    FRAMES_MAX,
    IMAGE_BYTES_MAX,
    IMAGE_PIXELS_MAX,
    TEXT_BYTES_MAX,
)

_FORMATS = ("PNG", "GIF", "JPEG")
"""Pillow knows many more; each is a parser that a stranger could reach."""


def texts_in_file(path: Path) -> Iterator[str]:
    """The frames of a text file, one a line, with line ends of any system."""
    data = read_limited(path, TEXT_BYTES_MAX)
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise UnknownFrame(f"got {path.name} that is not plain text") from error
    if len(lines) > FRAMES_MAX:
        raise TooManyFrames(f"got {len(lines)} lines, expected at most {FRAMES_MAX}")
    yield from filter(None, (line.strip() for line in lines))


def texts_in_images(paths: list[Path]) -> Iterator[str]:
    """The texts of all QR codes in image files, every frame of animated ones.

    Raises LibraryMissing, ImageRefused, TooManyFrames, StorageError.
    """
    reader = _library("zxingcpp", "glaytos-wallet[scan]")
    for count, picture in enumerate(_pictures(paths), start=1):
        if count > FRAMES_MAX:
            raise TooManyFrames(f"got more than {FRAMES_MAX} pictures")
        yield from _texts(reader, picture)


def texts_before_camera(device: int) -> Iterator[str]:
    """The texts before a camera, without end. Raises LibraryMissing, CameraUnusable."""
    reader = _library("zxingcpp", "glaytos-wallet[scan]")
    opencv = _library("cv2", "glaytos-wallet[scan] and opencv-python-headless")
    camera = opencv.VideoCapture(device)
    try:
        while True:
            taken, picture = camera.read()
            if not taken:
                raise CameraUnusable(f"got no picture from camera {device}")
            yield from _texts(reader, picture)
    finally:
        camera.release()


def _pictures(paths: list[Path]) -> Iterator[Any]:
    """Every frame of every file, in shades of grey; sizes are checked before anything is drawn."""
    image = _library("PIL.Image", "glaytos-wallet[scan]")
    bad = (OSError, SyntaxError, ValueError, image.DecompressionBombError)
    for path in paths:
        data = io.BytesIO(read_limited(path, IMAGE_BYTES_MAX))
        try:
            opened = image.open(data, formats=_FORMATS)
        except bad as error:
            raise ImageRefused(f"got {path.name} that is no PNG, GIF or JPEG") from error
        with opened:
            width, height = opened.size
            if width * height > IMAGE_PIXELS_MAX:
                raise ImageRefused(f"got {path.name} of {width} x {height} pixels")
            for at in range(FRAMES_MAX + 1):
                try:
                    opened.seek(at)
                    grey = opened.convert("L")
                except EOFError:
                    break
                except bad as error:
                    raise ImageRefused(f"got {path.name} that is damaged") from error
                yield grey


def _texts(reader: Any, picture: Any) -> list[str]:
    found = reader.read_barcodes(
        picture, formats=reader.BarcodeFormat.QRCode, text_mode=reader.TextMode.Plain
    )
    return [code.text for code in found]


def _library(name: str, wanted: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise LibraryMissing(f"got no {name}, expected {wanted} to be installed") from error
