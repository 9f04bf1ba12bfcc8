"""The bump scheduler: what is not mined after so many blocks is replaced, step by step, to the cap.

At the cap it holds and tells people once. It never loops: a version says why none follows it.
"""

from sqlalchemy import Connection

from chains.broadcast_errors import Next
from signer.protocol import Purpose
from wallet.payments import journal, settle
from wallet.payments.building.requesting import OrderExpired
from wallet.payments.context import PaymentContext
from wallet.payments.errors import FeeOverCap, FundsMissing, NotBuilt, PolicyRefused
from wallet.payments.journal import LostRace, Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.building import (
    FeeAtCap,
    NotReplaceable,
    NotStuck,
    ReplacementBuilder,
    check_stuck,
    has_child,
)
from wallet.payments.replacing.freeing import Freer
from wallet.payments.replacing.parents import ParentPayer, TooManyAncestors, TooManyDescendants
from wallet.payments.replacing.versions import Act, Version
from wallet.payments.sending import attempts
from wallet.payments.states import PaymentStatus

HOLDS = (FeeAtCap, FeeOverCap, PolicyRefused, OrderExpired, NotReplaceable, FundsMissing)
"""Reasons why a version stays the last one: people are told, and its bytes go on being sent."""


class Bumper:
    """Replaces payments that wait too long."""

    def __init__(
        self,
        context: PaymentContext,
        builder: ReplacementBuilder,
        freer: Freer,
        parents: ParentPayer,
    ) -> None:
        self._context = context
        self._builder = builder
        self._freer = freer
        self._parents = parents

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
                if self._is_dropping(payment):
                    self._freer.drop(payment.id)
                else:
                    self.bump(payment.id)
                bumped += 1
            except OrderExpired as error:
                self._pay_for(payment, error.code)
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
            if has_child(tx, payment):
                raise NotStuck(f"got payment {payment_id}, whose child pays for it")
        store = self._builder.prepare(payment)
        with context.write(payment.network) as tx:
            fresh = journal.get(tx, payment_id)
            check_stuck(tx, fresh)
            version = store(tx, fresh)
        context.milestone("payment.version_built")
        return version

    def _is_dropping(self, payment: Payment) -> bool:
        """Whether it pays nobody: once it drops, it drops to the end."""
        if payment.purpose is Purpose.UNSTICK:
            return True
        with self._context.database.read() as tx:
            return versions.of(tx, payment.id)[-1].act is Act.DROP

    def _is_due(self, tx: Connection, payment: Payment) -> bool:
        """Waited so many blocks since the last version, or a node asked for more fee."""
        if payment.status is not PaymentStatus.BROADCAST or payment.txid is None:
            return False
        newest = versions.of(tx, payment.id)[-1]
        if newest.reason or newest.number != payment.version:
            return False
        tried = [a for a in attempts.of(tx, payment.id) if a.version == newest.number]
        if tried and tried[-1].rule is not None and tried[-1].rule.next is Next.BUMP:
            return True
        if not any(one.is_with_node for one in tried):
            # Whether a node has it is not known: the same bytes are sent again first.
            return False
        waited = versions.scanned_height(tx, payment.network) - newest.height
        return waited >= self._context.networks[payment.network].bump_after_blocks

    def _pay_for(self, payment: Payment, why: str) -> None:
        """No signer would sign its intents any more: a child pays for it, where it has change."""
        try:
            self._parents.pay_for(payment.id)
        except (TooManyAncestors, TooManyDescendants) as error:
            self._hold(payment, error.code)
        except (NotBuilt, LostRace):
            self._hold(payment, why)

    def _hold(self, payment: Payment, why: str) -> None:
        context = self._context
        with context.write(payment.network) as tx:
            newest = versions.of(tx, payment.id)[-1]
            if versions.say(tx, newest, why):
                fresh = journal.get(tx, payment.id)
                settle.alert(tx, fresh, f"held:{why}", context.clock.now_s())
        context.milestone("payment.held")
