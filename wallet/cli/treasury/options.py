"""What the treasury's commands share: their options, key files and file access."""

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from wallet.treasury.errors import FileProblem, StaffKeyError
from wallet.treasury.staff_keys import StaffKey, load_staff_key, read_header

PASSPHRASE_BYTES_MAX = 1024
"""A passphrase file is one line; checked before reading on."""

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
KeyFile = Annotated[Path, typer.Option("--key", "-k", help="Your staff key file.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File with the passphrase on its first line; else you are asked."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts that have looked.")]
SubjectId = Annotated[str, typer.Argument(help="Id of a treasury request or a withdrawal.")]
DEFAULT_CONFIG = Path("config/wallet.toml")


def unlock(key: Path, passphrase_file: Path | None) -> StaffKey:
    """A staff member's key, opened with its passphrase. Raises StaffKeyError."""
    read_header(key)
    return load_staff_key(key, passphrase_of(passphrase_file, repeat=False))


def passphrase_of(file: Path | None, *, repeat: bool) -> str:
    """From a file's first line, or asked for. Raises StaffKeyError."""
    if file is not None:
        try:
            return read(file, PASSPHRASE_BYTES_MAX).decode().splitlines()[0]
        except (UnicodeDecodeError, IndexError) as error:
            raise StaffKeyError(f"got no passphrase in {file}, expected one line") from error
    passphrase = getpass.getpass("Passphrase of your staff key: ")
    if repeat and getpass.getpass("Again: ") != passphrase:
        raise StaffKeyError("got two different passphrases, expected the same twice")
    return passphrase


def read(file: Path, bytes_max: int) -> bytes:
    """A file's bytes. Raises FileProblem when there are more than allowed."""
    try:
        with file.open("rb") as stream:
            data = stream.read(bytes_max + 1)
    except OSError as error:
        raise FileProblem(f"cannot read {file}: {error.strerror}") from error
    if len(data) > bytes_max:
        raise FileProblem(f"got more than {bytes_max} bytes in {file}, expected less")
    return data


def write_new(file: Path, data: bytes) -> None:
    """Write a file that must not exist yet. Raises FileProblem."""
    try:
        with file.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise FileProblem(f"cannot write {file} as a new file: {error.strerror}") from error
