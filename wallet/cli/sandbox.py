"""`glaytos-wallet sandbox`: the full API over simulated chains, for integrators."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wallet.cli.serve import configure_log
from wallet.sandbox.running import Ready, Wanted, run_sandbox

app = typer.Typer(help="Serve the full API over simulated chains; no node is needed.")

_SOURCE = Path(__file__).parents[2]
"""The checkout: the sandbox takes the policies that lie beside the code."""


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Where the API listens; 0 takes a free port.")] = 8480,
    data: Annotated[
        Path | None,
        typer.Option(help="A new folder to keep keys and database in; else one that is removed."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed and wishes, same transactions.")] = 1,
    block_ms: Annotated[
        int, typer.Option(help="A block on every chain so often; 0 mines only when told to.")
    ] = 1000,
    as_json: Annotated[
        bool, typer.Option("--json", help="When ready, print one line of JSON instead of words.")
    ] = False,
) -> None:
    """Serve the real service over simulated BTC, LTC and ETH until Ctrl-C.

    Everything but the chains is real: API, ledger, policies, watchers, payments, and signers in
    processes of their own. Deposits, blocks, reorganisations and faults happen when you wish them:

      glaytos-wallet sandbox-do deposit BTC ADDRESS 0.5
      glaytos-wallet sandbox-do mine --count 3
      glaytos-wallet sandbox-do reorg bitcoin-regtest 2 --fate dropped

    The same wishes are routes under /sandbox/v1 beside the API; they are unsigned, so the sandbox
    listens on this machine only, and it refuses networks that are not simulated.
    """
    configure_log()
    console = Console(stderr=True)

    def tell(ready: Ready) -> None:
        if as_json:
            sys.stdout.write(json.dumps({k: str(v) for k, v in asdict(ready).items()}) + "\n")
            sys.stdout.flush()
        else:
            _explain(console, ready)

    with tempfile.TemporaryDirectory(prefix="glaytos-sandbox-") as temporary:
        folder = (data or Path(temporary, "sandbox")).absolute()
        wanted = Wanted(
            folder=folder,
            policies=_SOURCE.joinpath("config", "policies"),
            port=port,
            seed=seed,
            block_ms=block_ms,
        )
        run_sandbox(wanted, lambda line: console.print(line, style="dim"), tell)


def _explain(console: Console, ready: Ready) -> None:
    program = "glaytos-wallet"
    call = f"{program} call --credentials {ready.credentials}"
    wish = f"{program} sandbox-do --url {ready.url}"
    console.print(
        f"""
The sandbox is up until Ctrl-C; all keys and coins in it are worthless.
address      {ready.url}
credentials  {ready.credentials}
settings     {ready.config}
try          {call} GET /v1/assets
             {call} POST /v1/accounts --body '{{"external_id": "alice"}}'
             {call} POST /v1/addresses --body \\
               '{{"account_id": ID, "network": "bitcoin-regtest"}}'
             {wish} deposit BTC ADDRESS 0.5
             {call} GET "/v1/deposits?limit=3\"""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
