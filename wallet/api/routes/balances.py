"""/v1/balances: what an account has, from the ledger, and what is on its way."""

from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import Connection, select

from chains.units import to_text
from wallet.api.exchange.amounts import IN_BOOKS, text
from wallet.api.reads import one_account
from wallet.api.route import CallNow, SignedRoute
from wallet.api.services import Services
from wallet.api.views import BalancesView, BalanceView, SubAccountView
from wallet.assets.registration import RegisteredAsset
from wallet.assets.trust import ever_of
from wallet.deposits.states import DepositStatus
from wallet.events import last_seq
from wallet.ledger import chart
from wallet.ledger.chart import SubAccount
from wallet.ledger.posting import Balance, balance
from wallet.settings import AssetSettings
from wallet.store.schema import deposits
from wallet.store.types import units_sum
from wallet.sub_accounts.moving import parts_of

router = APIRouter(prefix="/v1/balances", tags=["balances"], route_class=SignedRoute)

_ON_THE_WAY = (DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.HELD)


@router.get("")
def list_balances(call: CallNow, account_id: UUID) -> BalancesView:
    """All balances of one account and its parts, in one reading; registered assets come last."""
    services = call.services
    with services.db.read() as tx:
        one_account(tx, str(account_id))
        incoming = _incoming(tx, str(account_id))
        native = [
            _view(tx, str(account_id), asset, asset.network, incoming.get(asset.code, 0))
            for asset in services.settings.assets
        ]
        registered = [
            _view(tx, str(account_id), asset, IN_BOOKS, 0) for asset in ever_of(tx, str(account_id))
        ]
        return BalancesView(
            account_id=str(account_id),
            as_of_seq=last_seq(tx),
            data=[*native, *registered],
            sub_accounts=[
                _part(services, part, asset, found)
                for (part, asset), found in parts_of(tx, str(account_id)).items()
            ],
        )


def _part(services: Services, part: SubAccount, asset: str, found: Balance) -> SubAccountView:
    return SubAccountView(
        sub_account=str(part),
        asset=asset,
        total=text(services, asset, found.net),
        total_units=str(found.net),
        available=text(services, asset, found.available),
        available_units=str(found.available),
        held=text(services, asset, found.held),
        held_units=str(found.held),
    )


def _incoming(tx: Connection, account_id: str) -> dict[str, int]:
    query = (
        select(deposits.c.asset, units_sum(deposits.c.units))
        .where(deposits.c.account_id == account_id, deposits.c.status.in_(_ON_THE_WAY))
        .group_by(deposits.c.asset)
    )
    return {row[0]: row[1] for row in tx.execute(query)}


def _view(
    tx: Connection,
    account_id: str,
    asset: AssetSettings | RegisteredAsset,
    network: str,
    incoming: int,
) -> BalanceView:
    found = balance(tx, chart.user(account_id), asset.code)
    total, available = found.net, found.available
    owed = max(0, balance(tx, chart.receivable(account_id), asset.code).net)

    def shown(units: int) -> str:
        return to_text(units, asset.decimals)

    return BalanceView(
        asset=asset.code,
        network=network,
        total=shown(total),
        total_units=str(total),
        available=shown(available),
        available_units=str(available),
        held=shown(total - available),
        held_units=str(total - available),
        incoming=shown(incoming),
        incoming_units=str(incoming),
        owed=shown(owed),
        owed_units=str(owed),
    )
