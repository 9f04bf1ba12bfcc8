"""Ending a token payment that its token leaves unproven: a person looked, and says which it was."""

from wallet.errors import Conflict
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.payments import journal, settle
from wallet.payments.context import PaymentContext
from wallet.payments.evidence import Found, ask_node, evidence
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.states import PaymentStatus
from wallet.payments.token_evidence import (
    UNPROVEN,
    TokenProof,
    Verdict,
    prove_if_due,
)

NOT_PAID = "not_paid:"
"""How the sub-status of a payment begins that a person ended as not paid."""


class NotUnproven(Conflict):
    """Only a payment whose token does not show that it paid waits for a person."""

    code = "payment.not_unproven"


def decide(context: PaymentContext, payment_id: str, *, paid: bool, by: str) -> None:
    """End an unproven payment as paid or not; the books follow the chain either way.

    What left us though nobody was paid is the house's loss. Raises NotUnproven or NodeError.
    """
    with context.database.read() as tx:
        payment = journal.get(tx, payment_id)
        signed = versions.signed(tx, payment_id)
    _check_waits(payment)
    sightings = ask_node(context.chains[payment.network], signed)
    proof = prove_if_due(context, payment, sightings.get(payment.version))
    with context.database.write() as tx:
        seen = evidence(tx, payment, signed, sightings)
        if seen.found is not Found.MINED or proof is None or proof.verdict is not Verdict.UNPROVEN:
            raise NotUnproven(f"got payment {payment_id}, which its chain shows otherwise now")
        now_s = context.clock.now_s()
        if paid:
            settle.complete(tx, context, payment, seen.fee_units, now_s, _as_moved(proof))
        else:
            settle.fail(tx, context, payment, f"{NOT_PAID}{by}", seen.fee_units, now_s)
            if proof.left_units > 0:
                post_batch(tx, f"payment:{payment.id}:lost", [_loss(payment, proof)], now_s)
        body = {"payment_id": payment.id, "was": proof.why, "paid": paid, "by": by}
        append_event(tx, "payment.decided", payment.id, body, now_s)


def _check_waits(payment: Payment) -> None:
    waits = payment.status is PaymentStatus.CONFIRMING and payment.sub_status.startswith(UNPROVEN)
    if not waits:
        raise NotUnproven(
            f"got payment {payment.id} that is {payment.status} {payment.sub_status}".strip()
            + f", expected one confirming with {UNPROVEN}..."
        )


def _as_moved(proof: TokenProof) -> TokenProof | None:
    """What the chain shows to have moved; as asked where it shows no amounts."""
    return proof if proof.left_units >= proof.arrived_units >= 0 < proof.left_units else None


def _loss(payment: Payment, proof: TokenProof) -> Transfer:
    _, place = settle.places(payment.purpose)
    return Transfer.single(
        debit=chart.HOUSE, credit=place, asset=payment.asset, units=proof.left_units
    )
