"""What time and payments make of treasury requests. Knows rows only; safe to run at any moment."""

from typing import assert_never

from sqlalchemy import Connection

from wallet.payments import journal
from wallet.payments.journal import Payment
from wallet.payments.states import PaymentStatus
from wallet.treasury import requests
from wallet.treasury.requests import TreasuryRequest
from wallet.treasury.states import UNFINISHED, RequestStatus

CALLED_OFF = "called_off"
"""Why a payment was abandoned when staff cancelled its request."""


def follow(tx: Connection, now_s: int) -> int:
    """Bring every unfinished request to where its payment is, or end it when its time is over.

    Returns how many changed. Runs before thresholds are looked at, in the same transaction:
    money that a payment has booked must not count as still moving.
    """
    changed = 0
    for request in requests.in_states(tx, UNFINISHED):
        after, why = _due(tx, request, now_s)
        if after is not request.status:
            requests.move(tx, request, after, now_s, sub_status=why)
            changed += 1
    return changed


def is_behind(tx: Connection, now_s: int) -> bool:
    """Whether `follow` would change anything; asked first, so that idle rounds never write."""
    open_requests = requests.in_states(tx, UNFINISHED)
    return any(_due(tx, request, now_s)[0] is not request.status for request in open_requests)


def _given_up(why: str, *, late: bool) -> RequestStatus:
    if why == CALLED_OFF:
        return RequestStatus.CANCELLED
    return RequestStatus.EXPIRED if late else RequestStatus.FAILED


def carrier_of(tx: Connection, payment_id: str) -> Payment:
    """The payment whose bytes go to the chain: a Safe payload is carried by another one."""
    return journal.child_of(tx, payment_id) or journal.get(tx, payment_id)


def _due(tx: Connection, request: TreasuryRequest, now_s: int) -> tuple[RequestStatus, str]:
    late = now_s >= request.expires_s
    if request.payment_id is None:
        return (RequestStatus.EXPIRED, "no_payment") if late else (request.status, "")
    payment = carrier_of(tx, request.payment_id)
    match payment.status:
        case PaymentStatus.BUILT | PaymentStatus.SIGNING | PaymentStatus.SIGNED:
            return request.status, ""
        case PaymentStatus.BROADCAST | PaymentStatus.CONFIRMING:
            return RequestStatus.BROADCAST, ""
        case PaymentStatus.COMPLETED:
            return RequestStatus.COMPLETED, ""
        case PaymentStatus.FAILED:
            return RequestStatus.FAILED, payment.sub_status
        case PaymentStatus.ABANDONED:
            return _given_up(payment.sub_status, late=late), payment.sub_status
    assert_never(payment.status)
