"""/v1/deposits: what the chains brought, from first sight to credit."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from wallet.api.bodies import CODE
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.reads import deposit_view, one_deposit, scanned_heights, select_deposits
from wallet.api.route import CallNow, SignedRoute
from wallet.api.views import DepositView
from wallet.deposits.states import DepositStatus
from wallet.store.schema import deposits

router = APIRouter(prefix="/v1/deposits", tags=["deposits"], route_class=SignedRoute)


@router.get("")
def list_deposits(
    call: CallNow,
    window: WindowNow,
    account_id: UUID | None = None,
    network: Annotated[str | None, Query(pattern=CODE)] = None,
    asset: Annotated[str | None, Query(pattern=CODE)] = None,
    status: DepositStatus | None = None,
    txid: Annotated[str | None, Query(pattern=r"^(0x)?[0-9a-f]{64}$")] = None,
) -> Page[DepositView]:
    """Deposits, newest first; those below the minimum are shown too."""
    query = select_deposits()
    if account_id is not None:
        query = query.where(deposits.c.account_id == str(account_id))
    if network is not None:
        query = query.where(deposits.c.network == network)
    if asset is not None:
        query = query.where(deposits.c.asset == asset)
    if status is not None:
        query = query.where(deposits.c.status == status)
    if txid is not None:
        query = query.where(deposits.c.txid == txid)
    with call.services.db.read() as tx:
        heights = scanned_heights(tx)
        order = (deposits.c.seen_s, deposits.c.id)
        return read_page(
            tx, query, window, order, lambda row: deposit_view(row, call.services, heights)
        )


@router.get("/{deposit_id}")
def read_deposit(call: CallNow, deposit_id: UUID) -> DepositView:
    """One deposit."""
    with call.services.db.read() as tx:
        return one_deposit(tx, call.services, str(deposit_id))
