"""Delegations: each deposit address gives the sweeper its leave once, and what became of it.

An authorisation is a payment of the journal that pays nobody: asked for, signed and kept like any
other, so that a crash loses none. It takes the address's next nonce; from then on only a batch
can go from there, until the chain has used that nonce.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from chains.evm.addresses import from_text
from chains.evm.authorizations import Authorization, SignedAuthorization
from chains.evm.sweeper import delegation_code
from policies import OrderFacts, Outcome
from policies.acts import decide_delegation
from signer.protocol import Kind
from wallet.gathers.books import Heap
from wallet.gathers.deciding import Delegation
from wallet.gathers.orders import Orders
from wallet.gathers.ports import GatherDoor
from wallet.payments import journal
from wallet.payments.building.evm import next_nonce
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.requesting import seal_request
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import PolicyRefused
from wallet.payments.journal import NewPayment, Payment
from wallet.payments.states import FINAL, PaymentStatus
from wallet.store.schema import delegations, payments

_HELD = frozenset({PaymentStatus.SIGNED, PaymentStatus.BROADCAST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an address stands to the sweeper; `leave` is what a batch may carry for it."""

    state: Delegation
    authorization: Payment | None = None
    leave: SignedAuthorization | None = None


NOBODY = Standing(state=Delegation.NONE)


class Delegations:
    """Asks deposit signers for authorisations and follows what batches make of them."""

    def __init__(self, desk: PaymentDesk, orders: Orders) -> None:
        self._desk = desk
        self._context = desk.context
        self._orders = orders

    def standings(self, tx: Connection, network: str) -> dict[str, Standing]:
        """Every address that was ever asked, by address id; the latest answer counts."""
        sweeper = self._context.networks[network].sweeper
        rows = tx.execute(
            select(delegations)
            .join(payments, payments.c.id == delegations.c.payment_id)
            .where(payments.c.network == network, delegations.c.sweeper == sweeper)
            .order_by(payments.c.created_s, payments.c.id)
        ).all()
        return {
            row.address_id: self._standing(tx, journal.get(tx, row.payment_id), row.batch_id)
            for row in rows
        }

    def ask(self, network: str, heap: Heap, door: GatherDoor) -> None:
        """Have an address's signer authorise the sweeper. Raises NotBuilt or NodeError."""
        context = self._context
        settings = context.networks[network]
        asset = context.assets[context.native_asset(network)]
        mined = door.nonce(heap.target)
        with context.database.write() as tx:
            nonce = next_nonce(tx, network, heap.sender.address, mined)
            payload = Authorization(
                chain_id=door.chain_id, delegate=from_text(settings.sweeper), nonce=nonce
            ).encode()
            order = self._orders.act(asset, heap.sender, payload)
            self._judge(order)
            now_s = context.clock.now_s()
            sealed = seal_request(
                tx,
                context,
                order,
                source=heap.sender.source,
                kind=Kind.EVM_AUTH,
                payload=payload,
                now_s=now_s,
            )
            payment = journal.create(
                tx,
                NewPayment(
                    id=context.new_id(),
                    purpose=order.purpose,
                    asset=order.asset,
                    sealed=sealed.sealed,
                    request=sealed.request,
                    payload_digest=sealed.payload_digest,
                    units=0,
                    fee_units_max=0,
                    sender=heap.sender.address,
                    nonce=nonce,
                ),
                now_s,
            )
            tx.execute(
                insert(delegations).values(
                    payment_id=payment.id, address_id=heap.address_id, sweeper=settings.sweeper
                )
            )
        context.milestone("gather.authorization_built")
        self._desk.advance(payment.id)

    def carry(self, tx: Connection, authorization: Payment, batch_id: str, now_s: int) -> None:
        """Hand a signed authorisation to a batch, in the transaction that stores the batch."""
        if authorization.status is PaymentStatus.SIGNED:
            journal.move(tx, authorization, PaymentStatus.BROADCAST, now_s)
        tx.execute(
            update(delegations)
            .where(delegations.c.payment_id == authorization.id)
            .values(batch_id=batch_id)
        )

    def follow(self, network: str, door: GatherDoor) -> int:
        """End authorisations that the chain has decided about; returns how many. Raises NodeError.

        A batch that reverts still applies them, and one that never comes leaves them good.
        """
        with self._context.database.read() as tx:
            carried = [
                (journal.get(tx, row.payment_id), row.sweeper)
                for row in tx.execute(
                    select(delegations)
                    .join(payments, payments.c.id == delegations.c.payment_id)
                    .where(
                        payments.c.network == network,
                        payments.c.status == str(PaymentStatus.BROADCAST),
                    )
                ).all()
                if self._is_over(tx, row.batch_id)
            ]
        ended = 0
        for payment, sweeper in carried:
            target = from_text(payment.sender or "")
            applied = door.code_at(target) == delegation_code(from_text(sweeper))
            if applied or door.nonce(target) > (payment.nonce or 0):
                self._end(payment, applied=applied)
                ended += 1
        return ended

    def _end(self, payment: Payment, *, applied: bool) -> None:
        now_s = self._context.clock.now_s()
        with self._context.database.write() as tx:
            if not applied:
                # Its nonce was used for something else, so it can never be applied any more.
                journal.move(tx, payment, PaymentStatus.FAILED, now_s, sub_status="not_applied")
                return
            journal.move(tx, payment, PaymentStatus.CONFIRMING, now_s)
            journal.move(tx, journal.get(tx, payment.id), PaymentStatus.COMPLETED, now_s)
        self._context.milestone("gather.delegated")

    def _standing(self, tx: Connection, payment: Payment, batch_id: str | None) -> Standing:
        if payment.status is PaymentStatus.COMPLETED:
            return Standing(state=Delegation.ACTIVE)
        if payment.status is PaymentStatus.ABANDONED:
            refused = payment.sub_status.startswith("refused")
            return Standing(state=Delegation.REFUSED if refused else Delegation.NONE)
        if payment.status is PaymentStatus.FAILED:
            return NOBODY
        free = payment.status in _HELD and (batch_id is None or self._is_over(tx, batch_id))
        if not free or payment.raw is None:
            return Standing(state=Delegation.GIVEN)
        leave = SignedAuthorization.decode(payment.raw)
        return Standing(state=Delegation.GIVEN, authorization=payment, leave=leave)

    @staticmethod
    def _is_over(tx: Connection, batch_id: str | None) -> bool:
        return batch_id is not None and journal.get(tx, batch_id).status in FINAL

    def _judge(self, order: SpendOrder) -> None:
        """The service's own policy before a signer is asked. Raises PolicyRefused."""
        intent = order.intents[0]
        facts = OrderFacts(
            order_id=intent.intent_id,
            requester=intent.requester,
            payees=(),
            approvers=frozenset(),
        )
        decision = decide_delegation(
            self._context.policy, order.network, order.asset, order.source, facts
        )
        if decision.outcome is not Outcome.ALLOW:
            raise PolicyRefused(decision.text, {"reason": decision.code})
