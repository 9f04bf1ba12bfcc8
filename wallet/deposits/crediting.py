"""Credit what is deep enough, once; take back what a reorg took."""

from typing import Any

from sqlalchemy import Connection, delete, select, update

from wallet.deposits.changes import Change, apply_change
from wallet.deposits.states import DepositStatus
from wallet.deposits.tokens import forget_balances
from wallet.events import append_event
from wallet.hosted_keys import coins as hosted_coins
from wallet.ledger import chart
from wallet.ledger.posting import Transfer, balance, post_batch, single
from wallet.store.counters import next_number
from wallet.store.schema import addresses, blocks, deposits, utxos

BOOKED = "booked"
"""Sub-status of a below-minimum deposit that is in the ledger, though not credited to its user."""


def advance(tx: Connection, network: str, tip_height: int, now_s: int) -> int:
    """Move every deposit of a network on as far as the scanned tip allows; returns the credits.

    Idempotent: what was credited is in another state, changed in the transaction that booked it.
    """
    rows = tx.execute(
        select(deposits, addresses.c.purpose)
        .join(addresses, addresses.c.id == deposits.c.address_id)
        .where(
            deposits.c.network == network,
            deposits.c.height.is_not(None),
            deposits.c.status.in_(
                [DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.BELOW_MINIMUM]
            ),
            deposits.c.sub_status != BOOKED,
        )
        .order_by(deposits.c.height, deposits.c.txid, deposits.c.position)
    ).all()
    credited = 0
    for row in rows:
        deep_enough = tip_height - row.height + 1 >= row.confirmations_required
        if row.status == DepositStatus.BELOW_MINIMUM:
            if deep_enough:
                book(tx, row, now_s)
                tx.execute(
                    update(deposits).where(deposits.c.id == row.id).values(sub_status=BOOKED)
                )
            continue
        current = row
        if row.status == DepositStatus.SEEN:
            current = apply_change(tx, row, Change(status=DepositStatus.CONFIRMING), now_s)
        if deep_enough:
            book(tx, row, now_s)
            apply_change(tx, current, Change(status=DepositStatus.CREDITED), now_s)
            credited += 1
    return credited


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
    """Put a deposit into the ledger, on the account that `creditor` names."""
    transfer = single(holder(row), creditor(row), row.asset, row.units)
    post_batch(tx, _cause(tx, row, "credit"), [transfer], now_s)


def roll_back(tx: Connection, network: str, fork_height: int, now_s: int) -> int:
    """Undo every block above `fork_height`; returns how many deposits it touched."""
    rows = tx.execute(
        select(deposits, addresses.c.purpose)
        .join(addresses, addresses.c.id == deposits.c.address_id)
        .where(deposits.c.network == network, deposits.c.height > fork_height)
    ).all()
    for row in rows:
        _undo(tx, row, now_s)
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
    hosted_coins.roll_back(tx, network, fork_height)
    forget_balances(tx, network, fork_height)
    dropped = tx.execute(
        delete(blocks).where(blocks.c.network == network, blocks.c.height > fork_height)
    ).rowcount
    body = {"network": network, "fork_height": fork_height, "blocks": dropped}
    append_event(tx, "chain.reorganised", network, body, now_s)
    return len(rows)


def _undo(tx: Connection, row: Any, now_s: int) -> None:
    match DepositStatus(row.status):
        case DepositStatus.CREDITED:
            _reverse(tx, row, now_s)
            apply_change(tx, row, Change(status=DepositStatus.REVERSED), now_s)
        case DepositStatus.BELOW_MINIMUM if row.sub_status == BOOKED:
            _reverse(tx, row, now_s)
            apply_change(tx, row, Change(status=DepositStatus.ORPHANED), now_s)
        case DepositStatus.REJECTED if row.units:
            _reverse(tx, row, now_s)
            apply_change(tx, row, Change(status=DepositStatus.ORPHANED), now_s)
        case _:
            apply_change(tx, row, Change(status=DepositStatus.ORPHANED), now_s)


def _reverse(tx: Connection, row: Any, now_s: int) -> None:
    """Post the opposite batch. What the user has already spent becomes the house's loss."""
    owner, place = creditor(row), holder(row)
    covered = row.units
    if owner.startswith(chart.user("")):
        covered = min(row.units, max(0, balance(tx, owner, row.asset).available))
    lines: list[Transfer] = []
    if covered:
        lines.append(single(owner, place, row.asset, covered))
    if covered < row.units:
        lines.append(single(chart.HOUSE, place, row.asset, row.units - covered))
        body = {"deposit_id": row.id, "asset": row.asset, "amount_units": str(row.units - covered)}
        append_event(tx, "alert.reversal_not_covered", row.id, body, now_s)
    post_batch(tx, _cause(tx, row, "reverse"), lines, now_s)


def _cause(tx: Connection, row: Any, verb: str) -> str:
    """A name of its own for each booking: a reorg and back again credits a second time.

    That a deposit is not credited twice in a row is the state machine's business: the row changes
    by compare-and-set in the same transaction.
    """
    return f"deposit:{row.id}:{verb}:{next_number(tx, f'deposit:{row.id}:{verb}')}"
