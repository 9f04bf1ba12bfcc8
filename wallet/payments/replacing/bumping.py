"""The bump scheduler: what is not mined after so many blocks is replaced, step by step, to the cap.

At the cap it holds and tells people once. It never loops: a version says why none follows it.
"""

from sqlalchemy import Connection

from chains.broadcast_errors import Next
from wallet.payments import journal, settle
from wallet.payments.building.requesting import OrderExpired
from wallet.payments.context import PaymentContext
from wallet.payments.errors import FeeOverCap, FundsMissing, NotBuilt, PolicyRefused
from wallet.payments.journal import LostRace, Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.building import FeeAtCap, NotReplaceable, ReplacementBuilder
from wallet.payments.replacing.versions import Act, Version
from wallet.payments.sending import attempts
from wallet.payments.states import PaymentStatus

HOLDS = (FeeAtCap, FeeOverCap, PolicyRefused, OrderExpired, NotReplaceable, FundsMissing)
"""Reasons why a version stays the last one: people are told, and its bytes go on being sent."""


class NotStuck(NotBuilt):
    """A payment that is not in the hands of nodes now, or that is being replaced already."""

    code = "payment.not_stuck"


class Bumper:
    """Replaces payments that wait too long."""

    def __init__(self, context: PaymentContext, builder: ReplacementBuilder) -> None:
        self._context = context
        self._builder = builder

    def run(self, network: str) -> int:
        """Bump what is due on a network; returns how many replacements were stored.

        Raises NodeError when the chain does not answer.
        """
        if not self._context.networks[network].bump_after_blocks:
            return 0
        with self._context.database.read() as tx:
            due = [p for p in journal.unfinished(tx, network) if self._is_due(tx, p)]
        bumped = 0
        for payment in due:
            try:
                self.bump(payment.id)
                bumped += 1
            except HOLDS as error:
                self._hold(payment, error.code)
            except (NotBuilt, LostRace):
                continue
        return bumped

    def bump(self, payment_id: str) -> Version:
        """Store the next version, for the signers to sign. Raises NotBuilt."""
        context = self._context
        with context.database.read() as tx:
            payment = journal.get(tx, payment_id)
            check_stuck(tx, payment)
        store = self._builder.prepare(payment)
        with context.write(payment.network) as tx:
            fresh = journal.get(tx, payment_id)
            check_stuck(tx, fresh)
            version = store(tx, fresh)
        context.milestone("payment.version_built")
        return version

    def _is_due(self, tx: Connection, payment: Payment) -> bool:
        """Waited so many blocks since the last version, or a node asked for more fee."""
        if payment.status is not PaymentStatus.BROADCAST or payment.txid is None:
            return False
        newest = versions.of(tx, payment.id)[-1]
        if newest.reason or newest.number != payment.version or newest.act is not Act.PAY:
            return False
        tried = [a for a in attempts.of(tx, payment.id) if a.version == newest.number]
        if tried and tried[-1].rule is not None and tried[-1].rule.next is Next.BUMP:
            return True
        waited = versions.scanned_height(tx, payment.network) - newest.height
        return waited >= self._context.networks[payment.network].bump_after_blocks

    def _hold(self, payment: Payment, why: str) -> None:
        context = self._context
        with context.write(payment.network) as tx:
            newest = versions.of(tx, payment.id)[-1]
            if versions.say(tx, newest, why):
                fresh = journal.get(tx, payment.id)
                settle.alert(tx, fresh, f"held:{why}", context.clock.now_s())
        context.milestone("payment.held")


def check_stuck(tx: Connection, payment: Payment) -> None:
    """Raise NotStuck unless nodes have a payment's bytes and no replacement is on its way."""
    if payment.status is not PaymentStatus.BROADCAST or payment.txid is None:
        raise NotStuck(f"got payment {payment.id} {payment.status}, expected one broadcast")
    if versions.unsigned(tx, payment.id) is not None:
        raise NotStuck(f"got payment {payment.id} with a replacement that is being signed")
