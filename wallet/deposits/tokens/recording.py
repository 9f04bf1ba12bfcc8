"""One scanned block's tokens: what its deposits are worth, and what its balances give away."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from chains.types import BlockRef, BlockScan, Evidence, Inflow, TokenMove
from wallet.addresses.issuing import Address, Purpose
from wallet.deposits.tokens.arrivals import Arrival, Doubt, arrivals, silent_units
from wallet.deposits.tokens.kept import check_code, follow_balance
from wallet.settings import AssetSettings, TokenKind


def judge_tokens(
    tx: Connection,
    network: str,
    scan: BlockScan,
    inflows: Sequence[Inflow],
    owners: Mapping[bytes, Address],
    assets: Mapping[str, AssetSettings],
    now_s: int,
) -> Mapping[Inflow, Arrival]:
    """Every inflow of a block with what it is worth, those included that no event told of."""
    judged = {inflow: Arrival(units=inflow.units) for inflow in inflows}
    judged |= arrivals(inflows, scan.moves, assets)
    for move in scan.moves:
        owner, asset = owners.get(move.target), assets.get(move.asset)
        if owner is None or asset is None:
            continue
        follow_balance(tx, network, move, scan.ref, owner, now_s)
        units = silent_units(move)
        if units and owner.purpose is Purpose.DEPOSIT and asset.token_kind != TokenKind.REBASING:
            judged[_silent(scan.ref, move, units)] = Arrival(units=units, doubt=Doubt.NO_LOG)
    for code in scan.codes:
        asset = assets.get(code.asset)
        if asset is None or check_code(tx, network, code, asset, now_s):
            continue
        for inflow, arrival in judged.items():
            if inflow.asset == code.asset and not arrival.doubt:
                judged[inflow] = replace(arrival, doubt=Doubt.CODE_CHANGED)
    return judged


def _silent(ref: BlockRef, move: TokenMove, units: int) -> Inflow:
    return Inflow(
        txid="0x" + ref.hash,
        position=f"delta:{move.target.hex()}:{move.asset}",
        asset=move.asset,
        target=move.target,
        units=units,
        evidence=Evidence.BALANCE_DELTA,
    )
