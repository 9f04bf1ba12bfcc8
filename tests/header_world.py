"""A chain of headers alone, kept as the rules ask, and a watcher that follows it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from chains.ports import Watched
from chains.types import Asset, BlockRef, BlockScan, Family
from chains.utxo.difficulty import PERIOD_BLOCKS, RULES, retargeted
from chains.utxo.params import BUILTIN, UtxoParams
from wallet.deposits.headers import HeaderChain
from wallet.deposits.watcher import Seen, Watcher
from wallet.milestones import pass_by
from wallet.store.database import Database

START_S = 1_700_000_000
NOW_S = START_S + 100_000_000


class Clock:
    """Long after every block."""

    def now_s(self) -> int:
        return NOW_S


@dataclass
class Headers:
    """A node that shows what a test gives it; `change` alters single answers."""

    params: UtxoParams
    refs: list[BlockRef] = field(default_factory=list)
    step_s: int = 600
    family: Family = Family.UTXO
    change: Callable[[BlockRef], BlockRef] = lambda ref: ref

    @property
    def network(self) -> str:
        return self.params.id

    @property
    def assets(self) -> tuple[Asset, ...]:
        return (Asset(code="BTC", network=self.network, decimals=8),)

    def mine(self, count: int = 1, *, bits: int | None = None, salt: str = "") -> BlockRef:
        """Blocks with the right target, or with `bits`."""
        for _ in range(count):
            height = len(self.refs)
            parent = self.refs[-1].hash if self.refs else "00" * 32
            self.refs.append(
                BlockRef(
                    height=height,
                    hash=hashlib.sha256(f"{parent}{height}{salt}{bits}".encode()).hexdigest(),
                    parent=parent,
                    time_s=START_S + height * self.step_s,
                    bits=self._right_bits(height) if bits is None else bits,
                )
            )
        return self.refs[-1]

    def _right_bits(self, height: int) -> int:
        rules = RULES[self.params.difficulty]
        if not self.refs or not rules.period_s:
            return self.params.pow_limit_bits if not self.refs else self.refs[-1].bits
        if height % PERIOD_BLOCKS:
            return self.refs[-1].bits
        took_s = self.refs[-1].time_s - self.refs[height - PERIOD_BLOCKS].time_s
        return retargeted(self.params, rules, self.refs[-1].bits, took_s)

    def tip(self) -> BlockRef:
        return self.change(self.refs[-1])

    def block_at(self, height: int) -> BlockRef:
        return self.change(self.refs[height])

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        return BlockScan(ref=block, inflows=(), spends=())


@dataclass
class Following:
    """A watcher on such a chain."""

    node: Headers
    database: Database
    start_height: int = 0
    start_hash: str = ""
    proves_work: bool = True

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process with the same database."""
        headers = HeaderChain(
            self.node,  # type: ignore[arg-type]
            self.database,
            self.node.params if self.proves_work else None,
            Clock(),
            start_height=self.start_height,
            start_hash=self.start_hash,
        )
        self.watcher = Watcher(
            self.node,  # type: ignore[arg-type]
            self.database,
            {},
            self.start_height,
            Clock(),
            pass_by,
            headers,
        )

    def follow(self) -> int:
        """Steps until nothing is new; the scanned height."""
        while (step := self.watcher.step()).seen is not Seen.SAME:
            pass
        return step.height


def node_of(network: str) -> Headers:
    """A node of a built-in network without blocks."""
    return Headers(BUILTIN[network])
