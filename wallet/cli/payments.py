"""`glaytos-wallet payments`: what is on its way, and the four things staff may do about it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from wallet.bootstrap import Deployment, opened
from wallet.payments import journal
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.sending import attempts

app = typer.Typer(
    help="Payments on their way: look at them, bump or drop a stuck one.", no_args_is_help=True
)

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
PaymentId = Annotated[str, typer.Argument(metavar="PAYMENT", help="A payment's id, as listed.")]
CONFIG = Path("config/wallet.toml")


@app.command("list")
def list_payments(
    network: Annotated[str, typer.Option(help="Only this network.")] = "",
    config: Config = CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Show every payment that is not at its end, oldest first."""
    with opened(config) as deployment, deployment.database.read() as tx:
        found = [
            _summary(payment)
            for one in deployment.networks
            if network in ("", one)
            for payment in journal.unfinished(tx, one)
        ]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    table = Table("payment", "network", "purpose", "status", "why", "version", "txid")
    for row in found:
        names = ("id", "network", "purpose", "status", "sub_status", "version", "txid")
        table.add_row(*(str(row[name] or "") for name in names))
    Console().print(table)


@app.command()
def show(payment: PaymentId, config: Config = CONFIG, *, as_json: AsJson = False) -> None:
    """Show one payment: its versions, what each consumes, and every broadcast with its answer."""
    with opened(config) as deployment, deployment.database.read() as tx:
        found = _whole(tx, journal.get(tx, payment))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        Console().print_json(data=found)


@app.command()
def bump(payment: PaymentId, config: Config = CONFIG, *, as_json: AsJson = False) -> None:
    """Replace a stuck payment now, one step dearer, within its caps.

    The same payees get the same amounts from the same coins, or under the same nonce: only one of
    the versions can be mined.
    """
    with opened(config) as deployment:
        deployment.payments.bumper.bump(payment)
        _say(deployment, payment, "replaced; the service signs and sends it", as_json=as_json)


@app.command("pay-for")
def pay_for(payment: PaymentId, config: Config = CONFIG, *, as_json: AsJson = False) -> None:
    """Let a child pay for a stuck payment of coins that nothing can replace any more (CPFP).

    Its change goes back to its own vault at a fee that makes both of them worth mining.
    """
    with opened(config) as deployment:
        child = deployment.payments.parents.pay_for(payment)
        _say(deployment, child.id, f"pays for {payment}; the service signs it", as_json=as_json)


@app.command()
def drop(payment: PaymentId, config: Config = CONFIG, *, as_json: AsJson = False) -> None:
    """Drop a stuck payment of an EVM account: a payment of nothing takes its nonce.

    Whichever is mined counts. When the drop is final its withdrawal fails and the user has the
    money back; the exchange may then ask for a new one.
    """
    with opened(config) as deployment:
        deployment.payments.freer.drop(payment)
        _say(deployment, payment, "being dropped; the service signs and sends it", as_json=as_json)


@app.command("give-up")
def give_up(payment: PaymentId, config: Config = CONFIG, *, as_json: AsJson = False) -> None:
    """End a payment whose nonce was used by something that is not ours (alert foreign_nonce).

    Refused while any version of it may still be mined. Find out first who has the key.
    """
    with opened(config) as deployment:
        deployment.payments.nonces.give_up(payment)
        _say(deployment, payment, "given up", as_json=as_json)


def _say(deployment: Deployment, payment_id: str, words: str, *, as_json: bool) -> None:
    with deployment.database.read() as tx:
        found = _whole(tx, journal.get(tx, payment_id))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        typer.echo(f"payment {payment_id}: {words}")


def _summary(payment: Payment) -> dict[str, object]:
    return {
        "id": payment.id,
        "network": payment.network,
        "asset": payment.asset,
        "purpose": str(payment.purpose),
        "status": str(payment.status),
        "sub_status": payment.sub_status,
        "units": str(payment.units),
        "version": payment.version,
        "txid": payment.txid,
        "height": payment.height,
        "created_s": payment.created_s,
        "updated_s": payment.updated_s,
    }


def _whole(tx: Connection, payment: Payment) -> dict[str, object]:
    made = [
        {
            "number": one.number,
            "act": str(one.act),
            "status": str(one.status),
            "reason": one.reason,
            "fee_units_max": str(one.fee_units_max),
            "consumes": sorted(one.consumes),
            "txid": one.txid,
            "created_s": one.created_s,
        }
        for one in versions.of(tx, payment.id)
    ]
    tried = [
        {
            "attempt": one.number,
            "version": one.version,
            "started_s": one.started_s,
            "outcome": str(one.outcome),
            "reason": one.reason,
            "detail": one.detail,
        }
        for one in attempts.of(tx, payment.id)
    ]
    return {**_summary(payment), "versions": made, "broadcasts": tried}
