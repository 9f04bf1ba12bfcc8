"""The file that a rollback leaves: the undone heights as a tail, whole on disk before they go."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from wallet.mirrors.errors import FileProblem
from wallet.mirrors.image import CHUNK, sync_folder
from wallet.mirrors.manifest import Attest
from wallet.mirrors.tails import Ends, Record, write_tail


def write_archive(path: Path, ends: Ends, records: Iterable[Record], attest: Attest) -> bytes:
    """Write the heights and wait for the disk; SHA-256 of the file.

    A file of the same content may be there already, from a run that was killed before it undid
    anything; any other is left alone. Raises FileProblem.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            written = write_tail(file, ends, records, attest)
            file.flush()
            os.fsync(file.fileno())
        if path.exists() and _digest(path) != written:
            raise FileProblem(f"got {path}, which is there already: name a new file")
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return written


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.digest()
