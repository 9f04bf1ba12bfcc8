"""`glaytos-wallet addresses`: whether a restored database would hand an address out twice."""

import json
from pathlib import Path
from typing import Annotated

import typer

from wallet.addresses.marks import AddressMarks, CounterBehind, Place
from wallet.bootstrap import opened
from wallet.events import append_event

app = typer.Typer(help="Counters of deposit addresses, after the database was restored.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT_CONFIG = Path("config/wallet.toml")


@app.command()
def check(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Compare each counter with the highest address that this machine has told anybody.

    Ends with code 1 and address.counter_behind where the database is behind: it was restored to an
    earlier time, and no address is handed out of that wallet until `addresses move`.
    """
    with opened(config) as deployment, deployment.database.read() as tx:
        found = AddressMarks.of(deployment.settings.data_dir).places(tx)
    _say(found, as_json=as_json)
    behind = [place.counter for place in found if place.is_behind]
    if behind:
        raise CounterBehind(f"{', '.join(behind)} would hand out addresses that were told before")


@app.command()
def move(
    config: Config = DEFAULT_CONFIG,
    beyond: Annotated[
        int,
        typer.Option(min=0, help="Skip so many positions more, as other machines may have told."),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Set each counter that is behind above what was told.

    What was told since the moment that was restored to is unknown to the database: payments to
    those addresses are not seen. Where several machines answer the API each has marks of its own;
    run it on every one, or give --beyond more addresses than were handed out since that moment.
    """
    with opened(config) as deployment, deployment.database.write() as tx:
        moved = AddressMarks.of(deployment.settings.data_dir).move(tx, beyond)
        for place in moved:
            body = {"counter": place.counter, "was": place.following, "told": place.told}
            now_s = deployment.clock.now_s()
            append_event(tx, "address.counter_moved", place.counter, body, now_s)
        found = AddressMarks.of(deployment.settings.data_dir).places(tx)
    _say(found, as_json=as_json)


def _say(places: list[Place], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"counter": p.counter, "next": p.following, "told": p.told, "behind": p.is_behind}
            for p in places
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    for place in places:
        state = "BEHIND" if place.is_behind else "good"
        typer.echo(f"{place.counter}: next {place.following}, told {place.told}, {state}")
