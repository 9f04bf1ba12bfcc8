"""What staff decide about tokens that cannot be trusted: deposits, changed code, unproven payments.

Whoever decides proves it by unlocking their own key, and their name stays with the decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, select

from wallet.clock import Clock
from wallet.deposits.holding import held_deposits, reject, release
from wallet.deposits.tokens.arrivals import QUARANTINED, Doubt
from wallet.deposits.tokens.kept import trust_code, waiting_code
from wallet.deposits.tokens.unreadable import Unread, doubted, unread, vouch
from wallet.errors import Conflict
from wallet.payments.states import PaymentStatus
from wallet.payments.token_evidence import UNPROVEN
from wallet.store.database import Database
from wallet.store.schema import payments, token_codes
from wallet.treasury.staff_keys import StaffKey


class OtherCode(Conflict):
    """The code that waits to be trusted is not the one that was looked at."""

    code = "token.other_code"


class NothingUnread(Conflict):
    """A token told nothing up to this height that could not be read and waits for a word."""

    code = "token.nothing_unread"


class Member(Protocol):
    """Raises UnknownApprover unless a key is on the roster."""

    def __call__(self, key: StaffKey) -> None:
        """Check a key."""
        ...


class EndPayment(Protocol):
    """Ends an unproven payment; see `wallet.payments.deciding.decide`."""

    def __call__(self, payment_id: str, *, paid: bool, by: str) -> None:
        """End it as paid or not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """All that waits for a decision; rows as the tables have them."""

    deposits: Sequence[Any]
    codes: Sequence[Any]
    payments: Sequence[Any]
    unread: Sequence[Unread]


class QuarantineDesk:
    """The staff's side of the quarantine."""

    def __init__(
        self, *, database: Database, clock: Clock, member: Member, end_payment: EndPayment
    ) -> None:
        self._database = database
        self._clock = clock
        self._member = member
        self._end_payment = end_payment

    def waiting(self) -> Quarantine:
        """What waits now."""
        c = payments.c
        unproven = select(payments).where(
            c.status == str(PaymentStatus.CONFIRMING), c.sub_status.startswith(UNPROVEN)
        )
        with self._database.read() as tx:
            return Quarantine(
                deposits=held_deposits(tx),
                codes=tx.execute(select(token_codes).where(token_codes.c.waiting != "")).all(),
                payments=tx.execute(unproven.order_by(c.created_s)).all(),
                unread=unread(tx),
            )

    def release(self, deposit_id: str, key: StaffKey) -> None:
        """Let a held deposit be credited with what arrived. Raises NotHeld or NothingArrived."""
        self._member(key)
        with self._database.write() as tx:
            release(tx, deposit_id, key.id, self._clock.now_s())

    def reject(self, deposit_id: str, key: StaffKey) -> None:
        """Never credit a held deposit. Raises NotHeld."""
        self._member(key)
        with self._database.write() as tx:
            reject(tx, deposit_id, key.id, self._clock.now_s())

    def trust(self, network: str, asset: str, fingerprint: str, key: StaffKey) -> int:
        """Trust a token's new code; returns the deposits released that were held for it alone.

        Raises OtherCode when another one waits.
        """
        self._member(key)
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            waiting = waiting_code(tx, network, asset)
            if not waiting or waiting != fingerprint:
                raise OtherCode(
                    f"got {fingerprint[:64]!r}, expected {waiting or 'no code to wait'}"
                )
            trust_code(tx, network, asset, fingerprint, key.id, now_s)
            return _release_all(tx, network, asset, Doubt.CODE_CHANGED, key.id, now_s)

    def vouch(self, network: str, asset: str, to_height: int, key: StaffKey) -> int:
        """Vouch for what a token told unreadably up to a block; returns the deposits released.

        They are those held for it alone, once nothing above that block is in doubt. Raises
        NothingUnread.
        """
        self._member(key)
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            if not vouch(tx, network, asset, to_height, key.id, now_s):
                raise NothingUnread(f"got {asset} up to {to_height}, expected what `list` shows")
            if asset in doubted(tx, network):
                return 0
            return _release_all(tx, network, asset, Doubt.UNREADABLE, key.id, now_s)

    def settle(self, payment_id: str, *, paid: bool, key: StaffKey) -> None:
        """End an unproven payment as paid or not. Raises NotUnproven or NodeError."""
        self._member(key)
        self._end_payment(payment_id, paid=paid, by=key.id)


def _release_all(
    tx: Connection, network: str, asset: str, doubt: Doubt, by: str, now_s: int
) -> int:
    """Release a token's deposits that are held for one doubt alone; returns how many."""
    this = (network, asset, f"{QUARANTINED}{doubt}")
    held = [row.id for row in held_deposits(tx) if (row.network, row.asset, row.sub_status) == this]
    for deposit_id in held:
        release(tx, deposit_id, by, now_s)
    return len(held)
