"""`glaytos-wallet call`: one signed request to the API, for trying things by hand."""

import json
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import typer

from wallet.client import ApiError, connect

app = typer.Typer(help="Ask the API by hand, signed with a credentials file.")


@app.command()
def call(
    method: Annotated[str, typer.Argument(help="GET or POST.")],
    path: Annotated[str, typer.Argument(help='For example "/v1/deposits?limit=3".')],
    credentials: Annotated[Path, typer.Option(help="The API key's credentials file.")],
    body: Annotated[str, typer.Option(help="JSON to send with POST; - reads standard input.")] = "",
    idempotency_key: Annotated[
        str, typer.Option(help="Do it once under this key; without one a new one is made.")
    ] = "",
) -> None:
    """Sign one request, send it, and print the answer as JSON.

    Ends with code 1 and the error's code on standard error when the API refuses.
    """
    if method not in ("GET", "POST"):
        raise typer.BadParameter(f"got {method}, expected GET or POST")
    text = sys.stdin.read() if body == "-" else body
    parts = urlsplit(path)
    try:
        with connect(credentials) as client:
            if method == "GET":
                answer = client.transport.get(parts.path, dict(parse_qsl(parts.query)))
            else:
                content = json.loads(text) if text else None
                answer = client.transport.post(parts.path, content, idempotency_key or None)
    except ApiError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from error
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"got a body that is not JSON: {error}") from error
    typer.echo(json.dumps(answer, indent=1))
