"""What staff decide about disputed escrows: whoever decides unlocks their own key."""

from collections.abc import Sequence
from typing import Protocol

from wallet.clock import Clock
from wallet.escrow import records
from wallet.escrow.holding import decide
from wallet.escrow.records import Escrow
from wallet.escrow.states import EscrowStatus
from wallet.milestones import Milestone
from wallet.store.database import Database
from wallet.treasury.staff_keys import StaffKey


class Member(Protocol):
    """Raises UnknownApprover unless a key is on the roster."""

    def __call__(self, key: StaffKey) -> None:
        """Check a key."""
        ...


class EscrowDesk:
    """The staff's side of escrows."""

    def __init__(
        self, *, database: Database, clock: Clock, member: Member, milestone: Milestone
    ) -> None:
        self._database = database
        self._clock = clock
        self._member = member
        self._milestone = milestone

    def listed(self, status: EscrowStatus, limit: int) -> Sequence[Escrow]:
        """Escrows in a state, the longest there first."""
        with self._database.read() as tx:
            return records.in_status(tx, status, limit)

    def show(self, escrow_id: str) -> Escrow:
        """One escrow. Raises EscrowNotFound."""
        with self._database.read() as tx:
            return records.get(tx, escrow_id)

    def decide(self, escrow_id: str, units: int, key: StaffKey) -> Escrow:
        """Give the payee `units` and the payer the rest. Raises NotDisputed or BadRelease."""
        self._member(key)
        with self._database.write() as tx:
            return decide(
                tx,
                escrow_id,
                units,
                by=key.id,
                now_s=self._clock.now_s(),
                milestone=self._milestone,
            )
