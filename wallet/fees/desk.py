"""The fee desk: one price for whoever builds a payment, and whether now is a cheap hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from chains.feerates import FeeMarket, FeeQuote, Feerate, FeeUnit, MixedFeeUnits
from chains.ports import Chain
from wallet.clock import Clock
from wallet.fees import history
from wallet.fees.combining import Bounds, Estimate, combine
from wallet.settings import NetworkSettings
from wallet.store.database import Database

FRESH_S = 5
"""An answer is given again for so long: a burst of payments asks once."""

HISTORY_MIN = 36
"""Answers kept before an hour can be called cheap: six hours of them."""

OWN_BLOCKS = "own.blocks"
"""The source that is our own record of mined blocks."""


class EvmFees(Protocol):
    """Fees of the next blocks, wei for each unit of gas."""

    @property
    def max_fee_wei(self) -> int:
        """The most that a unit of gas may cost."""
        ...

    @property
    def priority_fee_wei(self) -> int:
        """The tip in it."""
        ...


class FeesOfChain(Protocol):
    """An EVM chain that answers for itself."""

    def fees(self) -> EvmFees:
        """What to offer now."""
        ...


class Prices(Protocol):
    """What builders ask before they build."""

    def feerate_units(self, chain: Chain) -> int:
        """Sats per 1000 vbytes for a payment now. Raises NodeError."""
        ...

    def evm_fees(self, network: str, chain: FeesOfChain) -> EvmFees:
        """Wei for each unit of gas now. Raises NodeError."""
        ...


class ChainPrices:
    """What the one node of each chain says: for a chain without a market of its own."""

    def feerate_units(self, chain: Chain) -> int:
        """Sats per 1000 vbytes by the chain's own node."""
        return chain.feerate_units()

    def evm_fees(self, network: str, chain: FeesOfChain) -> EvmFees:  # noqa: ARG002 - one chain
        """Wei for each unit of gas by the chain's own node."""
        return chain.fees()


@dataclass(frozen=True, slots=True, kw_only=True)
class GasPrice:
    """An answer for an EVM chain."""

    max_fee_wei: int
    priority_fee_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An estimate of the market's part, and the chain's own part of the price beside it."""

    estimate: Estimate
    base: Feerate

    @property
    def total(self) -> int:
        """The whole price of a unit."""
        return self.base.amount + self.estimate.amount


class FeeDesk:
    """Combines all sources of each network and remembers the answers."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        networks: Mapping[str, NetworkSettings],
        markets: Mapping[str, FeeMarket],
    ) -> None:
        self._database = database
        self._clock = clock
        self._networks = networks
        self._markets = markets
        self._fresh: dict[tuple[str, int], tuple[int, Answer]] = {}

    def feerate_units(self, chain: Chain) -> int:
        """Sats per 1000 vbytes for a payment now. Raises NodeError, MixedFeeUnits."""
        self._expect(chain.network, FeeUnit.SATS_PER_KVB)
        return self.answer(chain.network).total

    def evm_fees(self, network: str, chain: FeesOfChain) -> EvmFees:  # noqa: ARG002 - asks the market
        """Wei for each unit of gas now. Raises NodeError."""
        self._expect(network, FeeUnit.WEI_PER_GAS)
        answer = self.answer(network)
        return GasPrice(max_fee_wei=answer.total, priority_fee_wei=answer.estimate.amount)

    def answer(self, network: str, target_blocks: int | None = None) -> Answer:
        """The price for a payment that shall be mined within `target_blocks` (the settings').

        Raises NoEstimate, or NodeUnavailable where the chain's own part is not known.
        """
        target = target_blocks or self._networks[network].fee_target_blocks
        now_s = self._clock.now_s()
        made_s, known = self._fresh.get((network, target), (0, None))
        if known is not None and made_s <= now_s < made_s + FRESH_S:
            return known
        answer = self._ask(network, target)
        self._fresh[network, target] = (now_s, answer)
        return answer

    def watch(self, network: str) -> None:
        """Keep the prices of new blocks and, now and then, our own answer. Raises NodeError."""
        market, now_s = self._markets[network], self._clock.now_s()
        with self._database.read() as tx:
            blocks = history.unpriced_blocks(tx, network)
        for block in blocks:
            price = market.block_price(block)
            if price is None:
                break
            with self._database.write() as tx:
                history.record_block_price(tx, network, block, price)
        total = self.answer(network).total
        with self._database.write() as tx:
            history.record_estimate(tx, network, total, now_s)

    def is_cheap(self, network: str, percent: int, ceiling: int) -> bool:
        """Whether now is among the cheapest `percent` of hours kept, and at most `ceiling`.

        False while too few hours are known. Raises NodeError.
        """
        with self._database.read() as tx:
            known = history.estimates(tx, network)
        now = self.answer(network).total
        if len(known) < HISTORY_MIN or now > ceiling:
            return False
        return now <= known[(len(known) - 1) * percent // 100]

    def close(self) -> None:
        """Give connections back."""
        for market in self._markets.values():
            market.close()

    def _expect(self, network: str, unit: FeeUnit) -> None:
        if self._markets[network].unit is not unit:
            raise MixedFeeUnits(f"got prices in {self._markets[network].unit}, expected {unit}")

    def _ask(self, network: str, target_blocks: int) -> Answer:
        settings, market = self._networks[network], self._markets[network]
        report = market.report(target_blocks)
        with self._database.read() as tx:
            mined = history.blocks_median(tx, network, market.unit)
        quotes = list(report.quotes)
        if mined is not None:
            quotes.append(FeeQuote(source=OWN_BLOCKS, feerate=mined))
        floor = max(settings.feerate_min, report.relay_floor.in_unit(market.unit))
        if settings.feerate_ceiling:
            # A node that asks for more than the ceiling just to relay is not believed either.
            floor = min(floor, settings.feerate_ceiling)
        bounds = Bounds(floor=floor, ceiling=settings.feerate_ceiling)
        estimate = combine(quotes, market.unit, target_blocks, bounds)
        return Answer(estimate=estimate, base=report.base)
