"""What block space of a Bitcoin-like chain costs, by several nodes and several ways to know."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chains.errors import ChainError, CodecError, NodeError
from chains.feerates import FeeQuote, Feerate, FeeReport, FeeUnit
from chains.types import BlockRef
from chains.units import to_units
from chains.utxo.block_prices import BLOCK_VBYTES_MAX, block_price_sats
from chains.utxo.node import UtxoNode
from chains.utxo.params import UtxoParams

DECIMALS = 8
"""Every chain of this family counts in 10^-8 coins."""

MEMPOOL_TXS_MAX = 50_000
"""A larger mempool is not read whole: its answer would be tens of megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A transaction in a mempool."""

    fee_sats: int
    vbytes: int


class UtxoFeeMarket:
    """Asks nodes by name; the first is the one we scan and broadcast with."""

    unit = FeeUnit.SATS_PER_KVB

    def __init__(self, params: UtxoParams, nodes: Mapping[str, UtxoNode]) -> None:
        self._params = params
        self._nodes = dict(nodes)

    def report(self, target_blocks: int) -> FeeReport:
        """Estimate and mempool of every node; failures are named in it."""
        quotes = []
        for name, node in self._nodes.items():
            quotes.append(_quote(f"{name}.estimate", _estimate, node, target_blocks))
            quotes.append(_quote(f"{name}.mempool", _mempool_price, node, target_blocks))
        return FeeReport(quotes=tuple(quotes), relay_floor=self._relay_floor(), base=_price(0))

    def block_price(self, block: BlockRef) -> Feerate | None:
        """What a mined block cost on average, 0 when it had room. Raises NodeError, CodecError."""
        if not self._params.halving_blocks:
            return None
        node = next(iter(self._nodes.values()))
        sats = block_price_sats(self._params, node.block(block.hash), block.height, block.hash)
        return None if sats is None else _price(sats)

    def close(self) -> None:
        """Give connections back."""
        for node in self._nodes.values():
            node.close()

    def _relay_floor(self) -> Feerate:
        """The least that our own node takes now; 0 when it does not say."""
        node = next(iter(self._nodes.values()))
        try:
            return _price(to_units(node.mempool_info().feerate_min_text, DECIMALS))
        except ChainError:
            return _price(0)


def price_of_place(waiting: Sequence[Waiting], vbytes: int) -> int:
    """Sats per 1000 vbytes that get a transaction in among the next `vbytes`; 0 when all fit."""
    room = vbytes
    for one in sorted(waiting, key=lambda one: (-one.fee_sats * 1000 // one.vbytes, one.vbytes)):
        room -= one.vbytes
        if room <= 0:
            # One more than the last that fits: an equal offer may be left waiting.
            return one.fee_sats * 1000 // one.vbytes + 1
    return 0


def _quote(
    source: str, ask: Callable[[UtxoNode, int], int], node: UtxoNode, target_blocks: int
) -> FeeQuote:
    try:
        return FeeQuote(source=source, feerate=_price(ask(node, target_blocks)))
    except (NodeError, CodecError) as error:
        return FeeQuote(source=source, feerate=None, why=f"{error.code}: {error}"[:200])


def _estimate(node: UtxoNode, target_blocks: int) -> int:
    text = node.feerate_text(target_blocks)
    if text is None or text.startswith("-"):
        raise CodecError("the node has no estimate yet")
    return to_units(text, DECIMALS)


def _mempool_price(node: UtxoNode, target_blocks: int) -> int:
    info = node.mempool_info()
    least, room = to_units(info.feerate_min_text, DECIMALS), target_blocks * BLOCK_VBYTES_MAX
    if info.vbytes <= room:
        return least
    if info.transactions > MEMPOOL_TXS_MAX:
        raise CodecError(f"got {info.transactions} transactions, too many to read")
    waiting = [
        Waiting(fee_sats=to_units(text, DECIMALS), vbytes=vbytes)
        for text, vbytes in node.mempool_fees()
    ]
    return max(least, price_of_place(waiting, room))


def _price(sats: int) -> Feerate:
    return Feerate(amount=sats, unit=FeeUnit.SATS_PER_KVB)
