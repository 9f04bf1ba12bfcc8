"""/v1/assets: the currencies of this deployment and their terms."""

from fastapi import APIRouter
from sqlalchemy import Connection

from chains.types import Evidence, Family
from wallet import pauses
from wallet.api.route import CallNow, SignedRoute
from wallet.api.services import Services
from wallet.api.views import AssetsView, AssetView, ConfirmationsView
from wallet.settings import AssetSettings

router = APIRouter(prefix="/v1/assets", tags=["assets"], route_class=SignedRoute)


@router.get("")
def list_assets(call: CallNow) -> AssetsView:
    """Every asset with its minimums, fee, confirmations and how deposits are found."""
    services = call.services
    with services.db.read() as tx:
        return AssetsView(data=[_view(tx, services, asset) for asset in services.settings.assets])


def _view(tx: Connection, services: Services, asset: AssetSettings) -> AssetView:
    paused = pauses.holding(tx, asset.network, asset.code)

    def text(units: int) -> str:
        return services.text(asset.code, units)

    return AssetView(
        asset=asset.code,
        network=asset.network,
        decimals=asset.decimals,
        contract=asset.contract,
        evidence_mode=_evidence_mode(services, asset),
        deposit_amount_min=text(asset.deposit_units_min),
        deposit_amount_min_units=str(asset.deposit_units_min),
        withdrawal_amount_min=text(asset.withdrawal_units_min),
        withdrawal_amount_min_units=str(asset.withdrawal_units_min),
        withdrawal_fee=text(asset.withdrawal_fee_units),
        withdrawal_fee_units=str(asset.withdrawal_fee_units),
        withdrawals_paused=bool(paused),
        withdrawals_paused_reasons=[one.reason for one in paused],
        confirmations=[
            ConfirmationsView(
                from_amount=text(tier.from_units),
                from_amount_units=str(tier.from_units),
                confirmations=tier.confirmations,
            )
            for tier in asset.confirmations
        ],
    )


def _evidence_mode(services: Services, asset: AssetSettings) -> str:
    """Outputs and logs are always complete; native EVM money depends on what the node can tell."""
    if asset.contract is not None:
        return Evidence.LOG
    chain = services.chains.get(asset.network)
    if chain is None:
        return "unknown"
    if chain.family is Family.UTXO:
        return Evidence.OUTPUT
    return str(getattr(chain, "evidence_mode", Evidence.TRANSACTION))
