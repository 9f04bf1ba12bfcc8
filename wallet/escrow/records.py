"""Escrows as rows: reading them, and changing their state by compare-and-set."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select, update

from wallet.escrow.errors import EscrowMoved, EscrowNotFound
from wallet.escrow.states import EscrowStatus, check_arrow
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.chart import SubAccount
from wallet.store.schema import escrows


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A user, and the part of their account that pays or gets."""

    account_id: str
    sub_account: SubAccount = SubAccount.SPOT

    @property
    def owner(self) -> str:
        """The owner name in the ledger."""
        return chart.user(self.account_id, self.sub_account)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for: hold `units` of the payer for the payee until `deadline_s`.

    `fee_basis_points` of what is released go to the house, out of what the payee gets.
    """

    external_id: str
    network: str
    asset: str
    payer: Party
    payee: Party
    units: int
    fee_basis_points: int
    deadline_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrow:
    """One escrow. `releases` counts the parts released; each rest is held under a new hold id."""

    id: str
    order: Order
    released_units: int
    fee_units: int
    releases: int
    status: EscrowStatus
    reason: str
    decided_by: str
    requester: str
    created_s: int
    updated_s: int

    @property
    def held_units(self) -> int:
        """What is held now; nothing once it is over."""
        if self.status in (EscrowStatus.HELD, EscrowStatus.DISPUTED):
            return self.order.units - self.released_units
        return 0

    @property
    def hold_id(self) -> str:
        """The ledger's hold of what is held now."""
        return self.id if not self.releases else _uuid(f"escrow rest\n{self.id}\n{self.releases}")


def id_of(external_id: str) -> str:
    """The escrow's id, which follows from the exchange's."""
    return _uuid(f"escrow\n{external_id}")


def find(tx: Connection, external_id: str) -> Escrow | None:
    """The escrow that the exchange named so, if there is one."""
    query = select(escrows).where(escrows.c.external_id == external_id)
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else escrow_of(row)


def get(tx: Connection, escrow_id: str) -> Escrow:
    """One escrow. Raises EscrowNotFound."""
    row = tx.execute(select(escrows).where(escrows.c.id == escrow_id)).mappings().one_or_none()
    if row is None:
        raise EscrowNotFound("got an id of no escrow, expected one that exists")
    return escrow_of(row)


def get_by_external_id(tx: Connection, external_id: str) -> Escrow:
    """The escrow that the exchange named so. Raises EscrowNotFound."""
    found = find(tx, external_id)
    if found is None:
        raise EscrowNotFound("got an external id of no escrow, expected one that exists")
    return found


def in_status(tx: Connection, status: EscrowStatus, limit: int) -> Sequence[Escrow]:
    """Those in a state, the longest there first."""
    query = (
        select(escrows)
        .where(escrows.c.status == str(status))
        .order_by(escrows.c.since_s, escrows.c.id)
        .limit(limit)
    )
    return [escrow_of(row) for row in tx.execute(query).mappings()]


def overdue(tx: Connection, now_s: int, limit: int) -> Sequence[str]:
    """Ids of those held past their deadline, the latest due last."""
    query = (
        select(escrows.c.id)
        .where(escrows.c.status == str(EscrowStatus.HELD), escrows.c.deadline_s <= now_s)
        .order_by(escrows.c.deadline_s, escrows.c.id)
        .limit(limit)
    )
    return tx.execute(query).scalars().all()


def keep(tx: Connection, escrow: Escrow) -> None:
    """Write a new escrow down with its event, in the transaction that holds its money."""
    order = escrow.order
    row = {
        "id": escrow.id,
        "external_id": order.external_id,
        "network": order.network,
        "asset": order.asset,
        "payer_id": order.payer.account_id,
        "payer_part": str(order.payer.sub_account),
        "payee_id": order.payee.account_id,
        "payee_part": str(order.payee.sub_account),
        "units": order.units,
        "fee_basis_points": order.fee_basis_points,
        "deadline_s": order.deadline_s,
        "requester": escrow.requester,
        "created_s": escrow.created_s,
        "since_s": escrow.created_s,
    }
    tx.execute(insert(escrows).values(row | _state(escrow)))
    _tell(tx, escrow, f"escrow.{escrow.status}")


def move(tx: Connection, before: Escrow, after: Escrow) -> Escrow:
    """Take the arrow from one to the other by compare-and-set, with its event.

    Raises ForbiddenArrow, or EscrowMoved when it is no longer as it was `before`.
    """
    check_arrow(before.status, after.status)
    stays = before.status is after.status
    values = _state(after) if stays else {**_state(after), "since_s": after.updated_s}
    done = tx.execute(
        update(escrows)
        .where(
            escrows.c.id == before.id,
            escrows.c.status == str(before.status),
            escrows.c.releases == before.releases,
        )
        .values(values)
    )
    if done.rowcount != 1:
        raise EscrowMoved(f"got escrow {before.id} no longer as it was read: read it again")
    _tell(tx, after, "escrow.part_released" if stays else f"escrow.{after.status}")
    return after


def changed(
    escrow: Escrow,
    status: EscrowStatus,
    now_s: int,
    *,
    released_units: int = 0,
    fee_units: int = 0,
    reason: str | None = None,
    decided_by: str = "",
) -> Escrow:
    """The escrow after a change; units are those of this change, no `reason` keeps the old one."""
    return replace(
        escrow,
        status=status,
        released_units=escrow.released_units + released_units,
        fee_units=escrow.fee_units + fee_units,
        releases=escrow.releases + (released_units > 0),
        reason=escrow.reason if reason is None else reason,
        decided_by=decided_by,
        updated_s=now_s,
    )


def escrow_of(row: RowMapping) -> Escrow:
    """A row as an escrow."""
    return Escrow(
        id=row["id"],
        order=Order(
            external_id=row["external_id"],
            network=row["network"],
            asset=row["asset"],
            payer=Party(account_id=row["payer_id"], sub_account=SubAccount(row["payer_part"])),
            payee=Party(account_id=row["payee_id"], sub_account=SubAccount(row["payee_part"])),
            units=row["units"],
            fee_basis_points=row["fee_basis_points"],
            deadline_s=row["deadline_s"],
        ),
        released_units=row["released_units"],
        fee_units=row["fee_units"],
        releases=row["releases"],
        status=EscrowStatus(row["status"]),
        reason=row["reason"],
        decided_by=row["decided_by"],
        requester=row["requester"],
        created_s=row["created_s"],
        updated_s=row["updated_s"],
    )


def _state(escrow: Escrow) -> dict[str, object]:
    return {
        "released_units": escrow.released_units,
        "fee_units": escrow.fee_units,
        "releases": escrow.releases,
        "status": str(escrow.status),
        "reason": escrow.reason,
        "decided_by": escrow.decided_by,
        "updated_s": escrow.updated_s,
    }


def _tell(tx: Connection, escrow: Escrow, type: str) -> None:
    order = escrow.order
    body = {
        "id": escrow.id,
        "external_id": order.external_id,
        "asset": order.asset,
        "payer_id": order.payer.account_id,
        "payee_id": order.payee.account_id,
        "amount_units": str(order.units),
        "held_units": str(escrow.held_units),
        "released_units": str(escrow.released_units),
        "fee_units": str(escrow.fee_units),
        "status": str(escrow.status),
        "reason": escrow.reason,
        "decided_by": escrow.decided_by,
    }
    append_event(tx, type, escrow.id, body, escrow.updated_s)


def _uuid(text: str) -> str:
    return str(UUID(bytes=hashlib.sha256(text.encode()).digest()[:16]))
