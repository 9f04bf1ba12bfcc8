"""`glaytos-wallet rescan`: scan blocks again while the service runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from wallet.bootstrap import Deployment, open_deployment
from wallet.deposits.rescanning import Progress as Told
from wallet.deposits.rescanning import Rescan, Rescanner
from wallet.networks import DeploymentError

app = typer.Typer(help="Scan blocks again.")


@app.command()
def rescan(
    network: Annotated[str, typer.Option(help="The network's id.")],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    from_height: Annotated[
        int | None, typer.Option("--from", min=0, help="First height; with --to.")
    ] = None,
    to_height: Annotated[
        int | None, typer.Option("--to", min=0, help="Last height; with --from.")
    ] = None,
    txid: Annotated[str, typer.Option(help="Scan the block of this transaction.")] = "",
    address: Annotated[
        str, typer.Option(help="Look for this address alone, in all blocks or from --from to --to.")
    ] = "",
    stale: Annotated[
        bool, typer.Option("--stale", help="All that prove-coverage says to scan again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Read scanned blocks once more and take in what was missed, while the service runs.

    What is found is credited by the ordinary rules, with the next block, and never twice: a
    deposit is known by network, transaction and position. The command may be stopped at any block
    and run again; with --stale it goes on where it stopped. An address that was restored from a
    backup is found by its own --address, whatever the gap between indexes.
    """
    asked = sum([bool(txid), bool(address), stale])
    ranged = from_height is not None and to_height is not None
    if asked > 1 or (not asked and not ranged) or (asked and not address and ranged):
        raise typer.BadParameter("name --from and --to, or --txid, or --address, or --stale")
    deployment = open_deployment(config)
    try:
        rescanner = _rescanner(deployment, network)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=as_json,
        ) as bars:
            task = bars.add_task(f"scanning {network} again", total=None)

            def told(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            done = _run(rescanner, from_height, to_height, txid, address, told)
    finally:
        deployment.close()
    if as_json:
        typer.echo(json.dumps([_json(network, one) for one in done], indent=1))
        return
    for one in done:
        typer.echo(
            f"{network} {one.from_height}-{one.to_height}: {one.blocks} blocks, "
            f"{one.deposits} new deposits, {one.outputs} new outputs"
        )
    if not done:
        typer.echo(f"{network}: nothing to scan again")


def _run(
    rescanner: Rescanner,
    from_height: int | None,
    to_height: int | None,
    txid: str,
    address: str,
    told: Told,
) -> Sequence[Rescan]:
    if txid:
        return [rescanner.transaction(txid, told)]
    if address:
        return [rescanner.address(address, from_height, to_height, told)]
    if from_height is None or to_height is None:
        return rescanner.stale(told)
    return [rescanner.heights(from_height, to_height, told)]


def _rescanner(deployment: Deployment, network: str) -> Rescanner:
    if network not in deployment.networks:
        known = ", ".join(sorted(deployment.networks))
        raise DeploymentError(f"got network {network!r}, expected one of: {known}")
    return Rescanner(
        deployment.chains[network],
        deployment.database,
        deployment.deposit_rules(deployment.networks[network]),
        deployment.clock,
        deployment.milestone,
    )


def _json(network: str, one: Rescan) -> dict[str, object]:
    return {
        "network": network,
        "from_height": one.from_height,
        "to_height": one.to_height,
        "blocks": one.blocks,
        "new_deposits": one.deposits,
        "new_outputs": one.outputs,
    }
