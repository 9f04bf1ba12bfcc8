"""/v1/withdrawals: payouts, asked for once and paid once."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection

from signer.protocol import Approval
from wallet.api.bodies import CODE, EXTERNAL_ID, NewApproval, NewWithdrawal
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.reads import (
    approvers_of,
    one_account,
    one_withdrawal,
    one_withdrawal_of,
    scanned_heights,
    select_withdrawals,
    withdrawal_view,
)
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.services import AssetOnOtherNetwork, Services
from wallet.api.views import WithdrawalView
from wallet.errors import Conflict, Invalid
from wallet.ledger.errors import AccountFrozen, InsufficientFunds
from wallet.store.schema import withdrawals
from wallet.treasury.errors import WrongIntent
from wallet.withdrawals.requests import WithdrawalOrder
from wallet.withdrawals.states import WithdrawalStatus

router = APIRouter(prefix="/v1/withdrawals", tags=["withdrawals"], route_class=SignedRoute)


class AmountMissing(Invalid):
    """Neither `amount` nor `amount_units` was given, or both."""

    code = "withdrawal.amount_missing"


class FundsMissing(Conflict):
    """The account has less available than the amount and the fee."""

    code = "withdrawal.insufficient_funds"


class WithdrawerFrozen(Conflict):
    """The account is frozen in the asset: nothing leaves it until the freeze is lifted."""

    code = "withdrawal.account_frozen"


@router.post(
    "",
    status_code=201,
    response_model=WithdrawalView,
    responses={202: {"model": WithdrawalView, "description": "Accepted; people must approve it"}},
)
def create_withdrawal(body: NewWithdrawal, once: OnceNow) -> Response:
    """Hold the amount and its fee and queue the payout; 202 when people must approve it first."""
    services = once.call.services
    asset = services.asset(body.asset)
    if body.network is not None and body.network != asset.network:
        raise AssetOnOtherNetwork(f"got network {body.network}, expected {asset.network}")
    order = WithdrawalOrder(
        external_id=body.external_id,
        account_id=body.account_id,
        asset=body.asset,
        address=body.address,
        units=_units(services, body),
        requester=once.call.key_id,
    )

    def effect(tx: Connection) -> tuple[int, WithdrawalView]:
        one_account(tx, body.account_id)
        try:
            submitted = services.withdrawals.submit(tx, order)
        except InsufficientFunds as error:
            raise FundsMissing(error.message, error.details) from error
        except AccountFrozen as error:
            raise WithdrawerFrozen(f"got an account that is frozen in {body.asset}") from error
        view = one_withdrawal(tx, services, submitted.id)
        return (202 if view.status == WithdrawalStatus.PENDING_APPROVAL else 201), view

    return once.run(effect)


@router.get("")
def list_withdrawals(
    call: CallNow,
    window: WindowNow,
    account_id: UUID | None = None,
    network: Annotated[str | None, Query(pattern=CODE)] = None,
    asset: Annotated[str | None, Query(pattern=CODE)] = None,
    status: WithdrawalStatus | None = None,
) -> Page[WithdrawalView]:
    """Withdrawals, newest first."""
    query = select_withdrawals()
    if account_id is not None:
        query = query.where(withdrawals.c.account_id == str(account_id))
    if network is not None:
        query = query.where(withdrawals.c.network == network)
    if asset is not None:
        query = query.where(withdrawals.c.asset == asset)
    if status is not None:
        query = query.where(withdrawals.c.status == status)
    with call.services.db.read() as tx:
        heights = scanned_heights(tx)
        order = (withdrawals.c.created_s, withdrawals.c.id)
        return read_page(
            tx,
            query,
            window,
            order,
            lambda row: withdrawal_view(
                row, call.services, heights, approvers_of(tx, [row["intent_digest"]])
            ),
        )


@router.get("/{withdrawal_id}")
def read_withdrawal(call: CallNow, withdrawal_id: UUID) -> WithdrawalView:
    """One withdrawal."""
    with call.services.db.read() as tx:
        return one_withdrawal(tx, call.services, str(withdrawal_id))


@router.get("/external/{external_id}")
def read_withdrawal_by_external_id(
    call: CallNow, external_id: Annotated[str, Path(pattern=EXTERNAL_ID)]
) -> WithdrawalView:
    """The withdrawal of one of the exchange's own ids: what to ask after a lost answer."""
    with call.services.db.read() as tx:
        return one_withdrawal_of(tx, call.services, external_id)


@router.post("/{withdrawal_id}/cancel", response_model=WithdrawalView)
def cancel_withdrawal(once: OnceNow, withdrawal_id: UUID) -> Response:
    """Take a payout back and free its hold; possible until signing begins."""
    services = once.call.services

    def effect(tx: Connection) -> tuple[int, WithdrawalView]:
        one_withdrawal(tx, services, str(withdrawal_id))
        services.withdrawals.cancel(tx, str(withdrawal_id))
        return 200, one_withdrawal(tx, services, str(withdrawal_id))

    return once.run(effect)


@router.post("/{withdrawal_id}/approvals", response_model=WithdrawalView)
def approve_withdrawal(body: NewApproval, once: OnceNow, withdrawal_id: UUID) -> Response:
    """Hand in an approval that a staff member signed with their own key."""
    services = once.call.services
    approval = Approval(body=bytes.fromhex(body.body), sig=bytes.fromhex(body.sig))
    approval.check()

    def effect(tx: Connection) -> tuple[int, WithdrawalView]:
        asked = one_withdrawal(tx, services, str(withdrawal_id))
        if approval.intent_digest.hex() != asked.intent_digest:
            raise WrongIntent(f"got an approval of another intent, expected {asked.intent_digest}")
        services.approvals.receive(tx, approval, services.clock.now_s())
        return 200, one_withdrawal(tx, services, str(withdrawal_id))

    return once.run(effect)


def _units(services: Services, body: NewWithdrawal) -> int:
    match (body.amount, body.amount_units):
        case (str(text), None):
            return services.units(body.asset, text)
        case (None, str(text)):
            return int(text)
        case _:
            raise AmountMissing("got both or neither of amount and amount_units, expected one")
