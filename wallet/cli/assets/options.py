"""What the commands of registered assets share: their options, the API, and how they answer."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wallet.client import ClientError, NoAnswer, connect
from wallet.client.registered import RegisteredAssetCalls

Credentials = Annotated[
    Path, typer.Option("--credentials", help="Credentials file of the API key that acts.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Once = Annotated[
    str,
    typer.Option("--once", help="Do it once under this key: for asking again after no answer."),
]
AccountId = Annotated[str, typer.Argument(help="Id of an account.")]
AssetCode = Annotated[str, typer.Argument(help="For example GOLD.zurich.")]
GatewayId = Annotated[str, typer.Argument(help="For example zurich.")]
KeyId = Annotated[str, typer.Argument(help="Id of an API key, from `glaytos-wallet api-key`.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever looks at it later.")]
Most = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many, newest first.")]


@contextmanager
def asking(credentials: Path) -> Iterator[RegisteredAssetCalls]:
    """The API; what it refuses ends the command with code 1 and its words."""
    try:
        with connect(credentials) as client:
            yield client.registered
    except ClientError as error:
        words = str(error)
        typer.echo(words if error.code in words else f"{error.code}: {words}", err=True)
        if isinstance(error, NoAnswer) and error.idempotency_key:
            typer.echo(f"It may be done. Ask again with --once {error.idempotency_key}", err=True)
        raise typer.Exit(1) from error


def say(value: Any, as_json: bool) -> None:
    """One thing: its fields line by line, or as JSON with base units as text."""
    fields = as_fields(value)
    if as_json:
        typer.echo(json.dumps(fields, indent=1))
        return
    for name, field in fields.items():
        shown = ", ".join(field) if isinstance(field, list) else field
        typer.echo(f"{name}: {'' if shown is None else shown}")


def say_all(values: Sequence[Any], columns: Sequence[str], title: str, as_json: bool) -> None:
    """Several things: a table of some fields, or all of them as JSON."""
    rows = [as_fields(value) for value in values]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*(escape(_text(row[column])) for column in columns))
    Console().print(table)


def as_fields(value: Any) -> dict[str, Any]:
    """The fields of one of the client's values; base units as text, as the API writes them."""
    return {
        name: str(field) if name.endswith("_units") and field is not None else _plain(field)
        for name, field in asdict(value).items()
    }


def _plain(field: Any) -> Any:
    return list(field) if isinstance(field, tuple) else field


def _text(field: Any) -> str:
    if isinstance(field, bool):
        return "yes" if field else "no"
    return "" if field is None else str(field)
