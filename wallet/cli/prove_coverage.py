"""`glaytos-wallet prove-coverage`: no block was skipped, shown from what is stored."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wallet.bootstrap import Deployment, open_deployment
from wallet.deposits.scanned.coverage import ScanRange
from wallet.deposits.scanned.proving import CoverageProof, prove_coverage
from wallet.networks import DeploymentError

app = typer.Typer(help="Show that no block was skipped.")


@app.command()
def prove(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    network: Annotated[str, typer.Option(help="Only this network; else all of them.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Check that every block from the first to the last scanned one was read, and how.

    Blocks are linked by parent hash, ranges cover them without gap, every deposit lies in a
    scanned block, and the last block is the node's. Heights read by an older adapter or under
    older rules are listed: scan them again with `glaytos-wallet rescan`. Blocks in which a token
    told what cannot be read are named until somebody vouches for it (`glaytos-wallet quarantine`).
    Ends with code 1, naming the gaps, unless all of this holds.
    """
    deployment = open_deployment(config)
    try:
        proofs = [_prove(deployment, name) for name in _chosen(deployment, network)]
    finally:
        deployment.close()
    if as_json:
        typer.echo(json.dumps([_proof_json(proof) for proof in proofs], indent=1))
    else:
        _print(proofs)
    if not all(proof.is_proven for proof in proofs):
        raise typer.Exit(1)


def _chosen(deployment: Deployment, network: str) -> Sequence[str]:
    if not network:
        return sorted(deployment.networks)
    if network not in deployment.networks:
        known = ", ".join(sorted(deployment.networks))
        raise DeploymentError(f"got network {network!r}, expected one of: {known}")
    return [network]


def _prove(deployment: Deployment, network: str) -> CoverageProof:
    assets = {a.code: a for a in deployment.assets.values() if a.network == network}
    start_height = deployment.networks[network].start_height
    return prove_coverage(deployment.database, deployment.chains[network], assets, start_height)


def _proof_json(proof: CoverageProof) -> dict[str, object]:
    scanned = proof.scanned
    return {
        "network": proof.network,
        "proven": proof.is_proven,
        "scanned_height": None if scanned is None else scanned.height,
        "scanned_hash": None if scanned is None else scanned.hash,
        "behind_blocks": proof.behind_blocks,
        "adapter_version": proof.version.adapter,
        "rules_version": proof.version.rules,
        "ranges": [_range_json(one) for one in proof.ranges],
        "scan_again": [_range_json(one) for one in proof.stale],
        "gaps": [
            {
                "code": gap.code,
                "from_height": gap.from_height,
                "to_height": gap.to_height,
                "text": gap.text,
            }
            for gap in proof.gaps
        ],
        "stops": list(proof.stops),
        "unreadable": [asdict(one) for one in proof.unread],
    }


def _range_json(one: ScanRange) -> dict[str, object]:
    return {
        "from_height": one.from_height,
        "from_hash": one.from_hash,
        "to_height": one.to_height,
        "to_hash": one.to_hash,
        "adapter_version": one.version.adapter,
        "rules_version": one.version.rules,
    }


def _print(proofs: Sequence[CoverageProof]) -> None:
    console = Console()
    table = Table("network", "scanned", "behind", "ranges", "scan again", "gaps")
    for proof in proofs:
        first = proof.ranges[0].from_height if proof.ranges else None
        last = None if proof.scanned is None else proof.scanned.height
        behind = "node away" if proof.behind_blocks is None else str(proof.behind_blocks)
        again = ", ".join(f"{one.from_height}-{one.to_height}" for one in proof.stale)
        table.add_row(
            proof.network,
            "nothing yet" if last is None else f"{first}-{last}",
            behind,
            str(len(proof.ranges)),
            again or "nothing",
            str(len(proof.gaps)),
        )
    console.print(table)
    for proof in proofs:
        for gap in proof.gaps:
            heights = f"{gap.from_height}-{gap.to_height}"
            text = f"{proof.network} {gap.code} {heights}: {gap.text}"
            console.print(f"[bold red]{escape(text)}[/]")
        for one in proof.unread:
            text = (
                f"{proof.network} unreadable {one.height}: {one.logs} of {one.asset}, "
                f"first {one.txid} {one.position}: {one.detail}"
            )
            console.print(f"[bold red]{escape(text)}[/]")
        for stop in proof.stops:
            console.print(f"[bold red]{escape(f'{proof.network} stopped: {stop}')}[/]")
