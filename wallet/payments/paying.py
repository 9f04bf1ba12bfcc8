"""From the queue of withdrawals to payments: batched on UTXO chains, one by one on EVM chains."""

from sqlalchemy import Connection

from chains.types import Family
from signer.protocol import Purpose
from wallet import pauses
from wallet.assets.freezing import frozen_among
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.utxo import Unpayable
from wallet.payments.context import role_of
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import (
    AccountFrozen,
    FundsMissing,
    NotBuilt,
    PolicyRefused,
    SenderBusy,
    WithdrawalsPaused,
)
from wallet.payments.journal import Payment
from wallet.payments.settle import ALONE
from wallet.withdrawals import records
from wallet.withdrawals.errors import WithdrawalMoved
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus

QUEUE_MAX = 500
"""Withdrawals looked at in one pass."""

_HALVE_FROM = 8
"""A batch that does not fit loses half of it from this size on, below it one at a time."""

_FEES = "fees."
"""Policy reasons about the fee: cheaper hours may lift them, so the withdrawal keeps waiting."""


class WithdrawalPayer:
    """Builds payments for what is queued on one network at a time."""

    def __init__(self, desk: PaymentDesk) -> None:
        self._desk = desk
        self._context = desk.context

    def pay_queued(self, network: str) -> int:
        """Build what can be built now; returns how many withdrawals found a payment.

        Raises NodeError when the chain does not answer.
        """
        with self._context.database.read() as tx:
            waiting = records.queued(tx, network, QUEUE_MAX)
            assets = sorted({withdrawal.asset for withdrawal in waiting})
            paused = [one for one in assets if pauses.holding(tx, network, one)]
            frozen = _frozen(tx, waiting)
        waiting = self._free(waiting, paused, frozen)
        if not waiting:
            return 0
        if self._context.chains[network].family is Family.EVM:
            return self._one_by_one(waiting)
        return self._in_batches(network, waiting)

    def _free(
        self, waiting: list[Withdrawal], paused: list[str], frozen: frozenset[tuple[str, str]]
    ) -> list[Withdrawal]:
        """What no person has stopped; the others are told why they wait."""
        free = []
        for withdrawal in waiting:
            if withdrawal.asset in paused:
                stopped: NotBuilt = WithdrawalsPaused("got an asset that is paused")
            elif (withdrawal.account_id, withdrawal.asset) in frozen:
                stopped = AccountFrozen("got an account that is frozen")
            else:
                free.append(withdrawal)
                continue
            if withdrawal.sub_status != stopped.code:
                self._put_off(withdrawal, stopped)
        return free

    def _in_batches(self, network: str, waiting: list[Withdrawal]) -> int:
        settings = self._context.networks[network]
        together = [w for w in waiting if w.sub_status != ALONE]
        now_s = self._context.clock.now_s()
        size = max(1, settings.batch_payees_max)
        built = 0
        oldest = min((w.created_s for w in together), default=now_s)
        if len(together) >= size or now_s - oldest >= settings.batch_wait_s:
            for start in range(0, len(together), size):
                built += self._batch(together[start : start + size])
        return built + self._one_by_one([w for w in waiting if w.sub_status == ALONE])

    def _batch(self, batch: list[Withdrawal]) -> int:
        """One payment for all; the newest are left out until the coins suffice."""
        while len(batch) > 1:
            try:
                self._start(batch)
            except WithdrawalMoved:
                return 0  # one was cancelled just now; the next pass reads the queue anew
            except (FundsMissing, Unpayable) as error:
                keep = len(batch) - 1 if len(batch) < _HALVE_FROM else len(batch) // 2
                for left_out in batch[keep:]:
                    self._put_off(left_out, error)
                batch = batch[:keep]
            except NotBuilt:
                # One of them may be the reason: each by itself shows which.
                return self._one_by_one(batch)
            else:
                return len(batch)
        return self._one_by_one(batch)

    def _one_by_one(self, waiting: list[Withdrawal]) -> int:
        built = 0
        for withdrawal in waiting:
            try:
                payment = self._start([withdrawal])
                built += 1
                if payment.sender is not None:
                    # Signed at once, so that its sender is free for the next one.
                    self._desk.advance(payment.id)
            except SenderBusy:
                break
            except WithdrawalMoved:
                continue
            except NotBuilt as error:
                self._put_off(withdrawal, error)
        return built

    def _start(self, batch: list[Withdrawal]) -> Payment:
        order = self._order(batch)

        def carry(tx: Connection, payment: Payment) -> None:
            self._context.fence(tx, role_of(order.network))
            if _frozen(tx, batch):
                raise AccountFrozen("got an account that was frozen just now")
            now_s = self._context.clock.now_s()
            records.move_all(tx, batch, WithdrawalStatus.SIGNING, now_s, payment_id=payment.id)

        return self._desk.start(order, carry)

    def _order(self, batch: list[Withdrawal]) -> SpendOrder:
        first = batch[0]
        with self._context.database.read() as tx:
            approvals = [a for w in batch for a in records.approvals_of(tx, w.intent_digest)]
        evm = self._context.chains[first.network].family is Family.EVM
        source = first.intent.source
        return SpendOrder(
            network=first.network,
            asset=first.asset,
            source=source,
            purpose=Purpose.WITHDRAWAL,
            intents=tuple(w.intent for w in batch),
            approvals=tuple(approvals),
            sender=self._desk.fixed_sender(first.network, source) if evm else None,
        )

    def _put_off(self, withdrawal: Withdrawal, error: NotBuilt) -> None:
        """Say why it waits; block it when waiting cannot help and a person has to look."""
        reason = str(error.details.get("reason", error.code))
        for_good = isinstance(error, PolicyRefused) and not reason.startswith(_FEES)
        for_good = for_good or error.code in _HOPELESS
        now_s = self._context.clock.now_s()
        with self._context.write(withdrawal.network) as tx:
            fresh = records.get(tx, withdrawal.id)
            if fresh.status is not WithdrawalStatus.QUEUED:
                return
            if for_good:
                records.move(tx, fresh, WithdrawalStatus.BLOCKED, now_s, sub_status=reason)
            else:
                records.note(tx, fresh, reason, now_s)


def _frozen(tx: Connection, waiting: list[Withdrawal]) -> frozenset[tuple[str, str]]:
    return frozen_among(tx, ((one.account_id, one.asset) for one in waiting))


_HOPELESS = frozenset(
    {
        "payment.bad_order",
        "payment.would_revert",
        "payment.token_refuses",
        "payment.unknown_source",
    }
)
"""Reasons that no waiting lifts."""
