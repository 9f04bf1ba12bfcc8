"""The one movement a ledger knows: units of an asset from a debit account to a credit account."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from wallet.ledger.errors import BadTransfer
from wallet.store.tables.ledger import LINES_MAX, UNITS_MAX

__all__ = [
    "ASSET_MAX",
    "UNITS_MAX",
    "Transfer",
    "TransferKind",
    "are_uuids",
    "content_digest",
    "number",
    "single",
]

ASSET_MAX = 64
"""Characters of an asset code."""

SECONDS_MAX = 2**62
"""The latest expiry, as the column holds."""

_ID_CHARS = 36
_HYPHENS = (8, 13, 18, 23)
_HEX = b"0123456789abcdef"


class TransferKind(StrEnum):
    """A hold reserves; post ends it by moving the units, void by giving them back."""

    SINGLE = "single"
    HOLD = "hold"
    POST = "post"
    VOID = "void"


class Transfer(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One line of a batch. Make it by single, hold, post or void.

    Its `id` is a UUID that names it for ever; ids that grow with time (RFC 9562 version 7) keep
    the index of all ids quick. Without one it gets an id that follows from the batch's cause and
    the line. A post or void takes its accounts from the hold. `linked` ties it to the next line:
    a chain of linked lines is posted whole or not at all.
    """

    id: str
    kind: TransferKind
    debit: str
    credit: str
    asset: str
    units: int
    hold_id: str | None = None
    expires_s: int = 0
    linked: bool = False

    @classmethod
    def single(
        cls,
        *,
        debit: str,
        credit: str,
        asset: str,
        units: int,
        id: str = "",
        linked: bool = False,
    ) -> "Transfer":
        """Move `units` now."""
        return cls(
            id=id,
            kind=TransferKind.SINGLE,
            debit=debit,
            credit=credit,
            asset=asset,
            units=units,
            linked=linked,
        )

    @classmethod
    def hold(
        cls,
        *,
        id: str,
        debit: str,
        credit: str,
        asset: str,
        units: int,
        expires_s: int = 0,
        linked: bool = False,
    ) -> "Transfer":
        """Reserve `units` of the debit account for the credit account, until `expires_s` or 0."""
        return cls(
            id=id,
            kind=TransferKind.HOLD,
            debit=debit,
            credit=credit,
            asset=asset,
            units=units,
            expires_s=expires_s,
            linked=linked,
        )

    @classmethod
    def post(
        cls, *, hold_id: str, units: int | None = None, id: str = "", linked: bool = False
    ) -> "Transfer":
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
            linked=linked,
        )

    @classmethod
    def void(cls, *, hold_id: str, id: str = "", linked: bool = False) -> "Transfer":
        """End a hold by giving back what it held."""
        return cls(
            id=id,
            kind=TransferKind.VOID,
            debit="",
            credit="",
            asset="",
            units=0,
            hold_id=hold_id,
            linked=linked,
        )

    @property
    def ends_hold(self) -> bool:
        """True for post and void."""
        return self.kind in (TransferKind.POST, TransferKind.VOID)


def number(cause: str, transfers: Sequence[Transfer]) -> Sequence[Transfer]:
    """The transfers with an id each. Raises BadTransfer for too many lines, or ids not UUIDs."""
    if not 0 < len(transfers) <= LINES_MAX:
        raise BadTransfer(f"got {len(transfers)} transfers, expected 1 to {LINES_MAX}")
    ids = [transfer.id for transfer in transfers]
    if not all(ids):
        transfers = [
            transfer if transfer.id else replace(transfer, id=_derived_id(cause, line))
            for line, transfer in enumerate(transfers)
        ]
        ids = [transfer.id for transfer in transfers]
    ids += [transfer.hold_id for transfer in transfers if transfer.hold_id is not None]
    if not are_uuids(ids):
        bad = next(id for id in ids if not are_uuids([id]))
        raise BadTransfer(f"got id {bad[:40]!r}, expected a UUID in lower case")
    return transfers


def content_digest(transfers: Sequence[Transfer]) -> bytes:
    """SHA-256 over the transfers as asked for: what makes a batch the same.

    They are hashed as JSON without spaces: a list of lists, the fields of each in their order.
    """
    return hashlib.sha256(encode(transfers)).digest()


def are_uuids(ids: Sequence[str]) -> bool:
    """Whether each is a UUID in lower case: hyphens in their places, nothing else but hex digits.

    Asked of all at once, a place at a time: an expression takes ten times as long.
    """
    lines = "\n".join([*ids, ""]).encode("ascii", "replace")
    width, count = _ID_CHARS + 1, len(ids)
    return (
        len(lines) == width * count
        and lines[_ID_CHARS::width] == b"\n" * count
        and all(lines[place::width] == b"-" * count for place in _HYPHENS)
        and len(lines.translate(None, _HEX)) == (len(_HYPHENS) + 1) * count
    )


def _derived_id(cause: str, line: int) -> str:
    return str(UUID(bytes=hashlib.sha256(f"{cause}\n{line}".encode()).digest()[:16]))


def single(debit: str, credit: str, asset: str, units: int) -> Transfer:
    """The common case in short: move `units` from `debit` to `credit` now."""
    return Transfer.single(debit=debit, credit=credit, asset=asset, units=units)
