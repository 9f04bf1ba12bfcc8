"""Files that are either wholly there or not there at all."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signer.errors import SignerError


class StorageError(SignerError):
    """A file of the signer's home that is missing, too large or readable by others."""

    code = "storage.unusable"


class OutputExists(SignerError):
    """A file that would be overwritten."""

    code = "output.exists"


class FileBusy(SignerError):
    """A file that another process is changing now."""

    code = "storage.busy"


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Keep every other process from changing `path` meanwhile. Raises FileBusy, StorageError.

    The lock is a file beside it, which stays; the operating system ends the lock with its process.
    """
    try:
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"got no place beside {path.name}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FileBusy(f"got {path.name}, which another process is changing now") from error
    else:
        yield
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path`; after return the bytes survive a power cut. Mode 0600."""
    part = path.with_name(path.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_directory(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """As `write_atomic`, for a name that is still free. Raises OutputExists, StorageError."""
    require_free(path)
    try:
        write_atomic(path, data)
    except OSError as error:
        raise StorageError(f"got no place for {path.name}: {error.strerror}") from error


def require_free(path: Path) -> None:
    """Raise OutputExists if something has this name, even a link that leads nowhere."""
    if path.exists() or path.is_symlink():
        raise OutputExists(f"got {path.name} that exists, expected a new name")


def read_limited(path: Path, size_max: int) -> bytes:
    """The file's bytes; the size is checked before reading. Raises StorageError."""
    try:
        size = path.stat().st_size
        if size > size_max:
            raise StorageError(f"got {path.name} of {size} bytes, expected at most {size_max}")
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"got no readable file {path.name}: {error.strerror}") from error


def sync_directory(path: Path) -> None:
    """Make a rename or a new name in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
