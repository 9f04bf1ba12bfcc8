"""A fee market whose sources say what a test sets."""

from dataclasses import dataclass, field

from chains.feerates import FeeQuote, Feerate, FeeReport, FeeUnit
from chains.types import BlockRef


@dataclass
class FakeMarket:
    """Sources by name; None is a source without an answer."""

    says: dict[str, int | None]
    unit: FeeUnit = FeeUnit.SATS_PER_KVB
    base: int = 0
    relay_floor: int = 0
    blocks: dict[str, int] = field(default_factory=dict)
    asked: int = 0

    def report(self, target_blocks: int) -> FeeReport:
        self.asked += 1
        return FeeReport(
            quotes=tuple(
                FeeQuote(source=name, feerate=None if said is None else self._price(said))
                for name, said in self.says.items()
            ),
            relay_floor=self._price(self.relay_floor),
            base=self._price(self.base),
        )

    def block_price(self, block: BlockRef) -> Feerate | None:
        price = self.blocks.get(block.hash)
        return None if price is None else self._price(price)

    def close(self) -> None:
        """Nothing to give back."""

    def _price(self, amount: int) -> Feerate:
        return Feerate(amount=amount, unit=self.unit)
