"""/v1/balances: what an account has, from the ledger, and what is on its way."""

from collections.abc import Mapping
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import Connection, select

from chains.units import to_text
from wallet.api.exchange.amounts import IN_BOOKS, text
from wallet.api.moments import At, AtHeight, asked_height
from wallet.api.reads import one_account
from wallet.api.route import CallNow, SignedRoute
from wallet.api.services import Services
from wallet.api.views import BalancesView, BalanceView, SubAccountView
from wallet.assets.registration import RegisteredAsset
from wallet.assets.trust import ever_of
from wallet.deposits.states import DepositStatus
from wallet.events import last_seq
from wallet.ledger import chart
from wallet.ledger.balances import Balance, balances_of
from wallet.ledger.chart import Kind, SubAccount
from wallet.ledger.versions.history import balances_at
from wallet.settings import AssetSettings
from wallet.store.schema import deposits
from wallet.store.types import units_sum

router = APIRouter(prefix="/v1/balances", tags=["balances"], route_class=SignedRoute)

_ON_THE_WAY = (DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.HELD)


@router.get("")
def list_balances(
    call: CallNow, account_id: UUID, at_height: AtHeight = None, at: At = None
) -> BalancesView:
    """All balances of one account and its parts, in one reading; registered assets come last.

    With `at_height` or `at` (RFC 3339) those after that height of the ledger, or at that moment.
    """
    services, id = call.services, str(account_id)
    with services.db.read() as tx:
        one_account(tx, id)
        height = asked_height(tx, at_height, at, services.clock.now_s())
        books, incoming = _Books(tx, id, height), _incoming(tx, id)
        native = [
            _view(books, asset, asset.network, incoming.get(asset.code, 0))
            for asset in services.settings.assets
        ]
        registered = [_view(books, asset, IN_BOOKS, 0) for asset in ever_of(tx, id)]
        return BalancesView(
            account_id=id,
            as_of_seq=last_seq(tx) if height is None else None,
            at_height=height,
            data=[*native, *registered],
            sub_accounts=[
                _part(services, part, asset, found)
                for (part, asset), found in books.parts().items()
            ],
        )


class _Books:
    """What an account has and owes, now (`height` None) or after a height."""

    def __init__(self, tx: Connection, account_id: str, height: int | None) -> None:
        self.is_past = height is not None
        self._tx, self._account_id, self._height = tx, account_id, height
        self._has = self._all(chart.user(account_id))
        self._owes = self._all(chart.receivable(account_id))

    def _all(self, owner: str) -> Mapping[str, Balance]:
        if self._height is None:
            return balances_of(self._tx, owner)
        return balances_at(self._tx, owner, self._height)

    def parts(self) -> Mapping[tuple[SubAccount, str], Balance]:
        """(Sub-account, asset) to balance, for every part but spot that ever had anything."""
        return {
            (part, asset): found
            for part in SubAccount
            if part is not SubAccount.SPOT
            for asset, found in self._all(chart.user(self._account_id, part)).items()
        }

    def of(self, asset: str) -> tuple[Balance, int]:
        """The balance in an asset, and the units owed."""
        owed = self._owes.get(asset, Balance(kind=Kind.ASSET)).net
        return self._has.get(asset, Balance(kind=Kind.LIABILITY)), max(0, owed)


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
    books: _Books, asset: AssetSettings | RegisteredAsset, network: str, incoming: int
) -> BalanceView:
    found, owed = books.of(asset.code)
    total, available = found.net, found.available

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
        incoming=None if books.is_past else shown(incoming),
        incoming_units=None if books.is_past else str(incoming),
        owed=shown(owed),
        owed_units=str(owed),
    )
