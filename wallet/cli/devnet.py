"""`glaytos-wallet devnet`: real BTC, LTC and ETH nodes on this machine, for development."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from chains.units import to_units
from wallet.devnet.devnet import Devnet
from wallet.devnet.errors import DevnetError, DevnetStopped
from wallet.devnet.install import Progress
from wallet.devnet.nodes import ETHEREUM
from wallet.devnet.state import read_state
from wallet.settings import cache_dir

app = typer.Typer(help="Real BTC, LTC and ETH nodes on this machine, for development.")

_DECIMALS = {"BTC": 8, "LTC": 8, "ETH": 18, "DUSD": 6, "DGLD": 18}
_WATCH_S = 1
_DETACHED_READY_S = 900

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the chains' data.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def up(
    folder: Folder = Path(".devnet"),
    as_json: AsJson = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when ready; end it by `devnet down`.")
    ] = False,
    network: Annotated[
        list[str] | None, typer.Option(help="Only this network; may be given several times.")
    ] = None,
) -> None:
    """Start the chains and keep them until Ctrl-C; nothing is left behind."""
    if detach:
        _detach(folder, network or [])
        _show(Devnet.attach(folder), as_json)
        return
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    try:
        with ExitStack() as stack:
            with _progress(quiet=as_json) as progress:
                chains = stack.enter_context(
                    Devnet.kept(folder, progress, cache_dir=cache_dir(), networks=network)
                )
            _show(chains, as_json)
            _keep(chains)
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped")


@app.command()
def down(folder: Folder = Path(".devnet")) -> None:
    """Stop the chains of a folder and remove their data."""
    Devnet.attach(folder).down()


@app.command()
def status(folder: Folder = Path(".devnet"), as_json: AsJson = False) -> None:
    """Show every node with its height, and the contracts."""
    _show(Devnet.attach(folder), as_json)


@app.command()
def mine(
    network: Annotated[str, typer.Argument(help="For example bitcoin-regtest.")],
    blocks: Annotated[int, typer.Argument(help="How many.", min=1, max=1000)] = 1,
    folder: Folder = Path(".devnet"),
    as_json: AsJson = False,
) -> None:
    """Mine blocks; the first takes all that waits in the node's pool."""
    hashes = Devnet.attach(folder).mine(network, blocks)
    typer.echo(json.dumps({"blocks": hashes}) if as_json else "\n".join(hashes))


@app.command()
def fund(
    network: Annotated[str, typer.Argument(help="For example ethereum-31337.")],
    asset: Annotated[str, typer.Argument(help="BTC, LTC, ETH, DUSD or DGLD.")],
    address: Annotated[str, typer.Argument(help="Who is paid.")],
    amount: Annotated[str, typer.Argument(help="Decimal, for example 1.25.")],
    folder: Folder = Path(".devnet"),
    as_json: AsJson = False,
) -> None:
    """Pay an address from the faucet; unconfirmed until you mine."""
    if asset not in _DECIMALS:
        raise DevnetError(f"got asset {asset!r}, expected one of {', '.join(_DECIMALS)}")
    chains = Devnet.attach(folder)
    txid = chains.fund(network, asset, address, to_units(amount, _DECIMALS[asset]))
    typer.echo(json.dumps({"txid": txid}) if as_json else txid)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End as by Ctrl-C, so that every `finally` runs."""
    del number, frame
    raise KeyboardInterrupt


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """Lines for a log, one moving line for a terminal; always on standard error."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda line: console.print(line, highlight=False)
        return
    with console.status("starting") as spinner:
        yield spinner.update


def _keep(chains: Devnet) -> None:
    """Wait for a signal; give up when a node ends by itself."""
    while True:
        time.sleep(_WATCH_S)
        ended = chains.ended()
        if ended:
            raise DevnetError(f"{', '.join(ended)} ended by itself, see node.log in its folder")


def _detach(folder: Path, networks: list[str]) -> None:
    """Run `devnet up` in a process of its own and wait until its chains are ready."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "wallet", "devnet", "up", "--dir", str(folder)]
    for network in networks:
        command += ["--network", network]
    log = folder.joinpath("up.log")
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _DETACHED_READY_S
    while keeper.poll() is None and time.monotonic() < deadline:
        try:
            if read_state(folder).keeper_pid == keeper.pid:
                return
        except DevnetStopped:
            pass
        time.sleep(_WATCH_S)
    keeper.terminate()
    raise DevnetError(f"the chains did not start:\n{log.read_text(encoding='utf-8')[-1500:]}")


def _show(chains: Devnet, as_json: bool) -> None:
    nodes = chains.status()
    contracts = asdict(chains.contracts) if ETHEREUM in chains.networks else {}
    if as_json:
        rows = {node.network: asdict(node) for node in nodes}
        typer.echo(json.dumps({"networks": rows, "contracts": contracts}, indent=1))
        return
    table = Table("network", "node", "height", "RPC")
    for node in nodes:
        height = str(node.height) if node.height >= 0 else "does not answer"
        table.add_row(node.network, node.software, height, node.url)
    console = Console()
    console.print(table)
    for code, address in contracts.get("tokens", {}).items():
        console.print(f"token {code} {address}", highlight=False)
    if contracts:
        console.print(f"splitter {contracts['splitter']}", highlight=False)
        console.print(f"Safe 1.4.1 {contracts['safe_singleton']}", highlight=False)
