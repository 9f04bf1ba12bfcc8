"""`glaytos-wallet reconcile`: statements by block and wallet, and the ledger beside the chains."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from wallet.bootstrap import Deployment, open_deployment
from wallet.networks import DeploymentError
from wallet.reconciliation.breaks import Break
from wallet.reconciliation.coverage import Coverage, Covered
from wallet.reconciliation.heads import Head
from wallet.reconciliation.idle import IdleCheck
from wallet.reconciliation.listing import Span, balances_over, statements_in
from wallet.reconciliation.reconciler import Reconciler, odd_assets
from wallet.reconciliation.report import Progress as Telling
from wallet.reconciliation.report import Report, Reporter, all_right
from wallet.reconciliation.statements import Statement

app = typer.Typer(help="Hold the ledger against the chains, block by block and wallet by wallet.")

_COLUMNS = (
    "opening",
    "deposits",
    "withdrawals",
    "fees",
    "moves",
    "kept",
    "unexplained",
    "closing",
)


@app.command()
def reconcile(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    *,
    network: Annotated[str, typer.Option(help="Only this network; else all of them.")] = "",
    from_height: Annotated[
        int | None,
        typer.Option("--from", help="First block of statements shown and proven.", min=0),
    ] = None,
    to_height: Annotated[
        int | None, typer.Option("--to", help="Last block of the statements shown.", min=0)
    ] = None,
    wallet: Annotated[
        str, typer.Option(help="Only this wallet's statements: a vault, key account or Safe.")
    ] = "",
    recount: Annotated[
        bool, typer.Option(help="Count all holdings anew from the chains, which takes long.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Bring the statements of every wallet up to the last scanned block, and compare.

    A statement is one block, wallet and asset, read from the block itself: opening + deposits -
    withdrawals - fees + moves - kept + unexplained = closing. Moves are between wallets of ours;
    kept is what a token took. Statements are shown with --from, --to or --wallet; a block that
    moved nothing has none.

    For each asset ledger + under way = chain, where under way is what blocks did and the ledger
    books later. What is left over is a difference.

    A break is what no record explains: late_deposit, phantom_deposit, other_amount, foreign_spend,
    unknown_outflow, unknown_inflow, balance_drift, unbooked_fee, missing_settlement or
    denied_payment. Those that may mean missing money pause withdrawals of the asset
    (`glaytos-wallet treasury pauses`); say why with `glaytos-wallet treasury explain`.

    Ends with code 1 on a difference, an open break or statements that do not add up.
    """
    deployment = open_deployment(config)
    try:
        names = _chosen(deployment, network)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:
            reports = [
                _reporter(deployment, name).report(
                    _bar(bars, name), from_height=from_height or 0, recount=recount
                )
                for name in names
            ]
        asked = from_height is not None or to_height is not None or bool(wallet)
        span = Span(from_height=from_height, to_height=to_height, wallet=wallet)
        shown = {name: _statements(deployment, name, span) if asked else [] for name in names}
        over = {name: _balances(deployment, name, span) if asked else [] for name in names}
    finally:
        deployment.close()
    if as_json:
        typer.echo(json.dumps(_json(reports, shown, over), indent=1))
    else:
        _print(reports, shown, over)
    if not all_right(reports):
        raise typer.Exit(1)


def _chosen(deployment: Deployment, network: str) -> Sequence[str]:
    if not network:
        return sorted(deployment.networks)
    if network not in deployment.networks:
        known = ", ".join(sorted(deployment.networks))
        raise DeploymentError(f"got network {network!r}, expected one of: {known}")
    return [network]


def _reporter(deployment: Deployment, name: str) -> Reporter:
    chain, database, clock = deployment.chains[name], deployment.database, deployment.clock
    odd = odd_assets(asset for asset in deployment.settings.assets if asset.network == name)
    return Reporter(
        chain,
        database,
        Reconciler(chain, database, clock, deployment.milestone, odd),
        IdleCheck(chain, database, clock, odd),
        deployment.networks[name].start_height,
    )


def _bar(bars: Progress, network: str) -> Telling:
    tasks: dict[str, TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(f"{network} {what}", total=total)
        bars.update(tasks[what], completed=done, total=total)

    return tell


def _statements(deployment: Deployment, name: str, span: Span) -> Sequence[Statement]:
    with deployment.database.read() as tx:
        return statements_in(tx, name, span)


def _balances(deployment: Deployment, name: str, span: Span) -> Sequence[Statement]:
    with deployment.database.read() as tx:
        return balances_over(tx, name, span)


def _json(
    reports: Sequence[Report],
    shown: dict[str, Sequence[Statement]],
    over: dict[str, Sequence[Statement]],
) -> dict[str, object]:
    return {
        "right": all_right(reports),
        "assets": [
            {
                "asset": row.asset,
                "network": report.network,
                "ledger": str(row.ledger),
                "under_way": str(row.under_way),
                "chain": str(row.chain),
                "difference": str(row.difference),
                "recounted": None if report.recounted is None else str(report.recounted[row.asset]),
                "items": [
                    {"what": item.what, "subject": item.subject, "units": str(item.units)}
                    for item in row.items
                ],
            }
            for report in reports
            for row in report.rows
        ],
        "networks": [
            {
                "network": report.network,
                **_head_json(report.head),
                "coverage": _coverage_json(report.coverage),
                "faults": list(report.faults),
                "breaks": [_break_json(one) for one in report.breaks],
                "over": [_statement_json(one) for one in over[report.network]],
                "statements": [_statement_json(one) for one in shown[report.network]],
            }
            for report in reports
        ],
    }


def _head_json(head: Head) -> dict[str, object]:
    return {"from_height": head.from_height, "height": head.height, "hash": head.hash}


def _coverage_json(coverage: Coverage) -> dict[str, object]:
    return {
        "blocks": _covered_json(coverage.blocks),
        "wallets": _covered_json(coverage.wallets),
        "value": {asset: _covered_json(one) for asset, one in coverage.value.items()},
    }


def _covered_json(one: Covered) -> dict[str, object]:
    return {"done": str(one.done), "of": str(one.of), "ppm": one.ppm}


def _break_json(one: Break) -> dict[str, object]:
    return {
        "id": one.id,
        "code": str(one.code),
        "asset": one.asset,
        "wallet": one.wallet,
        "units": str(one.units),
        "height": one.height,
        "block_hash": one.block_hash,
        "txid": one.txid,
        "position": one.position,
        "subject": one.subject,
        "opened_s": one.opened_s,
    }


def _statement_json(one: Statement) -> dict[str, object]:
    units = {column: str(getattr(one, column)) for column in _COLUMNS}
    place = {"wallet": one.wallet, "asset": one.asset, "height": one.height, "hash": one.hash}
    return {**place, **units}


def _print(
    reports: Sequence[Report],
    shown: dict[str, Sequence[Statement]],
    over: dict[str, Sequence[Statement]],
) -> None:
    console = Console()
    table = Table("asset", "ledger", "under way", "chain", "difference", title="base units")
    for report in reports:
        for row in report.rows:
            cells = (row.ledger, row.under_way, row.chain, row.difference)
            table.add_row(row.asset, *(str(cell) for cell in cells))
    console.print(table)
    for report in reports:
        console.print(_coverage_text(report))
        for one in shown[report.network], over[report.network]:
            if one:
                console.print(_statement_table(report.network, one))
        if report.breaks:
            console.print(_break_table(report))
        for fault in report.faults:
            console.print(f"[bold red]{escape(f'{report.network}: {fault}')}[/]")
        for asset, units in (report.recounted or {}).items():
            console.print(f"{report.network}: counted anew, {units} {asset}")


def _coverage_text(report: Report) -> str:
    coverage = report.coverage
    value = ", ".join(f"{_percent(one)} of {asset}" for asset, one in coverage.value.items())
    return (
        f"{report.network} at {report.head.height}: {coverage.blocks.done} of "
        f"{coverage.blocks.of} blocks, {coverage.wallets.done} of {coverage.wallets.of} wallets"
        + (f", {value}" if value else "")
    )


def _percent(one: Covered) -> str:
    whole, rest = divmod(one.ppm, 10_000)
    return f"{whole}.{rest:04d} %"


def _statement_table(network: str, rows: Sequence[Statement]) -> Table:
    table = Table("block", "wallet", "asset", *_COLUMNS, title=f"{network}, base units")
    for one in rows:
        units = (str(getattr(one, column)) for column in _COLUMNS)
        table.add_row(str(one.height), one.wallet, one.asset, *units)
    return table


def _break_table(report: Report) -> Table:
    table = Table("break", "what", "asset", "units", "wallet", "block", "txid", title="open breaks")
    for one in report.breaks:
        cells = (one.id, one.code, one.asset, one.units, one.wallet, one.height, one.txid)
        table.add_row(*(escape(str(cell)) for cell in cells))
    return table
