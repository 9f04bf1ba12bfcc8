"""Payments that were final when a reorganisation took their block: followed until a block has them.

What they moved is booked. Whatever block holds them then, only what the network took can differ,
and that difference is booked. The very same bytes are sent again; nothing is ever built anew. One
that had failed is not sent again: its money was given back.
"""

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, select, update

from wallet.events import append_event
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.payments import journal, settle
from wallet.payments.context import PaymentContext
from wallet.payments.evidence import Evidence, Found, ask_node, evidence
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.sending.broadcasting import Broadcaster
from wallet.payments.states import PaymentStatus
from wallet.store.counters import next_number
from wallet.store.schema import payments

_LOST = (
    select(payments.c.id)
    .where(payments.c.network == bindparam("on"), payments.c.lost_s.is_not(None))
    .order_by(payments.c.created_s, payments.c.nonce, payments.c.id)
)


class LostPayments:
    """Follows the final payments that have no block."""

    def __init__(self, context: PaymentContext, broadcaster: Broadcaster) -> None:
        self._context = context
        self._broadcaster = broadcaster

    def run(self, network: str) -> int:
        """Look for each once; returns how many were found again. Raises NodeError."""
        with self._context.database.read() as tx:
            lost = [journal.get(tx, payment_id) for payment_id in _ids(tx, network)]
        return sum(self._follow(payment) for payment in lost)

    def _follow(self, payment: Payment) -> bool:
        context = self._context
        with context.database.read() as tx:
            signed = versions.signed(tx, payment.id)
        sightings = ask_node(context.chains[payment.network], signed)
        with context.write(payment.network) as tx:
            seen = evidence(tx, payment, signed, sightings)
            if seen.version is not None:
                self._found(tx, payment, seen, context.clock.now_s())
        if seen.version is not None:
            context.milestone("payment.found_again")
        elif seen.found is Found.NOTHING and payment.status is PaymentStatus.COMPLETED:
            self._broadcaster.resend_if_due(payment, sightings)
        return seen.version is not None

    def _found(self, tx: Connection, payment: Payment, seen: Evidence, now_s: int) -> None:
        """A block has it again: book what the fee differs by, and tell if it did something else."""
        if seen.version is not None and seen.version.number != payment.version:
            journal.count(tx, payment, seen.version)
        lines = self._difference(payment, seen.fee_units - (payment.fee_units or 0))
        if lines:
            cause = f"payment:{payment.id}:fee"
            post_batch(tx, f"{cause}:{next_number(tx, cause)}", lines, now_s)
        tx.execute(
            update(payments)
            .where(payments.c.id == payment.id, payments.c.lost_s.is_not(None))
            .values(height=seen.height, lost_s=None, fee_units=seen.fee_units)
        )
        same = seen.succeeded == (payment.status is PaymentStatus.COMPLETED)
        kind = "payment.found_again" if same else "alert.payment_changed"
        body = {"network": payment.network, "txid": payment.txid or "", "same": same}
        append_event(tx, kind, payment.id, body, now_s)

    def _difference(self, payment: Payment, rise_units: int) -> list[Transfer]:
        """What the network took more than was booked, or less."""
        lines = settle.fee_lines(self._context, payment, abs(rise_units))
        if rise_units > 0:
            return lines
        return [replace(line, debit=line.credit, credit=line.debit) for line in lines]


def _ids(tx: Connection, network: str) -> list[str]:
    return list(tx.execute(_LOST, {"on": network}).scalars())
