"""`glaytos-wallet sandbox-do`: make something happen in a running sandbox."""

import json
import sys
from typing import Annotated, Any

import httpx
import typer

from wallet.sandbox.control import PREFIX, Disturbance, Fate
from wallet.sandbox.errors import NoAnswer, SandboxError

app = typer.Typer(
    help="Make something happen in a running sandbox: money, blocks, reorgs, prices, faults.",
    no_args_is_help=True,
)

URL = "http://127.0.0.1:8480"
TIMEOUT_S = 30

Network = Annotated[
    str, typer.Argument(help="bitcoin-regtest, litecoin-regtest or ethereum-31337.")
]


@app.callback()
def where(
    context: typer.Context,
    url: Annotated[str, typer.Option(help="The sandbox's address, as it printed it.")] = URL,
) -> None:
    """Make something happen in a running sandbox. Every command prints the answer as JSON."""
    context.obj = url


@app.command()
def deposit(
    context: typer.Context,
    asset: Annotated[str, typer.Argument(help="BTC, LTC, ETH, DUSD or DGLD.")],
    address: Annotated[str, typer.Argument(help="A deposit address of one of your accounts.")],
    amounts: Annotated[list[str], typer.Argument(help="Decimal amounts, all in one transaction.")],
) -> None:
    """Pay an address from outside. The next block has it; credit follows with its confirmations."""
    _wish(context, "deposits", {"asset": asset, "address": address, "amounts": amounts})


@app.command()
def mine(
    context: typer.Context,
    network: Annotated[str, typer.Option(help="One network only; else all of them.")] = "",
    count: Annotated[int, typer.Option(help="How many blocks.")] = 1,
) -> None:
    """Mine blocks now. The first one takes what waits and pays enough."""
    _wish(context, "blocks", {"network": network or None, "count": count})


@app.command()
def reorg(
    context: typer.Context,
    network: Network,
    depth: Annotated[int, typer.Argument(help="How many of the last blocks are replaced.")],
    fate: Annotated[
        Fate, typer.Option(help="Their transactions wait again, vanish, or lose to others.")
    ] = Fate.KEPT,
) -> None:
    """Reorganise a chain: other blocks instead of the last ones, and one more."""
    _wish(context, "reorgs", {"network": network, "depth": depth, "fate": fate})


@app.command()
def price(
    context: typer.Context,
    network: Network,
    units: Annotated[int, typer.Argument(help="Sats per 1000 vbytes, or wei for a unit of gas.")],
    floor: Annotated[int, typer.Option(help="UTXO: what the next blocks ask at least.")] = 0,
) -> None:
    """Change what block space costs; with a floor, what pays less is not mined."""
    _wish(context, "prices", {"network": network, "units": units, "floor": floor})


@app.command()
def fault(
    context: typer.Context,
    network: Network,
    what: Annotated[Disturbance, typer.Argument(help="What goes wrong; `up` mends everything.")],
    count: Annotated[int, typer.Option(help="For so many broadcasts, or blocks of lag.")] = 1,
) -> None:
    """Disturb a node: lose the next answers, fall silent, fall behind, or lie about blocks."""
    _wish(context, "faults", {"network": network, "fault": what, "count": count})


@app.command()
def evict(
    context: typer.Context,
    network: Network,
    txid: Annotated[str, typer.Argument(help="A transaction that waits.")],
) -> None:
    """Make the nodes forget a waiting transaction."""
    _wish(context, "evictions", {"network": network, "txid": txid})


@app.command()
def chains(context: typer.Context) -> None:
    """Show the simulated chains: heights, and where their nodes can be asked."""
    _show(_ask(context, "GET", "chains", None))


def _wish(context: typer.Context, what: str, body: dict[str, Any]) -> None:
    _show(_ask(context, "POST", what, body))


def _ask(context: typer.Context, method: str, what: str, body: Any) -> httpx.Response:
    try:
        return httpx.request(
            method,
            f"{context.obj}{PREFIX}/{what}",
            json=body,
            timeout=TIMEOUT_S,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise NoAnswer(
            f"got no answer from {context.obj}, start one by: glaytos-wallet sandbox"
        ) from error


def _show(response: httpx.Response) -> None:
    if response.is_error:
        raise SandboxError(f"got HTTP {response.status_code}: {response.text[:500]}")
    sys.stdout.write(json.dumps(response.json(), indent=2) + "\n")
