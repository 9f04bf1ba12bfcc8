"""Credit what is deep enough, once; take back what a reorg took."""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from wallet.deposits.changes import Change, apply_change, deposit_event, hold
from wallet.deposits.gate import CreditView
from wallet.deposits.states import DepositStatus
from wallet.deposits.tokens.kept import forget_balances
from wallet.deposits.tokens.unreadable import forget_above
from wallet.events import append_event
from wallet.hosted_keys import coins as hosted_coins
from wallet.ledger import chart
from wallet.ledger.errors import CauseConflict
from wallet.ledger.posting import Transfer, balance, earlier_batches, post_batch, single
from wallet.pauses import Scope, pause
from wallet.store.schema import addresses, blocks, deposits, payments, utxos

PAUSED_BY = "wallet:deposits"
"""Who pauses withdrawals when a credited deposit vanishes: the service itself."""

BOOKED = "booked"
"""Sub-status of a below-minimum deposit that is in the ledger, though not credited to its user."""


CREDITED_OTHERWISE = "credited_otherwise"
"""Why a deposit is held whose credit stands in the ledger with another account or amount."""


_ENDED_MINED = ("completed", "failed")
"""Final states of a payment that a block can hold."""


_COMING = (DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.HELD)
_ON_ADDRESS = (
    select(deposits.c.units, deposits.c.status, deposits.c.sub_status)
    .join(addresses, addresses.c.id == deposits.c.address_id)
    .where(
        deposits.c.network == bindparam("on"),
        deposits.c.asset == bindparam("of"),
        addresses.c.address == bindparam("at"),
        deposits.c.height.is_not(None),  # what only waits in a pool is in no balance yet
    )
)
_WAITING = (
    select(deposits, addresses.c.purpose)
    .join(addresses, addresses.c.id == deposits.c.address_id)
    .where(
        deposits.c.network == bindparam("on"),
        deposits.c.height.is_not(None),
        deposits.c.status.in_(
            [DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.BELOW_MINIMUM]
        ),
        deposits.c.sub_status != BOOKED,
    )
    .order_by(deposits.c.height, deposits.c.txid, deposits.c.position)
)


def advance(tx: Connection, network: str, view: CreditView, now_s: int) -> int:
    """Move every deposit of a network on as far as its proofs allow; returns the credits.

    Idempotent: what was credited is in another state, changed in the transaction that booked it.
    """
    rows = tx.execute(_WAITING, {"on": network}).all()
    credited = 0
    for row in rows:
        if row.status == DepositStatus.BELOW_MINIMUM:
            is_deep = view.tip_height - row.height + 1 >= row.confirmations_required
            if is_deep and _book_or_hold(tx, row, row, now_s):
                tx.execute(
                    update(deposits).where(deposits.c.id == row.id).values(sub_status=BOOKED)
                )
            continue
        current = row
        if row.status == DepositStatus.SEEN:
            current = apply_change(tx, row, Change(status=DepositStatus.CONFIRMING), now_s)
        current, is_proven = view.renew(tx, current, now_s)
        if is_proven and _book_or_hold(tx, row, current, now_s):
            apply_change(tx, current, Change(status=DepositStatus.CREDITED), now_s)
            credited += 1
    return credited


def unbooked_units(tx: Connection, network: str, asset: str, address: str) -> int:
    """Deposits that are on an address and not on the books yet: a reorg may still take them."""
    rows = tx.execute(_ON_ADDRESS, {"on": network, "of": asset, "at": address})
    return sum(
        row.units
        for row in rows
        if row.status in _COMING
        or (row.status == DepositStatus.BELOW_MINIMUM and row.sub_status != BOOKED)
    )


def _book_or_hold(tx: Connection, row: Any, current: Any, now_s: int) -> bool:
    """Book a deposit; False: the ledger has its credit on another account, so a person decides.

    One deposit like that, in a ledger that was joined, must not keep all others waiting.
    """
    try:
        book(tx, row, now_s)
    except CauseConflict:
        hold(tx, current, CREDITED_OTHERWISE, now_s)
        return False
    return True


def creditor(row: Any) -> str:
    """The ledger account that a deposit belongs to: its user, nobody yet, or the house itself."""
    if row.status in (DepositStatus.BELOW_MINIMUM, DepositStatus.REJECTED):
        return chart.UNALLOCATED
    return chart.HOUSE if row.account_id is None else chart.user(row.account_id)


def holder(row: Any) -> str:
    """The ledger account of the place where a deposit lies."""
    match row.purpose:
        case "cold":
            return chart.COLD
        case "deposit" if row.position.partition(":")[0] != "out":
            return chart.DEPOSIT
        case _:
            # UTXO deposit addresses are receive addresses of the hot vault itself.
            return chart.HOT


def book(tx: Connection, row: Any, now_s: int) -> None:
    """Put a deposit into the ledger, on the account that `creditor` names.

    Money that comes back after a reversal first pays what that left owing. A credit that stands
    already, of a ledger that was joined or outlived its deposits, is not posted again. Raises
    CauseConflict where it stands for somebody else.
    """
    owner, place, owed = creditor(row), holder(row), 0
    lines: list[Transfer] = []
    reversals = _reversals(tx, row)
    if reversals and owner.startswith(chart.user("")):
        debt = chart.receivable(row.account_id)
        owed = min(row.units, max(0, balance(tx, debt, row.asset).net))
        if owed:
            lines.append(single(place, debt, row.asset, owed))
    if owed < row.units:
        lines.append(single(place, owner, row.asset, row.units - owed))
    post_batch(tx, _cause(row, "credit", reversals + 1), lines, now_s)


def roll_back(tx: Connection, network: str, fork_height: int, now_s: int) -> int:
    """Undo every block above `fork_height`; returns how many deposits it touched.

    Where a credit was taken back, withdrawals of that asset stand still until a person decides.
    """
    rows = tx.execute(
        select(deposits, addresses.c.purpose)
        .join(addresses, addresses.c.id == deposits.c.address_id)
        .where(deposits.c.network == network, deposits.c.height > fork_height)
    ).all()
    for row in rows:
        _undo(tx, row, now_s)
    reversed_assets = {row.asset for row in rows if row.status == DepositStatus.CREDITED}
    for asset in sorted(reversed_assets):
        reason = f"a reorganisation of {network} above {fork_height} took back credited deposits"
        pause(tx, Scope.ASSET, asset, reason, PAUSED_BY, now_s)
    tx.execute(
        update(utxos)
        .where(utxos.c.network == network, utxos.c.height > fork_height)
        .values(height=None)
    )
    tx.execute(
        update(utxos)
        .where(utxos.c.network == network, utxos.c.spent_height > fork_height)
        .values(spent_txid=None, spent_height=None)
    )
    _mark_lost_payments(tx, network, fork_height, now_s)
    hosted_coins.roll_back(tx, network, fork_height)
    forget_balances(tx, network, fork_height)
    forget_above(tx, network, fork_height)
    dropped = tx.execute(
        delete(blocks).where(blocks.c.network == network, blocks.c.height > fork_height)
    ).rowcount
    body = {"network": network, "fork_height": fork_height, "blocks": dropped}
    append_event(tx, "chain.reorganised", network, body, now_s)
    return len(rows)


def _mark_lost_payments(tx: Connection, network: str, fork_height: int, now_s: int) -> None:
    """Payments that were final and have no block any more: people are told, and they follow."""
    lost = tx.execute(
        update(payments)
        .where(
            payments.c.network == network,
            payments.c.status.in_(_ENDED_MINED),
            payments.c.txid.is_not(None),
            payments.c.height > fork_height,
        )
        .values(height=None, lost_s=now_s)
        .returning(payments.c.id, payments.c.txid, payments.c.status)
    )
    for row in lost.all():
        body = {"network": network, "txid": row.txid, "status": row.status}
        append_event(tx, "alert.payment_lost", row.id, body, now_s)


def _undo(tx: Connection, row: Any, now_s: int) -> None:
    match DepositStatus(row.status):
        case DepositStatus.CREDITED:
            _reverse(tx, row, now_s)
            new = apply_change(tx, row, Change(status=DepositStatus.REVERSED), now_s)
            append_event(tx, "alert.deposit_reversed", row.id, deposit_event(new), now_s)
        case DepositStatus.BELOW_MINIMUM if row.sub_status == BOOKED:
            _reverse(tx, row, now_s)
            apply_change(tx, row, Change(status=DepositStatus.ORPHANED), now_s)
        case DepositStatus.REJECTED if row.units:
            _reverse(tx, row, now_s)
            apply_change(tx, row, Change(status=DepositStatus.ORPHANED), now_s)
        case _:
            apply_change(tx, row, Change(status=DepositStatus.ORPHANED), now_s)


def _reverse(tx: Connection, row: Any, now_s: int) -> None:
    """Post the opposite batch. What the user has already spent is owed to the house from now on.

    No balance of a user goes below zero: the rest stands on the user's receivable account.
    """
    owner, place = creditor(row), holder(row)
    covered = row.units
    if owner.startswith(chart.user("")):
        covered = min(row.units, max(0, balance(tx, owner, row.asset).available))
    lines: list[Transfer] = []
    if covered:
        lines.append(single(owner, place, row.asset, covered))
    if covered < row.units:
        missing = row.units - covered
        lines.append(single(chart.receivable(row.account_id), place, row.asset, missing))
        body = {
            "deposit_id": row.id,
            "account_id": row.account_id,
            "asset": row.asset,
            "amount_units": str(missing),
        }
        append_event(tx, "alert.reversal_not_covered", row.id, body, now_s)
    post_batch(tx, _cause(row, "reverse", _reversals(tx, row) + 1), lines, now_s)


def _reversals(tx: Connection, row: Any) -> int:
    """How many credits of a deposit were taken back: a reorg and back again credits once more."""
    count = 0
    while earlier_batches(tx, [_cause(row, "reverse", count + 1)]):
        count += 1
    return count


def _cause(row: Any, verb: str, round: int) -> str:
    """A name of its own for each booking: credit 1, reverse 1, credit 2, and so on.

    Counted by the ledger itself, and so the same wherever the ledger is.
    """
    return f"deposit:{row.id}:{verb}:{round}"
