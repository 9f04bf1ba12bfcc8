"""The payment desk: what the rest of the wallet asks for when money shall move.

`start` builds a payment for any order, whatever the chain; offline signers' files go out by
`export` and come back by `attach`; the runner does the rest.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from chains.evm.safe import SafeVault
from chains.types import Family
from signer.protocol import OwnOutput, SignAnswer
from wallet import pauses
from wallet.payments import journal
from wallet.payments.building.evm import EvmBuilder, EvmCall, EvmQuote
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.utxo import UtxoBuilder
from wallet.payments.collecting import Collector
from wallet.payments.context import PaymentContext
from wallet.payments.errors import BadOrder, WithdrawalsPaused
from wallet.payments.execution import SafeExecutor
from wallet.payments.journal import Payment
from wallet.payments.replacing.building import ReplacementBuilder
from wallet.payments.replacing.bumping import Bumper
from wallet.payments.replacing.freeing import Freer
from wallet.payments.replacing.nonces import NonceKeeper
from wallet.payments.replacing.parents import ParentPayer
from wallet.payments.runner import Runner

Also = Callable[[Connection, Payment], None]
"""What the caller writes in the transaction that stores the payment."""


def nothing_else(tx: Connection, payment: Payment) -> None:
    """For callers that write nothing of their own."""


class PaymentDesk:
    """Builds payments and moves them on."""

    def __init__(self, context: PaymentContext) -> None:
        self.context = context
        self.utxo = UtxoBuilder(context)
        self.evm = EvmBuilder(context)
        self._executor = SafeExecutor(context, self.evm)
        self.freer = Freer(context, self.evm)
        self.nonces = NonceKeeper(context, self.evm, self.freer)
        self.parents = ParentPayer(context)
        replacing = ReplacementBuilder(context, self.utxo, self.evm)
        self.bumper = Bumper(context, replacing, self.freer, self.parents)
        self._collector = Collector(context)
        self._runner = Runner(context, self._collector, self._executor)

    def start(self, order: SpendOrder, also: Also = nothing_else) -> Payment:
        """Build a payment; `also` runs in the transaction that stores it.

        Raises NotBuilt with the reason's code, or NodeError when the chain does not answer; then
        nothing was stored.
        """
        context = self.context
        build = self._prepared(order)
        with context.database.write() as tx:
            if pauses.holds_back(tx, order.purpose, order.network, order.asset):
                raise WithdrawalsPaused(f"got {order.asset}, whose withdrawals are paused")
            payment = build(tx)
            also(tx, payment)
        context.milestone("payment.built")
        return payment

    def start_quoted(
        self, order: SpendOrder, call: EvmCall, quote: EvmQuote, also: Also = nothing_else
    ) -> Payment:
        """As `start`, for an EVM order whose quote the caller already has."""
        with self.context.database.write() as tx:
            payment = self.evm.build(tx, order, call, quote)
            also(tx, payment)
        self.context.milestone("payment.built")
        return payment

    def export(self, payment_id: str) -> bytes:
        """The sealed request of a payment from a cold vault, for its keyholders' files."""
        return self._collector.export(payment_id)

    def attach(self, payment_id: str, data: bytes) -> SignAnswer:
        """Keep an answer that came back from a keyholder; see `Collector.attach`."""
        return self._collector.attach(payment_id, data)

    def abandon(self, payment_id: str, why: str) -> None:
        """Give up a payment from a cold vault that has no valid bytes yet."""
        self._collector.abandon(payment_id, why)

    def get(self, payment_id: str) -> Payment:
        """One payment as it stands."""
        with self.context.database.read() as tx:
            return journal.get(tx, payment_id)

    def run(self, network: str) -> int:
        """Move every unfinished payment on, then fill holes and replace what waits too long.

        What is new then goes on at once. Returns the steps taken. Raises NodeError.
        """
        steps = self._runner.run(network)
        new = self.bumper.run(network)
        if self.context.chains[network].family is Family.EVM:
            new += self.nonces.run(network)
        return steps + new + (self._runner.run(network) if new else 0)

    def advance(self, payment_id: str) -> int:
        """Move one payment as far as it goes now; returns the steps taken."""
        return self._runner.advance(payment_id)

    def step(self, payment_id: str) -> bool:
        """One step of one payment; False when it has to wait."""
        return self._runner.step(payment_id)

    def fixed_sender(self, network: str, source: str) -> OwnOutput:
        """The paying address of a source that has only one: a hot account."""
        address = self.context.deriver.address_at(network, source, 0, 0).address
        return OwnOutput(address=address, source=source, branch=0, index=0)

    def _prepared(self, order: SpendOrder) -> Callable[[Connection], Payment]:
        """Ask the chain now; what is returned touches the database only."""
        context = self.context
        vault = context.vault(order.source)
        if isinstance(vault, SafeVault):
            turn = self._executor.quote(vault)
            return lambda tx: self._executor.build(tx, order, turn)
        if context.chains[order.network].family is Family.UTXO:
            price = self.utxo.quote(order.network)
            return lambda tx: self.utxo.build(tx, order, price)
        if order.sender is None:
            raise BadOrder("got an order without sender, expected the paying address")
        call = self.evm.transfer_call(order)
        quote = self.evm.quote(order.network, order.asset, order.sender, call, order.units)
        return lambda tx: self.evm.build(tx, order, call, quote)
