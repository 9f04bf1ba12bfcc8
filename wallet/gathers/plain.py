"""Plain gathers: an address transfers by itself, its gas topped up first where it is missing.

Every pass decides anew from rows and balances, so a restart in the middle simply continues. When
gas gets dearer while a top-up is on its way, the difference is topped up once.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert

from signer.protocol import OwnOutput, Purpose
from wallet.gathers.books import Heap, recent_top_ups
from wallet.gathers.orders import Orders
from wallet.payments.building.evm import EvmQuote
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import NotBuilt
from wallet.payments.journal import Payment
from wallet.settings import AssetSettings
from wallet.store.schema import top_ups

TOP_UPS_MAX = 2
"""Top-ups for one gather: the first, and one more for a price that rose meanwhile."""

TOP_UPS_WITHIN_S = 24 * 3600
"""After this an address whose gas was never enough may be topped up again."""


class TooDear(NotBuilt):
    """Gas rose faster than two top-ups: the address waits until it is cheaper again."""

    code = "gather.too_dear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A heap with what the chain said of its transfer: `units` free to move, and the quote.

    `missing_wei` is the gas that must be topped up first.
    """

    heap: Heap
    units: int
    quote: EvmQuote
    missing_wei: int


class PlainGathers:
    """Builds transfers of single addresses."""

    def __init__(self, desk: PaymentDesk, orders: Orders) -> None:
        self._desk = desk
        self._context = desk.context
        self._orders = orders

    def quote(self, asset: AssetSettings, heap: Heap, units: int) -> Turn:
        """Ask the chain about an address's transfer. Raises NotBuilt or NodeError.

        A token that would refuse it is found out here, before any gas is spent.
        """
        builder = self._desk.evm
        target = self._hot_target(asset.network)
        is_native = asset.contract is None
        # Ether pays its own fee: how much is left to move is known only with the quote.
        asked = 1 if is_native else units
        call = builder.transfer_to(asset.code, target, asked)
        quote = builder.quote(asset.network, asset.code, heap.sender, call, asked)
        gas_wei = quote.native_units
        if is_native:
            units -= quote.fee_wei_max
        elif gas_wei:
            gas_wei = builder.final_native_units(asset.network, heap.sender.address)
        missing_wei = 0 if is_native else max(0, quote.fee_wei_max - gas_wei)
        return Turn(heap=heap, units=units, quote=quote, missing_wei=missing_wei)

    def gather(self, asset: AssetSettings, turn: Turn) -> int:
        """The transfer, or the top-up before it; returns the payments built. Raises NotBuilt."""
        builder, quote = self._desk.evm, turn.quote
        if turn.units < max(1, asset.gather_units_min):
            return 0
        if turn.missing_wei:
            # A quarter more, so that a small rise of the price does not need a second top-up.
            units = turn.missing_wei + quote.fee_wei_max // 4
            return self._top_up(asset.network, turn.heap, units)
        sender = turn.heap.sender
        hot = self._orders.hot(asset.network)
        order = self._orders.payment(asset, Purpose.GATHER, sender, hot, turn.units)
        self._desk.start_quoted(order, builder.transfer_call(order), quote)
        return 1

    def _top_up(self, network: str, heap: Heap, units: int) -> int:
        context = self._context
        with context.database.read() as tx:
            after_s = context.clock.now_s() - TOP_UPS_WITHIN_S
            if recent_top_ups(tx, heap.address_id, after_s) >= TOP_UPS_MAX:
                raise TooDear(f"got {TOP_UPS_MAX} top-ups of {heap.sender.address} already")
        native = context.assets[context.native_asset(network)]
        hot: OwnOutput = self._orders.hot(network)

        def remember(tx: Connection, payment: Payment) -> None:
            tx.execute(insert(top_ups).values(payment_id=payment.id, address_id=heap.address_id))

        order = self._orders.payment(native, Purpose.TOP_UP, hot, heap.sender, units)
        payment = self._desk.start(order, remember)
        # Signed at once, so that the hot account is free for the next one.
        self._desk.advance(payment.id)
        return 1

    def _hot_target(self, network: str) -> bytes:
        address = self._orders.hot(network).address
        return self._context.chains[network].destination(address).target
