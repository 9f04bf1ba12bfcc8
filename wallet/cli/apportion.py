"""`glaytos-wallet apportion`: share a loss out over those who gained; without --post only shown."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wallet.client import ApiError, connect
from wallet.client.exchange_types import Apportionment, ApportionmentPreview, PreviewShare

app = typer.Typer(help="Share a loss out over the accounts that gained.")

FILE_BYTES_MAX = 2 * 1024 * 1024
"""No file of gains is larger; checked before parsing."""


@app.command()
def apportion(
    gains: Annotated[Path, typer.Argument(help="CSV without a header: account id, gain in units.")],
    asset: Annotated[str, typer.Option(help="For example USDT.")],
    loss_units: Annotated[int, typer.Option(help="The loss, in the asset's base units.")],
    credentials: Annotated[Path, typer.Option(help="The API key's credentials file.")],
    sub_account: Annotated[
        str, typer.Option(help="Where shares are taken: spot, margin, contract.")
    ] = "contract",
    receiver: Annotated[
        str, typer.Option(help="Account id that gets the shares; without one, the house does.")
    ] = "",
    post: Annotated[
        str, typer.Option(metavar="EXTERNAL_ID", help="Post it, once under this id of yours.")
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show who bears how much, and whether they can; --post takes the shares.

    A share is loss * gain / all gains, rounded down; the units still missing are borne one each by
    the largest fractions. Nobody bears more than they gained. Ends with code 1 when the API refuses
    or, without --post, when an account has less than its share.
    """
    found = _read(gains)
    try:
        with connect(credentials) as client:
            done: Apportionment | ApportionmentPreview
            if post:
                done = client.exchange.apportion(
                    external_id=post,
                    asset=asset,
                    loss_units=loss_units,
                    gains=found,
                    sub_account=sub_account,
                    receiver_id=receiver or None,
                )
            else:
                done = client.exchange.preview_apportionment(
                    asset=asset,
                    loss_units=loss_units,
                    gains=found,
                    sub_account=sub_account,
                    receiver_id=receiver or None,
                )
    except ApiError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(done), indent=1))
    else:
        _show(done)
    if isinstance(done, ApportionmentPreview) and not done.covered:
        raise typer.Exit(1)


def _read(path: Path) -> dict[str, int]:
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
        if len(text) > FILE_BYTES_MAX:
            raise typer.BadParameter(f"got over {FILE_BYTES_MAX} bytes in {path}, expected less")
        rows = [row for row in csv.reader(text.decode("ascii").splitlines()) if row]
        found = {account_id.strip(): int(units) for account_id, units in rows}
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"got {path}, expected lines of account id, units") from error
    if len(found) != len(rows):
        raise typer.BadParameter(f"got an account twice in {path}, expected each once")
    return found


def _show(done: Apportionment | ApportionmentPreview) -> None:
    word = "posted" if isinstance(done, Apportionment) else "not posted, only shown"
    title = f"{done.loss} {done.asset} over gains of {done.gains_units} units: {word}"
    table = Table("account", "gain, units", "share", "share, units", "", title=title)
    for share in done.shares:
        notes = ["with a unit of the remainder"] if share.rounded_up else []
        if isinstance(share, PreviewShare) and not share.covered:
            notes.append(f"has only {share.available_units}")
        table.add_row(
            share.account_id,
            str(share.gain_units),
            share.share,
            str(share.share_units),
            ", ".join(notes),
        )
    Console().print(table)
