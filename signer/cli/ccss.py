"""`ccss`: the control table of the CryptoCurrency Security Standard with its evidence."""

from pathlib import Path
from typing import Annotated

import typer

from signer.ccss.controls import CONTROLS
from signer.ccss.evidence import levels, load_results, table
from signer.cli.terminal import AsJson, say_json, told_errors

app = typer.Typer()

Results = Annotated[
    Path, typer.Option("--results", help="Results of the tests: `make test` writes them.")
]


@app.command()
def ccss(results: Results = Path(".cache/evidence.json"), as_json: AsJson = False) -> None:
    """Show each control: the level the software gives, what provides it, the tests that prove it.

    A control without tests is procedural: people must do it, and no program can show that they did.
    """
    with told_errors(as_json):
        rows = table(load_results(results))
        if as_json:
            say_json({"standard": "CCSS 8", "levels": levels(CONTROLS), "controls": rows})
            return
        for row in rows:
            typer.echo(f"{row['id']}  level {row['level']}  {row['title']}")
            if row["provided"]:
                typer.echo(f"        software: {row['provided']}")
            if row["people"]:
                typer.echo(f"        people:   {row['people']}")
            for name, result in row["tests"].items():
                typer.echo(f"        {result}: {name}")
