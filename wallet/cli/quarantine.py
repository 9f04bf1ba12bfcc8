"""`glaytos-wallet quarantine`: decide about tokens that do not do what they say."""

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
from wallet.desks import open_quarantine
from wallet.treasury.quarantine import Quarantine

app = typer.Typer(
    help="Held deposits, tokens whose code changed or whose events cannot be read, and token "
    "payments without proof: look at them, and decide with your own staff key."
)

DepositId = Annotated[str, typer.Argument(help="Id of a held deposit, from `list`.")]


@app.command("list")
def list_waiting(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """All that waits for a person's decision, and why."""
    waiting = open_quarantine(config).waiting()
    if as_json:
        typer.echo(json.dumps(_json(waiting), indent=1))
        return
    console = Console()
    for title, columns, rows in _tables(waiting):
        table = Table(*columns, title=title)
        for row in rows:
            table.add_row(*row)
        console.print(table)


@app.command()
def release(
    deposit_id: DepositId,
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Credit a held deposit with what arrived, once it is deep enough."""
    open_quarantine(config).release(deposit_id, unlock(key, passphrase_file))
    typer.echo("released")


@app.command()
def reject(
    deposit_id: DepositId,
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Never credit a held deposit; what arrived is kept in the books as nobody's."""
    open_quarantine(config).reject(deposit_id, unlock(key, passphrase_file))
    typer.echo("rejected")


@app.command()
def trust(
    network: Annotated[str, typer.Argument(help="For example ethereum.")],
    asset: Annotated[str, typer.Argument(help="For example USDC.")],
    fingerprint: Annotated[str, typer.Argument(help="The new code that you looked at.")],
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Trust a token's new code; deposits held for nothing else are released.

    Withdrawals stay paused until `glaytos-wallet treasury resume`.
    """
    desk = open_quarantine(config)
    released = desk.trust(network, asset, fingerprint, unlock(key, passphrase_file))
    typer.echo(f"trusted, {released} deposits released")


@app.command()
def vouch(
    network: Annotated[str, typer.Argument(help="For example ethereum.")],
    asset: Annotated[str, typer.Argument(help="For example USDC.")],
    height: Annotated[int, typer.Argument(help="The last block whose events you looked at.")],
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Vouch for a token's events that could not be read; deposits held for them are released.

    Compare first what addresses hold with the books (`glaytos-wallet reconcile`): what came with
    such an event is a held deposit of its own. Withdrawals stay paused until `treasury resume`.
    """
    desk = open_quarantine(config)
    released = desk.vouch(network, asset, height, unlock(key, passphrase_file))
    typer.echo(f"vouched, {released} deposits released")


@app.command()
def settle(
    payment_id: Annotated[str, typer.Argument(help="Id of an unproven payment, from `list`.")],
    key: KeyFile,
    paid: Annotated[
        bool, typer.Option("--paid/--not-paid", help="Whether the payee has the money.")
    ],
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """End a payment whose token does not show that it paid; --not-paid gives the money back."""
    open_quarantine(config).settle(payment_id, paid=paid, key=unlock(key, passphrase_file))
    typer.echo("ended as paid" if paid else "ended as not paid")


def _json(waiting: Quarantine) -> dict[str, list[dict[str, str]]]:
    return {
        title: [dict(zip(columns, row, strict=True)) for row in rows]
        for title, columns, rows in _tables(waiting)
    }


def _tables(waiting: Quarantine) -> list[tuple[str, list[str], list[list[str]]]]:
    """(title, columns, rows) of each kind; units are base units."""
    deposits = [
        [
            row.id,
            row.asset,
            row.txid,
            row.address,
            str(row.units),
            str(row.units if row.logged_units is None else row.logged_units),
            row.sub_status,
        ]
        for row in waiting.deposits
    ]
    codes = [[row.network, row.asset, row.fingerprint, row.waiting] for row in waiting.codes]
    unread = [
        [one.network, one.asset, str(one.height), str(one.logs), one.txid, one.position]
        for one in waiting.unread
    ]
    paid = [
        [row.id, row.purpose, row.asset, str(row.units), row.txid or "", row.sub_status]
        for row in waiting.payments
    ]
    return [
        ("deposits", ["id", "asset", "txid", "address", "arrived", "logged", "why"], deposits),
        ("codes", ["network", "asset", "trusted", "found"], codes),
        ("unreadable", ["network", "asset", "height", "logs", "txid", "position"], unread),
        ("payments", ["id", "purpose", "asset", "units", "txid", "why"], paid),
    ]
