"""`glaytos-wallet reserves`: what is owed and what is held, published and checked."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from wallet.reserves.verifier.__main__ import (
    me_json,
    me_text,
    node_of,
    report_json,
    report_text,
)
from wallet.reserves.verifier.checking import check_package, check_user, read_proof
from wallet.reserves.verifier.failures import Failed
from wallet.reserves.verifier.nodes import check_on_chain
from wallet.reserves.verifier.package import read_package

app = typer.Typer(
    help="Proof of reserves. `check` and `check-me` need no service, no database and no settings."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Package = Annotated[Path, typer.Argument(help="The package, as published.")]


@app.command()
def check(
    package: Package,
    node: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK=URL",
            help="A node of your own: blocks, coins, balances and Safes are looked up there."
            " NETWORK=@FILE reads the address from a file, where it holds a password.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a package: every signature, every sum, and claims against what is owed.

    Without a node, what is held is claimed at a named block by those who hold the keys; with one it
    is seen. Ends with code 1, naming every check that failed. The same runs without this program:
    `python PACKAGE.zip check PACKAGE.zip`.
    """
    try:
        nodes = [node_of(one) for one in node or ()]
    except (OSError, ValueError) as error:
        raise typer.BadParameter("expected NETWORK=URL or NETWORK=@FILE") from error
    try:
        read = read_package(package)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:
            task = bars.add_task("checking proofs")
            report = check_package(
                read, lambda done, total: bars.update(task, completed=done, total=total)
            )
        for network, url in nodes:
            check_on_chain(report, network, url, read.proofs)
    except Failed as failed:
        raise _ended(failed, as_json) from failed
    typer.echo(json.dumps(report_json(report), indent=1) if as_json else report_text(report))
    if not report.holds:
        raise typer.Exit(1)


@app.command("check-me")
def check_me(
    package: Package,
    proof: Annotated[Path, typer.Argument(help="The file that you were given.")],
    account: Annotated[str, typer.Option(help="Your account's id, as you know it.")],
    as_json: AsJson = False,
) -> None:
    """Check that your own balance is part of what the package says is owed.

    Compare the amounts with what you know. The proof must be for your own account: the account is
    part of every leaf, so that no leaf can be shown to two people.
    """
    try:
        found = check_user(read_package(package), read_proof(proof), account)
    except Failed as failed:
        raise _ended(failed, as_json) from failed
    typer.echo(json.dumps(me_json(found), indent=1) if as_json else me_text(found))


def _ended(failed: Failed, as_json: bool) -> typer.Exit:
    body = {"holds": False, "failures": [{"code": failed.code, "text": failed.text}]}
    typer.echo(json.dumps(body, indent=1) if as_json else f"FAILED {failed}")
    return typer.Exit(1)
