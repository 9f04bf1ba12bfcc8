"""What happens to an escrow, each in one transaction with its ledger batch.

The money is a hold in the ledger from payer to payee, so nobody can spend it twice. A release posts
the hold, whole or in part; of a part, the rest is held anew in the same batch. Returning, expiring
and deciding against the payee void it.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from wallet.addresses.accounts import get_account
from wallet.clock import Clock
from wallet.errors import WalletError
from wallet.escrow import records
from wallet.escrow.errors import (
    BadDeadline,
    BadFee,
    BadRelease,
    Disputed,
    ExternalIdTaken,
    NotDisputed,
    PastDeadline,
    SameAccount,
)
from wallet.escrow.fees import FEE_BASIS_POINTS_MAX, fee_of_next
from wallet.escrow.records import Escrow, Order, changed
from wallet.escrow.states import DEADLINE_S_MAX, EscrowStatus, check_arrow
from wallet.ledger import chart
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.milestones import Milestone
from wallet.store.database import Database

EXPIRY_BATCH = 500
"""Overdue escrows ended by one run of the job."""

_S = EscrowStatus


def hold(
    tx: Connection, order: Order, *, requester: str, now_s: int, milestone: Milestone
) -> Escrow:
    """Hold the money. Asked again with the same external id, the escrow as it is now is returned.

    Raises ExternalIdTaken, SameAccount, BadFee, BadDeadline, AccountNotFound, or the ledger's
    InsufficientFunds; then nothing was written.
    """
    earlier = records.find(tx, order.external_id)
    if earlier is not None:
        if earlier.order != order:
            raise ExternalIdTaken(
                "got an external_id that names another escrow already", {"escrow_id": earlier.id}
            )
        return earlier
    _check(order, now_s)
    for party in (order.payer, order.payee):
        get_account(tx, party.account_id)
    escrow = Escrow(
        id=records.id_of(order.external_id),
        order=order,
        released_units=0,
        fee_units=0,
        releases=0,
        status=_S.HELD,
        reason="",
        decided_by="",
        requester=requester,
        created_s=now_s,
        updated_s=now_s,
    )
    post_batch(tx, f"escrow:{escrow.id}:hold", [_held(escrow, order.units)], now_s)
    milestone("escrow.booked")
    records.keep(tx, escrow)
    milestone("escrow.kept")
    return escrow


def release(
    tx: Connection, escrow_id: str, units: int | None, *, now_s: int, milestone: Milestone
) -> Escrow:
    """Give the payee what is held, or `units` of it and hold the rest on.

    Raises Disputed, PastDeadline, BadRelease or ForbiddenArrow.
    """
    escrow = _undisputed(tx, escrow_id)
    _check_deadline(escrow, now_s)
    units = escrow.held_units if units is None else units
    rest = escrow.held_units - units
    after = _released(escrow, units, _S.HELD if rest else _S.RELEASED, now_s)
    again = [_held(after, rest)] if rest else []
    return _end(tx, escrow, after, [*_paid(escrow, after, units), *again], milestone)


def give_back(tx: Connection, escrow_id: str, *, now_s: int, milestone: Milestone) -> Escrow:
    """Give the payer back what is held. Raises Disputed or ForbiddenArrow."""
    escrow = _undisputed(tx, escrow_id)
    after = changed(escrow, _S.RETURNED, now_s)
    return _end(tx, escrow, after, [Transfer.void(hold_id=escrow.hold_id)], milestone)


def dispute(
    tx: Connection, escrow_id: str, reason: str, *, now_s: int, milestone: Milestone
) -> Escrow:
    """Hold the money until a person decides, however long that takes.

    Raises Disputed when it is already, PastDeadline or ForbiddenArrow.
    """
    escrow = _undisputed(tx, escrow_id)
    _check_deadline(escrow, now_s)
    return _end(tx, escrow, changed(escrow, _S.DISPUTED, now_s, reason=reason), [], milestone)


def decide(
    tx: Connection, escrow_id: str, units: int, *, by: str, now_s: int, milestone: Milestone
) -> Escrow:
    """End a dispute: the payee gets `units` of what is held, the payer all the rest.

    `by` is the staff member who decided. Raises NotDisputed or BadRelease.
    """
    escrow = records.get(tx, escrow_id)
    if escrow.status is not _S.DISPUTED:
        raise NotDisputed(
            f"got an escrow that is {escrow.status}, expected a disputed one",
            {"status": str(escrow.status)},
        )
    if units == 0:
        after = changed(escrow, _S.RETURNED, now_s, decided_by=by)
        return _end(tx, escrow, after, [Transfer.void(hold_id=escrow.hold_id)], milestone)
    after = _released(escrow, units, _S.RELEASED, now_s, decided_by=by)
    return _end(tx, escrow, after, _paid(escrow, after, units), milestone)


def expire(database: Database, clock: Clock, milestone: Milestone) -> int:
    """Give back what is held past its deadline, each by itself; returns how many.

    One that cannot be given back does not keep the others; its error is raised at the end.
    """
    now_s, done = clock.now_s(), 0
    failed: WalletError | None = None
    with database.read() as tx:
        late = records.overdue(tx, now_s, EXPIRY_BATCH)
    for escrow_id in late:
        try:
            with database.write() as tx:
                escrow = records.get(tx, escrow_id)
                if escrow.status is not _S.HELD:
                    continue
                after = changed(escrow, _S.EXPIRED, now_s)
                _end(tx, escrow, after, [Transfer.void(hold_id=escrow.hold_id)], milestone)
        except WalletError as error:
            failed = failed or error
            continue
        done += 1
        milestone("escrow.expired")
    if failed is not None:
        raise failed
    return done


def _check(order: Order, now_s: int) -> None:
    if order.payer.account_id == order.payee.account_id:
        raise SameAccount("got one account as payer and payee, expected two users")
    if not 0 <= order.fee_basis_points <= FEE_BASIS_POINTS_MAX:
        raise BadFee(
            f"got {order.fee_basis_points} basis points, expected 0 to {FEE_BASIS_POINTS_MAX}"
        )
    if not now_s < order.deadline_s <= now_s + DEADLINE_S_MAX:
        raise BadDeadline(
            f"got deadline {order.deadline_s}, expected within {DEADLINE_S_MAX} s after {now_s}"
        )


def _undisputed(tx: Connection, escrow_id: str) -> Escrow:
    escrow = records.get(tx, escrow_id)
    if escrow.status is _S.DISPUTED:
        raise Disputed("got an escrow that is disputed: a person's decision ends it")
    return escrow


def _check_deadline(escrow: Escrow, now_s: int) -> None:
    if escrow.status is _S.HELD and escrow.order.deadline_s <= now_s:
        raise PastDeadline(
            f"got an escrow whose deadline was {escrow.order.deadline_s}: it goes back to the payer"
        )


def _released(
    escrow: Escrow, units: int, status: EscrowStatus, now_s: int, decided_by: str = ""
) -> Escrow:
    """The escrow after a release of so much. Raises ForbiddenArrow or BadRelease."""
    check_arrow(escrow.status, status)
    if not 0 < units <= escrow.held_units:
        raise BadRelease(
            f"got a release of {units} units, expected 1 to the {escrow.held_units} held",
            {"held_units": str(escrow.held_units)},
        )
    fee = fee_of_next(escrow.released_units, units, escrow.order.fee_basis_points)
    return changed(
        escrow, status, now_s, released_units=units, fee_units=fee, decided_by=decided_by
    )


def _held(escrow: Escrow, units: int) -> Transfer:
    order = escrow.order
    return Transfer.hold(
        id=escrow.hold_id,
        debit=order.payer.owner,
        credit=order.payee.owner,
        asset=order.asset,
        units=units,
    )


def _paid(before: Escrow, after: Escrow, units: int) -> list[Transfer]:
    """The hold posted, and the fee out of what the payee got."""
    lines = [Transfer.post(hold_id=before.hold_id, units=units)]
    fee = after.fee_units - before.fee_units
    if fee:
        order = before.order
        lines.append(
            Transfer.single(
                debit=order.payee.owner, credit=chart.ESCROW_FEES, asset=order.asset, units=fee
            )
        )
    return lines


def _end(
    tx: Connection, before: Escrow, after: Escrow, lines: Sequence[Transfer], milestone: Milestone
) -> Escrow:
    """Book the lines and take the arrow."""
    check_arrow(before.status, after.status)
    if lines:
        cause = f"escrow:{before.id}:{after.status}:{before.releases}"
        post_batch(tx, cause, lines, after.updated_s)
    milestone("escrow.booked")
    moved = records.move(tx, before, after)
    milestone("escrow.kept")
    return moved
