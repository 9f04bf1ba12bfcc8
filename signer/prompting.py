"""Asking a person: passphrases without echo, and yes or no with no as the default."""

import os
from collections.abc import Sequence
from pathlib import Path

import typer

from signer.errors import SignerError
from signer.keystore import KdfCost, PassphraseKek
from signer.storage import read_limited

PASSPHRASE_BYTES_MAX = 1024
"""Longer input is a mistake: probably another file."""

PASSPHRASE_CHARS_MIN = 8
"""A new passphrase below this is refused; Argon2 cannot rescue it."""


class PassphraseError(SignerError):
    """A passphrase that cannot be read, or is too weak for a new home."""

    code = "passphrase.unusable"


def kek_from(file: Path | None, fd: int | None) -> PassphraseKek:
    """The KEK of an existing home, from a file, a file descriptor or the keyboard."""
    return PassphraseKek(_passphrase(file, fd, "passphrase"))


def new_kek_from(file: Path | None, fd: int | None, memory_mib: int) -> PassphraseKek:
    """The KEK of a new home; typed twice at the keyboard. Raises PassphraseError."""
    passphrase = _passphrase(file, fd, "new passphrase")
    if len(passphrase.decode(errors="replace")) < PASSPHRASE_CHARS_MIN:
        raise PassphraseError(f"got a short passphrase, expected {PASSPHRASE_CHARS_MIN} characters")
    if file is None and fd is None and _typed("again") != passphrase:
        raise PassphraseError("got two different passphrases, expected the same twice")
    return PassphraseKek(passphrase, cost=KdfCost(memory_kib=memory_mib * 1024))


def secret_from(file: Path | None, what: str, *, twice: bool = False) -> bytes:
    """A secret from a file or the keyboard, without echo. Raises PassphraseError."""
    secret = _passphrase(file, None, what)
    if twice and file is None and _typed("again") != secret:
        raise PassphraseError(f"got two different texts for {what}, expected the same twice")
    return secret


def confirmed(lines: Sequence[str], question: str) -> bool:
    """Show lines on standard error and ask; anything but a clear yes is no."""
    for line in lines:
        typer.echo(line, err=True)
    typer.echo(f"{question} [y/N]: ", err=True, nl=False)
    try:
        answer = input()
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def _passphrase(file: Path | None, fd: int | None, what: str) -> bytes:
    if file is not None and fd is not None:
        raise PassphraseError("got a passphrase file and a descriptor, expected one of them")
    if file is not None:
        return _checked(read_limited(file, PASSPHRASE_BYTES_MAX))
    if fd is not None:
        try:
            with os.fdopen(fd, "rb") as source:
                return _checked(source.read(PASSPHRASE_BYTES_MAX + 1))
        except OSError as error:
            raise PassphraseError(f"got no readable descriptor {fd}") from error
    return _typed(what)


def _typed(what: str) -> bytes:
    text: str = typer.prompt(what, hide_input=True, err=True)
    return _checked(text.encode())


def _checked(data: bytes) -> bytes:
    if len(data) > PASSPHRASE_BYTES_MAX:
        raise PassphraseError(f"got a passphrase above {PASSPHRASE_BYTES_MAX} bytes")
    passphrase = data.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise PassphraseError("got an empty passphrase, expected one")
    return passphrase
