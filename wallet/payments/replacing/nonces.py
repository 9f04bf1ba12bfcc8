"""Nonces of ours beside what the chain and the node's pool say: holes are filled, strangers told.

A hole is a nonce below one of ours that waits, which the chain has not used and no payment of ours
has: nothing behind it is ever mined. A nonce of ours that the chain has used, while no version of
our payment is mined, was used by somebody else with our key, or by a copy of this service.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from chains.evm.addresses import from_text
from chains.types import TxState
from signer.protocol import OwnOutput
from wallet.errors import Conflict
from wallet.payments import journal, settle
from wallet.payments.building.evm import EvmBuilder
from wallet.payments.context import PaymentContext
from wallet.payments.errors import NotBuilt
from wallet.payments.evidence import ask_node, depth_needed
from wallet.payments.journal import Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.freeing import Freer
from wallet.payments.states import PaymentStatus
from wallet.store.schema import payments

FOREIGN_NONCE = "foreign_nonce"
"""Sub-status of a payment whose nonce the chain has used for something else."""

HOLES_MAX = 8
"""Holes filled in one pass of one account; more than that is for people first."""


class NotLost(Conflict):
    """A payment that is not shut out for certain: it may still pay."""

    code = "payment.not_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A sender of ours with payments that wait, the lowest nonce first."""

    sender: OwnOutput
    waiting: tuple[Payment, ...]


class NonceKeeper:
    """Compares our journal with latest and pending nonces, account by account."""

    def __init__(self, context: PaymentContext, evm: EvmBuilder, freer: Freer) -> None:
        self._context = context
        self._evm = evm
        self._freer = freer

    def run(self, network: str) -> int:
        """Fill the holes of a network's accounts; returns how many. Raises NodeError."""
        with self._context.database.read() as tx:
            accounts = list(_accounts(tx, network))
        return sum(self._keep(network, account) for account in accounts)

    def _keep(self, network: str, account: Account) -> int:
        door, address = self._evm.door(network), from_text(account.sender.address)
        mined = door.nonce(address)
        for payment in account.waiting:
            if payment.nonce is not None and payment.nonce < mined:
                self._check_ours(payment)
        highest = max(p.nonce for p in account.waiting if p.nonce is not None)
        with self._context.database.read() as tx:
            holes = _holes(tx, network, account.sender.address, mined, highest)
        filled = 0
        for nonce in holes[:HOLES_MAX]:
            try:
                payment = self._freer.fill(network, account.sender, nonce)
            except NotBuilt as error:
                self._tell(account.waiting[0], f"hole:{error.code}")
                break
            self._tell(payment, f"hole:{nonce}")
            filled += 1
        return filled

    def _check_ours(self, payment: Payment) -> None:
        """Alert where the chain used a payment's nonce and no version of it is mined."""
        with self._context.database.read() as tx:
            signed = versions.signed(tx, payment.id)
        seen = ask_node(self._context.chains[payment.network], signed)
        if not any(one.state is TxState.MINED for one in seen.values()):
            self._tell(payment, FOREIGN_NONCE)

    def give_up(self, payment_id: str) -> None:
        """End a payment whose nonce somebody else used, on a person's word, after looking again.

        Raises NotLost unless the chain used the nonce, no version is mined, and so many blocks were
        scanned since the last version as the payment's own finality takes.
        """
        context = self._context
        with context.database.read() as tx:
            payment = journal.get(tx, payment_id)
            signed = versions.signed(tx, payment_id)
            height = versions.scanned_height(tx, payment.network)
            depth = depth_needed(tx, context, payment)
        if payment.status is not PaymentStatus.BROADCAST or payment.nonce is None:
            raise NotLost(f"got payment {payment_id} {payment.status}, expected one of a nonce")
        mined = self._evm.door(payment.network).nonce(from_text(payment.sender or ""))
        seen = ask_node(context.chains[payment.network], signed)
        if mined <= payment.nonce or any(one.state is TxState.MINED for one in seen.values()):
            raise NotLost(f"got payment {payment_id}, which may still be mined")
        if height < signed[-1].height + depth:
            raise NotLost(f"got payment {payment_id}, expected some more blocks before it is over")
        with context.write(payment.network) as tx:
            settle.fail(tx, context, payment, FOREIGN_NONCE, 0, context.clock.now_s())
        context.milestone("payment.failed")

    def _tell(self, payment: Payment, what: str) -> None:
        """Once for each reason, however often it is seen again."""
        with self._context.write(payment.network) as tx:
            if versions.say(tx, versions.of(tx, payment.id)[-1], what):
                fresh = journal.get(tx, payment.id)
                settle.alert(tx, fresh, what, self._context.clock.now_s())


def _accounts(tx: Connection, network: str) -> Iterator[Account]:
    """Senders that have payments in the hands of nodes."""
    by_sender: dict[str, list[Payment]] = {}
    for payment in journal.unfinished(tx, network):
        is_sent = payment.status is PaymentStatus.BROADCAST and payment.request.sender is not None
        if is_sent and payment.nonce is not None and payment.sender is not None:
            by_sender.setdefault(payment.sender, []).append(payment)
    for waiting in by_sender.values():
        waiting.sort(key=lambda payment: payment.nonce or 0)
        sender = waiting[0].request.sender
        if sender is not None:
            yield Account(sender=sender, waiting=tuple(waiting))


def _holes(tx: Connection, network: str, sender: str, mined: int, highest: int) -> list[int]:
    """Nonces from the next one of the chain up to our highest that no payment of ours has."""
    taken = set(
        tx.execute(
            select(payments.c.nonce).where(
                payments.c.network == network,
                payments.c.sender == sender,
                payments.c.nonce >= mined,
            )
        ).scalars()
    )
    return [nonce for nonce in range(mined, highest) if nonce not in taken]
