"""/v1/health: is the service following its chains? Public, so it says nothing about money."""

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from wallet import pauses
from wallet.api.reads import scanned_heights
from wallet.api.route import SignedRoute
from wallet.api.services import Services
from wallet.api.views import HealthView, NetworkHealthView
from wallet.deposits.scanned.pace import pace
from wallet.deposits.scanned.stops import stops
from wallet.events import last_seq

router = APIRouter(prefix="/v1/health", tags=["health"], route_class=SignedRoute)

LAG_BLOCKS_MAX = 3
"""A scan this far behind its node is still in order: blocks come in bursts."""


@router.get("")
def read_health(request: Request) -> HealthView:
    """How far the scan of each network is behind its node."""
    services: Services = request.app.state.services
    tips = {n.id: services.tips.height(n.id) for n in services.settings.networks}
    with services.db.read() as tx:
        scanned = scanned_heights(tx)
        seq = last_seq(tx)
        networks = [
            _view(tx, services, network, node, scanned.get(network))
            for network, node in tips.items()
        ]
    healthy = all(network.status == "ok" for network in networks)
    status = "ok" if healthy else "degraded"
    return HealthView(status=status, last_event_seq=seq, networks=networks)


def _view(
    tx: Connection, services: Services, network: str, node: int | None, scanned: int | None
) -> NetworkHealthView:
    lag = None if node is None or scanned is None else max(0, node - scanned)
    speed = pace(tx, network, services.clock.now_s()) if lag else None
    paused = [
        asset.code
        for asset in services.settings.assets
        if asset.network == network and pauses.holding(tx, network, asset.code)
    ]
    if stops(tx, network):
        status = "stopped"
    elif node is None:
        status = "node_unavailable"
    elif lag is None or lag > LAG_BLOCKS_MAX:
        status = "behind"
    else:
        status = "ok"
    return NetworkHealthView(
        network=network,
        status=status,
        node_height=node,
        scanned_height=scanned,
        lag_blocks=lag,
        estimate_s=None if lag is None or speed is None else speed.estimate_s(lag),
        withdrawals_paused=paused,
    )
