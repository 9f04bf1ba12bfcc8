"""The person at a terminal: passwords and codes without echo, yes or no with no as the default."""

import os
from collections.abc import Sequence
from pathlib import Path

import segno
import typer

from wallet.device.errors import PasswordBad

PASSWORD_BYTES_MAX = 1024
"""Longer input is a mistake: probably another file."""

PASSWORD_CHARS_MIN = 10
"""A new password below this is refused; Argon2 cannot rescue it."""


class TerminalPerson:
    """Asks on standard error, or reads the password from a file or descriptor, never from argv."""

    def __init__(
        self,
        *,
        password_file: Path | None = None,
        password_fd: int | None = None,
        new_password_file: Path | None = None,
    ) -> None:
        if password_file is not None and password_fd is not None:
            raise PasswordBad("got a password file and a descriptor, expected one of them")
        self._file = password_file
        self._fd = password_fd
        self._new_file = new_password_file
        self._read: bytes | None = None

    def password(self) -> bytes:
        """The payment password. Raises PasswordBad."""
        if self._file is not None:
            return _from_file(self._file)
        if self._fd is not None:
            if self._read is None:
                self._read = _from_descriptor(self._fd)
            return self._read
        return _checked(_typed("payment password"))

    def new_password(self) -> bytes:
        """A new payment password; typed twice at the keyboard. Raises PasswordBad."""
        if self._new_file is not None:
            password = _from_file(self._new_file)
        else:
            password = _checked(_typed("new payment password"))
            if _checked(_typed("again")) != password:
                raise PasswordBad("got two different passwords, expected the same twice")
        if len(password.decode(errors="replace")) < PASSWORD_CHARS_MIN:
            raise PasswordBad(f"got a short password, expected {PASSWORD_CHARS_MIN} characters")
        return password

    def code(self) -> str:
        """The authenticator's code now; each is good once."""
        return _typed("authenticator code").decode().strip()

    def enrol(self, link: str) -> str:
        """Show the link as text and QR code, and ask for the first code."""
        typer.echo("Add this to your authenticator; it is shown once:", err=True)
        for row in segno.make(link, error="l").matrix_iter(border=2):
            typer.echo("".join("██" if dark else "  " for dark in row), err=True)
        typer.echo(link, err=True)
        return self.code()

    def agrees(self, lines: Sequence[str], question: str) -> bool:
        """Show lines and ask; anything but a clear yes is no."""
        for line in lines:
            typer.echo(line, err=True)
        typer.echo(f"{question} [y/N]: ", err=True, nl=False)
        try:
            answer = input()
        except EOFError:
            return False
        return answer.strip().lower() in ("y", "yes")


def _typed(what: str) -> bytes:
    text: str = typer.prompt(what, hide_input=True, err=True)
    return text.encode()


def _from_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return _checked(file.read(PASSWORD_BYTES_MAX + 1))
    except OSError as error:
        raise PasswordBad(f"got no readable file {path.name}") from error


def _from_descriptor(descriptor: int) -> bytes:
    try:
        with os.fdopen(descriptor, "rb") as source:
            return _checked(source.read(PASSWORD_BYTES_MAX + 1))
    except OSError as error:
        raise PasswordBad(f"got no readable descriptor {descriptor}") from error


def _checked(data: bytes) -> bytes:
    if len(data) > PASSWORD_BYTES_MAX:
        raise PasswordBad(f"got a password above {PASSWORD_BYTES_MAX} bytes")
    password = data.removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        raise PasswordBad("got an empty password, expected one")
    return password
