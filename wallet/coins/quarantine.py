"""Dusting: tiny coins that strangers send to used addresses, to see them spent together later.

Such a coin is booked like any other, so that the ledger stays equal to the chain, and it is never
chosen for a payment until staff release it. Released once, it stays released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from chains.types import Inflow, OutPoint
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.fees import fee_sats, input_weight, vbytes
from chains.vaults import Vault
from wallet.addresses.issuing import Address
from wallet.errors import Conflict
from wallet.events import append_event
from wallet.settings import NetworkSettings
from wallet.store.schema import addresses, utxos

DUSTING = "dusting"
"""State of a coin that no payment may choose."""

RELEASED = "released"
"""State of a coin that staff looked at and let go."""


class NotQuarantined(Conflict):
    """The coin is unknown, spent, released before, or was never held back."""

    code = "coin.not_quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedCoin:
    """A coin held back."""

    network: str
    outpoint: OutPoint
    units: int
    address: str
    height: int | None


def dusting_units(network: NetworkSettings, vaults: Mapping[str, Vault]) -> int:
    """Below how much a deposit on a used address is dusting: 0 where that is not configured."""
    vault = vaults.get(network.deposit or network.hot)
    if not network.dusting_times or not isinstance(vault, DescriptorVault):
        return 0
    vsize = vbytes(input_weight(vault))
    return network.dusting_times * fee_sats(vsize, network.feerate_long_term)


def mark_dusting(
    tx: Connection,
    network: str,
    inflows: Sequence[Inflow],
    owners: Mapping[bytes, Address],
    limits: Mapping[str, int],
    now_s: int,
) -> int:
    """Hold back, of coins just recorded, those below their asset's limit on an address used before.

    `inflows` are strangers' payments only. Marking again changes nothing. Returns how many.
    """
    marked = 0
    for inflow in inflows:
        kind, _, place = inflow.position.partition(":")
        if kind != "out" or inflow.units >= limits.get(inflow.asset, 0):
            continue
        owner = owners[inflow.target]
        if not _was_used(tx, network, owner.id, inflow.txid):
            continue
        outpoint = OutPoint(inflow.txid, int(place))
        if _change(tx, network, outpoint, "", DUSTING):
            body = {
                "network": network,
                "outpoint": str(outpoint),
                "amount_units": str(inflow.units),
            }
            append_event(tx, "coin.quarantined", str(outpoint), body, now_s)
            marked += 1
    return marked


def quarantined(tx: Connection) -> Sequence[QuarantinedCoin]:
    """Every unspent coin that is held back, the largest first."""
    rows = tx.execute(
        select(utxos, addresses.c.address)
        .join(addresses, addresses.c.id == utxos.c.address_id)
        .where(utxos.c.quarantine == DUSTING, utxos.c.spent_txid.is_(None))
    )
    found = [
        QuarantinedCoin(
            network=row.network,
            outpoint=OutPoint(row.txid, row.vout),
            units=row.units,
            address=row.address,
            height=row.height,
        )
        for row in rows
    ]
    return sorted(found, key=lambda coin: (-coin.units, coin.outpoint))


def release(tx: Connection, network: str, outpoint: OutPoint, by: str, now_s: int) -> None:
    """Let payments choose a coin again; `by` is the member of staff. Raises NotQuarantined."""
    if not _change(tx, network, outpoint, DUSTING, RELEASED):
        raise NotQuarantined(f"got coin {outpoint} of {network}, expected one held back")
    body = {"network": network, "outpoint": str(outpoint), "released_by": by}
    append_event(tx, "coin.released", str(outpoint), body, now_s)


def _was_used(tx: Connection, network: str, address_id: str, txid: str) -> bool:
    """Whether another transaction paid the address: a fresh address's first coin is a deposit."""
    others = tx.execute(
        select(func.count())
        .select_from(utxos)
        .where(utxos.c.network == network, utxos.c.address_id == address_id, utxos.c.txid != txid)
    ).scalar_one()
    return bool(others)


def _change(tx: Connection, network: str, outpoint: OutPoint, before: str, after: str) -> bool:
    done = tx.execute(
        update(utxos)
        .where(
            utxos.c.network == network,
            utxos.c.txid == outpoint.txid,
            utxos.c.vout == outpoint.vout,
            utxos.c.quarantine == before,
        )
        .values(quarantine=after)
    )
    return done.rowcount == 1
