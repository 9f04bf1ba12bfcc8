"""From an order and exact bytes to the sealed request that signers get."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection

from signer.protocol import Kind, Sealed, SignRequest
from wallet.ledger.versions.heads import latest_head
from wallet.ledger.versions.undone import undone_around
from wallet.payments import journal
from wallet.payments.building.orders import SpendOrder
from wallet.payments.context import PaymentContext
from wallet.payments.errors import NotBuilt

REQUEST_LIFE_S = 900
"""A hot signer answers in seconds; a request older than this is given up and built anew."""

_SENT = frozenset({Kind.EVM_TX, Kind.EVM_AUTH, Kind.EVM_BATCH})
"""Signed by an account's own key, whose origin the request says."""


class OrderExpired(NotBuilt):
    """The order's time is over: nothing may be built for it any more."""

    code = "payment.order_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRequest:
    """A request, its sealed form, and the digest of its payload."""

    request: SignRequest
    sealed: Sealed
    payload_digest: bytes


def seal_request(
    tx: Connection,
    context: PaymentContext,
    order: SpendOrder,
    *,
    source: str,
    kind: Kind,
    payload: bytes,
    now_s: int,
) -> SealedRequest:
    """Seal a request to all who hold keys of `source`. Raises OrderExpired.

    It relays what each of them last said of its log, so that one put back notices itself, and the
    ledger's last signed head, for them to keep.
    """
    expires_s = order.expires_s
    if not context.is_offline(source):
        expires_s = min(expires_s, now_s + REQUEST_LIFE_S)
    if expires_s <= now_s:
        raise OrderExpired("got an order whose time is over")
    signers = tuple(signer.id for signer in context.signers_of(source))
    head = latest_head(tx)
    request = SignRequest(
        request_id=context.new_id(),
        created_s=now_s,
        expires_s=expires_s,
        network=order.network,
        source=source,
        kind=kind,
        payload=payload,
        intents=order.intents,
        approvals=order.approvals,
        sender=order.sender if kind in _SENT else None,
        own=order.own,
        signers=signers,
        prev_state=journal.signer_states(tx, signers),
        safe_nonce=order.safe_nonce,
        ledger_head=head,
        rollbacks=undone_around(tx, head),
    )
    return SealedRequest(
        request=request,
        sealed=context.coordinator.seal(request),
        payload_digest=hashlib.sha256(payload).digest(),
    )
