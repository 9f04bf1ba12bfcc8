"""`log verify | show | export`: the signer's memory, read without changing it."""

import os
import sys
from collections import deque
from pathlib import Path
from typing import Annotated

import typer

from signer.audit import audit, records
from signer.cli.terminal import (
    AsJson,
    HomePath,
    PassFd,
    PassFile,
    UnlockFile,
    opened_home,
    say,
    told_errors,
)
from signer.exporting import csv_lines, json_lines, sentence
from signer.prompting import kek_from
from signer.storage import StorageError

app = typer.Typer(help="The signer's memory: verify, show or export it. Nothing is changed.")


@app.command()
def verify(
    home: HomePath,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Unlock the home and check every MAC too.")
    ] = False,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Check the hash chain and the high-water mark; works on a copy and beside a running signer."""
    with told_errors(as_json):
        found = audit(home)
        if with_key or any(one is not None for one in (passphrase_file, passphrase_fd, unlock)):
            with opened_home(home, any_config=True) as opened:
                keys = opened.unlock(kek_from(passphrase_file, passphrase_fd, unlock))
                found = audit(home, keys.state_key)
        say(
            {
                "signer_id": found.signer_id,
                "counter": found.counter,
                "log_head": found.head.hex(),
                "kinds": dict(found.kinds),
                "written_while_locked": found.unauthenticated,
                "macs_checked": found.macs_checked,
            },
            as_json,
        )


@app.command()
def show(
    home: HomePath,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest records.")] = 20,
) -> None:
    """The newest records, one a line."""
    with told_errors(False):
        for record in deque(records(home), maxlen=last):
            typer.echo(sentence(record))


@app.command()
def export(
    home: HomePath,
    out: Annotated[Path | None, typer.Option("--out", help="A new file; else to the terminal.")] = (
        None
    ),
    as_csv: Annotated[bool, typer.Option("--csv", help="Columns for a spreadsheet.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line, complete; the default.")
    ] = False,
) -> None:
    """Every record as JSON lines or CSV."""
    with told_errors(False):
        if as_csv and as_json:
            raise typer.BadParameter("expected one of --json and --csv")
        # The whole log is verified before a line of it is given out.
        audit(home)
        lines = csv_lines(records(home)) if as_csv else json_lines(records(home))
        if out is None:
            sys.stdout.writelines(lines)
            return
        try:
            with out.open("x", encoding="utf-8") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"cannot write {out} as a new file: {error.strerror}") from error
