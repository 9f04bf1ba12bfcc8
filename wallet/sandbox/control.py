"""The wishes over HTTP: `/sandbox/v1`, apart from the API, unsigned, on a loopback address only."""

from enum import StrEnum
from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from chains.errors import ChainError
from chains.units import to_units
from wallet.errors import WalletError
from wallet.sandbox.errors import UnknownNetwork
from wallet.sandbox.world import SandboxWorld

PREFIX = "/sandbox/v1"
DECIMALS = {"BTC": 8, "LTC": 8, "ETH": 18, "DUSD": 6, "DGLD": 18}

Name = Annotated[str, Field(max_length=64)]
Amount = Annotated[str, Field(max_length=80)]


class Fate(StrEnum):
    """What becomes of the transactions that a reorg undoes."""

    KEPT = "kept"
    DROPPED = "dropped"
    CONFLICTING = "conflicting"


class Disturbance(StrEnum):
    """What can be made to go wrong between the service and a node."""

    LOST_BEFORE = "lost_before"
    LOST_AFTER = "lost_after"
    DOUBLED = "doubled"
    REJECTED = "rejected"
    DOWN = "down"
    UP = "up"
    LAG = "lag"
    OMITS = "omits"
    INFLATES = "inflates"
    OTHER_BLOCK = "other_block"


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DepositWish(_Wish):
    """Money from outside; several amounts travel in one transaction."""

    asset: Name
    address: Name | Annotated[str, Field(max_length=128)]
    amounts: Annotated[list[Amount], Field(min_length=1, max_length=100)]


class BlocksWish(_Wish):
    """Blocks on one network, or on all of them."""

    network: Name | None = None
    count: Annotated[int, Field(ge=1, le=1000)] = 1


class ReorgWish(_Wish):
    """Other blocks instead of the last ones, and one more."""

    network: Name
    depth: Annotated[int, Field(ge=1, le=1000)]
    fate: Fate = Fate.KEPT


class PriceWish(_Wish):
    """Sats per 1000 vbytes and what blocks ask at least, or wei for a unit of gas."""

    network: Name
    units: Annotated[int, Field(ge=0, le=10**15)]
    floor: Annotated[int, Field(ge=0, le=10**15)] = 0


class FaultWish(_Wish):
    """A fault of the next `count` broadcasts, or of the node; `count` is also blocks of lag."""

    network: Name
    fault: Disturbance
    count: Annotated[int, Field(ge=1, le=1000)] = 1


class EvictionWish(_Wish):
    """A waiting transaction for the nodes to forget."""

    network: Name
    txid: Name | Annotated[str, Field(max_length=66)]


def control_app(world: SandboxWorld) -> FastAPI:
    """The wishes as routes."""
    app = FastAPI(title="Glaytos Wallet sandbox", docs_url=None, redoc_url=None)

    @app.exception_handler(WalletError)
    @app.exception_handler(ChainError)
    async def refused(_request: Request, error: Exception) -> JSONResponse:
        code = getattr(error, "code", "sandbox.error")
        return JSONResponse({"error": {"code": code, "message": str(error)}}, status_code=422)

    @app.get("/chains")
    def chains() -> list[dict[str, object]]:
        return [
            {"network": node.network, "height": node.height, "node_url": node.url}
            for node in world.status()
        ]

    @app.post("/deposits")
    def deposit(wish: DepositWish) -> dict[str, str]:
        if wish.asset not in DECIMALS:
            raise UnknownNetwork(f"got asset {wish.asset!r}, expected one of {sorted(DECIMALS)}")
        units = [to_units(text, DECIMALS[wish.asset]) for text in wish.amounts]
        return {"txid": world.deposit(wish.asset, wish.address, units)}

    @app.post("/blocks")
    def blocks(wish: BlocksWish) -> dict[str, int]:
        return world.mine(wish.network, wish.count)

    @app.post("/reorgs")
    def reorg(wish: ReorgWish) -> dict[str, int]:
        return {wish.network: world.reorg(wish.network, wish.depth, wish.fate)}

    @app.post("/prices")
    def price(wish: PriceWish) -> dict[str, int]:
        world.price(wish.network, wish.units, wish.floor)
        return {wish.network: wish.units}

    @app.post("/faults")
    def fault(wish: FaultWish) -> dict[str, str]:
        world.disturb(wish.network, wish.fault, wish.count)
        return {wish.network: wish.fault}

    @app.post("/evictions")
    def evict(wish: EvictionWish) -> dict[str, str]:
        world.evict(wish.network, wish.txid)
        return {wish.network: wish.txid}

    return app
