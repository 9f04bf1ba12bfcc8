"""`glaytos-wallet ledger`: the ledger recomputed from its own rows."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from sqlalchemy import Connection

from wallet.ledger.versions.findings import Finding
from wallet.ledger.versions.heads import BadSignerLog, check_heads, check_signer_log
from wallet.ledger.versions.verifying import Verified, verify
from wallet.settings_file import load_settings
from wallet.signing.coordinator import load_coordinator
from wallet.store.database import Database

app = typer.Typer(help="Prove the ledger from its own rows.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Prove the ledger from its own rows."""


@app.command("verify")
def verify_command(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    *,
    first: Annotated[
        int | None,
        typer.Option("--from", min=1, help="First height; what came before is believed."),
    ] = None,
    last: Annotated[
        int | None, typer.Option("--to", min=1, help="Last height; the newest if not said.")
    ] = None,
    signer_logs: Annotated[
        list[Path] | None,
        typer.Option("--signer-log", help="A signer's `log export`, to hold the ledger against."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Recompute every state hash and balance, and name the first row that was tampered with.

    Each batch of the ledger is a height. Its state hash covers all it wrote and the hash before
    it, so a row that was changed, deleted, put in or moved anywhere makes another hash. This reads
    accounts, batches, transfers, ids, holds, balances and totals in one consistent reading, beside
    a running service, and changes nothing. It also checks what no hash can: no gap, both sides of
    one asset, nobody below zero after any transfer, every hold ended once and by no more than it
    held.

    It also holds the ledger against the heads that the coordinator signed; with --signer-log
    against those a signer kept in its own log, which nobody at the service can rewrite.

    Ends with code 1 and the table, the row and what is wrong where it finds one. Then pause all
    withdrawals, keep a copy of the database, and compare it with a backup. With --from, the
    balances and the hash before that height are believed: quick for the newest heights, but only
    the whole run proves the whole ledger.
    """
    settings = load_settings(config)
    key = load_coordinator(settings.coordinator_key_file).public_key
    database = Database.open(settings.database_url)
    try:
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:
            task = bars.add_task("heights", total=None)
            with database.read() as tx:
                found = verify(
                    tx,
                    first,
                    last,
                    lambda done, total: bars.update(task, completed=done, total=total),
                )
                finding = found.finding or check_heads(tx, key)
                for path in signer_logs or ():
                    finding = finding or _check_log(tx, path)
                found = replace(found, finding=finding)
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps(_json(found), indent=1))
    else:
        _show(found)
    if found.finding is not None:
        raise typer.Exit(1)


def _check_log(tx: Connection, path: Path) -> Finding | None:
    try:
        with path.open(encoding="utf-8") as file:
            return check_signer_log(tx, file)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSignerLog(f"got no readable signer log {path}") from error


def _json(found: Verified) -> dict[str, object]:
    finding = found.finding
    return {
        "from": found.first,
        "to": found.last,
        "good": finding is None,
        "transfers": found.transfers,
        "accounts": found.accounts,
        "state_hash": found.state_hash.hex(),
        "finding": None
        if finding is None
        else {
            "code": finding.code,
            "table": finding.table,
            "key": finding.key,
            "height": finding.height,
            "text": finding.text,
            "or_tables": list(finding.also),
        },
    }


def _show(found: Verified) -> None:
    console = Console()
    finding = found.finding
    if finding is None:
        console.print(
            f"good: heights {found.first} to {found.last}, {found.transfers} transfers, "
            f"{found.accounts} accounts; state hash {found.state_hash.hex()}",
            soft_wrap=True,
        )
        return
    where = " or ".join((finding.table, *finding.also))
    console.print(
        f"[bold red]{finding.code}[/] {where}, {escape(finding.key)}: {escape(finding.text)}",
        soft_wrap=True,
    )
    console.print("pause withdrawals, keep a copy of this database, compare it with a backup")
