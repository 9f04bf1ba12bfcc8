"""A settlement as it travels: JSON or MessagePack, the same fields in both.

Decoded straight into typed records: what nests, repeats or exceeds where nothing may is refused
while it is read, and nothing is built of a list that is too long in MessagePack. Ids and amounts
are checked all at once, since a check of each would cost as much as posting.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NoReturn

import msgspec

from wallet.ledger.transfers import are_uuids
from wallet.settlements.errors import Malformed, MediaTypeUnknown

JSON = "application/json"
MSGPACK = "application/msgpack"

NO_ID = "00000000-0000-0000-0000-000000000000"
"""The id that no transfer may have: it stands for a hold that must not be named."""

TRANSFERS_MAX = 50_000
"""Transfers in a settlement."""

BYTES_MAX = 20 * 1024 * 1024
"""Bytes of a body: four hundred for each transfer."""

EXTERNAL_ID_MAX = 100
"""Characters of an external id: a ledger cause holds it with a word before it."""

_Id = Annotated[str, msgspec.Meta(max_length=36)]
_Part = Literal["spot", "margin", "contract"]


class TransferOrder(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One transfer. `id` is a UUID of yours that names it for ever; `units` are base units as text.

    `single` moves now. `hold` reserves, until `expires_s` if that is given. `post` ends the hold
    `hold_id` by moving what it held, or only `units` of it and giving back the rest; `void` gives
    back all. `linked` ties it to the next transfer: such a chain is posted whole or not at all.
    """

    id: _Id
    kind: Literal["single", "hold", "post", "void"] = "single"
    debit_account_id: _Id = ""
    debit_sub_account: _Part = "spot"
    credit_account_id: _Id = ""
    credit_sub_account: _Part = "spot"
    asset: Annotated[str, msgspec.Meta(max_length=64)] = ""
    units: Annotated[str, msgspec.Meta(max_length=61)] = ""
    hold_id: _Id = ""
    expires_s: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    linked: bool = False


class SettlementOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`atomic`: all transfers or none. `best_effort`: each that can be, linked ones together."""

    external_id: Annotated[str, msgspec.Meta(min_length=1, max_length=EXTERNAL_ID_MAX)]
    mode: Literal["atomic", "best_effort"]
    transfers: Annotated[list[TransferOrder], msgspec.Meta(min_length=1, max_length=TRANSFERS_MAX)]


_FROM_JSON = msgspec.json.Decoder(SettlementOrder)
_FROM_MSGPACK = msgspec.msgpack.Decoder(SettlementOrder)
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9._:-]+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_AMOUNT = re.compile(r"[1-9][0-9]*", re.ASCII)
# Possessive: nothing is kept to go back to, which takes a third of the time over thousands.
_AMOUNTS = re.compile(r"(?:[1-9][0-9]*+\n)*+", re.ASCII)

SHAPES = {
    "single": "debit_account_id, credit_account_id, asset and units, and no more",
    "hold": "debit_account_id, credit_account_id, asset and units, and no hold_id",
    "post": "hold_id, and units if not all of it, and no more",
    "void": "hold_id and no more",
}
"""What a transfer of each kind says."""


def decode(body: bytes, media_type: str) -> SettlementOrder:
    """The settlement that a body asks for. Raises Malformed or MediaTypeUnknown."""
    if media_type not in (JSON, MSGPACK):
        raise MediaTypeUnknown(f"got another Content-Type, expected {JSON} or {MSGPACK}")
    if len(body) > BYTES_MAX:
        raise Malformed(f"got {len(body)} bytes, expected at most {BYTES_MAX}")
    decoder: Any = _FROM_JSON if media_type == JSON else _FROM_MSGPACK
    try:
        order: SettlementOrder = decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"got a body that is no settlement: {str(error)[:300]}") from error
    if not _EXTERNAL_ID.fullmatch(order.external_id):
        raise Malformed("got an external_id with other characters than A-Z a-z 0-9 . _ : -")
    _check_texts(order.transfers)
    for place, transfer in enumerate(order.transfers):
        if not _is_shaped(transfer):
            raise Malformed(
                f"got transfer {place} of kind {transfer.kind}, expected {SHAPES[transfer.kind]}"
            )
    return order


def _check_texts(transfers: Sequence[TransferOrder]) -> None:
    ids = [transfer.id for transfer in transfers]
    ids += [transfer.hold_id for transfer in transfers if transfer.hold_id]
    if not are_uuids(ids):
        _name_bad(ids, _UUID, "a UUID in lower case")
    if NO_ID in ids:
        raise Malformed(f"got the id {NO_ID}, expected one of your own")
    amounts = [transfer.units for transfer in transfers if transfer.units]
    lines = "\n".join([*amounts, ""])
    # One that has a line break in it would pass for two.
    if not _AMOUNTS.fullmatch(lines) or lines.count("\n") != len(amounts):
        _name_bad(amounts, _AMOUNT, "base units as a whole number above 0")


def _name_bad(texts: Sequence[str], shape: re.Pattern[str], expected: str) -> NoReturn:
    bad = next(text for text in texts if not shape.fullmatch(text))
    raise Malformed(f"got {bad!r}, expected {expected}")


def _is_shaped(transfer: TransferOrder) -> bool:
    if transfer.kind in ("single", "hold"):
        return (
            transfer.debit_account_id != ""
            and transfer.credit_account_id != ""
            and transfer.asset != ""
            and transfer.units != ""
            and transfer.hold_id == ""
            and (transfer.expires_s == 0 or transfer.kind == "hold")
        )
    return (
        transfer.hold_id != ""
        and transfer.debit_account_id == transfer.credit_account_id == transfer.asset == ""
        and transfer.expires_s == 0
        and (transfer.units == "" or transfer.kind == "post")
    )
