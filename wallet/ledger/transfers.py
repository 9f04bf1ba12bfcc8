"""The one movement a ledger knows: units of an asset from a debit account to a credit account."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

import cbor2

from wallet.ledger.errors import BadTransfer

UNITS_MAX = 10**60
"""More base units than any asset has; leaves room so that no sum can overflow."""

LINES_MAX = 1_000_000
"""Transfers in a batch."""

ASSET_MAX = 64
"""Characters of an asset code."""


class TransferKind(StrEnum):
    """A hold reserves; post ends it by moving the units, void by giving them back."""

    SINGLE = "single"
    HOLD = "hold"
    POST = "post"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One line of a batch. Make it by single, hold, post or void.

    Without an `id` it gets one that follows from the batch's cause and the line; give one where
    you will name it again (a hold). A post or void takes its accounts from the hold.
    """

    id: str
    kind: TransferKind
    debit: str
    credit: str
    asset: str
    units: int
    hold_id: str | None = None

    @classmethod
    def single(cls, *, debit: str, credit: str, asset: str, units: int, id: str = "") -> "Transfer":
        """Move `units` now."""
        return cls(
            id=id, kind=TransferKind.SINGLE, debit=debit, credit=credit, asset=asset, units=units
        )

    @classmethod
    def hold(cls, *, id: str, debit: str, credit: str, asset: str, units: int) -> "Transfer":
        """Reserve `units` of the debit account for the credit account."""
        return cls(
            id=id, kind=TransferKind.HOLD, debit=debit, credit=credit, asset=asset, units=units
        )

    @classmethod
    def post(cls, *, hold_id: str, units: int | None = None, id: str = "") -> "Transfer":
        """End a hold by moving what it held, or only `units` of it and giving back the rest."""
        if units == 0:
            raise BadTransfer("got a post of 0 units, expected 1 or more: void the hold instead")
        return cls(
            id=id,
            kind=TransferKind.POST,
            debit="",
            credit="",
            asset="",
            units=units or 0,
            hold_id=hold_id,
        )

    @classmethod
    def void(cls, *, hold_id: str, id: str = "") -> "Transfer":
        """End a hold by giving back what it held."""
        return cls(
            id=id,
            kind=TransferKind.VOID,
            debit="",
            credit="",
            asset="",
            units=0,
            hold_id=hold_id,
        )

    @property
    def ends_hold(self) -> bool:
        """True for post and void."""
        return self.kind in (TransferKind.POST, TransferKind.VOID)


def number(cause: str, transfers: Sequence[Transfer]) -> tuple[Transfer, ...]:
    """The transfers with an id each. Raises BadTransfer on one that cannot be meant."""
    if not 0 < len(transfers) <= LINES_MAX:
        raise BadTransfer(f"got {len(transfers)} transfers, expected 1 to {LINES_MAX}")
    numbered = tuple(
        replace(transfer, id=transfer.id or _derived_id(cause, line))
        for line, transfer in enumerate(transfers)
    )
    for transfer in numbered:
        _check(transfer)
    if len({transfer.id for transfer in numbered}) != len(numbered):
        raise BadTransfer("got two transfers with one id in a batch, expected one each")
    return numbered


def content_digest(transfers: Sequence[Transfer]) -> bytes:
    """SHA-256 over the canonical CBOR of the transfers as asked for: what makes a batch the same.

    Amounts are decimal text, so that the encoding does not depend on how CBOR writes big integers.
    """
    rows = [
        [t.id, t.kind.value, t.debit, t.credit, t.asset, str(t.units), t.hold_id] for t in transfers
    ]
    return hashlib.sha256(cbor2.dumps(rows, canonical=True)).digest()


def _derived_id(cause: str, line: int) -> str:
    return str(UUID(bytes=hashlib.sha256(f"{cause}\n{line}".encode()).digest()[:16]))


def _check(transfer: Transfer) -> None:
    if len(transfer.id) > 36:
        raise BadTransfer(f"got a transfer id of {len(transfer.id)} characters, expected up to 36")
    if transfer.ends_hold:
        least = 0
    else:
        least = 1
        if transfer.debit == transfer.credit:
            raise BadTransfer(f"got {transfer.debit!r} on both sides, expected two accounts")
        if not 0 < len(transfer.asset) <= ASSET_MAX:
            raise BadTransfer(f"got asset {transfer.asset[:ASSET_MAX]!r}, expected its code")
    if not least <= transfer.units <= UNITS_MAX:
        raise BadTransfer(f"got {transfer.units} units, expected 1 to {UNITS_MAX}")


def single(debit: str, credit: str, asset: str, units: int) -> Transfer:
    """The common case in short: move `units` from `debit` to `credit` now."""
    return Transfer.single(debit=debit, credit=credit, asset=asset, units=units)
