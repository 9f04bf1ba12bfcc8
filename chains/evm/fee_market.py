"""What gas costs on an EVM chain, by several nodes and several ways to know (EIP-1559).

Quotes are of the tip. The base fee is the chain's own rule: it grows by at most an eighth a block,
so what it can become until the target is known.
"""

from collections.abc import Callable, Mapping
from typing import Any

from chains.errors import NodeError, NodeUnavailable, UnexpectedAnswer
from chains.evm import blocks as read
from chains.evm.node import EvmNode
from chains.feerates import FeeQuote, Feerate, FeeReport, FeeUnit
from chains.types import BlockRef

HISTORY_BLOCKS = 20
"""Blocks whose tips are looked at."""

_MEDIAN = 50


class EvmFeeMarket:
    """Asks nodes by name; the first is the one we scan and broadcast with."""

    unit = FeeUnit.WEI_PER_GAS

    def __init__(self, nodes: Mapping[str, EvmNode]) -> None:
        self._nodes = dict(nodes)

    def report(self, target_blocks: int) -> FeeReport:
        """Suggested and paid tips of every node; failures are named in it.

        Raises NodeUnavailable when no node tells the base fee: then no price means anything.
        """
        quotes, bases = [], []
        for name, node in self._nodes.items():
            quotes.append(_quote(f"{name}.suggested", _suggested, node))
            quotes.append(_quote(f"{name}.history", _history, node))
            try:
                bases.append(_next_base(node))
            except NodeError:
                continue
        if not bases:
            raise NodeUnavailable("got no base fee from any node")
        # The highest: what is not needed of the base fee is never paid.
        base = grown(max(bases), target_blocks - 1)
        return FeeReport(quotes=tuple(quotes), relay_floor=_price(0), base=_price(base))

    def block_price(self, block: BlockRef) -> Feerate | None:  # noqa: ARG002 - nodes keep a history
        """Never: `eth_feeHistory` tells the same."""
        return None

    def close(self) -> None:
        """Give connections back."""
        for node in self._nodes.values():
            node.close()


def grown(base_wei: int, blocks: int) -> int:
    """The most that a base fee can become when so many full blocks follow."""
    for _ in range(blocks):
        base_wei += max(base_wei // 8, 1)
    return base_wei


def _quote(source: str, ask: Callable[[EvmNode], int], node: EvmNode) -> FeeQuote:
    try:
        return FeeQuote(source=source, feerate=_price(ask(node)))
    except NodeError as error:
        return FeeQuote(source=source, feerate=None, why=f"{error.code}: {error}"[:200])


def _suggested(node: EvmNode) -> int:
    return read.quantity(node.call("eth_maxPriorityFeePerGas"), "priority fee")


def _history(node: EvmNode) -> int:
    """The median over recent blocks of the median tip in each; blocks without tips say nothing."""
    tips = sorted(tip for tip in _tips(_fee_history(node)) if tip)
    if not tips:
        raise NodeUnavailable("no tips were paid lately")
    return tips[len(tips) // 2]


def _next_base(node: EvmNode) -> int:
    """The base fee of the next block: the last entry, which the chain's rule already fixes."""
    bases = read.field(_fee_history(node), "baseFeePerGas")
    if not isinstance(bases, list) or not bases:
        raise UnexpectedAnswer("eth_feeHistory: got no base fees")
    return read.quantity(bases[-1], "base fee")


def _tips(history: Any) -> list[int]:
    rewards = read.field(history, "reward")
    if not isinstance(rewards, list) or any(not isinstance(r, list) or not r for r in rewards):
        raise UnexpectedAnswer("eth_feeHistory: got no rewards")
    return [read.quantity(reward[0], "reward") for reward in rewards]


def _fee_history(node: EvmNode) -> Any:
    return node.call("eth_feeHistory", hex(HISTORY_BLOCKS), "latest", [_MEDIAN])


def _price(wei: int) -> Feerate:
    return Feerate(amount=wei, unit=FeeUnit.WEI_PER_GAS)
