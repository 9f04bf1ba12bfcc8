"""One scanned block's tokens: what its deposits are worth, and what its balances give away."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from chains.types import BlockRef, BlockScan, Evidence, Inflow, TokenMove
from wallet.addresses.issuing import Address, Purpose
from wallet.deposits.tokens.arrivals import Arrival, Doubt, arrivals, silent_units
from wallet.deposits.tokens.kept import check_code, follow_balance
from wallet.deposits.tokens.unreadable import doubted, keep_unreadable
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
        _doubt(judged, {code.asset}, Doubt.CODE_CHANGED)
    keep_unreadable(tx, network, scan, now_s)
    if any(inflow.asset in assets and assets[inflow.asset].contract for inflow in judged):
        _doubt(judged, doubted(tx, network), Doubt.UNREADABLE)
    return judged


def _doubt(judged: dict[Inflow, Arrival], of: Container[str], doubt: Doubt) -> None:
    """Doubt what arrived of some tokens, where it is not in doubt yet."""
    for inflow, arrival in judged.items():
        if inflow.asset in of and not arrival.doubt:
            judged[inflow] = replace(arrival, doubt=doubt)


def _silent(ref: BlockRef, move: TokenMove, units: int) -> Inflow:
    return Inflow(
        txid="0x" + ref.hash,
        position=f"delta:{move.target.hex()}:{move.asset}",
        asset=move.asset,
        target=move.target,
        units=units,
        evidence=Evidence.BALANCE_DELTA,
    )
