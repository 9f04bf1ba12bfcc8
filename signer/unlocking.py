"""The unlock file: a small TOML file that says which factors open a home and where each comes from.

It names files, descriptors and tokens, never a secret; what it does not name is asked for at the
keyboard. The same file makes a home (with the settings marked *new*) and opens it later.

```toml
[passphrase]                 # file or fd; typed if neither is named
file = "passphrase.txt"

[key-file]
file = "/media/key/noise"

[shared]                     # people who are here; a new file needs all of them
threshold = 2                # new
people = [{ name = "alice", fd = 3 }, { name = "bob" }]

[slip39]
files = ["share-1", "share-2"]   # one share a file; or typed = 2 to type two of them
threshold = 2                # new
count = 3                    # new
out = "shares"               # new: a folder that gets one file for each share

[pkcs11]
module = "/usr/lib/softhsm/libsofthsm2.so"
token = "glaytos"
key = "signer-1"
pin_file = "pin"             # or pin_fd; typed if neither is named

[transit]
answer = "decrypt-answer.json"
wrapped = "datakey-answer.json"  # new
key = "signer-1"             # new
mount = "transit"            # new; also context and associated_data, as Base64
```
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from signer.errors import SignerError
from signer.keystore import (
    Factor,
    FactorKek,
    KdfCost,
    KeyFileFactor,
    PassphraseFactor,
    Person,
    Pkcs11Factor,
    SharedFactor,
    Slip39Factor,
    Token,
    TransitFactor,
    TransitKey,
    ciphertext_of,
)
from signer.storage import read_limited, write_atomic

UNLOCK_BYTES_MAX = 16 * 1024
"""An unlock file is a page at the most."""

SHARES_TYPED_MAX = 16
"""As many as a set of shares can have."""

CONTENT_BYTES_MAX = 1024 * 1024
"""A key file, or an answer of the transit engine."""

Ask = Callable[[Path | None, int | None, str], bytes]
"""Reads a secret from a file or a descriptor, or asks for it by name at the keyboard."""


Build = Callable[[Ask, KdfCost | None], Factor]
"""Asks for what a factor needs and makes it; with a cost it is one for new files."""

PIN = "PIN of token"
"""What a PIN is asked for as: the token rules over its length, and counts wrong ones."""


class UnlockFileError(SignerError):
    """An unlock file that cannot be read, or names what is not known."""

    code = "unlock.file_invalid"


class _Table:
    """One table of the file, read setting by setting; paths are beside the file."""

    def __init__(self, values: object, name: str, folder: Path) -> None:
        if not isinstance(values, dict):
            raise UnlockFileError(f"got {name} that is not a table")
        self._values = dict(values)
        self._name = name
        self._folder = folder

    def take(self, name: str, kind: type[Any], default: Any = None) -> Any:
        """A setting of a type, or the default."""
        value = self._values.pop(name, default)
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            raise UnlockFileError(f"got {self._name}.{name}, expected it as {kind.__name__}")
        return value

    def text(self, name: str) -> str:
        """A text that must be there."""
        value: str | None = self.take(name, str)
        if not value:
            raise UnlockFileError(f"got no {self._name}.{name}, expected it")
        return value

    def path(self, name: str) -> Path | None:
        """A path, or None."""
        value = self.take(name, str)
        return self._folder.joinpath(value) if value else None

    def needed_path(self, name: str) -> Path:
        """A path that must be there."""
        return self._folder.joinpath(self.text(name))

    def paths(self, name: str) -> list[Path]:
        """A list of paths."""
        values = self.take(name, list, [])
        if not all(isinstance(value, str) for value in values):
            raise UnlockFileError(f"got {self._name}.{name}, expected a list of paths")
        return [self._folder.joinpath(value) for value in values]

    def source(self, prefix: str = "") -> tuple[Path | None, int | None]:
        """Where a secret is read: a file, a descriptor, or neither for the keyboard."""
        file, fd = self.path(f"{prefix}file"), self.take(f"{prefix}fd", int)
        if file is not None and fd is not None:
            raise UnlockFileError(f"got two sources of {self._name}, expected a file or an fd")
        return file, fd

    def tables(self, name: str) -> list["_Table"]:
        """A list of tables."""
        values = self.take(name, list, [])
        return [_Table(value, f"{self._name}.{name}", self._folder) for value in values]

    def done(self) -> None:
        """Refuse settings that nobody asked for."""
        if self._values:
            raise UnlockFileError(f"got unknown {self._name}.{min(self._values)[:40]}")


def kek_of(file: Path, ask: Ask, cost: KdfCost | None = None) -> FactorKek:
    """The KEK that an unlock file describes; with a `cost` it is one for new key files.

    Raises UnlockFileError, KeystoreError, StorageError.
    """
    try:
        tables = tomllib.loads(read_limited(file, UNLOCK_BYTES_MAX).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnlockFileError(f"got {file.name}, which is not TOML") from error
    unknown = sorted(set(tables) - set(_READERS))
    if unknown or not tables:
        raise UnlockFileError(f"got factors {unknown[:5]}, expected some of {sorted(_READERS)}")
    building = []
    for kind, values in tables.items():
        table = _Table(values, kind, file.parent)
        building.append(_READERS[kind](table))
        table.done()
    # The whole file is read before anybody is asked for anything.
    return FactorKek([build(ask, cost) for build in building])


def _passphrase(table: _Table) -> Build:
    source = table.source()
    return lambda ask, cost: PassphraseFactor(ask(*source, "passphrase"), cost)


def _key_file(table: _Table) -> Build:
    path = table.needed_path("file")
    return lambda _ask, _cost: KeyFileFactor(read_limited(path, CONTENT_BYTES_MAX))


def _shared(table: _Table) -> Build:
    threshold = table.take("threshold", int, 0)
    sources = []
    for each in table.tables("people"):
        sources.append((each.text("name"), each.source()))
        each.done()

    def build(ask: Ask, cost: KdfCost | None) -> Factor:
        people = [Person(name, ask(*at, f"passphrase of {name}")) for name, at in sources]
        return SharedFactor(people, threshold, cost)

    return build


def _slip39(table: _Table) -> Build:
    files, typed = table.paths("files"), table.take("typed", int, 0)
    threshold, count = table.take("threshold", int, 0), table.take("count", int, 0)
    folder = table.path("out")
    if not 0 <= typed <= SHARES_TYPED_MAX:
        raise UnlockFileError(f"got slip39.typed {typed}, expected at most {SHARES_TYPED_MAX}")

    def build(ask: Ask, cost: KdfCost | None) -> Factor:
        if cost is not None:
            give = None if folder is None else _giver(folder)
            return Slip39Factor(threshold=threshold, count=count, give=give)
        shares = [ask(path, None, "share") for path in files]
        shares += [ask(None, None, f"share {at + 1} of {typed}") for at in range(typed)]
        return Slip39Factor([share.decode(errors="replace") for share in shares])

    return build


def _pkcs11(table: _Table) -> Build:
    module, token, key = (table.text(name) for name in ("module", "token", "key"))
    source = table.source("pin_")

    def build(ask: Ask, _cost: KdfCost | None) -> Factor:
        pin = ask(*source, f"{PIN} {token}").decode(errors="replace")
        return Pkcs11Factor(Token(module=module, token=token, key=key, pin=pin))

    return build


def _transit(table: _Table) -> Build:
    answer, wrapped = table.needed_path("answer"), table.path("wrapped")
    settings = {name: table.take(name, str, "") for name in ("key", "context", "associated_data")}
    mount = table.take("mount", str, "transit")

    def build(_ask: Ask, cost: KdfCost | None) -> Factor:
        given = read_limited(answer, CONTENT_BYTES_MAX)
        if cost is None or wrapped is None:
            return TransitFactor(given)
        new = TransitKey(
            name=settings["key"],
            ciphertext=ciphertext_of(read_limited(wrapped, CONTENT_BYTES_MAX)),
            mount=mount,
            context=settings["context"],
            associated_data=settings["associated_data"],
        )
        return TransitFactor(given, new)

    return build


def _giver(folder: Path) -> Callable[[Sequence[str]], None]:
    """Writes each share to a file of its own, in a folder that must not exist yet."""

    def give(shares: Sequence[str]) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise UnlockFileError(f"got {folder.name}, expected a new folder for shares") from error
        for number, share in enumerate(shares, start=1):
            write_atomic(folder.joinpath(f"share-{number}"), share.encode() + b"\n")

    return give


_READERS: Mapping[str, Callable[[_Table], Build]] = {
    "passphrase": _passphrase,
    "key-file": _key_file,
    "shared": _shared,
    "slip39": _slip39,
    "pkcs11": _pkcs11,
    "transit": _transit,
}
