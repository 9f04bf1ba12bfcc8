"""How each kind of node is started, and how to tell that it is ready."""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wallet.devnet.install import anvil_program

BITCOIN = "bitcoin-regtest"
LITECOIN = "litecoin-regtest"
ETHEREUM = "ethereum-31337"
LITECOIN_CORE = "litecoind-regtest"
"""A second Litecoin chain run by another implementation; only where litecoind is installed."""


class Software(StrEnum):
    """The implementation behind a development chain."""

    BCOIN = "bcoin"
    LCOIN = "lcoin"
    LITECOIND = "litecoind"
    ANVIL = "anvil"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One development chain: `params` is the network whose rules it follows."""

    network: str
    params: str
    software: Software


NODES = (
    Node(network=BITCOIN, params=BITCOIN, software=Software.BCOIN),
    Node(network=LITECOIN, params=LITECOIN, software=Software.LCOIN),
    Node(network=ETHEREUM, params=ETHEREUM, software=Software.ANVIL),
    Node(network=LITECOIN_CORE, params=LITECOIN, software=Software.LITECOIND),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What the nodes are started with."""

    node_js: Path
    modules: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command line with its environment, the URL it will answer on, and a first question."""

    command: tuple[str, ...]
    env: dict[str, str]
    url: str
    question: str


def is_available(node: Node) -> bool:
    """Whether the machine has this node; all but litecoind are installed when missing."""
    return node.software is not Software.LITECOIND or shutil.which("litecoind") is not None


def launch(
    node: Node, programs: Programs, data: Path, port: int, password: str, *, is_kept: bool = False
) -> Launch:
    """Prepare a node's private folder and say how to start it. `password` is litecoind's.

    With `is_kept` the chain is on disk, and the next node started there goes on with it: all of it
    after an orderly stop; after a kill anvil and litecoind have only what the last stop left.
    """
    url = f"http://127.0.0.1:{port}"
    match node.software:
        case Software.BCOIN | Software.LCOIN:
            return Launch(
                command=_javascript_node(node.software, programs, data, port, is_kept),
                # Pure JavaScript instead of addons that a compiler would have to build.
                env={"NODE_BACKEND": "js", "HOME": str(data)},
                url=url,
                question="getblockcount",
            )
        case Software.ANVIL:
            program = str(anvil_program(programs.modules))
            flags = ("--hardfork", "prague", "--no-mining", "--quiet", "--port", str(port))
            state = ("--state", str(data.joinpath("state.json")), "--preserve-historical-states")
            return Launch(
                command=(program, *flags, *(state if is_kept else ())),
                env={"HOME": str(data)},
                url=url,
                question="eth_chainId",
            )
        case Software.LITECOIND:
            _write_litecoin_conf(data, port, password)
            program = shutil.which("litecoind") or "litecoind"
            return Launch(
                command=(program, f"-datadir={data}"),
                env={"HOME": str(data)},
                url=f"http://devnet:{password}@127.0.0.1:{port}",
                question="getblockcount",
            )


def _javascript_node(
    software: Software, programs: Programs, data: Path, port: int, is_kept: bool
) -> tuple[str, ...]:
    return (
        str(programs.node_js),
        str(programs.modules.joinpath(software, "bin/node")),
        "--network=regtest",
        f"--memory={'false' if is_kept else 'true'}",
        "--no-auth",
        "--no-wallet",
        "--index-tx=true",
        "--workers=false",
        "--listen=false",
        # One peer that never answers: without it the node looks for others on this machine.
        "--only=127.0.0.1:9",
        "--log-level=warning",
        f"--prefix={data}",
        f"--http-port={port}",
    )


def _write_litecoin_conf(data: Path, port: int, password: str) -> None:
    """Litecoin's configuration file: a password on the command line would be seen by everybody."""
    lines = (
        "regtest=1",
        "server=1",
        "txindex=1",
        "fallbackfee=0.001",
        "mempoolreplacement=1",
        "rpcuser=devnet",
        f"rpcpassword={password}",
        "[regtest]",
        "listen=0",
        f"rpcport={port}",
        "rpcbind=127.0.0.1",
        "rpcallowip=127.0.0.1",
    )
    conf = data.joinpath("litecoin.conf")
    conf.touch(mode=0o600)
    conf.write_text("\n".join(lines) + "\n", encoding="utf-8")
