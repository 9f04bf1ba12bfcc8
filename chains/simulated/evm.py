"""A whole EVM chain in this process: the real adapter over a simulated node."""

from collections import deque
from collections.abc import Mapping, Sequence

from chains.evm.chain import EvmChain
from chains.evm.params import EvmParams
from chains.evm.safe import SafeVault
from chains.simulated.evm_blocks import EvmBlock
from chains.simulated.evm_history import EvmHistory
from chains.simulated.evm_node import Finality, SimulatedEvmNode
from chains.simulated.line import Fault, Line
from chains.types import Asset, BlockRef


class SimulatedEvmChain(EvmChain):
    """Everything that the wallet may ask, and everything that may happen to a chain."""

    def __init__(
        self,
        *,
        params: EvmParams,
        tokens: Sequence[Asset] = (),
        safes: Mapping[bytes, SafeVault] | None = None,
        finality: Finality | None = None,
        history: EvmHistory | None = None,
    ) -> None:
        """With a `history`, one more node of that chain."""
        self.history = history or EvmHistory(
            network=params.id,
            chain_id=params.chain_id,
            native=params.native,
            tokens=tokens,
            safes=safes or {},
        )
        self.line = Line()
        node = SimulatedEvmNode(self.history, self.line, finality or Finality())
        super().__init__(params, node, tokens)

    def second_node(self) -> "SimulatedEvmChain":
        """Another node of the same chain, with a line of its own."""
        return SimulatedEvmChain(
            params=self.params, tokens=self.history.tokens, history=self.history
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
    def max_fee_wei(self) -> int:
        """What the node tells to offer for a unit of gas."""
        return 2 * self.history.base_fee_wei + self.history.tip_wei

    @max_fee_wei.setter
    def max_fee_wei(self, wei: int) -> None:
        self.history.tip_wei = wei - 2 * self.history.base_fee_wei

    @property
    def reverting(self) -> set[bytes]:
        """Addresses whose calls revert when they are mined."""
        return self.history.contracts.reverting

    @property
    def blocks(self) -> Sequence[EvmBlock]:
        """The best chain."""
        return self.history.blocks

    @property
    def sent(self) -> list[str]:
        """Every distinct transaction that a node ever took."""
        return list(self.history.ever)

    def fund(self, target: bytes, asset: str, units: int) -> str:
        """A payment from outside into the mempool."""
        return self.history.pay([(target, asset, units)])

    def mine(self, count: int = 1) -> BlockRef:
        """Blocks; the first takes all that can run."""
        return self.history.mine(count)

    def reorg(self, depth: int, *, keep: bool = True, conflicting: bool = False) -> None:
        """Replace the last blocks by one more empty one; see `EvmHistory.reorg`."""
        self.history.reorg(depth, keep=keep, conflicting=conflicting)

    def held(self, target: bytes, asset: str) -> int:
        """What a target holds now."""
        return self.history.state.held(target, asset)
