"""Pausing withdrawals and letting them go on: the commands beside those of the desk."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wallet.bootstrap import open_staff_desk
from wallet.cli.treasury.desk import app
from wallet.cli.treasury.options import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    KeyFile,
    PassphraseFile,
    unlock,
)
from wallet.pauses import Pause
from wallet.treasury import wording

__all__ = ["app"]

SHOWN_MAX = 50
"""Pauses listed; older ones are in the events."""

Subject = Annotated[str, typer.Argument(help="An asset (BTC) or a network (bitcoin-mainnet).")]


@app.command()
def pause(
    subject: Subject,
    reason: Annotated[str, typer.Option(help="Why, for whoever has to lift it.")],
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Let withdrawals of an asset or a network stand still.

    Requests are still taken in and their money held; nothing new is built, signed or sent. What
    was broadcast already is followed to its end.
    """
    desk = open_staff_desk(config)
    made = desk.pause(subject, reason, unlock(key, passphrase_file))
    typer.echo(f"{made.scope} {made.subject} paused by {made.paused_by}: {made.reason}")


@app.command()
def resume(
    subject: Subject,
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Let withdrawals go on; lifts every pause of this asset or network and says which."""
    desk = open_staff_desk(config)
    for lifted in desk.resume(subject, unlock(key, passphrase_file)):
        typer.echo(f"{lifted.scope} {lifted.subject} goes on, was paused for: {lifted.reason}")


@app.command()
def pauses(
    config: Config = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="Lifted ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is paused, why, since when and by whom."""
    shown = [
        one
        for one in open_staff_desk(config).pauses(SHOWN_MAX)
        if everything or one.lifted_s is None
    ]
    if as_json:
        typer.echo(json.dumps([_json(one) for one in shown], indent=1))
        return
    table = Table("what", "reason", "by", "since", "lifted by", title="paused withdrawals")
    for one in shown:
        since = wording.time_text(one.since_s)
        row = (f"{one.scope} {one.subject}", one.reason, one.paused_by, since, one.lifted_by or "")
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)


def _json(one: Pause) -> dict[str, object]:
    return {
        "id": one.id,
        "scope": str(one.scope),
        "subject": one.subject,
        "reason": one.reason,
        "paused_by": one.paused_by,
        "since_s": one.since_s,
        "lifted_by": one.lifted_by,
        "lifted_s": one.lifted_s,
    }
