"""`glaytos-wallet coins`: the hot vaults' coins by size, and those held back as dusting."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from chains.types import Family, OutPoint
from wallet.bootstrap import opened
from wallet.coins.pool import missing_sizes
from wallet.coins.quarantine import quarantined, release
from wallet.errors import Invalid
from wallet.payments.building.utxo import spendable

app = typer.Typer(help="Coins of the UTXO hot vaults: their stock, and dusting held back.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT_CONFIG = Path("config/wallet.toml")


class BadOutpoint(Invalid):
    """Text that names no output of a transaction."""

    code = "coin.bad_outpoint"


class NotStaff(Invalid):
    """A name that is not one of the settings' staff."""

    code = "coin.not_staff"


@app.command()
def stock(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """How many confirmed, free coins each hot vault holds, and what its pool lacks."""
    found = {}
    with opened(config) as deployment, deployment.database.read() as tx:
        for network in deployment.settings.networks:
            if network.family == Family.UTXO:
                held = [coin.sats for coin in spendable(tx, network.id, network.hot)]
                found[network.id] = {
                    "coins": len(held),
                    "small": sum(sats < network.small_coin_units for sats in held),
                    "units": str(sum(held)),
                    "missing": [str(s) for s in missing_sizes(network.coin_pool, held)],
                }
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    table = Table("network", "coins", "small", "units", "missing from the pool")
    for name, row in found.items():
        cells = (row["coins"], row["small"], row["units"], " ".join(row["missing"]))
        table.add_row(name, *(str(cell) for cell in cells))
    Console().print(table)


@app.command("quarantine")
def list_quarantine(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Coins that strangers sent to used addresses and no payment may choose."""
    with opened(config) as deployment, deployment.database.read() as tx:
        coins = quarantined(tx)
    if as_json:
        rows = [
            {
                "network": coin.network,
                "outpoint": str(coin.outpoint),
                "units": str(coin.units),
                "address": coin.address,
                "height": coin.height,
            }
            for coin in coins
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("network", "outpoint", "units", "address")
    for coin in coins:
        table.add_row(coin.network, str(coin.outpoint), str(coin.units), coin.address)
    Console().print(table)


@app.command("release")
def release_coin(
    network: Annotated[str, typer.Argument(help="The network's id.")],
    outpoint: Annotated[str, typer.Argument(help="TXID:NUMBER, as `coins quarantine` lists it.")],
    by: Annotated[str, typer.Option(help="Your id among the staff in the settings.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Let payments choose a coin again; who did it stands in an event."""
    txid, _, vout = outpoint.partition(":")
    if len(txid) != 64 or not vout.isascii() or not vout.isdigit():
        raise BadOutpoint(f"got outpoint {outpoint[:80]!r}, expected TXID:NUMBER")
    with opened(config) as deployment:
        staff = [member.id for member in deployment.settings.staff]
        if by not in staff:
            raise NotStaff(f"got {by[:40]!r}, expected one of {', '.join(staff)}")
        with deployment.database.write() as tx:
            place = OutPoint(txid, int(vout))
            release(tx, network, place, by, deployment.clock.now_s())
    Console().print(f"released {outpoint}")
