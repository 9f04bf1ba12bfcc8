"""Sending stored bytes, and finding out what became of them: by evidence, never by time-out.

For UTXO payments the evidence is our own scan of verified blocks, for EVM payments a receipt in a
block that our own scan has. Killed at any point, the next run continues from the rows.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from chains.errors import NodeError, invariant
from chains.types import BroadcastOutcome, Family, TxSighting, TxState
from policies.depth import confirmations_needed
from wallet.hosted_keys import journal
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.journal import HostedPayment
from wallet.hosted_keys.states import HostedPaymentStatus
from wallet.store.schema import blocks, hosted_coins, hosted_keys

RETRY_S_MAX = 300
"""The longest pause between two broadcasts of the same bytes."""

CONFLICT_S = 3600
"""A nonce that another transaction used ends an EVM payment after this, without a sight of it."""

CONFLICT = "conflict"
"""Sub-status of a payment whose coin or nonce something else used."""

_S = HostedPaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the scanned chain shows; `depth` counts the block that holds it too."""

    height: int | None = None
    depth: int = 0
    fee_units: int = 0
    succeeded: bool = True
    conflict: bool = False


class Follower:
    """Takes submitted payments to their end."""

    def __init__(self, context: HostedContext) -> None:
        self._context = context

    def run(self, network: str) -> None:
        """Look at every payment in flight once; a node that does not answer is asked next time.

        What was prepared and not signed in time ends here.
        """
        with self._context.database.write() as tx:
            journal.expire(tx, network, self._context.clock.now_s())
            payments = journal.in_flight(tx, network)
        for payment in payments:
            try:
                self._follow(payment)
            except NodeError:
                continue

    def send(self, payment: HostedPayment) -> None:
        """Broadcast stored bytes; the attempt is written down first. Never raises NodeError."""
        context = self._context
        invariant(payment.raw is not None, "bytes are sent only after they were stored")
        with context.database.write() as tx:
            journal.start_send(tx, payment, context.clock.now_s())
        context.milestone("hosted_payment.send_started")
        try:
            answer = context.chains[payment.network].broadcast(payment.raw or b"")
        except NodeError as error:
            sub_status = f"unknown:{error.code}"
        else:
            rejected = answer.outcome is BroadcastOutcome.REJECTED
            sub_status = f"rejected:{answer.reason}" if rejected else ""
        context.milestone("hosted_payment.sent")
        with context.database.write() as tx:
            journal.note(tx, payment, sub_status, context.clock.now_s())

    def _follow(self, payment: HostedPayment) -> None:
        context = self._context
        chain = context.chains[payment.network]
        sighting = None
        mined = 0
        if chain.family is Family.EVM:
            sighting = chain.sighting(payment.txid or "")
            if sighting.state is TxState.UNKNOWN:
                mined = self._mined_nonce(payment)
        with context.database.write() as tx:
            seen = self._evidence(tx, payment, sighting, mined)
            moved = self._act(tx, payment, seen, context.clock.now_s())
        if not moved and payment.status is _S.SUBMITTED and not seen.conflict:
            self._resend_if_due(payment)

    def _act(self, tx: Connection, payment: HostedPayment, seen: _Seen, now_s: int) -> bool:
        """Change what the evidence changes; says whether it did."""
        if seen.conflict:
            return self._shut_out(tx, payment, seen, now_s)
        if seen.height is None:
            if payment.status is _S.CONFIRMING:
                # A reorg took the block away: the bytes are still good and are sent again.
                journal.move(tx, payment, _S.SUBMITTED, now_s, height=None)
                return True
            return False
        if payment.status is _S.SUBMITTED:
            journal.move(tx, payment, _S.CONFIRMING, now_s, height=seen.height)
            return True
        if seen.depth < self._depth_needed(payment):
            return False
        after = _S.COMPLETED if seen.succeeded else _S.FAILED
        sub_status = "" if seen.succeeded else "reverted"
        journal.move(tx, payment, after, now_s, fee_units=seen.fee_units, sub_status=sub_status)
        return True

    def _shut_out(self, tx: Connection, payment: HostedPayment, seen: _Seen, now_s: int) -> bool:
        """Something else used a coin or the nonce: once that is final, ours never comes."""
        if seen.height is not None:
            final = seen.depth >= self._depth_needed(payment)
        else:
            final = payment.sub_status == CONFLICT and now_s - payment.updated_s >= CONFLICT_S
        if final:
            journal.move(tx, payment, _S.FAILED, now_s, sub_status=CONFLICT, fee_units=0)
            return True
        if payment.sub_status != CONFLICT:
            journal.note(tx, payment, CONFLICT, now_s)
        return False

    def _resend_if_due(self, payment: HostedPayment) -> None:
        pause_s = min(2 ** min(payment.sends, 10), RETRY_S_MAX)
        if self._context.clock.now_s() - payment.sent_s >= pause_s:
            self.send(payment)

    def _mined_nonce(self, payment: HostedPayment) -> int:
        """Transactions of the key that are mined."""
        context = self._context
        chain = context.chains[payment.network]
        with context.database.read() as tx:
            target = tx.execute(
                select(hosted_keys.c.target).where(hosted_keys.c.id == payment.key_id)
            ).scalar_one()
        invariant(hasattr(chain, "nonce"), f"{payment.network} is no EVM network")
        return int(chain.nonce(bytes(target)))  # type: ignore[attr-defined]

    def _evidence(
        self, tx: Connection, payment: HostedPayment, sighting: TxSighting | None, mined: int
    ) -> _Seen:
        if sighting is None:
            return _by_coins(tx, payment)
        if sighting.state is TxState.UNKNOWN and payment.nonce is not None:
            return _Seen(conflict=mined > payment.nonce)
        return _by_receipt(tx, payment, sighting)

    def _depth_needed(self, payment: HostedPayment) -> int:
        tiers = self._context.assets[payment.asset].confirmations
        return confirmations_needed(tiers, payment.units)


def _by_coins(tx: Connection, payment: HostedPayment) -> _Seen:
    rows = tx.execute(
        select(hosted_coins.c.spent_txid, hosted_coins.c.spent_height).where(
            hosted_coins.c.payment_id == payment.id, hosted_coins.c.spent_txid.is_not(None)
        )
    ).all()
    if not rows:
        return _Seen()
    tip = _scanned_height(tx, payment.network)
    foreign = [row.spent_height for row in rows if row.spent_txid != payment.txid]
    height = min(foreign) if foreign else rows[0].spent_height
    return _Seen(
        height=height,
        depth=tip - height + 1,
        fee_units=payment.fee_units_max,
        conflict=bool(foreign),
    )


def _by_receipt(tx: Connection, payment: HostedPayment, sighting: TxSighting) -> _Seen:
    block = sighting.block
    if sighting.state is not TxState.MINED or block is None:
        return _Seen()
    here = (blocks.c.network == payment.network) & (blocks.c.height == block.height)
    if tx.execute(select(blocks.c.hash).where(here)).scalar_one_or_none() != block.hash:
        # The node is ahead of our scan, or on another branch; the scan will come to it.
        return _Seen()
    return _Seen(
        height=block.height,
        depth=_scanned_height(tx, payment.network) - block.height + 1,
        fee_units=sighting.fee_units or 0,
        succeeded=sighting.succeeded,
    )


def _scanned_height(tx: Connection, network: str) -> int:
    top = tx.execute(select(func.max(blocks.c.height)).where(blocks.c.network == network))
    height = top.scalar_one()
    return -1 if height is None else int(height)
