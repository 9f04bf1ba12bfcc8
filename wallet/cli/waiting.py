"""`glaytos-wallet waiting`: what stands in a state that is no end, for how long, and for whom."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wallet.bootstrap import opened
from wallet.waiting import MACHINES, Standing, late_ids, standings

app = typer.Typer(help="Show what waits, for how long, and for whom.")

IDS_SHOWN = 20
"""Late things named for each state."""


@app.command()
def waiting(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    *,
    late: Annotated[bool, typer.Option(help="Only states in which something is late.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Show every state that deposits, withdrawals, payments, requests and breaks wait in.

    For each: how many, the oldest one's age, when such a thing counts as late, whose turn it is and
    what ends it. Late ones are named. Exit code 1 when something is late.
    """
    with opened(config) as deployment:
        now_s = deployment.clock.now_s()
        with deployment.database.read() as tx:
            found = [one for one in standings(tx, now_s) if one.late_count or not late]
            named = {
                (machine.name, str(state)): late_ids(tx, machine, str(state), now_s, IDS_SHOWN)
                for machine in MACHINES
                for state in machine.duties
            }
    rows = [_row(one, named[one.machine, one.state]) for one in found]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    else:
        _show(rows)
    if any(one.late_count for one in found):
        raise typer.Exit(1)


def _row(one: Standing, ids: list[str]) -> dict[str, object]:
    return {
        "machine": one.machine,
        "network": one.network,
        "state": one.state,
        "count": one.count,
        "oldest_age_s": one.oldest_age_s,
        "late_after_s": one.duty.late_s,
        "late_count": one.late_count,
        "late_ids": ids,
        "owner": str(one.duty.owner),
        "way_out": one.duty.way_out,
    }


def _show(rows: list[dict[str, object]]) -> None:
    console = Console()
    if not rows:
        console.print("Nothing waits.")
        return
    table = Table(
        "what", "network", "state", "count", "oldest", "late", "whose turn", "what ends it"
    )
    for row in rows:
        table.add_row(
            str(row["machine"]),
            str(row["network"]),
            str(row["state"]),
            str(row["count"]),
            f"{row['oldest_age_s']} s",
            f"{row['late_count']} over {row['late_after_s']} s",
            str(row["owner"]),
            str(row["way_out"]),
        )
    console.print(table)
    for row in rows:
        ids = row["late_ids"]
        if isinstance(ids, list) and ids:
            console.print(f"late {row['machine']} {row['state']}: {', '.join(ids)}")
