"""The payment journal: what was asked, signed, sent and answered, each stored before its act.

Every change of state is a compare-and-set, so that of two workers only one can take an arrow.
This module knows rows; it knows no chain, no signer and no ledger.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from signer.protocol import (
    ANSWER,
    Kind,
    Purpose,
    Sealed,
    SignAnswer,
    SignerState,
    SignRequest,
)
from wallet.errors import Conflict, NotFound
from wallet.payments.replacing import versions
from wallet.payments.replacing.versions import Act, NewVersion, Version
from wallet.payments.states import UNFINISHED, PaymentStatus, check_arrow
from wallet.signing.stored import stored_request
from wallet.store.schema import payment_answers, payments

_GET = select(payments).where(payments.c.id == bindparam("this"))
_INSERT = insert(payments)
_MOVE = update(payments).where(
    payments.c.id == bindparam("this"), payments.c.status == bindparam("before")
)
_COUNT = _MOVE.where(payments.c.version == bindparam("counted"))
_NOTE = _MOVE.where(payments.c.sub_status != bindparam("said"))
_IS_UNFINISHED = (
    payments.c.network == bindparam("on"),
    payments.c.status.in_([str(status) for status in UNFINISHED]),
)
_IN_TURN = (payments.c.created_s, payments.c.nonce, payments.c.id)
_UNFINISHED = select(payments.c.id).where(*_IS_UNFINISHED).order_by(*_IN_TURN)
_UNFINISHED_OF = (
    select(payments)
    .where(*_IS_UNFINISHED, payments.c.purpose.in_(bindparam("wanted", expanding=True)))
    .order_by(*_IN_TURN)
)
_ANSWERED = select(payment_answers.c.answer).where(
    payment_answers.c.payment_id == bindparam("this"),
    payment_answers.c.version == bindparam("number"),
    payment_answers.c.signer_id == bindparam("signer"),
)
_COUNTED = select(payment_answers.c.payment_id).where(
    payment_answers.c.signer_id == bindparam("signer"),
    payment_answers.c.counter == bindparam("place"),
)
_INSERT_ANSWER = insert(payment_answers)
_LATEST = (
    select(payment_answers.c.answer)
    .where(payment_answers.c.signer_id == bindparam("signer"))
    .order_by(payment_answers.c.counter.desc())
    .limit(1)
)
_ANSWERS = (
    select(payment_answers.c.signer_id, payment_answers.c.answer)
    .where(
        payment_answers.c.payment_id == bindparam("this"),
        payment_answers.c.version == bindparam("number"),
    )
    .order_by(payment_answers.c.signer_id)
)


class PaymentNotFound(NotFound):
    """No payment has this id."""

    code = "payment.not_found"


class LostRace(Conflict):
    """Somebody else changed the payment first: read it again."""

    code = "payment.lost_race"


class AnswerConflict(Conflict):
    """A signer gave two different answers to one request: stop and look."""

    code = "payment.answer_conflict"


class SignerForked(Conflict):
    """Two answers in one place of a signer's log: it was put back or copied. Stop it and look."""

    code = "payment.signer_forked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One transaction on a chain. Units are of `asset`; fees are native base units."""

    id: str
    network: str
    asset: str
    purpose: Purpose
    source: str
    status: PaymentStatus
    sub_status: str
    version: int
    sealed: Sealed
    request: SignRequest
    units: int
    fee_units_max: int
    fee_units: int | None
    sender: str | None
    nonce: int | None
    raw: bytes | None
    txid: str | None
    height: int | None
    parent_id: str | None
    created_s: int
    updated_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """A payment about to be written; its request is already sealed."""

    id: str
    purpose: Purpose
    asset: str
    sealed: Sealed
    request: SignRequest
    payload_digest: bytes
    units: int
    fee_units_max: int
    fee_units: int | None = None
    sender: str | None = None
    nonce: int | None = None
    parent_id: str | None = None


def create(tx: Connection, new: NewPayment, now_s: int) -> Payment:
    """Write a built payment and its first version: durable before anybody is asked to sign."""
    tx.execute(
        _INSERT,
        {
            "id": new.id,
            "network": new.request.network,
            "asset": new.asset,
            "purpose": str(new.purpose),
            "source": new.request.source,
            "status": str(PaymentStatus.BUILT),
            "sub_status": "",
            "version": 1,
            "request": new.sealed.encode(),
            "request_id": new.request.request_id,
            "payload_digest": new.payload_digest,
            "units": new.units,
            "fee_units_max": new.fee_units_max,
            "fee_units": new.fee_units,
            "sender": new.sender,
            "nonce": new.nonce,
            "parent_id": new.parent_id,
            "created_s": now_s,
            "updated_s": now_s,
            "since_s": now_s,
        },
    )
    first = NewVersion(
        act=Act.PAY,
        sealed=new.sealed,
        request=new.request,
        payload_digest=new.payload_digest,
        fee_units_max=new.fee_units_max,
        consumes=versions.consumed(new.request, new.sender, new.nonce),
        height=versions.scanned_height(tx, new.request.network),
    )
    versions.add(tx, new.id, first, now_s)
    return get(tx, new.id)


def get(tx: Connection, payment_id: str) -> Payment:
    """One payment. Raises PaymentNotFound."""
    row = tx.execute(_GET, {"this": payment_id}).one_or_none()
    if row is None:
        raise PaymentNotFound(f"got payment {payment_id}, expected one that exists")
    return _payment(row)


def unfinished_ids(tx: Connection, network: str) -> list[str]:
    """Payments of a network that still need work, oldest first; EVM nonces in their order."""
    return list(tx.execute(_UNFINISHED, {"on": network}).scalars())


def abandoned_after(
    tx: Connection, network: str, purposes: Iterable[Purpose], after_s: int
) -> list[Payment]:
    """Payments of some purposes that were given up since a time (Unix seconds)."""
    rows = tx.execute(
        select(payments).where(
            payments.c.network == network,
            payments.c.purpose.in_([str(purpose) for purpose in purposes]),
            payments.c.status == str(PaymentStatus.ABANDONED),
            payments.c.updated_s > after_s,
        )
    )
    return [_payment(row) for row in rows]


def unfinished(
    tx: Connection, network: str, *, purposes: Iterable[Purpose] | None = None
) -> list[Payment]:
    """Unfinished payments of a network, all or of some purposes."""
    # Only those asked for are read whole: a request takes long to decode.
    wanted = [str(purpose) for purpose in (Purpose if purposes is None else purposes)]
    rows = tx.execute(_UNFINISHED_OF, {"on": network, "wanted": wanted})
    return [_payment(row) for row in rows]


def child_of(tx: Connection, payment_id: str) -> Payment | None:
    """The latest payment that executes a Safe payload, or None."""
    row = tx.execute(
        select(payments)
        .where(
            payments.c.parent_id == payment_id,
            payments.c.status != str(PaymentStatus.ABANDONED),
        )
        .order_by(payments.c.created_s.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _payment(row)


def move(
    tx: Connection, payment: Payment, after: PaymentStatus, now_s: int, **changes: object
) -> None:
    """Take an arrow by compare-and-set. Raises ForbiddenPaymentArrow or LostRace."""
    check_arrow(payment.status, after)
    values: dict[str, object] = {
        "status": str(after),
        "sub_status": "",
        "updated_s": now_s,
        "since_s": now_s,
    }
    values.update(changes)
    asked = {"this": payment.id, "before": str(payment.status)}
    done = tx.execute(_MOVE, asked | values)
    if done.rowcount != 1:
        raise LostRace(f"got payment {payment.id} no longer {payment.status}")


def count(tx: Connection, payment: Payment, version: Version) -> None:
    """Let another signed version be the one that counts, by compare-and-set. Raises LostRace."""
    done = tx.execute(
        _COUNT,
        {
            "this": payment.id,
            "before": str(payment.status),
            "counted": payment.version,
            "version": version.number,
            "request": version.sealed.encode(),
            "request_id": version.request.request_id,
            "payload_digest": version.payload_digest,
            "fee_units_max": version.fee_units_max,
            "fee_units": None if version.request.kind is not Kind.PSBT else version.fee_units_max,
            "raw": version.raw,
            "txid": version.txid,
        },
    )
    if done.rowcount != 1:
        raise LostRace(f"got payment {payment.id} no longer at version {payment.version}")


def in_version(payment: Payment, version: Version) -> Payment:
    """The payment as one of its versions has it."""
    return replace(
        payment,
        version=version.number,
        sealed=version.sealed,
        request=version.request,
        fee_units_max=version.fee_units_max,
        raw=version.raw,
        txid=version.txid,
    )


def note(tx: Connection, payment: Payment, sub_status: str, now_s: int) -> None:
    """Say why a payment waits; its state stays. Writes only on change, so ages stay honest."""
    asked = {"this": payment.id, "before": str(payment.status), "said": sub_status}
    tx.execute(_NOTE, {**asked, "sub_status": sub_status, "updated_s": now_s})


def save_answer(
    tx: Connection, payment_id: str, signer_id: str, answer: bytes, now_s: int, version: int = 1
) -> bool:
    """Keep a signer's sealed answer to this version; the same one again is a repeat (False).

    Raises AnswerConflict when the signer has answered otherwise before, SignerForked when another
    answer of it has the same counter.
    """
    asked = {"this": payment_id, "number": version, "signer": signer_id}
    before = tx.execute(_ANSWERED, asked).scalar_one_or_none()
    if before is not None:
        if bytes(before) != answer:
            raise AnswerConflict(f"got a second, different answer of {signer_id}")
        return False
    counter = _answer(answer).counter
    taken = tx.execute(_COUNTED, {"signer": signer_id, "place": counter}).scalar_one_or_none()
    if taken is not None:
        raise SignerForked(f"got two answers of {signer_id} with counter {counter}")
    tx.execute(
        _INSERT_ANSWER,
        {
            "payment_id": payment_id,
            "version": version,
            "signer_id": signer_id,
            "answer": answer,
            "counter": counter,
            "received_s": now_s,
        },
    )
    return True


def signer_states(tx: Connection, signer_ids: Sequence[str]) -> tuple[SignerState, ...]:
    """How far each signer's log was at its latest answer; what the next request relays."""
    found = []
    for signer_id in signer_ids:
        latest = tx.execute(_LATEST, {"signer": signer_id}).scalar_one_or_none()
        if latest is not None:
            found.append(_answer(bytes(latest)).state)
    return tuple(found)


def answers(tx: Connection, payment_id: str, version: int = 1) -> dict[str, bytes]:
    """Sealed answers to this version by signer, in the order of their names."""
    rows = tx.execute(_ANSWERS, {"this": payment_id, "number": version})
    return {row.signer_id: bytes(row.answer) for row in rows}


def _answer(data: bytes) -> SignAnswer:
    return SignAnswer.decode(Sealed.decode(data, ANSWER).body)


def _payment(row: Row[Any]) -> Payment:
    sealed, request = stored_request(bytes(row.request))
    return Payment(
        id=row.id,
        network=row.network,
        asset=row.asset,
        purpose=Purpose(row.purpose),
        source=row.source,
        status=PaymentStatus(row.status),
        sub_status=row.sub_status,
        version=row.version,
        sealed=sealed,
        request=request,
        units=row.units,
        fee_units_max=row.fee_units_max,
        fee_units=row.fee_units,
        sender=row.sender,
        nonce=row.nonce,
        raw=None if row.raw is None else bytes(row.raw),
        txid=row.txid,
        height=row.height,
        parent_id=row.parent_id,
        created_s=row.created_s,
        updated_s=row.updated_s,
    )
