"""`glaytos-wallet fees`: what block space costs now, who says so, and why we answer what we do."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from chains.errors import NodeError
from chains.feerates import FeeQuote
from wallet.bootstrap import opened
from wallet.fees.combining import OUTVOTED_TIMES
from wallet.fees.desk import Answer, FeeDesk

app = typer.Typer(help="What block space costs, by every source.")


@app.command()
def fees(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The deployment's settings file.")
    ] = Path("config/wallet.toml"),
    target: Annotated[
        int | None, typer.Option(min=1, max=1008, help="Blocks; else the settings' own target.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Ask every source what a payment costs now; show the answer and how it was found.

    The answer is the median of the sources that answered, kept between the floor (feerate_min, and
    what our node relays) and feerate_ceiling. Sats per 1000 vbytes, or wei per gas.
    """
    with opened(config) as deployment:
        desk: FeeDesk = deployment.fees
        found = {name: _answer(desk, name, target) for name in deployment.networks}
    if as_json:
        typer.echo(json.dumps({name: _json(answer) for name, answer in found.items()}, indent=1))
    else:
        for name, answer in found.items():
            Console().print(_table(name, answer))
    if any(isinstance(answer, NodeError) for answer in found.values()):
        raise typer.Exit(1)


def _answer(desk: FeeDesk, network: str, target: int | None) -> Answer | NodeError:
    try:
        return desk.answer(network, target)
    except NodeError as error:
        return error


def _json(answer: Answer | NodeError) -> dict[str, object]:
    if isinstance(answer, NodeError):
        return {"error": {"code": answer.code, "message": str(answer)}}
    estimate = answer.estimate
    return {
        "unit": str(estimate.unit),
        "target_blocks": estimate.target_blocks,
        "answer": str(answer.total),
        "base": str(answer.base.amount),
        "median": None if estimate.median is None else str(estimate.median),
        "bound": str(estimate.bound),
        "outvoted": list(estimate.outvoted),
        "missing": list(estimate.missing),
        "sources": [
            {
                "source": quote.source,
                "says": None if quote.feerate is None else str(quote.feerate.amount),
                "why": quote.why,
            }
            for quote in estimate.quotes
        ],
    }


def _table(network: str, answer: Answer | NodeError) -> Table:
    table = Table("source", "says", "note", title=network)
    if isinstance(answer, NodeError):
        table.add_row("", "", f"{answer.code}: {answer}")
        return table
    estimate = answer.estimate
    for quote in estimate.quotes:
        table.add_row(quote.source, _said(quote), _note(quote, estimate.outvoted))
    table.add_section()
    if answer.base.amount:
        table.add_row("base fee", str(answer.base.amount), "the chain's own rule")
    why = f"at the {estimate.bound}" if estimate.bound else "the median"
    text = f"{why}, for {estimate.target_blocks} blocks, in {estimate.unit}"
    table.add_row("answer", str(answer.total), text)
    return table


def _said(quote: FeeQuote) -> str:
    return "-" if quote.feerate is None else str(quote.feerate.amount)


def _note(quote: FeeQuote, outvoted: tuple[str, ...]) -> str:
    if quote.source in outvoted:
        return f"outvoted: over {OUTVOTED_TIMES} times off"
    return quote.why
