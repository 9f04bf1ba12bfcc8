"""`glaytos-wallet demo`: the whole life of money on three real chains, told as it happens."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wallet.demo.story import Folders, Kept, play
from wallet.settings import cache_dir

app = typer.Typer(help="Play the whole life of money on real development chains.")

_SOURCE = Path(__file__).parents[2]
"""The checkout: the demo shows the policies that lie beside the code."""


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where everything is written.")] = Path(
        ".demo"
    ),
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the service up at the end, until Ctrl-C.")
    ] = False,
) -> None:
    """Start real BTC, LTC and ETH nodes and play deposits, withdrawals, a crash, sweeps, refills.

    Writes report.json into the folder and ends with code 0 only if all of it held.
    """
    console = Console()
    root = folder.absolute()
    folders = Folders(root=root, policies=_SOURCE / "config" / "policies", cache=cache_dir())

    def stay(kept: Kept) -> None:
        _explain(console, kept)
        _wait_for_interrupt()

    ok = play(folders, console, keep=stay if keep else None)
    report = json.loads(folders.report.read_text())
    for row in report["refused"]:
        console.print(f"refused: {row['what']} -> {row['code']}", markup=False)
    for row in report["reconciliation"]:
        text = f"{row['asset']}: ledger {row['ledger']}, chain {row['chain']}"
        console.print(f"{text}, difference {row['difference']}", highlight=False)
    if report.get("error"):
        console.print(f"failed: {report['error']}", style="red", markup=False)
    verdict = "all of it held" if ok else "something did not hold"
    console.print(f"{verdict}, {report['seconds']} s, {folders.report}", highlight=False)
    raise typer.Exit(0 if ok else 1)


def _explain(console: Console, kept: Kept) -> None:
    config = kept.place.config
    credentials = kept.place.credentials
    program = sys.argv[0] if Path(sys.argv[0]).name == "glaytos-wallet" else "glaytos-wallet"
    console.print(
        f"""
The service stays up until Ctrl-C.
address      {json.loads(credentials.read_text())["url"]}
credentials  {credentials}
try          {program} call --credentials {credentials} GET /v1/assets
             {program} call --credentials {credentials} GET "/v1/deposits?limit=3"
             {program} treasury thresholds --config {config}""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _wait_for_interrupt() -> None:
    previous = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, previous)
