"""What the chain shows about a payment: mined where, shut out by what, or nothing yet.

For UTXO payments the evidence is our own scan of verified blocks; for EVM payments a receipt in a
block that our own scan has. A node's word alone never ends a payment.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, select

from chains.ports import Chain
from chains.types import Family, TxSighting, TxState
from policies.depth import confirmations_needed
from wallet.payments.context import PaymentContext
from wallet.payments.journal import Payment
from wallet.reorgs import ReorgAlarm, alarm_confirmations
from wallet.store.schema import blocks, utxos


class Found(StrEnum):
    """What the scanned chain says."""

    NOTHING = "nothing"
    MINED = "mined"
    CONFLICT = "conflict"  # an input was spent by another transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`depth` counts blocks from the one that holds it to the scanned tip, both included."""

    found: Found
    height: int | None = None
    depth: int = 0
    fee_units: int = 0
    succeeded: bool = True


def ask_node(chain: Chain, payment: Payment) -> TxSighting | None:
    """The node's sight of an EVM payment; UTXO payments need none. Raises NodeError."""
    if chain.family is Family.UTXO or payment.txid is None:
        return None
    return chain.sighting(payment.txid)


def evidence(tx: Connection, payment: Payment, sighting: TxSighting | None) -> Evidence:
    """What our scan shows now, in the transaction that will act on it."""
    if sighting is None:
        return _by_inputs(tx, payment)
    return _by_receipt(tx, payment, sighting)


def depth_needed(tx: Connection, context: PaymentContext, payment: Payment) -> int:
    """Blocks that a payment of this size must be deep before it is final for us, alarms included.

    Other payments do not count: a reorganisation that drops several makes us send the same bytes
    again, so nothing is gained by splitting one.
    """
    network = payment.network
    alarm = ReorgAlarm.of(context.networks[network])
    more = alarm_confirmations(tx, network, alarm, scanned_height(tx, network))
    return confirmations_needed(context.assets[payment.asset].confirmations, payment.units) + more


def scanned_height(tx: Connection, network: str) -> int:
    """The height of our scan, -1 before the first block."""
    top = tx.execute(select(func.max(blocks.c.height)).where(blocks.c.network == network))
    height = top.scalar_one()
    return -1 if height is None else int(height)


def _by_inputs(tx: Connection, payment: Payment) -> Evidence:
    rows = tx.execute(
        select(utxos.c.spent_txid, utxos.c.spent_height).where(
            utxos.c.payment_id == payment.id, utxos.c.spent_txid.is_not(None)
        )
    ).all()
    if not rows:
        return Evidence(found=Found.NOTHING)
    tip = scanned_height(tx, payment.network)
    foreign = [row.spent_height for row in rows if row.spent_txid != payment.txid]
    if foreign:
        first = min(foreign)
        return Evidence(found=Found.CONFLICT, height=first, depth=tip - first + 1)
    height = rows[0].spent_height
    return Evidence(
        found=Found.MINED,
        height=height,
        depth=tip - height + 1,
        fee_units=payment.fee_units or 0,
    )


def _by_receipt(tx: Connection, payment: Payment, sighting: TxSighting) -> Evidence:
    block = sighting.block
    if sighting.state is not TxState.MINED or block is None:
        return Evidence(found=Found.NOTHING)
    scanned = tx.execute(
        select(blocks.c.hash).where(
            blocks.c.network == payment.network, blocks.c.height == block.height
        )
    ).scalar_one_or_none()
    if scanned != block.hash:
        # The node is ahead of our scan, or on another branch; the scan will come to it.
        return Evidence(found=Found.NOTHING)
    return Evidence(
        found=Found.MINED,
        height=block.height,
        depth=scanned_height(tx, payment.network) - block.height + 1,
        fee_units=sighting.fee_units or 0,
        succeeded=sighting.succeeded,
    )
