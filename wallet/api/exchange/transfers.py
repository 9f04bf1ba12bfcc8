"""/v1/transfers: between the parts of one user's account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from wallet.api.bodies import AMOUNT, EXTERNAL_ID, UNITS, Code
from wallet.api.bodies import UUID as UUID_TEXT
from wallet.api.exchange.amounts import asked_units, text
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.services import Services
from wallet.ledger.chart import SubAccount
from wallet.store.schema import sub_account_transfers
from wallet.sub_accounts import moving
from wallet.sub_accounts.moving import Move, Moved, moved_of

router = APIRouter(prefix="/v1/transfers", tags=["transfers"], route_class=SignedRoute)

Part = Annotated[SubAccount, Field(strict=False)]


class NewTransfer(BaseModel):
    """Move money inside one account. Give `amount` (decimal text) or `amount_units`, not both."""

    model_config = ConfigDict(strict=True, extra="forbid")

    external_id: Annotated[str, Field(pattern=EXTERNAL_ID)]
    account_id: Annotated[str, Field(pattern=UUID_TEXT)]
    asset: Code
    from_sub_account: Part
    to_sub_account: Part
    amount: Annotated[str, Field(pattern=AMOUNT)] | None = None
    amount_units: Annotated[str, Field(pattern=UNITS)] | None = None


class TransferView(BaseModel):
    """A transfer; it was done when it was answered."""

    id: str
    external_id: str
    account_id: str
    asset: str
    from_sub_account: str
    to_sub_account: str
    amount: str
    amount_units: str
    created_s: int


@router.post("", status_code=201, response_model=TransferView)
def create_transfer(body: NewTransfer, once: OnceNow) -> Response:
    """Move at once; the same external_id does it once."""
    services = once.call.services
    asked = Move(
        external_id=body.external_id,
        account_id=body.account_id,
        asset=body.asset,
        units=asked_units(services, body.asset, body.amount, body.amount_units),
        source=body.from_sub_account,
        target=body.to_sub_account,
    )

    def effect(tx: Connection) -> tuple[int, TransferView]:
        moved = moving.move(
            tx,
            asked,
            requester=once.call.key_id,
            now_s=services.clock.now_s(),
            milestone=services.milestone,
        )
        return 201, _view(services, moved)

    return once.run(effect)


@router.get("")
def list_transfers(
    call: CallNow, window: WindowNow, account_id: UUID | None = None
) -> Page[TransferView]:
    """Transfers, newest first."""
    table = sub_account_transfers
    query = select(table)
    if account_id is not None:
        query = query.where(table.c.account_id == str(account_id))
    with call.services.db.read() as tx:
        order = (table.c.created_s, table.c.id)
        return read_page(tx, query, window, order, lambda row: _view(call.services, moved_of(row)))


@router.get("/external/{external_id}")
def read_transfer(
    call: CallNow, external_id: Annotated[str, Path(pattern=EXTERNAL_ID)]
) -> TransferView:
    """The transfer of one of the exchange's own ids: what to ask after a lost answer."""
    with call.services.db.read() as tx:
        return _view(call.services, moving.get(tx, external_id))


def _view(services: Services, moved: Moved) -> TransferView:
    asked = moved.move
    return TransferView(
        id=moved.id,
        external_id=asked.external_id,
        account_id=asked.account_id,
        asset=asked.asset,
        from_sub_account=str(asked.source),
        to_sub_account=str(asked.target),
        amount=text(services, asked.asset, asked.units),
        amount_units=str(asked.units),
        created_s=moved.created_s,
    )
