"""Versions of a payment as rows: what was asked for, what it consumes, and the signed bytes.

A payment has one version from the start; a replacement is one more. Two versions may exist only
because they conflict: each consumes something (an outpoint, or its sender's nonce) that every
earlier one consumes too, and a chain lets only one transaction have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from chains.utxo.psbt import Psbt
from signer.protocol import Kind, Purpose, Sealed, SignRequest
from wallet.errors import Conflict
from wallet.signing.stored import stored_request
from wallet.store.schema import blocks, payment_versions, payments

_OF = (
    select(payment_versions)
    .where(payment_versions.c.payment_id == bindparam("of"))
    .order_by(payment_versions.c.number)
)
_INSERT = insert(payment_versions)
_CHANGE = update(payment_versions).where(
    payment_versions.c.payment_id == bindparam("of"),
    payment_versions.c.number == bindparam("this"),
)
_END_SIGNING = _CHANGE.where(payment_versions.c.status == bindparam("signing"))
_RAISE = _CHANGE.where(payment_versions.c.height < bindparam("from"))
_SAY = _CHANGE.where(payment_versions.c.reason != bindparam("said"))
_SCANNED = select(func.max(blocks.c.height)).where(blocks.c.network == bindparam("on"))


class Act(StrEnum):
    """What a version does."""

    PAY = "pay"  # its payees, as every other version that pays
    DROP = "drop"  # nobody: it takes the nonce, so that no other version can


class VersionStatus(StrEnum):
    """How far a version is; a given-up one that was signed is not given up, it lost."""

    SIGNING = "signing"  # signers may have seen it
    SIGNED = "signed"  # valid bytes exist: they may be mined for as long as nothing conflicts
    GIVEN_UP = "given_up"  # too few signatures ever to be valid


_SIGNING = str(VersionStatus.SIGNING)


class NoConflict(Conflict):
    """A version that could be mined beside an earlier one: it would pay twice."""

    code = "payment.no_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version; `fee_units_max` is native base units, `height` the block it waits from."""

    payment_id: str
    number: int
    act: Act
    status: VersionStatus
    reason: str
    sealed: Sealed
    request: SignRequest
    payload_digest: bytes
    fee_units_max: int
    consumes: frozenset[str]
    raw: bytes | None
    txid: str | None
    height: int
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version about to be written; its request is sealed already."""

    act: Act
    sealed: Sealed
    request: SignRequest
    payload_digest: bytes
    fee_units_max: int
    consumes: frozenset[str]
    height: int


def consumed(request: SignRequest, sender: str | None, nonce: int | None) -> frozenset[str]:
    """What a chain lets only one transaction have: outpoints, or a sender's nonce."""
    if request.kind is Kind.PSBT:
        return frozenset(str(one.outpoint) for one in Psbt.parse(request.payload).inputs)
    return frozenset({f"{sender}/{nonce}"})


def add(tx: Connection, payment_id: str, new: NewVersion, now_s: int) -> Version:
    """Write a version: durable before any signer sees it. Raises NoConflict."""
    known = of(tx, payment_id)
    for one in known:
        if one.status is not VersionStatus.GIVEN_UP and not one.consumes & new.consumes:
            raise NoConflict(f"got a version beside version {one.number} of {payment_id}")
    number = max((one.number for one in known), default=0) + 1
    tx.execute(
        _INSERT,
        {
            "payment_id": payment_id,
            "number": number,
            "act": str(new.act),
            "status": str(VersionStatus.SIGNING),
            "reason": "",
            "request": new.sealed.encode(),
            "request_id": new.request.request_id,
            "payload_digest": new.payload_digest,
            "fee_units_max": new.fee_units_max,
            "consumes": " ".join(sorted(new.consumes)),
            "height": new.height,
            "created_s": now_s,
        },
    )
    return Version(
        payment_id=payment_id,
        number=number,
        act=new.act,
        status=VersionStatus.SIGNING,
        reason="",
        sealed=new.sealed,
        request=new.request,
        payload_digest=new.payload_digest,
        fee_units_max=new.fee_units_max,
        consumes=new.consumes,
        raw=None,
        txid=None,
        height=new.height,
        created_s=now_s,
    )


def of(tx: Connection, payment_id: str) -> list[Version]:
    """All versions of a payment, the first one first."""
    return [_version(row) for row in tx.execute(_OF, {"of": payment_id})]


def signed(tx: Connection, payment_id: str) -> list[Version]:
    """The versions of which valid bytes exist."""
    return [one for one in of(tx, payment_id) if one.status is VersionStatus.SIGNED]


def unsigned(tx: Connection, payment_id: str) -> Version | None:
    """The version that signers are asked for, or None; there is at most one."""
    return next((v for v in of(tx, payment_id) if v.status is VersionStatus.SIGNING), None)


def keep_signed(tx: Connection, payment_id: str, number: int, raw: bytes, txid: str | None) -> None:
    """Store the signed bytes, before any node sees them."""
    signed = {"status": str(VersionStatus.SIGNED), "raw": raw, "txid": txid}
    tx.execute(_END_SIGNING, {**_at(payment_id, number), "signing": _SIGNING, **signed})


def give_up(tx: Connection, payment_id: str, number: int, why: str) -> None:
    """A version that can never become valid: too few signed it, and the rest never will."""
    ended = {"status": str(VersionStatus.GIVEN_UP), "reason": why[:64]}
    tx.execute(_END_SIGNING, {**_at(payment_id, number), "signing": _SIGNING, **ended})


def waits_from(tx: Connection, payment_id: str, number: int, height: int) -> None:
    """Count the blocks that a version waits from this one on, never from an earlier one."""
    tx.execute(_RAISE, {**_at(payment_id, number), "from": height, "height": height})


def say(tx: Connection, version: Version, why: str) -> bool:
    """Write why no further version follows this one; False where that was said before."""
    asked = {**_at(version.payment_id, version.number), "said": why[:64]}
    done = tx.execute(_SAY, {**asked, "reason": why[:64]})
    return bool(done.rowcount)


def purposes_of(tx: Connection, network: str, txids: Sequence[str]) -> dict[str, Purpose]:
    """Which of these transactions are versions of payments of ours, and why they were made."""
    rows = tx.execute(
        select(payment_versions.c.txid, payments.c.purpose)
        .select_from(payment_versions.join(payments))
        .where(payments.c.network == network, payment_versions.c.txid.in_(list(txids)))
    )
    return {row.txid: Purpose(row.purpose) for row in rows}


def scanned_height(tx: Connection, network: str) -> int:
    """The height of our scan, -1 before the first block."""
    height = tx.execute(_SCANNED, {"on": network}).scalar_one()
    return -1 if height is None else int(height)


def _at(payment_id: str, number: int) -> dict[str, str | int]:
    return {"of": payment_id, "this": number}


def _version(row: Row[Any]) -> Version:
    sealed, request = stored_request(bytes(row.request))
    return Version(
        payment_id=row.payment_id,
        number=row.number,
        act=Act(row.act),
        status=VersionStatus(row.status),
        reason=row.reason,
        sealed=sealed,
        request=request,
        payload_digest=bytes(row.payload_digest),
        fee_units_max=row.fee_units_max,
        consumes=frozenset(row.consumes.split()),
        raw=None if row.raw is None else bytes(row.raw),
        txid=row.txid,
        height=row.height,
        created_s=row.created_s,
    )
