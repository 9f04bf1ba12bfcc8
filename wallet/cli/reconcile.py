"""`glaytos-wallet reconcile`: the ledger beside the chains, to the base unit."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from wallet.bootstrap import open_deployment
from wallet.holdings import Progress as Counting
from wallet.ledger.reconcile import Row
from wallet.reconciliation import reconcile_all

app = typer.Typer(help="Hold the ledger against the chains.")


@app.command()
def reconcile(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Count what the chains hold for us and compare it with the ledger, per asset.

    Deposits and payments that are mined but not booked yet are explained item by item; what is
    left over is the difference. Ends with code 1 unless every difference is 0.
    """
    deployment = open_deployment(config)
    try:
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:

            def bar(network: str) -> Counting:
                task = bars.add_task(f"counting {network}", visible=not as_json)
                return lambda done, total: bars.update(task, completed=done, total=total)

            rows = reconcile_all(
                deployment.database,
                deployment.chains,
                deployment.networks,
                bar,
            )
    finally:
        deployment.close()
    if as_json:
        typer.echo(json.dumps([_row_json(row) for row in rows], indent=1))
    else:
        Console().print(_table(rows))
    if any(row.difference for row in rows):
        raise typer.Exit(1)


def _row_json(row: Row) -> dict[str, object]:
    items = [
        {"what": item.what, "subject": item.subject, "units": str(item.units)} for item in row.items
    ]
    return {
        "asset": row.asset,
        "ledger": str(row.ledger),
        "under_way": str(row.under_way),
        "chain": str(row.chain),
        "difference": str(row.difference),
        "items": items,
    }


def _table(rows: Sequence[Row]) -> Table:
    table = Table("asset", "ledger", "under way", "chain", "difference", title="base units")
    for row in rows:
        cells = (row.ledger, row.under_way, row.chain, row.difference)
        table.add_row(row.asset, *(str(cell) for cell in cells))
    return table
