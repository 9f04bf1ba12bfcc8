"""Safe payments: the payload that owners sign, and the hot account's transaction that executes it.

The payload is a payment of its own, signed by files. Once enough owners signed, an ordinary EVM
payment of the hot account, its child, carries it to the chain; only the child is booked.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from chains.evm.addresses import checksum, from_text
from chains.evm.safe import SafeTx, SafeVault
from signer.protocol import Kind, OwnOutput
from wallet.payments import journal
from wallet.payments.building.evm import EvmBuilder, EvmCall
from wallet.payments.building.judging import Fee, check_caps, judge
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.requesting import seal_request
from wallet.payments.context import PaymentContext
from wallet.payments.errors import BadOrder, NotBuilt, SenderBusy, UnknownSource
from wallet.payments.journal import LostRace, NewPayment, Payment
from wallet.payments.settle import alert
from wallet.payments.states import PaymentStatus
from wallet.store.schema import payments

NONCE_SELECTOR = bytes.fromhex("affed0e0")
"""nonce(): the Safe's next nonce."""

_WORD = 32


EXECUTION_GAS = 150_000
"""About what execTransaction takes for a token transfer with two or three signatures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeQuote:
    """What the chain said just before building; wei for each unit of gas."""

    nonce: int
    max_fee_wei: int


class SafeExecutor:
    """Builds Safe payloads, and executes them when they are signed."""

    def __init__(self, context: PaymentContext, builder: EvmBuilder) -> None:
        self._context = context
        self._builder = builder

    def quote(self, vault: SafeVault) -> SafeQuote:
        """The Safe's next nonce, and what executing its payload costs now. Raises NodeError."""
        door = self._builder.door(vault.network)
        answer = door.call(vault.address, NONCE_SELECTOR)
        if len(answer) != _WORD:
            raise UnknownSource(f"got no Safe at {checksum(vault.address)}")
        return SafeQuote(nonce=int.from_bytes(answer, "big"), max_fee_wei=door.fees().max_fee_wei)

    def build(self, tx: Connection, order: SpendOrder, quote: SafeQuote) -> Payment:
        """Store a Safe payload for its owners to sign. Raises NotBuilt with the reason's code."""
        context = self._context
        vault = self._vault(order.source)
        call = self._builder.transfer_call(order)
        now_s = context.clock.now_s()
        # Judged now with the fee it will take, so that nobody signs what is then not executed.
        is_native = order.asset == context.native_asset(order.network)
        fee = Fee(
            units=EXECUTION_GAS * quote.max_fee_wei,
            rate_units=quote.max_fee_wei,
            basis_units=order.units if is_native else None,
        )
        nonce = quote.nonce
        _check_turn(tx, vault, nonce)
        check_caps(context.networks[order.network], order, fee)
        judge(tx, context.policy, context.chains[order.network], order, fee, now_s)
        payload = SafeTx(
            chain_id=vault.chain_id,
            safe=vault.address,
            to=call.to,
            value_wei=call.value_wei,
            data=call.data,
            nonce=nonce,
        ).encode()
        sealed = seal_request(
            tx, context, order, source=vault.name, kind=Kind.SAFE_TX, payload=payload, now_s=now_s
        )
        new = NewPayment(
            id=context.new_id(),
            purpose=order.purpose,
            asset=order.asset,
            sealed=sealed.sealed,
            request=sealed.request,
            payload_digest=sealed.payload_digest,
            units=order.units,
            fee_units_max=order.fee_units_max,
            sender=checksum(vault.address),
            nonce=nonce,
        )
        return journal.create(tx, new, now_s)

    def execute(self, parent: Payment) -> bool:
        """Build the transaction that carries a signed payload; the payload counts as broadcast."""
        if not self._build_child(parent):
            return False
        self._context.milestone("payment.built")
        return True

    def follow(self, parent: Payment) -> bool:
        """Take over the state of the execution; build it anew if it was given up unsigned."""
        context = self._context
        with context.database.read() as tx:
            child = journal.child_of(tx, parent.id)
        if child is None:
            return self._build_child(parent)
        after = _MIRRORED.get((parent.status, child.status))
        if after is None:
            return False
        with context.write(parent.network) as tx:
            journal.move(
                tx,
                parent,
                after,
                context.clock.now_s(),
                sub_status=child.sub_status,
                height=child.height,
            )
        return True

    def _build_child(self, parent: Payment) -> bool:
        context = self._context
        order = self._order(parent)
        sender = order.sender
        if parent.raw is None or sender is None:
            raise BadOrder("got a payload without signatures, expected a signed one")
        call = EvmCall(to=from_text(parent.sender or ""), value_wei=0, data=parent.raw)
        try:
            native = context.native_asset(parent.network)
            quote = self._builder.quote(parent.network, native, sender, call, 0)
            with context.write(parent.network) as tx:
                if journal.child_of(tx, parent.id) is not None:
                    raise LostRace("got a payload that is being executed already")
                self._builder.build(tx, order, call, quote, parent)
                if parent.status is PaymentStatus.SIGNED:
                    journal.move(tx, parent, PaymentStatus.BROADCAST, context.clock.now_s())
        except NotBuilt as error:
            with context.write(parent.network) as tx:
                alert(tx, parent, error.code, context.clock.now_s())
            return False
        return True

    def _order(self, parent: Payment) -> SpendOrder:
        """The payload's own order, with the hot account as the one who sends it."""
        hot = self._context.networks[parent.network].hot
        address = self._context.deriver.address_at(parent.network, hot, 0, 0).address
        return SpendOrder(
            network=parent.network,
            asset=parent.asset,
            source=parent.source,
            purpose=parent.purpose,
            intents=parent.request.intents,
            approvals=parent.request.approvals,
            own=parent.request.own,
            sender=OwnOutput(address=address, source=hot, branch=0, index=0),
            safe_nonce=SafeTx.decode(parent.request.payload).nonce,
        )

    def _vault(self, source: str) -> SafeVault:
        vault = self._context.vault(source)
        if not isinstance(vault, SafeVault):
            raise UnknownSource(f"got source {source!r}, expected a Safe")
        return vault


def _check_turn(tx: Connection, vault: SafeVault, nonce: int) -> None:
    """One payload of a Safe at a time: owners sign its next nonce, and only one can have it."""
    taken = tx.execute(
        select(payments.c.id).where(
            payments.c.network == vault.network,
            payments.c.sender == checksum(vault.address),
            payments.c.nonce >= nonce,
        )
    ).first()
    if taken is not None:
        raise SenderBusy(f"got payment {taken.id} of the Safe {vault.name} before this one")


_P = PaymentStatus
_MIRRORED = {
    (_P.BROADCAST, _P.CONFIRMING): _P.CONFIRMING,
    (_P.BROADCAST, _P.COMPLETED): _P.CONFIRMING,
    (_P.BROADCAST, _P.FAILED): _P.FAILED,
    (_P.CONFIRMING, _P.BROADCAST): _P.BROADCAST,
    (_P.CONFIRMING, _P.COMPLETED): _P.COMPLETED,
    (_P.CONFIRMING, _P.FAILED): _P.FAILED,
}
"""(payload's state, execution's state) to the payload's next state."""
