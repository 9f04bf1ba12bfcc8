"""A node of a test's own, that can be frozen, killed, stopped and started again on its data."""

import os
import secrets
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from wallet.clock import SystemClock
from wallet.devnet.devnet import is_ready
from wallet.devnet.errors import NodeRefused
from wallet.devnet.evm import Contracts, EvmDevChain
from wallet.devnet.faucet import Payout
from wallet.devnet.nodes import Node, Programs, Software, launch
from wallet.devnet.processes import Child, free_port, spawn, stop
from wallet.devnet.rpc import Rpc
from wallet.devnet.utxo import UtxoDevChain

FROZEN_S = 1
"""How long the wallet waits for a frozen node; a running one, however slow, is given its time."""

LOOKS_MAX = 20_000
"""lcoin answers before a transaction is in its pool, a busy one long before."""


class Line(httpx.HTTPTransport):
    """A line to a node on which something happens just before signed bytes go out, once."""

    def __init__(self) -> None:
        super().__init__()
        self.before_bytes: Callable[[], None] | None = None
        self.is_frozen = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        act = self.before_bytes
        if act is not None and b"sendrawtransaction" in request.read().lower():
            self.before_bytes = None
            act()
        if self.is_frozen:
            limits = dict.fromkeys(("connect", "read", "write", "pool"), FROZEN_S)
            request.extensions = {**request.extensions, "timeout": limits}
        return super().handle_request(request)


class StoppableNode:
    """One development node on `data`; it keeps its address through every start.

    `line` carries the wallet's questions to it.
    """

    def __init__(self, node: Node, programs: Programs, data: Path) -> None:
        self.software = node.software
        self.data = data
        self._launch = launch(
            node, programs, data, free_port(), secrets.token_hex(16), is_kept=True
        )
        self.url = self._launch.url
        self.line = Line()
        self._child: Child | None = None

    def start(self) -> None:
        """Start it, and wait for its first answer."""
        self.rpc = Rpc(self.url)
        self._utxo = UtxoDevChain(self.software, self.rpc, self.data, SystemClock())
        self._evm = EvmDevChain(self.rpc, Contracts())
        log = self.data.joinpath("node.log")
        self._child = spawn(self._launch.command, log=log, cwd=self.data, env=self._launch.env)
        assert is_ready(self._launch, self._child), log.read_text(errors="replace")[-1500:]

    def prepare(self) -> None:
        """Money for its faucet; anvil's accounts have theirs from the start."""
        if not self.is_evm:
            self._utxo.prepare()

    def freeze(self) -> None:
        """SIGSTOP: its socket still takes questions, nobody answers them."""
        child = self._running
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        self.line.is_frozen = True

    def thaw(self) -> None:
        """SIGCONT: whatever waits in its socket is read now, before what we ask here."""
        os.kill(self._running.pid, signal.SIGCONT)
        self.line.is_frozen = False
        assert is_ready(self._launch, self._running)

    def kill(self) -> None:
        """SIGKILL: what it had not written is gone."""
        self._running.kill()
        self._running.wait()

    def stop(self) -> None:
        """An orderly end, after which all its blocks are on disk; also of one that is frozen."""
        if self._running.poll() is None:
            os.kill(self._running.pid, signal.SIGCONT)
        # litecoind ends only after everybody has hung up.
        self.rpc.close()
        self.line.close()
        stop([self._running])

    @property
    def is_evm(self) -> bool:
        return self.software is Software.ANVIL

    @property
    def _running(self) -> Child:
        assert self._child is not None
        return self._child

    def height(self) -> int:
        if self.is_evm:
            return int(self.rpc.call("eth_blockNumber"), 16)
        return int(self.rpc.call("getblockcount"))

    def mine(self, blocks: int = 1) -> None:
        (self._evm if self.is_evm else self._utxo).mine(blocks)

    def reorg(self, depth: int, drop: str) -> None:
        (self._evm if self.is_evm else self._utxo).reorg(depth, [drop])

    def fund(self, target: bytes, units: int) -> str:
        """Pay a script or an account; the txid, which waits to be mined."""
        if self.is_evm:
            return self._evm.pay("ETH", "0x" + target.hex(), units)
        return self._utxo.pay([Payout(script=target, sats=units)])

    def raw(self, txid: str) -> str:
        """A transaction in hex, once the node shows it."""
        if self.is_evm:
            return str(self.rpc.call("eth_getRawTransactionByHash", txid))
        for _ in range(LOOKS_MAX):
            with suppress(NodeRefused):
                return str(self.rpc.call("getrawtransaction", txid, False))
        raise AssertionError(f"the node does not show {txid}")

    def offer(self, raw: str, txid: str) -> None:
        """Give a transaction to the node as its peers would, who have not forgotten it."""
        method = "eth_sendRawTransaction" if self.is_evm else "sendrawtransaction"
        with suppress(NodeRefused):  # it may know it still
            self.rpc.call(method, raw)
        self.raw(txid)


def prepared(node: Node, programs: Programs, folder: Path) -> Path:
    """A stopped node's data, with a chain on which wallets can work: copy it, then start there."""
    folder.mkdir()
    made = StoppableNode(node, programs, folder)
    made.start()
    made.prepare()
    made.stop()
    return folder


def copied(node: Node, programs: Programs, base: Path, folder: Path) -> StoppableNode:
    """A running node of its own on a copy of prepared data."""
    shutil.copytree(base, folder)
    made = StoppableNode(node, programs, folder)
    made.start()
    return made
