"""What a package is made of: a statement, proofs of ownership, and a manifest of digests.

`statement.json` says what is owed (one root an asset), and what is held (coins and accounts, each
at a named block). It is canonical JSON: sorted keys, no spaces, ASCII, one way to write it. Its
digest is what every proof of ownership signs, so no proof can be taken over into another statement.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .failures import Failed

FORMAT = "glaytos-reserves-1"
STATEMENT, PROOFS, MANIFEST = "statement.json", "proofs.json", "manifest.json"
FILE_BYTES_MAX = 256 * 1024 * 1024
"""No file in a package is larger; checked before it is read."""

_DIGEST_DOMAIN = b"glaytos/reserves/statement/v1\n"


@dataclass(frozen=True)
class Package:
    """A package as read: the statement, its digest, and one proof for each claim."""

    statement: Mapping[str, Any]
    digest: bytes
    proofs: tuple[Mapping[str, Any], ...]


def canonical(value: Any) -> bytes:
    """The one way to write plain values as JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode()


def statement_digest(data: bytes) -> bytes:
    """What proofs of ownership sign."""
    return hashlib.sha256(_DIGEST_DOMAIN + data).digest()


def read_package(path: Path) -> Package:
    """A package whose files are what its manifest says. Raises Failed."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(set(names)) != len(names):
                raise Failed("package.twice", "got a file twice in the package")
            if any(info.file_size > FILE_BYTES_MAX for info in archive.infolist()):
                raise Failed("package.too_large", f"expected files of {FILE_BYTES_MAX} at most")
            files = {name: archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile) as error:
        raise Failed("package.unreadable", f"{path}: {error}") from error
    _check_manifest(files)
    statement = _parsed(files[STATEMENT], STATEMENT)
    proofs = _parsed(files[PROOFS], PROOFS)
    if not isinstance(statement, dict) or statement.get("format") != FORMAT:
        raise Failed("package.format", f"expected a statement of format {FORMAT}")
    if not isinstance(proofs, list) or not all(isinstance(one, dict) for one in proofs):
        raise Failed("package.format", "expected a list of proofs")
    return Package(
        statement=statement, digest=statement_digest(files[STATEMENT]), proofs=tuple(proofs)
    )


def _check_manifest(files: Mapping[str, bytes]) -> None:
    missing = {STATEMENT, PROOFS, MANIFEST} - set(files)
    if missing:
        raise Failed("package.missing", f"got no {', '.join(sorted(missing))}")
    found = {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != MANIFEST
    }
    manifest = _parsed(files[MANIFEST], MANIFEST)
    if manifest != found:
        listed = manifest if isinstance(manifest, dict) else {}
        wrong = sorted(n for n in {*found, *listed} if found.get(n) != listed.get(n))
        raise Failed("package.manifest", f"other bytes than the manifest says: {wrong[:5]}")


def _parsed(data: bytes, name: str) -> Any:
    """Plain values, if these are the only bytes that mean them."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Failed("package.format", f"{name}: {error}") from error
    if canonical(value) != data:
        raise Failed("package.not_canonical", f"{name} could be written in another way")
    return value
