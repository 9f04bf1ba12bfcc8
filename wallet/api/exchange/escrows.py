"""/v1/escrows: money of one user held for another until their trade is done, or given up."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from wallet.api.bodies import AMOUNT, EXTERNAL_ID, LABEL, UNITS, Code
from wallet.api.bodies import UUID as UUID_TEXT
from wallet.api.exchange.amounts import asked_units, network_of, text
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.route import CallNow, Once, OnceNow, SignedRoute
from wallet.api.services import Services
from wallet.escrow import holding, records
from wallet.escrow.fees import FEE_BASIS_POINTS_MAX
from wallet.escrow.records import Escrow, Order, Party
from wallet.escrow.states import EscrowStatus
from wallet.ledger.chart import SubAccount
from wallet.store.schema import escrows

router = APIRouter(prefix="/v1/escrows", tags=["escrows"], route_class=SignedRoute)

TIME_S_MAX = 2**40
"""No moment is written with a larger number."""

Part = Annotated[SubAccount, Field(strict=False)]


class NewEscrow(BaseModel):
    """Hold money of `payer_id` for `payee_id`. Give `amount` or `amount_units`, not both.

    What is not released by `deadline_s` (Unix seconds) goes back to the payer, disputes excepted.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    external_id: Annotated[str, Field(pattern=EXTERNAL_ID)]
    asset: Code
    payer_id: Annotated[str, Field(pattern=UUID_TEXT)]
    payer_sub_account: Part = SubAccount.SPOT
    payee_id: Annotated[str, Field(pattern=UUID_TEXT)]
    payee_sub_account: Part = SubAccount.SPOT
    amount: Annotated[str, Field(pattern=AMOUNT)] | None = None
    amount_units: Annotated[str, Field(pattern=UNITS)] | None = None
    fee_basis_points: Annotated[int, Field(ge=0, le=FEE_BASIS_POINTS_MAX)] = 0
    deadline_s: Annotated[int, Field(ge=0, le=TIME_S_MAX)]


class Release(BaseModel):
    """How much the payee gets now; all that is held where neither field is given."""

    model_config = ConfigDict(strict=True, extra="forbid")

    amount: Annotated[str, Field(pattern=AMOUNT)] | None = None
    amount_units: Annotated[str, Field(pattern=UNITS)] | None = None


class Dispute(BaseModel):
    """Why a person must decide."""

    model_config = ConfigDict(strict=True, extra="forbid")

    reason: Annotated[str, Field(pattern=LABEL)]


class EscrowView(BaseModel):
    """An escrow: `amount` = `held` + `released` + what went back; `fee` is a part of `released`."""

    id: str
    external_id: str
    asset: str
    payer_id: str
    payer_sub_account: str
    payee_id: str
    payee_sub_account: str
    amount: str
    amount_units: str
    held: str
    held_units: str
    released: str
    released_units: str
    fee: str
    fee_units: str
    fee_basis_points: int
    status: str
    reason: str
    decided_by: str
    created_s: int
    updated_s: int
    deadline_s: int


@router.post("", status_code=201, response_model=EscrowView)
def create_escrow(body: NewEscrow, once: OnceNow) -> Response:
    """Hold the money at once; the same external_id holds it once."""
    services = once.call.services
    order = Order(
        external_id=body.external_id,
        network=network_of(services, body.asset),
        asset=body.asset,
        payer=Party(account_id=body.payer_id, sub_account=body.payer_sub_account),
        payee=Party(account_id=body.payee_id, sub_account=body.payee_sub_account),
        units=asked_units(services, body.asset, body.amount, body.amount_units),
        fee_basis_points=body.fee_basis_points,
        deadline_s=body.deadline_s,
    )
    requester = once.call.key_id
    return _run(once, 201, lambda tx, given: holding.hold(tx, order, requester=requester, **given))


@router.get("")
def list_escrows(
    call: CallNow,
    window: WindowNow,
    payer_id: UUID | None = None,
    payee_id: UUID | None = None,
    status: EscrowStatus | None = None,
) -> Page[EscrowView]:
    """Escrows, newest first."""
    query = select(escrows)
    if payer_id is not None:
        query = query.where(escrows.c.payer_id == str(payer_id))
    if payee_id is not None:
        query = query.where(escrows.c.payee_id == str(payee_id))
    if status is not None:
        query = query.where(escrows.c.status == str(status))
    with call.services.db.read() as tx:
        order = (escrows.c.created_s, escrows.c.id)
        return read_page(
            tx, query, window, order, lambda row: _view(call.services, records.escrow_of(row))
        )


@router.get("/{escrow_id}")
def read_escrow(call: CallNow, escrow_id: UUID) -> EscrowView:
    """One escrow."""
    with call.services.db.read() as tx:
        return _view(call.services, records.get(tx, str(escrow_id)))


@router.get("/external/{external_id}")
def read_escrow_by_external_id(
    call: CallNow, external_id: Annotated[str, Path(pattern=EXTERNAL_ID)]
) -> EscrowView:
    """The escrow of one of the exchange's own ids: what to ask after a lost answer."""
    with call.services.db.read() as tx:
        return _view(call.services, records.get_by_external_id(tx, external_id))


@router.post("/{escrow_id}/release", response_model=EscrowView)
def release_escrow(body: Release, once: OnceNow, escrow_id: UUID) -> Response:
    """Give the payee all that is held, or a part and hold the rest on."""
    services = once.call.services

    def act(tx: Connection, given: dict[str, Any]) -> Escrow:
        asset = records.get(tx, str(escrow_id)).order.asset
        named = body.amount is not None or body.amount_units is not None
        units = asked_units(services, asset, body.amount, body.amount_units) if named else None
        return holding.release(tx, str(escrow_id), units, **given)

    return _run(once, 200, act)


@router.post("/{escrow_id}/return", response_model=EscrowView)
def return_escrow(once: OnceNow, escrow_id: UUID) -> Response:
    """Give the payer back what is held."""
    return _run(once, 200, lambda tx, given: holding.give_back(tx, str(escrow_id), **given))


@router.post("/{escrow_id}/dispute", response_model=EscrowView)
def dispute_escrow(body: Dispute, once: OnceNow, escrow_id: UUID) -> Response:
    """Hold the money until staff decide, whatever the deadline says."""
    return _run(
        once, 200, lambda tx, given: holding.dispute(tx, str(escrow_id), body.reason, **given)
    )


def _run(once: Once, status: int, act: Callable[[Connection, dict[str, Any]], Escrow]) -> Response:
    services = once.call.services
    given = {"now_s": services.clock.now_s(), "milestone": services.milestone}

    def effect(tx: Connection) -> tuple[int, EscrowView]:
        return status, _view(services, act(tx, given))

    return once.run(effect)


def _view(services: Services, escrow: Escrow) -> EscrowView:
    order = escrow.order

    def shown(units: int) -> str:
        return text(services, order.asset, units)

    return EscrowView(
        id=escrow.id,
        external_id=order.external_id,
        asset=order.asset,
        payer_id=order.payer.account_id,
        payer_sub_account=str(order.payer.sub_account),
        payee_id=order.payee.account_id,
        payee_sub_account=str(order.payee.sub_account),
        amount=shown(order.units),
        amount_units=str(order.units),
        held=shown(escrow.held_units),
        held_units=str(escrow.held_units),
        released=shown(escrow.released_units),
        released_units=str(escrow.released_units),
        fee=shown(escrow.fee_units),
        fee_units=str(escrow.fee_units),
        fee_basis_points=order.fee_basis_points,
        status=str(escrow.status),
        reason=escrow.reason,
        decided_by=escrow.decided_by,
        created_s=escrow.created_s,
        updated_s=escrow.updated_s,
        deadline_s=order.deadline_s,
    )
