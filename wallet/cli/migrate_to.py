"""`glaytos-wallet migrate-to`: from the embedded database to PostgreSQL."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wallet.clock import SystemClock
from wallet.moving import Move, Moved
from wallet.settings_file import load_settings
from wallet.store.database import Database, refuse_password
from wallet.store.moved import home_name

app = typer.Typer(help="Move from the embedded database to PostgreSQL.")


@app.command()
def migrate_to(
    url: Annotated[
        str,
        typer.Argument(
            help="The new home, an empty database: postgresql://USER@HOST/NAME. No password in it: "
            "libpq reads ~/.pgpass, or the file that ?passfile=FILE names."
        ),
    ],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    give_up: Annotated[
        bool,
        typer.Option("--give-up", help="Go on with the old home after a move that was not made."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Move a whole deployment from its SQLite file to PostgreSQL.

    Stop the service first. Every table is copied in one transaction and read back: rows and digests
    of each, the hash of the ledger's state, the chain of events and the sums of every asset must be
    the same, or the new home stays empty. The file stays as it was, with a mark that refuses
    whoever would go on with it. Cut off at any moment, give the same command again.

    Then set database_url, apply the roles (glaytos-wallet database roles) and start the service.
    """
    refuse_password(url)
    settings = load_settings(config)
    source, target = Database.open(settings.database_url), Database.open(url)
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=as_json,
        ) as bars:
            tasks = {}

            def progress(doing: str, more: int, total: int) -> None:
                if doing not in tasks:
                    tasks[doing] = bars.add_task(f"{doing} rows", total=total)
                bars.advance(tasks[doing], more)

            move = Move(
                source=source,
                target=target,
                home=home_name(url),
                clock=SystemClock(),
                progress=progress,
            )
            if give_up:
                move.give_up()
            done = None if give_up else move.run()
    finally:
        source.close()
        target.close()
    _tell(done, as_json=as_json)


def _tell(done: Moved | None, *, as_json: bool) -> None:
    if done is None:
        Console(stderr=True).print("given up: the old home is the home, as before")
    elif as_json:
        told = {
            "home": done.home,
            "height": done.head.height,
            "state_hash": done.head.state_hash.hex(),
            "event": done.head.event,
            "rows": done.rows,
        }
        typer.echo(json.dumps(told, indent=1))
    else:
        Console().print(
            f"moved {sum(done.rows.values())} rows to {done.home}: height {done.head.height}, "
            f"state {done.head.state_hash.hex() or 'empty'}, event {done.head.event}\n"
            "Now set database_url to it; the old file refuses to be used."
        )
