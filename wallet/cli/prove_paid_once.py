"""`glaytos-wallet prove-paid-once`: an auditor's look at every payment ever signed."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from wallet.bootstrap import opened
from wallet.payments.replacing.proving import Proof, Prover

app = typer.Typer(help="Prove that every withdrawal was paid at most once.")


@app.command()
def prove_paid_once(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    *,
    chain: Annotated[
        bool, typer.Option("--chain", help="Also ask the nodes where each transaction is now.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Parse all bytes that were ever signed for each withdrawal, and hold them against the books.

    Of any two versions signed for one withdrawal only one can be mined; each pays what was
    approved; one at most was booked, and its hold was posted once, in its amount. Ends with code 1
    and the first violation where that is not so.
    """
    with opened(config) as deployment:
        prover = Prover(deployment.chains, deployment.assets, ask_chain=chain)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:
            task = bars.add_task("payments", total=None)
            with deployment.database.read() as tx:
                proof = prover.prove(
                    tx, lambda done, total: bars.update(task, completed=done, total=total)
                )
    if as_json:
        typer.echo(json.dumps(_json(proof), indent=1))
    else:
        _show(proof)
    if proof.violations:
        raise typer.Exit(1)


def _json(proof: Proof) -> dict[str, object]:
    return {
        "payments": proof.payments,
        "versions": proof.versions,
        "withdrawals": proof.withdrawals,
        "paid_once": not proof.violations,
        "violations": [
            {"code": one.code, "subject": one.subject, "text": one.text} for one in proof.violations
        ],
    }


def _show(proof: Proof) -> None:
    console = Console()
    seen = (
        f"{proof.withdrawals} withdrawals, {proof.payments} payments, "
        f"{proof.versions} signed versions"
    )
    if not proof.violations:
        console.print(f"paid once: {seen}")
        return
    first = proof.violations[0]
    console.print(f"[bold red]{first.code}[/] {first.subject}: {first.text}")
    console.print(f"{len(proof.violations)} violations in {seen}: stop the payments and look")
