"""Versions of a payment as rows: what was asked for, what it consumes, and the signed bytes.

A payment has one version from the start; a replacement is one more. Two versions may exist only
because they conflict: each consumes something (an outpoint, or its sender's nonce) that every
earlier one consumes too, and a chain lets only one transaction have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from chains.utxo.psbt import Psbt
from signer.protocol import Kind, Purpose, Sealed, SignRequest
from wallet.errors import Conflict
from wallet.signing.stored import stored_request
from wallet.store.schema import blocks, payment_versions, payments


class Act(StrEnum):
    """What a version does."""

    PAY = "pay"  # its payees, as every other version that pays
    DROP = "drop"  # nobody: it takes the nonce, so that no other version can


class VersionStatus(StrEnum):
    """How far a version is; a given-up one that was signed is not given up, it lost."""

    SIGNING = "signing"  # signers may have seen it
    SIGNED = "signed"  # valid bytes exist: they may be mined for as long as nothing conflicts
    GIVEN_UP = "given_up"  # too few signatures ever to be valid


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
    earlier = [one for one in of(tx, payment_id) if one.status is not VersionStatus.GIVEN_UP]
    for one in earlier:
        if not one.consumes & new.consumes:
            raise NoConflict(f"got a version beside version {one.number} of {payment_id}")
    last = max((one.number for one in of(tx, payment_id)), default=0)
    tx.execute(
        insert(payment_versions).values(
            payment_id=payment_id,
            number=last + 1,
            act=str(new.act),
            status=str(VersionStatus.SIGNING),
            reason="",
            request=new.sealed.encode(),
            request_id=new.request.request_id,
            payload_digest=new.payload_digest,
            fee_units_max=new.fee_units_max,
            consumes=" ".join(sorted(new.consumes)),
            height=new.height,
            created_s=now_s,
        )
    )
    return of(tx, payment_id)[-1]


def of(tx: Connection, payment_id: str) -> list[Version]:
    """All versions of a payment, the first one first."""
    rows = tx.execute(
        select(payment_versions)
        .where(payment_versions.c.payment_id == payment_id)
        .order_by(payment_versions.c.number)
    )
    return [_version(row) for row in rows]


def signed(tx: Connection, payment_id: str) -> list[Version]:
    """The versions of which valid bytes exist."""
    return [one for one in of(tx, payment_id) if one.status is VersionStatus.SIGNED]


def unsigned(tx: Connection, payment_id: str) -> Version | None:
    """The version that signers are asked for, or None; there is at most one."""
    return next((v for v in of(tx, payment_id) if v.status is VersionStatus.SIGNING), None)


def keep_signed(tx: Connection, payment_id: str, number: int, raw: bytes, txid: str | None) -> None:
    """Store the signed bytes, before any node sees them."""
    tx.execute(
        update(payment_versions)
        .where(*_at(payment_id, number), payment_versions.c.status == str(VersionStatus.SIGNING))
        .values(status=str(VersionStatus.SIGNED), raw=raw, txid=txid)
    )


def give_up(tx: Connection, payment_id: str, number: int, why: str) -> None:
    """A version that can never become valid: too few signed it, and the rest never will."""
    tx.execute(
        update(payment_versions)
        .where(*_at(payment_id, number), payment_versions.c.status == str(VersionStatus.SIGNING))
        .values(status=str(VersionStatus.GIVEN_UP), reason=why[:64])
    )


def waits_from(tx: Connection, payment_id: str, number: int, height: int) -> None:
    """Count the blocks that a version waits from this one on, never from an earlier one."""
    tx.execute(
        update(payment_versions)
        .where(*_at(payment_id, number), payment_versions.c.height < height)
        .values(height=height)
    )


def say(tx: Connection, version: Version, why: str) -> bool:
    """Write why no further version follows this one; False where that was said before."""
    done = tx.execute(
        update(payment_versions)
        .where(*_at(version.payment_id, version.number), payment_versions.c.reason != why[:64])
        .values(reason=why[:64])
    )
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
    top = tx.execute(select(func.max(blocks.c.height)).where(blocks.c.network == network))
    height = top.scalar_one()
    return -1 if height is None else int(height)


def _at(payment_id: str, number: int) -> tuple[Any, Any]:
    return payment_versions.c.payment_id == payment_id, payment_versions.c.number == number


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
