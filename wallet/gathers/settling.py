"""What a batch really moved, address by address, and its entry in the books.

A batch passes over addresses that fail, and a token may take a fee, so its bytes say nothing of
amounts. What left each address is the difference of its balances around the block; what reached
the treasury are the token's Transfer logs in the receipt, and never more than what left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, select, update

from chains.evm.addresses import from_text
from chains.types import AssetMove, BlockRef
from signer.protocol import Kind, Purpose
from wallet.events import append_event
from wallet.gathers.ports import GatherDoor
from wallet.ledger import chart
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.payments import journal, settle
from wallet.payments.context import PaymentContext
from wallet.payments.evidence import ask_node, depth_needed, evidence
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.versions import Act
from wallet.payments.states import PaymentStatus
from wallet.store.schema import addresses, batch_shares, deposits


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Base units that left one address, and what of them reached the treasury."""

    address_id: str
    left_units: int
    arrived_units: int
    told_units: int


class BatchBook:
    """Ends batches that the chain has mined."""

    def __init__(self, context: PaymentContext) -> None:
        self._context = context

    def run(self, network: str, door: GatherDoor) -> int:
        """Look at every mined batch, and book those that are deep enough; returns how many.

        Raises NodeError; what was done until then is committed.
        """
        with self._context.database.read() as tx:
            mined = [
                payment
                for payment in journal.unfinished(tx, network, purposes=[Purpose.GATHER])
                if payment.request.kind is Kind.EVM_BATCH
                and payment.status is PaymentStatus.CONFIRMING
            ]
        return sum(self._step(payment, door) for payment in mined)

    def _step(self, payment: Payment, door: GatherDoor) -> bool:
        context = self._context
        with context.database.read() as tx:
            signed = versions.signed(tx, payment.id)
        sightings = ask_node(door, signed)
        with context.database.read() as tx:
            seen = evidence(tx, payment, signed, sightings)
            shares = _shares(tx, payment.id)
        if seen.version is None or seen.version.act is Act.DROP or not seen.succeeded:
            return False  # the broadcaster takes it back, or fails it
        block = sightings[seen.version.number].block
        if block is None or seen.version.number != payment.version:
            return False
        if any(share.block_hash != block.hash for share in shares):
            self._look(payment, shares, block, door)
            with context.database.read() as tx:
                shares = _shares(tx, payment.id)
        left = sum(share.left_units for share in shares)
        with context.database.read() as tx:
            needed = depth_needed(tx, context, replace(payment, units=left))
        if seen.depth < needed:
            return False
        with context.database.write() as tx:
            self._book(tx, payment, shares, seen.fee_units)
        context.milestone("gather.batch_completed")
        return True

    def _look(
        self, payment: Payment, shares: Sequence[Row[Any]], block: BlockRef, door: GatherDoor
    ) -> None:
        """Write down what happened in this block; another block after a reorg replaces it."""
        context = self._context
        is_native = payment.asset == context.native_asset(payment.network)
        moves = () if is_native else door.token_moves(payment.txid or "")
        treasury = from_text(payment.sender or "")
        found = []
        for share in shares:
            with context.database.read() as tx:
                inflow = _inflow_units(tx, share.address_id, payment.asset, block)
            target = bytes(share.target)
            before = BlockRef(height=block.height - 1, hash=block.parent, parent="", time_s=0)
            left = max(
                0,
                door.balance_units(target, payment.asset, before)
                + inflow
                - door.balance_units(target, payment.asset, block),
            )
            told = left if is_native else _told(moves, payment.asset, target, treasury)
            found.append(
                Seen(
                    address_id=share.address_id,
                    left_units=left,
                    arrived_units=min(told, left),
                    told_units=told,
                )
            )
        with context.database.write() as tx:
            for one in found:
                tx.execute(
                    update(batch_shares)
                    .where(
                        batch_shares.c.payment_id == payment.id,
                        batch_shares.c.address_id == one.address_id,
                    )
                    .values(
                        block_hash=block.hash,
                        left_units=one.left_units,
                        arrived_units=one.arrived_units,
                    )
                )
                if one.told_units > one.left_units:
                    self._alert(tx, payment, one)
        context.milestone("gather.batch_seen")

    def _alert(self, tx: Connection, payment: Payment, one: Seen) -> None:
        """A token whose logs say more than its balances cannot be trusted."""
        body = {
            "payment_id": payment.id,
            "asset": payment.asset,
            "address_id": one.address_id,
            "told_units": str(one.told_units),
            "left_units": str(one.left_units),
        }
        append_event(tx, "alert.gather", payment.id, body, self._context.clock.now_s())

    def _book(
        self, tx: Connection, payment: Payment, shares: Sequence[Row[Any]], fee_units: int
    ) -> None:
        now_s = self._context.clock.now_s()
        left = sum(share.left_units for share in shares)
        arrived = sum(share.arrived_units for share in shares)
        lines = []
        if arrived:
            lines.append(
                Transfer.single(
                    debit=chart.HOT, credit=chart.DEPOSIT, asset=payment.asset, units=arrived
                )
            )
        if left > arrived:
            # What the token itself kept.
            lines.append(
                Transfer.single(
                    debit=chart.KEPT_BY_TOKENS,
                    credit=chart.DEPOSIT,
                    asset=payment.asset,
                    units=left - arrived,
                )
            )
        lines.extend(settle.fee_lines(self._context, payment, fee_units))
        post_batch(tx, f"payment:{payment.id}:completed", lines, now_s)
        journal.move(
            tx, payment, PaymentStatus.COMPLETED, now_s, fee_units=fee_units, units=arrived
        )
        settle.announce(tx, journal.get(tx, payment.id), PaymentStatus.COMPLETED, "", now_s)


def _shares(tx: Connection, payment_id: str) -> Sequence[Row[Any]]:
    return tx.execute(
        select(batch_shares, addresses.c.target)
        .join(addresses, addresses.c.id == batch_shares.c.address_id)
        .where(batch_shares.c.payment_id == payment_id)
        .order_by(batch_shares.c.address_id)
    ).all()


def _inflow_units(tx: Connection, address_id: str, asset: str, block: BlockRef) -> int:
    """What our scan saw arrive on an address in a block."""
    rows = tx.execute(
        select(deposits.c.units).where(
            deposits.c.address_id == address_id,
            deposits.c.asset == asset,
            deposits.c.block_hash == block.hash,
        )
    )
    return sum(row.units for row in rows)


def _told(moves: Sequence[AssetMove], asset: str, sender: bytes, to: bytes) -> int:
    return sum(
        move.units for move in moves if (move.asset, move.sender, move.to) == (asset, sender, to)
    )
