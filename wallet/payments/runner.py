"""Doing the next thing for every payment, from what is stored and nothing else.

So a restart simply continues: each step reads the state, acts, and commits the next state.
"""

from typing import assert_never

from chains.errors import NodeError
from signer.protocol import Kind
from wallet.payments import journal
from wallet.payments.collecting import Collector
from wallet.payments.context import PaymentContext
from wallet.payments.execution import SafeExecutor
from wallet.payments.journal import LostRace, Payment
from wallet.payments.replacing import versions
from wallet.payments.sending.broadcasting import Broadcaster
from wallet.payments.sending.lost import LostPayments
from wallet.payments.states import PaymentStatus

STEPS_MAX = 12
"""More steps than any payment takes in a row; a guard against two states that alternate."""


class Runner:
    """Moves the payments of all networks on."""

    def __init__(
        self, context: PaymentContext, collector: Collector, executor: SafeExecutor
    ) -> None:
        self._context = context
        self._collector = collector
        self._broadcaster = Broadcaster(context)
        self._lost = LostPayments(context, self._broadcaster)
        self._executor = executor

    def run(self, network: str) -> int:
        """Move every unfinished payment of a network as far as it goes now; returns the steps.

        Raises NodeError when the node fails; what was done until then is committed.
        """
        with self._context.database.read() as tx:
            waiting = journal.unfinished_ids(tx, network)
        steps, failed = 0, None
        for payment_id in waiting:
            try:
                steps += self.advance(payment_id)
            except NodeError as error:
                failed = error
        if failed is not None:
            raise failed
        return steps + self._lost.run(network)

    def step(self, payment_id: str) -> bool:
        """One step of one payment; False when it has to wait."""
        with self._context.database.read() as tx:
            payment = journal.get(tx, payment_id)
        try:
            return self._step(payment)
        except LostRace:
            return False

    def advance(self, payment_id: str) -> int:
        """Move one payment as far as it goes now; returns the steps. Raises NodeError."""
        steps = 0
        while steps < STEPS_MAX and self.step(payment_id):
            steps += 1
        return steps

    def _step(self, payment: Payment) -> bool:
        is_safe = payment.request.kind is Kind.SAFE_TX
        if payment.request.kind is Kind.EVM_AUTH and payment.raw is not None:
            # A batch carries it to the chain, and wallet.gathers sees what became of it.
            return False
        match payment.status:
            case PaymentStatus.BUILT:
                return self._collector.begin(payment)
            case PaymentStatus.SIGNING:
                return self._collector.collect(payment)
            case PaymentStatus.SIGNED:
                if is_safe:
                    return self._executor.execute(payment)
                return self._broadcaster.start(payment)
            case PaymentStatus.BROADCAST | PaymentStatus.CONFIRMING:
                if is_safe:
                    return self._executor.follow(payment)
                return self._replaced(payment) or self._broadcaster.follow(payment)
            case PaymentStatus.COMPLETED | PaymentStatus.FAILED | PaymentStatus.ABANDONED:
                return False
        assert_never(payment.status)

    def _replaced(self, payment: Payment) -> bool:
        """Go on with the version that signers are asked for, while nothing is mined."""
        if payment.status is not PaymentStatus.BROADCAST:
            return False
        with self._context.database.read() as tx:
            asked = versions.unsigned(tx, payment.id)
        return asked is not None and self._collector.collect(journal.in_version(payment, asked))
