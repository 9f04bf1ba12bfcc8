"""/v1/hosted-keys/{id}/payments: prepared here, checked and signed on the user's own device."""

from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy import Connection, select

from wallet.api.bodies import NewHostedPayment, SignedPayment
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.services import Services
from wallet.api.views import HostedPaymentView
from wallet.errors import Invalid
from wallet.hosted_keys.journal import HostedPayment, find_payment, payment_of
from wallet.hosted_keys.records import find_key
from wallet.hosted_keys.states import HostedPaymentStatus
from wallet.store.schema import hosted_payments

router = APIRouter(
    prefix="/v1/hosted-keys/{key_id}/payments", tags=["hosted keys"], route_class=SignedRoute
)


class HostedAmountMissing(Invalid):
    """Neither `amount` nor `amount_units` was given, or both."""

    code = "hosted_payment.amount_missing"


@router.post("", status_code=201, response_model=HostedPaymentView)
def create_hosted_payment(body: NewHostedPayment, once: OnceNow, key_id: UUID) -> Response:
    """Unsigned bytes that pay exactly this, with today's fee; nothing is held until submitted."""
    services = once.call.services
    preparer = services.hosted.preparer
    units = _units(services, body)
    with services.db.read() as tx:
        key = find_key(tx, str(key_id))
    wish = preparer.wish(key, body.asset, body.address, units)
    # Asked before the transaction: a slow node must not hold the database.
    quote = preparer.quote(key, wish)

    def effect(tx: Connection) -> tuple[int, HostedPaymentView]:
        find_key(tx, key.id)
        return 201, _view(services, preparer.prepare(tx, key, wish, quote))

    return once.run(effect)


@router.get("")
def list_hosted_payments(call: CallNow, window: WindowNow, key_id: UUID) -> Page[HostedPaymentView]:
    """Payments of a hosted key, newest first."""
    query = select(hosted_payments).where(hosted_payments.c.key_id == str(key_id))
    with call.services.db.read() as tx:
        order = (hosted_payments.c.created_s, hosted_payments.c.id)
        return read_page(
            tx, query, window, order, lambda row: _view(call.services, payment_of(row))
        )


@router.get("/{payment_id}")
def read_hosted_payment(call: CallNow, key_id: UUID, payment_id: UUID) -> HostedPaymentView:
    """One payment; its status follows the chain."""
    with call.services.db.read() as tx:
        return _view(call.services, find_payment(tx, str(key_id), str(payment_id)))


@router.post("/{payment_id}/submit", response_model=HostedPaymentView)
def submit_hosted_payment(
    body: SignedPayment, once: OnceNow, key_id: UUID, payment_id: UUID
) -> Response:
    """Store the signed bytes, then send them; the status then says what the chain shows."""
    services = once.call.services
    submitter = services.hosted.submitter
    raw = bytes.fromhex(body.signed)
    with services.db.read() as tx:
        key = find_key(tx, str(key_id))
        payment = find_payment(tx, key.id, str(payment_id))
    txid = submitter.check(key, payment, raw)

    def effect(tx: Connection) -> tuple[int, HostedPaymentView]:
        find_key(tx, key.id)
        return 200, _view(services, submitter.submit(tx, key, payment.id, raw, txid))

    response = once.run(effect)
    with services.db.read() as tx:
        stored = find_payment(tx, key.id, payment.id)
    if stored.status is HostedPaymentStatus.SUBMITTED and not stored.sends:
        services.hosted.follower.send(stored)
    return response


def _units(services: Services, body: NewHostedPayment) -> int:
    match (body.amount, body.amount_units):
        case (str(text), None):
            return services.units(body.asset, text)
        case (None, str(text)):
            return int(text)
        case _:
            raise HostedAmountMissing(
                "got both or neither of amount and amount_units, expected one"
            )


def _view(services: Services, payment: HostedPayment) -> HostedPaymentView:
    fee_asset = services.hosted.context.native(payment.network)
    fee_units = payment.fee_units_max if payment.fee_units is None else payment.fee_units
    return HostedPaymentView(
        id=payment.id,
        key_id=payment.key_id,
        network=payment.network,
        asset=payment.asset,
        address=payment.address,
        amount=services.text(payment.asset, payment.units),
        amount_units=str(payment.units),
        fee_asset=fee_asset,
        fee=services.text(fee_asset, fee_units),
        fee_units=str(fee_units),
        unsigned=payment.unsigned.hex(),
        nonce=payment.nonce,
        status=payment.status,
        sub_status=payment.sub_status,
        txid=payment.txid,
        height=payment.height,
        created_s=payment.created_s,
        updated_s=payment.updated_s,
        expires_s=payment.expires_s,
    )
