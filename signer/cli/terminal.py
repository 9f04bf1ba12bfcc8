"""What every command shares: options, opening a home, errors as codes, answers as text or JSON."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from chains.errors import ChainError
from policies.errors import PolicyError
from signer.errors import ProtocolError, Refused, SignerError
from signer.home import Home
from signer.prompting import confirmed
from signer.protocol import clean

HomePath = Annotated[Path, typer.Option("--home", help="The signer's home folder.")]
PassFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Read the passphrase from this file.")
]
PassFd = Annotated[
    int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this descriptor.")
]
UnlockFile = Annotated[
    Path | None,
    typer.Option(
        "--unlock", help="Open by the factors that this unlock file (TOML, no secrets) names."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripted set-up.")]


def now_s() -> int:
    """The computer's clock; the engine never lets it run backwards."""
    return int(time.time())


def ask(yes: bool, lines: list[str], question: str) -> None:
    """Show and ask unless told not to. Raises Refused when the answer is no."""
    if not yes and not confirmed(lines, question):
        raise Refused("person.declined", "the person at the signer said no")


@contextmanager
def opened_home(path: Path, any_config: bool = False) -> Iterator[Home]:
    """A home that is closed at the end."""
    home = Home(path, any_config=any_config)
    try:
        yield home
    finally:
        home.close()


@contextmanager
def told_errors(as_json: bool) -> Iterator[None]:
    """Every expected failure as code and words on standard error, exit code 1."""
    try:
        yield
    except (SignerError, ProtocolError, ChainError, PolicyError) as error:
        detail = error.detail if isinstance(error, Refused) else str(error)
        if as_json:
            say_json({"ok": False, "code": error.code, "detail": clean(detail)})
        typer.echo(f"{error.code}: {clean(detail)}", err=True)
        raise typer.Exit(1) from error


def say(values: dict[str, Any], as_json: bool) -> None:
    """An answer as one JSON object or a line for each value."""
    if as_json:
        say_json(values)
        return
    for name, value in values.items():
        typer.echo(f"{name}: {clean(str(value))}")


def say_json(values: dict[str, Any]) -> None:
    """An answer as one JSON object on a line of its own."""
    typer.echo(json.dumps(values, sort_keys=True))
