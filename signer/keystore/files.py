"""The key files of a home's `keys` folder, of either format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from signer.errors import ProtocolError
from signer.keystore import hk0, hk1
from signer.keystore.errors import KeystoreError
from signer.keystore.factors import FACTORS_MAX, stored_fields
from signer.keystore.headers import FILE_BYTES_MAX, KeyHeader, OpenedKey
from signer.keystore.kek import Kek
from signer.protocol.wire import Fields
from signer.storage import read_limited

FILES_MAX = 1000
"""More key files than this are no home."""

_SUFFIXES = (".hk1", ".hk0")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One file as it lies in the folder; `name` is without its suffix."""

    name: str
    data: bytes = field(repr=False)

    @property
    def format(self) -> str:
        """HK1 or HK0, as the bytes say; the suffix is for people. Raises KeystoreError."""
        return _read(self.data).text("format")

    @property
    def legacy(self) -> bool:
        """True for `HK0`."""
        return self.format == hk0.FORMAT

    @property
    def header(self) -> KeyHeader:
        """The header, not yet authenticated. Raises KeystoreError."""
        return header_of(self.data)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What opens it, not yet authenticated: the KEK's kind, or the kinds of its factors."""
        if self.legacy:
            return ("passphrase",)
        kind = _read(self.data).text("kek")
        return tuple(self.factors) if kind == "factors" else (kind,)

    @property
    def factors(self) -> Mapping[str, Fields]:
        """What is stored for each factor by kind, not yet authenticated. Raises KeystoreError."""
        try:
            stored = _read(self.data).items("factors", FACTORS_MAX)
            views = [stored_fields(each) for each in stored]
            return {view.text("kind"): view for view in views}
        except ProtocolError as error:
            raise KeystoreError(f"got a key file without factors: {error}") from error


def key_files(folder: Path) -> tuple[KeyFile, ...]:
    """Every key file of a folder, by name. Raises KeystoreError, StorageError."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if len(paths) > FILES_MAX or len({path.stem for path in paths}) != len(paths):
        raise KeystoreError("got two files of one key, or too many, expected one file a key")
    return tuple(KeyFile(path.stem, read_limited(path, FILE_BYTES_MAX)) for path in paths)


def key_file(folder: Path, name: str) -> KeyFile:
    """The one file of a name, in whichever format. Raises KeystoreError, StorageError."""
    paths = [folder.joinpath(name + suffix) for suffix in _SUFFIXES]
    found = [path for path in paths if path.exists()] or paths[:1]
    if len(found) > 1:
        raise KeystoreError(f"got {name} as HK1 and as HK0, expected one file a key")
    return KeyFile(name, read_limited(found[0], FILE_BYTES_MAX))


def open_key(data: bytes, kek: Kek) -> OpenedKey:
    """Open a key file of either format. Raises KeystoreError."""
    if _read(data).text("format") == hk0.FORMAT:
        return hk0.decode_hk0(data, kek)
    return hk1.decode_key(data, kek)


def header_of(data: bytes) -> KeyHeader:
    """The header alone, not yet authenticated. Raises KeystoreError."""
    try:
        return KeyHeader.decode(_read(data).blob("header"))
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged key file: {error}") from error


def _read(data: bytes) -> Fields:
    if len(data) > FILE_BYTES_MAX:
        raise KeystoreError(f"got a key file of {len(data)} bytes, expected at most 64 KiB")
    try:
        fields = Fields(data, "key file")
        fields.text("format")
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged key file: {error}") from error
    return fields
