"""`glaytos-wallet escrow`: look at money held between two users, and decide disputes."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wallet.cli.treasury.options import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    KeyFile,
    PassphraseFile,
    unlock,
)
from wallet.desks import open_escrows
from wallet.escrow.records import Escrow
from wallet.escrow.states import EscrowStatus

app = typer.Typer(
    help="Money held between two users: look at it, and decide disputes with your own staff key.",
    no_args_is_help=True,
)

SHOWN_MAX = 500
"""Escrows listed."""

EscrowId = Annotated[str, typer.Argument(metavar="ESCROW", help="An escrow's id, as listed.")]


@app.command("list")
def list_escrows(
    status: Annotated[
        EscrowStatus, typer.Option(help="Only those in this state.")
    ] = EscrowStatus.DISPUTED,
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Escrows in a state, the longest there first; without --status those that need a decision."""
    found = [_row(escrow) for escrow in open_escrows(config).listed(status, SHOWN_MAX)]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    names = ("id", "asset", "held_units", "payer_id", "payee_id", "deadline_s", "reason")
    table = Table(*names, title=str(status))
    for row in found:
        table.add_row(*(str(row[name]) for name in names))
    Console().print(table)


@app.command()
def show(escrow_id: EscrowId, config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """All that is known of one escrow."""
    _print(open_escrows(config).show(escrow_id), as_json=as_json)


@app.command()
def decide(
    escrow_id: EscrowId,
    key: KeyFile,
    release_units: Annotated[
        int, typer.Option(help="Base units for the payee; the payer gets the rest, 0 gives all.")
    ],
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """End a dispute: split what is held between payee and payer. There is no way back.

    The escrow's fee is taken of what the payee gets. Your name stays with the decision.
    """
    desk = open_escrows(config)
    _print(desk.decide(escrow_id, release_units, unlock(key, passphrase_file)), as_json=as_json)


def _print(escrow: Escrow, *, as_json: bool) -> None:
    row = _row(escrow)
    if as_json:
        typer.echo(json.dumps(row, indent=1))
        return
    table = Table("", "", show_header=False)
    for name, value in row.items():
        table.add_row(name, str(value))
    Console().print(table)


def _row(escrow: Escrow) -> dict[str, str | int]:
    order = escrow.order
    return {
        "id": escrow.id,
        "external_id": order.external_id,
        "status": str(escrow.status),
        "asset": order.asset,
        "units": str(order.units),
        "held_units": str(escrow.held_units),
        "released_units": str(escrow.released_units),
        "fee_units": str(escrow.fee_units),
        "fee_basis_points": order.fee_basis_points,
        "payer_id": order.payer.account_id,
        "payer_sub_account": str(order.payer.sub_account),
        "payee_id": order.payee.account_id,
        "payee_sub_account": str(order.payee.sub_account),
        "reason": escrow.reason,
        "decided_by": escrow.decided_by,
        "created_s": escrow.created_s,
        "updated_s": escrow.updated_s,
        "deadline_s": order.deadline_s,
    }
