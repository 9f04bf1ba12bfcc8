"""All development chains together: start, stop, mine, fund, reorganise."""

import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wallet.clock import SystemClock
from wallet.devnet.errors import DevnetError, DevnetRunning, DevnetStopped
from wallet.devnet.evm import Contracts, EvmDevChain
from wallet.devnet.faucet import Payout, script_of
from wallet.devnet.install import Progress, find_node_js, install_modules
from wallet.devnet.nodes import (
    ETHEREUM,
    NODES,
    Launch,
    Node,
    Programs,
    Software,
    is_available,
    launch,
)
from wallet.devnet.processes import Child, free_port, is_running, spawn, start_mark, stop
from wallet.devnet.rpc import Rpc
from wallet.devnet.state import RunningNode, State, read_state, state_path, write_state
from wallet.devnet.utxo import UtxoDevChain

_READY_S = 240
"""Seconds a node gets to answer its first question."""

_POLL_S = 0.1
_TRIES = 3
"""Starts of one node before giving up: another program may take its port in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One node as `status` shows it; `height` is -1 when it does not answer."""

    network: str
    software: str
    url: str
    pid: int
    height: int


class Devnet:
    """Handle of running chains; the process that called `up` keeps them alive."""

    def __init__(self, root: Path, state: State, children: Mapping[str, Child]) -> None:
        self.root = root
        self._state = state
        self._children = dict(children)
        clock = SystemClock()
        self._rpcs = {name: Rpc(node.url) for name, node in state.networks.items()}
        self._utxo = {
            name: UtxoDevChain(
                Software(node.software), self._rpcs[name], root.joinpath(name), clock
            )
            for name, node in state.networks.items()
            if name != ETHEREUM
        }
        self._evm = (
            {ETHEREUM: EvmDevChain(self._rpcs[ETHEREUM], state.contracts)}
            if ETHEREUM in state.networks
            else {}
        )

    @classmethod
    def up(
        cls,
        root: Path,
        progress: Progress,
        *,
        cache_dir: Path,
        networks: Sequence[str] | None = None,
    ) -> "Devnet":
        """Start nodes in private folders under `root`; call it from the main thread.

        `networks` None means all that the machine has. Raises DevnetRunning if chains run there
        already, DevnetMissing if a program cannot be had. Everything started ends with the caller.
        """
        children: dict[str, Child] = {}
        try:
            return cls._up(root.absolute(), progress, cache_dir, networks, children)
        except BaseException:
            _end(root.absolute(), children)
            raise

    @classmethod
    @contextmanager
    def kept(
        cls,
        root: Path,
        progress: Progress,
        *,
        cache_dir: Path,
        networks: Sequence[str] | None = None,
    ) -> Iterator["Devnet"]:
        """Like `up`, and `down` at the end of the block, wherever an interrupt may fall."""
        children: dict[str, Child] = {}
        try:
            yield cls._up(root.absolute(), progress, cache_dir, networks, children)
        finally:
            _end(root.absolute(), children)

    @classmethod
    def _up(
        cls,
        root: Path,
        progress: Progress,
        cache_dir: Path,
        networks: Sequence[str] | None,
        children: dict[str, Child],
    ) -> "Devnet":
        """Start and prepare; `children` holds every process from its first moment."""
        _refuse_running(root)
        wanted = [node for node in NODES if _is_wanted(node, networks)]
        node_js = find_node_js()
        modules = install_modules(cache_dir, node_js, progress)
        programs = Programs(node_js=node_js.node, modules=modules)
        _remove_data(root)
        running = {}
        for node in wanted:
            progress(f"starting {node.software}")
            running[node.network] = _start(node, programs, root, children)
        state = State(
            keeper_pid=os.getpid(),
            keeper_started=start_mark(os.getpid()),
            modules=str(modules),
            networks=running,
            contracts=Contracts(),
        )
        devnet = cls(root, state, children)
        devnet._prepare(modules, progress)
        progress("development chains are ready")
        return devnet

    @classmethod
    def attach(cls, root: Path) -> "Devnet":
        """The chains another process keeps. Raises DevnetStopped if there are none."""
        root = root.absolute()
        return cls(root, read_state(root), {})

    def down(self) -> None:
        """Stop the nodes and remove their data, here or in the process that keeps them."""
        for rpc in self._rpcs.values():
            rpc.close()
        if not self._children:
            _stop_keeper(self._state)
            return
        _end(self.root, self._children)

    @property
    def networks(self) -> Mapping[str, RunningNode]:
        """The running nodes by network id."""
        return self._state.networks

    @property
    def contracts(self) -> Contracts:
        """Addresses of tokens, splitter and Safe on the EVM chain."""
        return self._evm_chain(ETHEREUM).contracts

    def url(self, network: str) -> str:
        """The node's RPC URL. Raises DevnetError for a network that does not run."""
        return self._node(network).url

    def rpc(self, network: str, method: str, *params: object) -> object:
        """Ask a node directly; for looking, in tests and at the end of the demo."""
        self._node(network)
        return self._rpcs[network].call(method, *params)

    def status(self) -> tuple[NodeStatus, ...]:
        """Every node with its height now."""
        return tuple(
            NodeStatus(
                network=name,
                software=node.software,
                url=node.url,
                pid=node.pid,
                height=self._height(name),
            )
            for name, node in self._state.networks.items()
        )

    def ended(self) -> tuple[str, ...]:
        """Networks whose node has ended by itself."""
        return tuple(
            name
            for name, node in self._state.networks.items()
            if not is_running(node.pid, node.started)
        )

    def mine(self, network: str, blocks: int = 1) -> tuple[str, ...]:
        """Mine blocks, the first with all that waits in the node's pool; their hashes."""
        if blocks < 1:
            raise DevnetError(f"got {blocks} blocks, expected at least 1")
        if network in self._evm:
            return self._evm[network].mine(blocks)
        return self._utxo_chain(network).mine(blocks)

    def fund(self, network: str, asset: str, address: str, units: int) -> str:
        """Pay base units of an asset to an address, unconfirmed until mined; the txid."""
        if network in self._evm:
            return self._evm[network].pay(asset, address, units)
        return self.fund_many(network, [(address, units)])

    def fund_many(self, network: str, payouts: Sequence[tuple[str, int]]) -> str:
        """Pay several addresses (UTXO chains) in one transaction; the txid."""
        outputs = [Payout(script=script_of(address), sats=units) for address, units in payouts]
        return self._utxo_chain(network).pay(outputs)

    def fund_script(self, network: str, script: bytes, units: int) -> str:
        """Pay a script that may have no address; the txid."""
        return self._utxo_chain(network).pay([Payout(script=script, sats=units)])

    def fund_from_contract(self, addresses: Sequence[str], units: int) -> str:
        """Pay `units` wei to each address from inside a contract; the transaction hash."""
        return self._evm_chain(ETHEREUM).pay_from_contract(addresses, units)

    def fund_in_vain(self, address: str, units: int) -> str:
        """A successful transaction whose inner payment is undone; the transaction hash."""
        return self._evm_chain(ETHEREUM).pay_in_vain(address, units)

    def reorg(self, network: str, depth: int, drop: Sequence[str] = ()) -> tuple[str, ...]:
        """Replace the last `depth` blocks by `depth + 1` others; hashes of the new blocks.

        Payments in `drop` are lost for ever. What else the old blocks held waits in the pool again
        (UTXO chains) or is mined again (EVM).
        """
        if depth < 1:
            raise DevnetError(f"got depth {depth}, expected at least 1")
        if network in self._evm:
            return self._evm[network].reorg(depth, drop)
        return self._utxo_chain(network).reorg(depth, drop)

    def deploy_safe(self, owners: Sequence[str], threshold: int) -> str:
        """A new Safe 1.4.1 of these owners; mines a block. Its EIP-55 address."""
        return self._evm_chain(ETHEREUM).deploy_safe(owners, threshold, secrets.randbits(256))

    def deploy_sweeper(self, treasury: str) -> str:
        """The sweeper that pays only `treasury` (EIP-55); mines a block if it is new."""
        return self._evm_chain(ETHEREUM).deploy_sweeper(treasury)

    def _prepare(self, modules: Path, progress: Progress) -> None:
        """Bring every chain to where wallets can use it, all at once."""
        progress("mining first blocks, deploying tokens and Safe")
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(chain.prepare) for chain in self._utxo.values()]
            jobs += [pool.submit(chain.prepare, modules) for chain in self._evm.values()]
            for job in jobs:
                job.result()
        contracts = self._evm[ETHEREUM].contracts if self._evm else Contracts()
        self._state = State(
            keeper_pid=self._state.keeper_pid,
            keeper_started=self._state.keeper_started,
            modules=self._state.modules,
            networks=self._state.networks,
            contracts=contracts,
        )
        write_state(self.root, self._state)

    def _node(self, network: str) -> RunningNode:
        if network not in self._state.networks:
            known = ", ".join(self._state.networks)
            raise DevnetError(f"got network {network!r}, expected one of {known}")
        return self._state.networks[network]

    def _utxo_chain(self, network: str) -> UtxoDevChain:
        self._node(network)
        if network not in self._utxo:
            raise DevnetError(f"got network {network!r}, expected one with outputs")
        return self._utxo[network]

    def _evm_chain(self, network: str) -> EvmDevChain:
        self._node(network)
        return self._evm[network]

    def _height(self, network: str) -> int:
        try:
            if network in self._evm:
                return int(str(self.rpc(network, "eth_blockNumber")), 16)
            return int(str(self.rpc(network, "getblockcount")))
        except DevnetError:
            return -1


def _is_wanted(node: Node, networks: Sequence[str] | None) -> bool:
    if networks is None:
        return is_available(node)
    return node.network in networks


def _end(root: Path, children: Mapping[str, Child]) -> None:
    """Stop our nodes and forget their chains; does nothing if none was started."""
    if children:
        stop(list(children.values()))
        _remove_data(root)


def _remove_data(root: Path) -> None:
    """Forget chains that have ended: nothing of them is worth keeping."""
    state_path(root).unlink(missing_ok=True)
    for node in NODES:
        shutil.rmtree(root.joinpath(node.network), ignore_errors=True)


def _refuse_running(root: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        state = read_state(root)
    except DevnetStopped:
        return
    raise DevnetRunning(
        f"chains already run in {root} (process {state.keeper_pid}); stop them first"
    )


def _start(node: Node, programs: Programs, root: Path, children: dict[str, Child]) -> RunningNode:
    """Start one node and wait for its first answer. The child is in `children` from the start."""
    data = root.joinpath(node.network)
    log = data.joinpath("node.log")
    for _ in range(_TRIES):
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700, parents=True)
        started = launch(node, programs, data, free_port(), secrets.token_hex(16))
        child = spawn(started.command, log=log, cwd=data, env=started.env)
        children[node.network] = child
        if is_ready(started, child):
            return RunningNode(
                url=started.url,
                pid=child.pid,
                started=start_mark(child.pid),
                software=node.software,
                params=node.params,
            )
        stop([child])
    tail = log.read_text(encoding="utf-8", errors="replace")[-1500:]
    raise DevnetError(
        f"{node.software} did not start after {_TRIES} tries; its last words:\n{tail}"
    )


def is_ready(started: Launch, child: Child) -> bool:
    """Wait for a node's first answer; False when it ended, or gave none in time."""
    rpc = Rpc(started.url)
    deadline = time.monotonic() + _READY_S
    try:
        while time.monotonic() < deadline and child.poll() is None:
            if rpc.answers(started.question):
                return True
            time.sleep(_POLL_S)
        return False
    finally:
        rpc.close()


def _stop_keeper(state: State) -> None:
    """Ask the keeping process to end, and wait until it and its nodes have."""
    if is_running(state.keeper_pid, state.keeper_started):
        os.kill(state.keeper_pid, signal.SIGTERM)
    deadline = time.monotonic() + _READY_S
    left = [(state.keeper_pid, state.keeper_started)]
    left += [(node.pid, node.started) for node in state.networks.values()]
    while any(is_running(pid, started) for pid, started in left):
        if time.monotonic() > deadline:
            raise DevnetError(
                f"the chains did not stop in {_READY_S} s; end their processes by hand"
            )
        time.sleep(_POLL_S)
