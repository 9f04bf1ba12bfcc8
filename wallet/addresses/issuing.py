"""Handing out addresses: an index is taken in the transaction that stores it, and never twice."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select

from wallet.addresses.derivation import Deriver
from wallet.errors import Invalid, NotFound
from wallet.store import counters
from wallet.store.schema import addresses

RECEIVE = 0
"""The branch whose addresses others are told."""

CHANGE = 1
"""The branch that only our own transactions pay."""

LABEL_MAX = 128
"""Characters of a label, as the column holds."""

CHUNK = 500
"""Keys in one IN list, well under every engine's limit."""


class AddressUnknown(NotFound):
    """No address of ours has this id."""

    code = "address.not_found"


class BadLabel(Invalid):
    """A label that is too long or not printable."""

    code = "address.bad_label"


class Purpose(StrEnum):
    """What an address of ours is for. Only deposit addresses belong to an account."""

    DEPOSIT = "deposit"
    CHANGE = "change"
    HOT = "hot"
    COLD = "cold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of ours and where it derives from."""

    id: str
    account_id: str | None
    network: str
    source: str
    branch: int
    position: int
    purpose: Purpose
    address: str
    target: bytes
    label: str | None
    created_s: int


def issue(
    tx: Connection,
    deriver: Deriver,
    *,
    network: str,
    source: str,
    account_id: str,
    label: str | None = None,
    now_s: int,
) -> Address:
    """A fresh deposit address for an account; it was never given out and never will be again.

    The account must exist. Raises BadLabel, SourceUnknown or NoSuchPosition.
    """
    if label is not None and (len(label) > LABEL_MAX or not label.isprintable()):
        raise BadLabel(f"got a label of {len(label)} characters, expected up to {LABEL_MAX}")
    position = _next_position(tx, network, source, RECEIVE)
    fresh = _derive(deriver, network, source, RECEIVE, position, Purpose.DEPOSIT, now_s)
    return _store(tx, fresh, account_id, label)


def issue_own(
    tx: Connection,
    deriver: Deriver,
    *,
    network: str,
    source: str,
    purpose: Purpose,
    now_s: int,
) -> Address:
    """An address of ours to pay to: fresh where the vault has many, the one where it has one.

    Change takes the change branch, hot and cold the receive branch.
    """
    if purpose is Purpose.DEPOSIT:
        raise Invalid("got purpose deposit, expected change, hot or cold: deposits name an account")
    branch = CHANGE if purpose is Purpose.CHANGE else RECEIVE
    if deriver.has_one_address(network, source):
        known = find_at(tx, network, source, branch, 0)
        if known is not None:
            return known
    position = _next_position(tx, network, source, branch)
    fresh = _derive(deriver, network, source, branch, position, purpose, now_s)
    return _store(tx, fresh, None, None)


def get_address(tx: Connection, address_id: str) -> Address:
    """The address of this id. Raises AddressUnknown."""
    found = _one(tx, addresses.c.id == address_id)
    if found is None:
        raise AddressUnknown(f"got address {address_id[:36]}, expected the id of one of ours")
    return found


def find_at(
    tx: Connection, network: str, source: str, branch: int, position: int
) -> Address | None:
    """The address at a position, if it was issued."""
    return _one(
        tx,
        (addresses.c.network == network)
        & (addresses.c.source == source)
        & (addresses.c.branch == branch)
        & (addresses.c.position == position),
    )


def find_by_targets(
    tx: Connection, network: str, targets: Iterable[bytes]
) -> Mapping[bytes, Address]:
    """Target to address, for those of the targets that are ours."""
    wanted = sorted(set(targets))
    found: dict[bytes, Address] = {}
    for start in range(0, len(wanted), CHUNK):
        query = select(addresses).where(
            addresses.c.network == network,
            addresses.c.target.in_(wanted[start : start + CHUNK]),
        )
        for row in tx.execute(query).mappings():
            address = _address(row)
            found[address.target] = address
    return found


def counter_of(address: Address) -> str:
    """The name of the counter that an address's position was taken from."""
    return _counter(address.network, address.source, address.branch)


def _counter(network: str, source: str, branch: int) -> str:
    return f"address:{network}:{source}:{branch}"


def _next_position(tx: Connection, network: str, source: str, branch: int) -> int:
    return counters.next_number(tx, _counter(network, source, branch)) - 1


def _derive(
    deriver: Deriver,
    network: str,
    source: str,
    branch: int,
    position: int,
    purpose: Purpose,
    now_s: int,
) -> Address:
    derived = deriver.address_at(network, source, branch, position)
    place = f"address\n{network}\n{source}\n{branch}\n{position}"
    return Address(
        id=str(UUID(bytes=hashlib.sha256(place.encode()).digest()[:16])),
        account_id=None,
        network=network,
        source=source,
        branch=branch,
        position=position,
        purpose=purpose,
        address=derived.address,
        target=derived.target,
        label=None,
        created_s=now_s,
    )


def _store(tx: Connection, fresh: Address, account_id: str | None, label: str | None) -> Address:
    row = {
        "id": fresh.id,
        "account_id": account_id,
        "network": fresh.network,
        "source": fresh.source,
        "branch": fresh.branch,
        "position": fresh.position,
        "purpose": fresh.purpose.value,
        "address": fresh.address,
        "target": fresh.target,
        "label": label,
        "created_s": fresh.created_s,
    }
    stored = tx.execute(insert(addresses).values(row).returning(addresses)).mappings().one()
    return _address(stored)


def _one(tx: Connection, condition: ColumnElement[bool]) -> Address | None:
    row = tx.execute(select(addresses).where(condition)).mappings().first()
    return None if row is None else _address(row)


def _address(row: RowMapping) -> Address:
    return Address(
        id=row["id"],
        account_id=row["account_id"],
        network=row["network"],
        source=row["source"],
        branch=row["branch"],
        position=row["position"],
        purpose=Purpose(row["purpose"]),
        address=row["address"],
        target=bytes(row["target"]),
        label=row["label"],
        created_s=row["created_s"],
    )
