"""What the commands about images share: options, whose signature to expect, progress bars."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TaskID
from sqlalchemy import make_url

from wallet.mirrors.errors import FileProblem, SignatureWrong
from wallet.mirrors.folder import ImageFolder
from wallet.mirrors.image import Progress
from wallet.settings import Settings
from wallet.settings_file import load_settings
from wallet.signing.coordinator import load_coordinator
from wallet.store.database import Database
from wallet.store.errors import BadDatabaseUrl

KEY_BYTES = 32

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
PublicKey = Annotated[
    str,
    typer.Option(
        help="Coordinator key (64 hex digits) of the service whose signature is expected; "
        "this deployment's own if left out."
    ),
]
Into = Annotated[
    str,
    typer.Option(
        help="Database: sqlite:///FILE or postgresql://HOST/NAME. A password goes into "
        "PGPASSFILE, not here."
    ),
]
DEFAULT_CONFIG = Path("config/wallet.toml")


def deployment_of(config: Path) -> tuple[Settings, ImageFolder]:
    """The settings, and where their images are."""
    settings = load_settings(config)
    return settings, ImageFolder.of(settings.data_dir)


def expected_key(config: Path, public_key: str) -> bytes:
    """The key that must have signed. Raises SignatureWrong for text that is none."""
    if not public_key:
        return load_coordinator(load_settings(config).coordinator_key_file).public_key
    try:
        key = bytes.fromhex(public_key)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SignatureWrong("got a --public-key that is not 64 hex digits")
    return key


def image_named(config: Path, named: str) -> Path:
    """The file of a path or a tag. Raises ImageNotFound."""
    path = Path(named)
    return path if path.is_file() else deployment_of(config)[1].find(named)


@contextmanager
def database_at(url: str, *, create: bool = False) -> Iterator[Database]:
    """A database that is closed at the end; `create` makes its tables where they are missing."""
    if make_url(url).password is not None:
        raise BadDatabaseUrl("got a password in a URL, expected it in a file named by PGPASSFILE")
    if not create and url.startswith("sqlite:///") and not Path(url[10:]).is_file():
        raise FileProblem(f"got no database at {url[10:]}")
    database = Database.open(url)
    try:
        database.migrate()
        yield database
    finally:
        database.close()


@contextmanager
def bars(*, hidden: bool) -> Iterator[Progress]:
    """A bar for each part of an image, on the error output."""
    with Bars(console=Console(stderr=True), transient=True, disable=hidden) as shown:
        tasks: dict[str, TaskID] = {}

        def told(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = shown.add_task(part, total=total or None)
            shown.update(tasks[part], completed=done)

        yield told


def emit(as_json: bool, body: dict[str, Any], text: str) -> None:
    """JSON for a program, words for a person."""
    if as_json:
        typer.echo(json.dumps(body))
    else:
        typer.echo(text)
