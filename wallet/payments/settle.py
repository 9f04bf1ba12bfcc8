"""What a payment's end means: ledger batch, withdrawals, coins and state in one transaction.

A batch is named after its payment, so that ending twice books once.
"""

from typing import assert_never

from sqlalchemy import ColumnElement, Connection, update

from signer.protocol import Kind, Purpose
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.payments import journal
from wallet.payments.context import PaymentContext
from wallet.payments.journal import Payment
from wallet.payments.states import PaymentStatus
from wallet.payments.token_evidence import TokenProof
from wallet.store.schema import utxos
from wallet.withdrawals import records
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.requests import void_hold
from wallet.withdrawals.states import WithdrawalStatus

ALONE = "alone"
"""Sub-status of a queued withdrawal whose batch was refused: it is built by itself next time."""


def complete(
    tx: Connection,
    context: PaymentContext,
    payment: Payment,
    fee_units: int,
    now_s: int,
    proof: TokenProof | None = None,
) -> None:
    """Book a payment that is deep enough; `fee_units` is what the chain took.

    Of a token that is booked which moved by `proof`; what it kept for itself is an expense.
    """
    lines: list[Transfer] = []
    left, arrived = payment.units, payment.units
    if proof is not None:
        left, arrived = proof.left_units, proof.arrived_units
    if payment.purpose is Purpose.WITHDRAWAL:
        lines.extend(_kept_by_token(payment, chart.HOT, left - payment.units))
        carried = records.carried_by(tx, payment.id)
        for withdrawal in carried:
            lines.extend(_paid_out(withdrawal))
        records.move_all(tx, carried, WithdrawalStatus.COMPLETED, now_s, payment_id=payment.id)
    elif payment.purpose is not Purpose.UNSTICK:
        into, out_of = places(payment.purpose)
        lines.extend(_kept_by_token(payment, out_of, left - arrived))
        if arrived and into != out_of:
            moved = Transfer.single(debit=into, credit=out_of, asset=payment.asset, units=arrived)
            lines.append(moved)
    lines.extend(fee_lines(context, payment, fee_units))
    post_batch(tx, f"payment:{payment.id}:completed", lines, now_s)
    journal.move(tx, payment, PaymentStatus.COMPLETED, now_s, fee_units=fee_units)
    # Coins that only a version consumed which was not mined are free again.
    _free_coins(tx, payment, utxos.c.spent_txid.is_(None))
    announce(tx, payment, PaymentStatus.COMPLETED, "", now_s)


def fail(
    tx: Connection,
    context: PaymentContext,
    payment: Payment,
    why: str,
    fee_units: int,
    now_s: int,
) -> None:
    """End a payment that the chain shows to have moved nothing but its fee."""
    for withdrawal in records.carried_by(tx, payment.id):
        records.move(
            tx,
            withdrawal,
            WithdrawalStatus.FAILED,
            now_s,
            sub_status=why[:64],
            payment_id=payment.id,
        )
        void_hold(tx, withdrawal, now_s)
    fee = fee_lines(context, payment, fee_units)
    if fee:
        post_batch(tx, f"payment:{payment.id}:failed", fee, now_s)
    journal.move(tx, payment, PaymentStatus.FAILED, now_s, sub_status=why[:64], fee_units=fee_units)
    _free_coins(tx, payment)
    announce(tx, payment, PaymentStatus.FAILED, why, now_s)


def abandon(
    tx: Connection, payment: Payment, why: str, *, refused: bool, any_signature: bool, now_s: int
) -> None:
    """Give up a payment that can never become valid; its coins and its nonce are free again.

    Its withdrawals go back to the queue only while no signer has signed for them: a signer signs an
    intent once, so after that they end and give the money back.
    """
    carried = records.carried_by(tx, payment.id)
    for withdrawal in carried:
        if any_signature:
            after, sub_status = WithdrawalStatus.FAILED, why
        elif refused and len(carried) == 1:
            after, sub_status = WithdrawalStatus.BLOCKED, why
        else:
            after, sub_status = WithdrawalStatus.QUEUED, ALONE if refused else ""
        records.move(tx, withdrawal, after, now_s, sub_status=sub_status[:64])
        if after is WithdrawalStatus.FAILED:
            void_hold(tx, withdrawal, now_s)
    journal.move(tx, payment, PaymentStatus.ABANDONED, now_s, sub_status=why[:64], nonce=None)
    _free_coins(tx, payment)
    announce(tx, payment, PaymentStatus.ABANDONED, why, now_s)


def move_with_withdrawals(
    tx: Connection,
    payment: Payment,
    after: PaymentStatus,
    withdrawal_after: WithdrawalStatus,
    now_s: int,
    **changes: object,
) -> None:
    """Take an arrow together with every withdrawal that the payment carries."""
    journal.move(tx, payment, after, now_s, **changes)
    carried = records.carried_by(tx, payment.id)
    records.move_all(tx, carried, withdrawal_after, now_s, payment_id=payment.id)


def alert(tx: Connection, payment: Payment, what: str, now_s: int) -> None:
    """Tell people, once for each new reason, that a payment needs them."""
    if payment.sub_status != what[:64]:
        journal.note(tx, payment, what[:64], now_s)
        body = {"payment_id": payment.id, "network": payment.network, "reason": what}
        append_event(tx, "alert.payment", payment.id, body, now_s)


def _paid_out(withdrawal: Withdrawal) -> list[Transfer]:
    lines = [
        Transfer.post(hold_id=withdrawal.id),
        Transfer.single(
            debit=chart.CLEARING,
            credit=chart.HOT,
            asset=withdrawal.asset,
            units=withdrawal.units,
        ),
    ]
    if withdrawal.fee_units:
        lines.append(
            Transfer.single(
                debit=chart.CLEARING,
                credit=chart.FEE_INCOME,
                asset=withdrawal.asset,
                units=withdrawal.fee_units,
            )
        )
    return lines


def _kept_by_token(payment: Payment, place: str, units: int) -> list[Transfer]:
    """What left a place and did not arrive; negative where rounding was in our favour."""
    if not units:
        return []
    expense, coins = (chart.KEPT_BY_TOKENS, place) if units > 0 else (place, chart.KEPT_BY_TOKENS)
    return [Transfer.single(debit=expense, credit=coins, asset=payment.asset, units=abs(units))]


def places(purpose: Purpose) -> tuple[str, str]:
    """Where the money is after the payment, and where it was before."""
    match purpose:
        case Purpose.GATHER:
            return chart.HOT, chart.DEPOSIT
        case Purpose.TOP_UP:
            return chart.DEPOSIT, chart.HOT
        case Purpose.SWEEP:
            return chart.COLD, chart.HOT
        case Purpose.REFILL:
            return chart.HOT, chart.COLD
        case Purpose.RESHAPE:
            return chart.HOT, chart.HOT
        case Purpose.WITHDRAWAL:
            return chart.CLEARING, chart.HOT
        case Purpose.UNSTICK:
            return chart.HOT, chart.HOT
        case Purpose.GOVERNANCE | Purpose.RESERVES:
            raise ValueError(f"got {purpose}, expected a purpose that moves money")
    assert_never(purpose)


def fee_lines(context: PaymentContext, payment: Payment, fee_units: int) -> list[Transfer]:
    """What the chain took, booked where it was paid from."""
    if not fee_units:
        return []
    _, payer = places(payment.purpose)
    if payment.parent_id is not None or payment.request.kind is Kind.EVM_BATCH:
        # The hot account carries a Safe payload, or sends a batch: it pays, whatever moves.
        payer = chart.HOT
    native = context.native_asset(payment.network)
    return [Transfer.single(debit=chart.NETWORK_FEES, credit=payer, asset=native, units=fee_units)]


def _free_coins(tx: Connection, payment: Payment, *which: ColumnElement[bool]) -> None:
    if payment.sender is None:  # a sender's payments take no coins
        tx.execute(
            update(utxos).where(utxos.c.payment_id == payment.id, *which).values(payment_id=None)
        )


def announce(tx: Connection, payment: Payment, status: PaymentStatus, why: str, now_s: int) -> None:
    """The event of a payment's end."""
    body = {
        "payment_id": payment.id,
        "purpose": str(payment.purpose),
        "network": payment.network,
        "asset": payment.asset,
        "amount_units": str(payment.units),
        "status": str(status),
        "reason": why,
        "txid": payment.txid or "",
    }
    append_event(tx, f"payment.{status}", payment.id, body, now_s)
