"""Asking a person: passphrases without echo, and yes or no with no as the default."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import typer

from signer.errors import SignerError
from signer.keystore import KdfCost, Kek, PassphraseKek
from signer.storage import read_limited
from signer.unlocking import PIN, kek_of

PASSPHRASE_BYTES_MAX = 1024
"""Longer input is a mistake: probably another file."""

PASSPHRASE_CHARS_MIN = 8
"""A new passphrase below this is refused; Argon2 cannot rescue it."""


YES = ("y", "yes")
"""What means yes where no language is chosen."""


class PassphraseError(SignerError):
    """A passphrase that cannot be read, or is too weak for a new home."""

    code = "passphrase.unusable"


def kek_from(file: Path | None, fd: int | None, unlock: Path | None = None) -> Kek:
    """The KEK of an existing home: from a passphrase, or the factors that an unlock file names."""
    if unlock is None:
        return PassphraseKek(secret_from(file, fd, "passphrase"))
    _require_one_way(file, fd)
    return kek_of(unlock, secret_from)


def new_kek_from(
    file: Path | None, fd: int | None, memory_mib: int, unlock: Path | None = None
) -> Kek:
    """The KEK of a new home; secrets are typed twice at the keyboard. Raises PassphraseError."""
    cost = KdfCost(memory_kib=memory_mib * 1024)
    if unlock is None:
        return PassphraseKek(_new_secret(file, fd, "new passphrase"), cost=cost)
    _require_one_way(file, fd)
    return kek_of(unlock, _new_secret, cost)


def confirmed(
    lines: Sequence[str],
    question: str,
    accepted: Collection[str] = YES,
    answers: str = "[y/N]",
) -> bool:
    """Show lines on standard error and ask; anything but one of the accepted answers is no."""
    for line in lines:
        typer.echo(line, err=True)
    typer.echo(f"{question} {answers}: ", err=True, nl=False)
    try:
        answer = input()
    except EOFError:
        return False
    return answer.strip().lower() in accepted


def secret_from(file: Path | None, fd: int | None, what: str) -> bytes:
    """A passphrase, PIN or share from a file, a descriptor or the keyboard, without its newline.

    Raises PassphraseError, StorageError.
    """
    if file is not None and fd is not None:
        raise PassphraseError(f"got a file and a descriptor for the {what}, expected one of them")
    if file is not None:
        return _checked(read_limited(file, PASSPHRASE_BYTES_MAX))
    if fd is not None:
        try:
            with os.fdopen(fd, "rb") as source:
                return _checked(source.read(PASSPHRASE_BYTES_MAX + 1))
        except OSError as error:
            raise PassphraseError(f"got no readable descriptor {fd}") from error
    return _typed(what)


def _new_secret(file: Path | None, fd: int | None, what: str) -> bytes:
    """A secret that will protect something new: long enough, and typed twice if it is typed."""
    secret = secret_from(file, fd, what)
    if what.startswith(PIN):
        return secret
    if len(secret.decode(errors="replace")) < PASSPHRASE_CHARS_MIN:
        raise PassphraseError(f"got a short passphrase, expected {PASSPHRASE_CHARS_MIN} characters")
    if file is None and fd is None and _typed("again") != secret:
        raise PassphraseError("got two different passphrases, expected the same twice")
    return secret


def _require_one_way(file: Path | None, fd: int | None) -> None:
    if file is not None or fd is not None:
        raise PassphraseError("got a passphrase beside an unlock file, expected one of them")


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
