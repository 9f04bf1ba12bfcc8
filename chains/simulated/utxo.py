"""A whole UTXO chain in this process: the real adapter over a simulated node."""

from collections import deque
from collections.abc import Sequence

from chains.simulated.line import Fault, Line
from chains.simulated.utxo_blocks import MinedBlock
from chains.simulated.utxo_history import UtxoHistory
from chains.simulated.utxo_node import SimulatedUtxoNode
from chains.types import BlockRef
from chains.utxo.chain import UtxoChain
from chains.utxo.params import UtxoParams
from chains.utxo.transactions import Transaction


class SimulatedUtxoChain(UtxoChain):
    """Everything that the wallet may ask, and everything that may happen to a chain."""

    def __init__(
        self,
        *,
        params: UtxoParams,
        asset: str | None = None,
        feerate: int = 5_000,
        history: UtxoHistory | None = None,
    ) -> None:
        """With a `history`, one more node of that chain; `feerate` is sats per 1000 vbytes."""
        self.history = history or UtxoHistory(params=params, feerate=feerate)
        self.line = Line()
        node = SimulatedUtxoNode(self.history, self.line)
        super().__init__(params, node, feerate_min=1, asset=asset)

    def second_node(self) -> "SimulatedUtxoChain":
        """Another node of the same chain, with a line of its own."""
        return SimulatedUtxoChain(
            params=self.params, asset=self.assets[0].code, history=self.history
        )

    @property
    def faults(self) -> deque[Fault]:
        """What goes wrong with the next broadcasts."""
        return self.line.faults

    @property
    def is_down(self) -> bool:
        """Whether the node answers nothing."""
        return self.line.is_down

    @is_down.setter
    def is_down(self, down: bool) -> None:
        self.line.is_down = down

    @property
    def feerate(self) -> int:
        """Sats per 1000 vbytes that the node estimates."""
        return self.history.feerate

    @feerate.setter
    def feerate(self, feerate: int) -> None:
        self.history.feerate = feerate

    @property
    def blocks(self) -> Sequence[MinedBlock]:
        """The best chain."""
        return self.history.blocks

    @property
    def mempool(self) -> dict[str, Transaction]:
        """What waits."""
        return self.history.mempool

    @property
    def sent(self) -> list[str]:
        """Every distinct transaction that a node ever took."""
        return list(self.history.ever)

    def fund(self, script: bytes, sats: int) -> str:
        """A payment from outside into the mempool."""
        return self.history.pay([(script, sats)])

    def mine(self, count: int = 1) -> BlockRef:
        """Blocks; the first takes all that pays enough."""
        return self.history.mine(count)

    def reorg(self, depth: int, *, keep: bool = True, conflicting: bool = False) -> None:
        """Replace the last blocks by one more empty one; see `UtxoHistory.reorg`."""
        self.history.reorg(depth, keep=keep, conflicting=conflicting)

    def paid_units(self, script: bytes) -> int:
        """All that mined transactions ever paid to a script."""
        return self.history.paid_units(script)
