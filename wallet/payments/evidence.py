"""What the chain shows about a payment: which version was mined where, or what shut it out.

For UTXO payments the evidence is our own scan of verified blocks; for EVM payments a receipt in a
block that our own scan has. A node's word alone never ends a payment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select

from chains.ports import Chain
from chains.types import Family, TxSighting, TxState
from policies.depth import confirmations_needed
from wallet.payments.context import PaymentContext
from wallet.payments.journal import Payment
from wallet.payments.replacing.versions import Version, scanned_height
from wallet.payments.states import FINAL, PaymentStatus
from wallet.reorgs import ReorgAlarm, alarm_confirmations
from wallet.store.schema import blocks, payment_versions, payments, utxos

_HASH = select(blocks.c.hash).where(
    blocks.c.network == bindparam("on"), blocks.c.height == bindparam("at")
)

_TIP = (
    select(blocks.c.hash)
    .where(blocks.c.network == bindparam("on"))
    .order_by(blocks.c.height.desc())
    .limit(1)
)

Sightings = Mapping[int, TxSighting]
"""What a node knows of each signed version, by its number; empty for UTXO payments."""


class Found(StrEnum):
    """What the scanned chain says."""

    NOTHING = "nothing"
    MINED = "mined"
    CONFLICT = "conflict"  # for every version an input was spent by another transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`depth` counts blocks from the one that holds it to the scanned tip, both included."""

    found: Found
    version: Version | None = None
    height: int | None = None
    depth: int = 0
    fee_units: int = 0
    succeeded: bool = True


def ask_node(chain: Chain, signed: Sequence[Version]) -> Sightings:
    """The node's sight of EVM versions; UTXO payments need none. Raises NodeError."""
    if chain.family is Family.UTXO:
        return {}
    return {one.number: chain.sighting(one.txid) for one in signed if one.txid is not None}


def scanned_tip(tx: Connection, network: str) -> str:
    """The hash of the last block of our scan, "" before the first."""
    return tx.execute(_TIP, {"on": network}).scalar_one_or_none() or ""


def evidence(
    tx: Connection, payment: Payment, signed: Sequence[Version], sightings: Sightings
) -> Evidence:
    """What our scan shows now, in the transaction that will act on it."""
    if payment.sender is None:
        return _by_inputs(tx, payment, signed)
    return _by_receipts(tx, payment, signed, sightings)


def depth_needed(tx: Connection, context: PaymentContext, payment: Payment) -> int:
    """Blocks that a payment of this size must be deep before it is final for us, alarms included.

    Other payments do not count: a reorganisation that drops several makes us send the same bytes
    again, so nothing is gained by splitting one.
    """
    network = payment.network
    alarm = ReorgAlarm.of(context.networks[network])
    more = alarm_confirmations(tx, network, alarm, scanned_height(tx, network))
    return confirmations_needed(context.assets[payment.asset].confirmations, payment.units) + more


def _by_inputs(tx: Connection, payment: Payment, signed: Sequence[Version]) -> Evidence:
    rows = tx.execute(
        select(utxos.c.txid, utxos.c.vout, utxos.c.spent_txid, utxos.c.spent_height).where(
            utxos.c.payment_id == payment.id, utxos.c.spent_txid.is_not(None)
        )
    ).all()
    tip = scanned_height(tx, payment.network)
    by_txid = {one.txid: one for one in signed}
    for row in rows:
        mined = by_txid.get(row.spent_txid)
        if mined is not None:
            return Evidence(
                found=Found.MINED,
                version=mined,
                height=row.spent_height,
                depth=tip - row.spent_height + 1,
                fee_units=mined.fee_units_max,
            )
    taken = {f"{row.txid}:{row.vout}": row.spent_height for row in rows}
    if _has_lost_its_parent(tx, payment):
        return Evidence(found=Found.CONFLICT, height=tip, depth=tip + 1)
    if not taken or any(not one.consumes & taken.keys() for one in signed):
        return Evidence(found=Found.NOTHING)
    first = min(taken.values())
    return Evidence(found=Found.CONFLICT, height=first, depth=tip - first + 1)


def _has_lost_its_parent(tx: Connection, payment: Payment) -> bool:
    """Whether it spends the change of a version that lost: the parent is final in another one."""
    made = payment_versions.join(utxos, utxos.c.txid == payment_versions.c.txid).join(
        payments, payments.c.id == payment_versions.c.payment_id
    )
    rows = tx.execute(
        select(payments.c.status, payments.c.txid, utxos.c.txid.label("needed"))
        .select_from(made)
        .where(utxos.c.payment_id == payment.id, utxos.c.height.is_(None))
    )
    return any(PaymentStatus(row.status) in FINAL and row.txid != row.needed for row in rows)


def _by_receipts(
    tx: Connection, payment: Payment, signed: Sequence[Version], sightings: Sightings
) -> Evidence:
    for version in signed:
        sighting = sightings.get(version.number)
        if sighting is None or sighting.state is not TxState.MINED or sighting.block is None:
            continue
        block = sighting.block
        where = {"on": payment.network, "at": block.height}
        scanned = tx.execute(_HASH, where).scalar_one_or_none()
        if scanned != block.hash:
            # The node is ahead of our scan, or on another branch; the scan will come to it.
            continue
        return Evidence(
            found=Found.MINED,
            version=version,
            height=block.height,
            depth=scanned_height(tx, payment.network) - block.height + 1,
            fee_units=sighting.fee_units or 0,
            succeeded=sighting.succeeded,
        )
    return Evidence(found=Found.NOTHING)
