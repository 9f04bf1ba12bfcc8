"""Breaks of the reconciliation: what is open, and a person's word on why."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wallet.bootstrap import open_staff_desk
from wallet.cli.treasury.options import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    KeyFile,
    PassphraseFile,
    unlock,
)
from wallet.cli.treasury.pauses import app
from wallet.reconciliation.breaks import Break
from wallet.reconciliation.states import BreakStatus
from wallet.treasury import wording

__all__ = ["app"]

SHOWN_MAX = 50
"""Breaks listed; older ones are in the events."""


@app.command()
def breaks(
    config: Config = DEFAULT_CONFIG,
    everything: Annotated[
        bool, typer.Option("--all", help="Explained and resolved ones too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What the reconciliation found and no record explains, the newest first.

    Units are what the chain has beyond our records, in base units: negative is money that went.
    `glaytos-wallet reconcile` looks for more.
    """
    shown = [
        one
        for one in open_staff_desk(config).breaks(SHOWN_MAX)
        if everything or one.status is BreakStatus.OPEN
    ]
    if as_json:
        typer.echo(json.dumps([_json(one) for one in shown], indent=1))
        return
    table = Table("break", "what", "asset", "units", "block", "txid", "since", "is", title="breaks")
    for one in shown:
        state = f"{one.status} {one.sub_status} {one.reason}".strip()
        since = wording.time_text(one.opened_s)
        row = (one.id, one.code, one.asset, one.units, one.height, one.txid, since, state)
        table.add_row(*(escape(str(cell)) for cell in row))
    Console().print(table)


@app.command()
def explain(
    break_id: Annotated[str, typer.Argument(help="Id of a break; see `breaks`.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it years later.")],
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Say in your name why chain and records differ; the break is then no longer open.

    Nothing is booked by that, and a pause that it caused stays: `resume` lifts it.
    """
    done = open_staff_desk(config).explain(break_id, reason, unlock(key, passphrase_file))
    typer.echo(f"{done.code} of {done.units} {done.asset} explained by {done.decided_by}")


def _json(one: Break) -> dict[str, object]:
    return {
        "id": one.id,
        "network": one.network,
        "asset": one.asset,
        "wallet": one.wallet,
        "code": str(one.code),
        "units": str(one.units),
        "height": one.height,
        "txid": one.txid,
        "position": one.position,
        "subject": one.subject,
        "status": str(one.status),
        "sub_status": one.sub_status,
        "reason": one.reason,
        "decided_by": one.decided_by,
        "opened_s": one.opened_s,
    }
