"""A release as it lies on a USB stick and as it is installed: every file against signed hashes.

`SHA256SUMS` lists the files of the release folder and `SHA256SUMS.sig` is the Ed25519 signature
over its bytes. `FILES`, one of the listed, names every file that installing puts beside this one.

Standard library only, as are the modules it imports: the installer runs it from the stick before
any package of the release has been looked at.
"""

import hashlib
import os
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from signer import ed25519
from signer.errors import SignerError
from signer.storage import StorageError, read_limited

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
FILES = "FILES"
MANIFEST = (SUMS, SIGNATURE, FILES)
"""What an installation keeps of its release, to be checked again by."""

LIST_BYTES_MAX = 4 * 1024 * 1024
"""No list of files is larger; checked before parsing."""

FILE_BYTES_MAX = 256 * 1024 * 1024
"""No file of a release is larger."""

INSTALLED = "release"
"""Folder of an installation that keeps `MANIFEST`."""

FINGERPRINT_WORDS = 6

_LINE = re.compile(r"([0-9a-f]{64})  ([!-~]+)")
_KEY = re.compile(r"[0-9a-f]{64}")
_WRITTEN_BY_PIP = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})


class ReleaseError(SignerError):
    """A release folder that cannot be read as one."""

    code = "release.malformed"


class ReleaseKeyError(SignerError):
    """A release key that is not 64 hex digits."""

    code = "release.bad_key"


class ReleaseUnsigned(SignerError):
    """A release folder without a signature."""

    code = "release.unsigned"


class ReleaseBadSignature(SignerError):
    """A list of hashes that the release key did not sign."""

    code = "release.bad_signature"


class ReleaseFileChanged(SignerError):
    """A file whose bytes are not the released ones."""

    code = "release.file_changed"


class ReleaseFileMissing(SignerError):
    """A released file that is not there."""

    code = "release.file_missing"


class ReleaseFileUnknown(SignerError):
    """A file that the release does not hold: code that could run unseen."""

    code = "release.file_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release folder whose signature was verified; `hashes` are SHA-256 by relative path."""

    folder: Path
    key: bytes
    hashes: Mapping[str, str]
    sha256: str


def parse_key(text: str) -> bytes:
    """A release public key from 64 lower-case hex digits. Raises ReleaseKeyError."""
    if _KEY.fullmatch(text) is None:
        raise ReleaseKeyError("got no release key, expected 64 lower-case hex digits")
    return bytes.fromhex(text)


def fingerprint(key: bytes, words: Sequence[str]) -> str:
    """Six words (66 bits) of a key, to be compared by voice; `words` is the BIP-39 list."""
    number = int.from_bytes(hashlib.sha256(key).digest()[:9], "big") >> 6
    chosen = [words[number >> 11 * at & 2047] for at in reversed(range(FINGERPRINT_WORDS))]
    return " ".join(chosen)


def open_release(place: Path, key: bytes) -> Release:
    """The release in a folder, or of a `SHA256SUMS` file, if `key` signed it.

    Raises ReleaseUnsigned, ReleaseBadSignature, ReleaseError.
    """
    folder = place.parent if place.name == SUMS else place
    listed = _read(folder.joinpath(SUMS), LIST_BYTES_MAX)
    if not folder.joinpath(SIGNATURE).is_file():
        raise ReleaseUnsigned(f"got no {SIGNATURE} in {folder}, expected a signed release")
    signature = _read(folder.joinpath(SIGNATURE), ed25519.SIGNATURE_BYTES)
    if not ed25519.verifies(key, listed, signature):
        raise ReleaseBadSignature(f"got {SUMS} that the given release key did not sign")
    sha256 = hashlib.sha256(listed).hexdigest()
    return Release(folder=folder, key=key, hashes=_parsed(listed, SUMS), sha256=sha256)


def check_media(release: Release) -> int:
    """Check that a release folder is whole and holds nothing else; gives the number of files.

    Raises ReleaseFileChanged, ReleaseFileMissing, ReleaseFileUnknown.
    """
    _check_tree(release.folder, release.hashes, frozenset({SUMS, SIGNATURE}))
    return len(release.hashes)


def check_installed(release: Release, root: Path) -> int:
    """Check the folder that packages are installed in; gives the number of files.

    A compiled file is unknown too: Python would run it in place of the source beside it.
    Raises ReleaseFileChanged, ReleaseFileMissing, ReleaseFileUnknown, ReleaseError.
    """
    text = _read(release.folder.joinpath(FILES), LIST_BYTES_MAX)
    if hashlib.sha256(text).hexdigest() != release.hashes.get(FILES):
        raise ReleaseFileChanged(f"got another {FILES} than the release signed")
    listed = _parsed(text, FILES)
    infos = {name.partition("/")[0] for name in listed if ".dist-info/" in name}
    written = frozenset(f"{info}/{name}" for info in infos for name in _WRITTEN_BY_PIP)
    _check_tree(root, listed, written)
    return len(listed)


def kept_release(prefix: Path) -> Path | None:
    """The signed lists that an installation keeps, or None in a development checkout."""
    folder = prefix.joinpath(INSTALLED)
    return folder if folder.joinpath(SUMS).is_file() else None


def this_python() -> str:
    """Version and platform of the running Python, as the packages' names know them."""
    return f"{sys.version_info[0]}.{sys.version_info[1]} {sysconfig.get_platform()}"


def launcher(python: Path) -> str:
    """The `glaytos-signer` command of an installation.

    -I: neither the environment nor the current folder can slip code in. -B: nothing is compiled
    into files, so that an installation stays exactly what was released.
    """
    return f"#!{python} -IB\nfrom signer.__main__ import main\n\nmain()\n"


def check_launcher(prefix: Path) -> None:
    """Check that the command of an installation starts what was checked. Raises as above."""
    path = prefix.joinpath("bin", "glaytos-signer")
    expected = launcher(prefix.joinpath("bin", "python"))
    if path.is_symlink() or _read(path, FILE_BYTES_MAX) != expected.encode():
        raise ReleaseFileChanged(f"got another {path} than the installer writes")


def _check_tree(root: Path, listed: Mapping[str, str], ignored: frozenset[str]) -> None:
    found = set(_names(root))
    missing = sorted(set(listed) - found)
    if missing:
        raise ReleaseFileMissing(f"got no {missing[0]}, expected it in {root}")
    unknown = sorted(found - set(listed) - ignored)
    if unknown:
        raise ReleaseFileUnknown(f"got {unknown[0]} in {root}, expected only released files")
    for name, sha256 in listed.items():
        path = root.joinpath(name)
        if path.is_symlink() or hashlib.sha256(_read(path, FILE_BYTES_MAX)).hexdigest() != sha256:
            raise ReleaseFileChanged(f"got another {name} than the released one, in {root}")


def _names(root: Path) -> Iterator[str]:
    """Every file below a folder, and every link, which is never followed."""
    for place, folders, files in os.walk(root):
        inside = Path(place)
        links = [name for name in folders if inside.joinpath(name).is_symlink()]
        for name in (*files, *links):
            yield inside.joinpath(name).relative_to(root).as_posix()


def _parsed(text: bytes, what: str) -> dict[str, str]:
    """Lines of `sha256sum`. Raises ReleaseError."""
    try:
        lines = text.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ReleaseError(f"got {what} that is not plain text") from error
    hashes: dict[str, str] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or not _stays_inside(match[2]) or match[2] in hashes:
            raise ReleaseError(f"got a line in {what} that is no hash and new relative path")
        hashes[match[2]] = match[1]
    if not hashes:
        raise ReleaseError(f"got an empty {what}, expected files")
    return hashes


def _stays_inside(name: str) -> bool:
    return not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))


def _read(path: Path, size_max: int) -> bytes:
    try:
        return read_limited(path, size_max)
    except StorageError as error:
        raise ReleaseError(str(error)) from error
