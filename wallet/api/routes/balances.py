"""/v1/balances: what an account has, from the ledger, and what is on its way."""

from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import Connection, select

from chains.units import to_text
from wallet.api.moments import At, AtHeight, asked_height
from wallet.api.reads import one_account
from wallet.api.route import CallNow, SignedRoute
from wallet.api.views import BalancesView, BalanceView
from wallet.assets.registration import RegisteredAsset
from wallet.assets.trust import ever_of
from wallet.deposits.states import DepositStatus
from wallet.events import last_seq
from wallet.ledger import chart
from wallet.ledger.balances import Balance, balances_of
from wallet.ledger.chart import Kind
from wallet.ledger.versions.history import balances_at
from wallet.settings import AssetSettings
from wallet.store.schema import deposits
from wallet.store.types import units_sum

router = APIRouter(prefix="/v1/balances", tags=["balances"], route_class=SignedRoute)

IN_BOOKS = "ledger"
"""The network of registered assets: they are in our books and on no chain."""

_ON_THE_WAY = (DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.HELD)


@router.get("")
def list_balances(
    call: CallNow, account_id: UUID, at_height: AtHeight = None, at: At = None
) -> BalancesView:
    """All balances of one account, in one consistent reading; registered assets come last.

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
        )


class _Books:
    """What an account has and owes, now (`height` None) or after a height."""

    def __init__(self, tx: Connection, account_id: str, height: int | None) -> None:
        owners = (chart.user(account_id), chart.receivable(account_id))
        self.is_past = height is not None
        self._has, self._owes = (
            balances_of(tx, owner) if height is None else balances_at(tx, owner, height)
            for owner in owners
        )

    def of(self, asset: str) -> tuple[Balance, int]:
        """The balance in an asset, and the units owed."""
        owed = self._owes.get(asset, Balance(kind=Kind.ASSET)).net
        return self._has.get(asset, Balance(kind=Kind.LIABILITY)), max(0, owed)


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

    def text(units: int) -> str:
        return to_text(units, asset.decimals)

    return BalanceView(
        asset=asset.code,
        network=network,
        total=text(total),
        total_units=str(total),
        available=text(available),
        available_units=str(available),
        held=text(total - available),
        held_units=str(total - available),
        incoming=None if books.is_past else text(incoming),
        incoming_units=None if books.is_past else str(incoming),
        owed=text(owed),
        owed_units=str(owed),
    )
