"""The image file: a magic line, compressed parts, and the signed manifest behind them.

    magic line | zlib(part) ... | envelope of the manifest | its length as 8 bytes | magic line

The manifest stands behind the parts because their digests are known only when they are written; a
reader starts at the end, and reads nothing of a file whose manifest is not signed.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from signer.protocol import MESSAGE_BYTES_MAX, ProtocolError, Sealed
from wallet.mirrors.errors import FileProblem, ImageMalformed, PartDamaged, TagTaken
from wallet.mirrors.manifest import DOMAIN, Manifest, Part, opened

MAGIC = b"GLAYTOS-IMAGE-1\n"
CHUNK = 1 << 20
LEVEL = 1
"""Of zlib: an image is made while the service runs, and is bound by the disk soon enough."""

_LENGTH = 8

Block = tuple[bytes, int]
"""Bytes, and how many rows they are."""

Progress = Callable[[str, int, int], None]
"""Told of a part's name, its rows done so far, and of how many (0: not known)."""


def silent(_part: str, _done: int, _total: int) -> None:
    """Nobody watches."""


class ImageWriter:
    """Writes a new image beside its final name, and gives it that name when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.part")
        self._parts: list[Part] = []
        self._file: BinaryIO

    def __enter__(self) -> Self:
        if self._path.exists():
            raise TagTaken(
                f"got {self._path}, which is there already; images are never overwritten"
            )
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise FileProblem(f"cannot write {self._draft}: {error.strerror}") from error
        self._file = os.fdopen(handle, "wb")
        self._file.write(MAGIC)
        return self

    def __exit__(self, *_failed: object) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def add(self, name: str, blocks: Iterable[Block], *, level: int = LEVEL) -> None:
        """Write a part, block by block."""
        offset, packer, digest = self._file.tell(), zlib.compressobj(level), hashlib.sha256()
        size = rows = 0
        for block, count in blocks:
            digest.update(block)
            self._file.write(packer.compress(block))
            size, rows = size + len(block), rows + count
        self._file.write(packer.flush())
        self._parts.append(
            Part(
                name=name,
                offset=offset,
                stored=self._file.tell() - offset,
                size=size,
                rows=rows,
                digest=digest.digest(),
            )
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """What was written so far."""
        return tuple(self._parts)

    def finish(self, sealed: Sealed) -> None:
        """Write the signed manifest; only then does the file get its name. Raises TagTaken."""
        data = sealed.encode()
        self._file.write(data + len(data).to_bytes(_LENGTH, "big") + MAGIC)
        self._file.flush()
        os.fsync(self._file.fileno())
        try:
            os.link(self._draft, self._path)  # as a rename, but never over another image
        except FileExistsError as error:
            raise TagTaken(f"got {self._path}, which is there already") from error
        sync_folder(self._path.parent)


class Image:
    """An image whose manifest has the right signature; parts are checked as they are read."""

    def __init__(self, path: Path, manifest: Manifest, digest: bytes) -> None:
        self._path = path
        self.manifest = manifest
        self.digest = digest

    def blocks(self, name: str) -> Iterator[bytes]:
        """A part's content, a megabyte at a time. Raises PartDamaged, at the end at latest."""
        part, digest, size = self.manifest.part(name), hashlib.sha256(), 0
        with _reading(self._path) as file:
            file.seek(part.offset)
            for block in _unpacked(file, part):
                size += len(block)
                if size > part.size:
                    break
                digest.update(block)
                yield block
        if size != part.size or digest.digest() != part.digest:
            raise PartDamaged(f"part {name} is not what the signed manifest says it is")

    def lines(self, name: str) -> Iterator[bytes]:
        """The same in blocks of whole lines, each line ending in a newline."""
        rest = b""
        for block in self.blocks(name):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                yield whole + newline
        if rest:
            raise PartDamaged(f"part {name} ends within a line")


def open_image(path: Path, public_key: bytes) -> Image:
    """An image file, its manifest checked. Raises FileProblem, ImageMalformed, SignatureWrong."""
    with _reading(path) as file:
        sealed = opened(_envelope(file, path), DOMAIN, public_key)
    manifest, start = Manifest.decode(sealed.body), len(MAGIC)
    for part in manifest.parts:
        if part.offset != start:
            raise ImageMalformed(f"got part {part.name} at {part.offset}, expected {start}")
        start += part.stored
    return Image(path, manifest, sealed.digest)


def _unpacked(file: BinaryIO, part: Part) -> Iterator[bytes]:
    unpacker, left = zlib.decompressobj(), part.stored
    try:
        while not unpacker.eof:
            packed = unpacker.unconsumed_tail
            if not packed:
                packed = file.read(min(CHUNK, left))
                left -= len(packed)
            if not packed:
                return
            block = unpacker.decompress(packed, CHUNK)
            if block:
                yield block
    except zlib.error as error:
        raise PartDamaged(f"part {part.name} does not unpack: {error}") from error


def read_manifest(path: Path) -> Manifest:
    """What a file says it is, its signature not checked: for lists."""
    with _reading(path) as file:
        data = _envelope(file, path)
    return Manifest.decode(_unchecked(data))


def _unchecked(data: bytes) -> bytes:
    try:
        return Sealed.decode(data, DOMAIN).body
    except ProtocolError as error:
        raise ImageMalformed("got an end that is no manifest") from error


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileProblem(f"cannot read {path}: {error.strerror}") from error
    with file:
        yield file


def _envelope(file: BinaryIO, path: Path) -> bytes:
    footer = _LENGTH + len(MAGIC)
    size = os.fstat(file.fileno()).st_size
    is_image = size > footer + len(MAGIC) and file.read(len(MAGIC)) == MAGIC
    if is_image:
        file.seek(size - footer)
        tail = file.read(footer)
        length = int.from_bytes(tail[:_LENGTH], "big")
        is_image = tail[_LENGTH:] == MAGIC and length <= min(MESSAGE_BYTES_MAX, size - footer)
    if not is_image:
        raise ImageMalformed(f"got {path}, which is no image of a ledger or was cut")
    file.seek(size - footer - length)
    return file.read(length)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
