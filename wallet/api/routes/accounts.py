"""/v1/accounts: the exchange's users."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from wallet.addresses.accounts import AccountNotFound
from wallet.addresses.accounts import create_account as create
from wallet.api.bodies import EXTERNAL_ID, NewAccount
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.reads import account_view, one_account, select_accounts
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.views import AccountView
from wallet.store.schema import accounts

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=SignedRoute)


@router.post("", status_code=201, response_model=AccountView)
def create_account(body: NewAccount, once: OnceNow) -> Response:
    """Open an account for a user of the exchange."""
    services = once.call.services

    def effect(tx: Connection) -> tuple[int, AccountView]:
        account_id = create(tx, body.external_id, services.clock.now_s())
        return 201, one_account(tx, account_id)

    return once.run(effect)


@router.get("")
def list_accounts(call: CallNow, window: WindowNow) -> Page[AccountView]:
    """Accounts, newest first."""
    with call.services.db.read() as tx:
        order = (accounts.c.created_s, accounts.c.id)
        return read_page(tx, select_accounts(), window, order, account_view)


@router.get("/{account_id}")
def read_account(call: CallNow, account_id: UUID) -> AccountView:
    """One account."""
    with call.services.db.read() as tx:
        return one_account(tx, str(account_id))


@router.get("/external/{external_id}")
def read_account_by_external_id(
    call: CallNow, external_id: Annotated[str, Path(pattern=EXTERNAL_ID)]
) -> AccountView:
    """The account of one of the exchange's own user ids."""
    with call.services.db.read() as tx:
        query = select_accounts().where(accounts.c.external_id == external_id)
        row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise AccountNotFound(f"got external id {external_id}, expected one that has an account")
    return account_view(row)
