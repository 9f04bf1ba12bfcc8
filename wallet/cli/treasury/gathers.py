"""`glaytos-wallet treasury gathers` and `sweeper`: what waits on deposit addresses, and its gas."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from chains.evm.addresses import checksum, from_text
from chains.evm.sweeper import (
    CREATE2_DEPLOYER,
    deployment_calldata,
    runtime_code,
    sweeper_address,
)
from chains.types import Family
from chains.units import to_text
from wallet.bootstrap import Deployment, opened
from wallet.cli.treasury.breaks import app
from wallet.cli.treasury.options import DEFAULT_CONFIG, AsJson, Config
from wallet.errors import NotFound
from wallet.gathers.ports import GatherDoor
from wallet.gathers.report import GasUse, Waiting, finished, gas_uses, waiting
from wallet.settings import NetworkSettings

__all__ = ["app"]

DAY_S = 24 * 3600


class NoSuchNetwork(NotFound):
    """No EVM network of this name is configured."""

    code = "network.not_found"


@app.command()
def gathers(
    config: Config = DEFAULT_CONFIG,
    days: Annotated[int, typer.Option(min=0, help="How far back gas is counted.")] = 30,
    as_json: AsJson = False,
) -> None:
    """What deposit addresses hold and why it waits, and the gas that gathering took.

    Holdings come from our own books. `pending_threshold` addresses hold less than
    `gather_units_min` and keep it; leftover gas is what top-ups left, used by the next gather. Gas
    is read from the receipts: a swept address by top-up and transfer beside one by the sweeper.
    """
    holdings: list[Waiting] = []
    uses: list[GasUse] = []
    with opened(config) as deployment:
        networks = [n for n in deployment.settings.networks if n.family == Family.EVM]
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:
            for network in networks:
                holdings += _holdings(deployment, network)
                uses += _uses(deployment, network, days, bars)
        decimals = {asset.code: asset.decimals for asset in deployment.settings.assets}
    if as_json:
        body = {
            "waiting": [_waiting_json(one) for one in holdings],
            "gas": [_gas_json(one) for one in uses],
        }
        typer.echo(json.dumps(body, indent=1))
        return
    console = Console()
    console.print(_waiting_table(holdings, decimals))
    console.print(_gas_table(uses))


@app.command()
def sweeper(
    network: Annotated[str, typer.Argument(help="An EVM network's id.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The sweeper of a network's hot account: its address, and how anybody can put it there.

    The address is a hash of the code and the hot account, so it can be written into settings and
    signer limits before the contract exists. To deploy it, send the printed data to the printed
    deployer from any account. Whether the chain has it already is asked of the node.
    """
    with opened(config) as deployment:
        settings = deployment.networks.get(network)
        if settings is None or settings.family != Family.EVM:
            raise NoSuchNetwork(f"got network {network!r}, expected an EVM network's id")
        hot = from_text(deployment.deriver.address_at(network, settings.hot, 0, 0).address)
        address = sweeper_address(hot)
        door: GatherDoor = deployment.chains[network]
        deployed = door.code_at(address) == runtime_code(hot)
    body = {
        "network": network,
        "treasury": checksum(hot),
        "sweeper": checksum(address),
        "deployed": deployed,
        "deployer": checksum(CREATE2_DEPLOYER),
        "data": "0x" + deployment_calldata(hot).hex(),
    }
    if as_json:
        typer.echo(json.dumps(body, indent=1))
        return
    for name, value in body.items():
        typer.echo(f"{name} {value}")


def _holdings(deployment: Deployment, network: NetworkSettings) -> list[Waiting]:
    with deployment.database.read() as tx:
        return [
            waiting(tx, asset, is_native=asset.contract is None)
            for asset in deployment.settings.assets
            if asset.network == network.id
        ]


def _uses(
    deployment: Deployment, network: NetworkSettings, days: int, bars: Progress
) -> list[GasUse]:
    door: GatherDoor = deployment.chains[network.id]  # type: ignore[assignment]
    after_s = deployment.clock.now_s() - days * DAY_S
    with deployment.database.read() as tx:
        done = finished(tx, network.id, after_s)
        task = bars.add_task(f"reading receipts of {network.id}", total=len(done))
        return gas_uses(tx, done, door, lambda: bars.advance(task))


def _waiting_json(one: Waiting) -> dict[str, object]:
    return {
        "asset": one.asset,
        "threshold_units": str(one.threshold_units),
        "addresses": one.addresses,
        "units": str(one.units),
        "pending_threshold": one.pending_threshold,
        "pending_threshold_units": str(one.pending_threshold_units),
        "leftover_gas_addresses": one.leftover_gas_addresses,
        "leftover_gas_units": str(one.leftover_gas_units),
    }


def _gas_json(one: GasUse) -> dict[str, object]:
    return {
        "asset": one.asset,
        "way": str(one.way),
        "transactions": one.transactions,
        "swept": one.swept,
        "gas": one.gas,
        "gas_each": one.gas_each,
        "fee_units": str(one.fee_units),
    }


def _waiting_table(rows: list[Waiting], decimals: dict[str, int]) -> Table:
    table = Table("asset", "held", "addresses", "pending threshold", "addresses", "leftover gas")
    for row in rows:
        places = decimals[row.asset]
        table.add_row(
            row.asset,
            to_text(row.units, places),
            str(row.addresses),
            to_text(row.pending_threshold_units, places),
            str(row.pending_threshold),
            to_text(row.leftover_gas_units, places),
        )
    return table


def _gas_table(rows: list[GasUse]) -> Table:
    table = Table("asset", "way", "transactions", "swept", "gas", "gas each", "fees")
    for row in rows:
        cells = (row.transactions, row.swept, row.gas, row.gas_each, row.fee_units)
        table.add_row(row.asset, str(row.way), *(str(cell) for cell in cells))
    return table
