"""Posting a batch: all of it or nothing, once per cause.

The rules are checked here, with words for the caller, and again by the database's triggers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, insert, select

from wallet.ledger import chart
from wallet.ledger.balances import (
    CHUNK,
    Balance,
    asset_totals,
    balance,
    balances_by_id,
    balances_of,
    liabilities_units,
)
from wallet.ledger.errors import (
    BadTransfer,
    CauseConflict,
    HoldEnded,
    HoldExceeded,
    HoldUnknown,
    InsufficientFunds,
    LedgerBroken,
    TransferExists,
)
from wallet.ledger.transfers import Transfer, TransferKind, content_digest, number, single
from wallet.store import counters
from wallet.store.tables.ledger import ledger_accounts, ledger_batches, ledger_transfers

__all__ = [
    "Balance",
    "Batch",
    "Transfer",
    "TransferKind",
    "asset_totals",
    "balance",
    "balances_of",
    "liabilities_units",
    "post_batch",
    "single",
]

SEQUENCE = "ledger_batches"
"""Name of the counter that numbers the batches."""

CAUSE_MAX = 128
"""Characters of a cause, as the column holds."""

_t, _debit, _credit = ledger_transfers, ledger_accounts.alias("d"), ledger_accounts.alias("c")
_BY_CAUSE = select(ledger_batches.c.id, ledger_batches.c.content).where(
    ledger_batches.c.cause == bindparam("named")
)
_BY_IDS = select(_t.c.id, _t.c.batch_id).where(_t.c.id.in_(bindparam("these", expanding=True)))
_HOLDS = (
    select(_t.c.id, _t.c.asset, _t.c.units, _debit.c.owner, _credit.c.owner.label("payee"))
    .join(_debit, _debit.c.id == _t.c.debit_id)
    .join(_credit, _credit.c.id == _t.c.credit_id)
    .where(_t.c.id.in_(bindparam("these", expanding=True)), _t.c.kind == TransferKind.HOLD.value)
)
_ENDED = select(_t.c.hold_id).where(_t.c.hold_id.in_(bindparam("these", expanding=True)))
_INSERT_TRANSFERS = insert(ledger_transfers)
_INSERT_BATCH = insert(ledger_batches)
_INSERT_ACCOUNTS = insert(ledger_accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A posted batch; `repeated` says that an earlier call had posted it already."""

    id: int
    repeated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A transfer with its accounts found; `held` is the whole of the hold it ends, else 0."""

    transfer: Transfer
    debit: chart.Account
    credit: chart.Account
    held: int


def post_batch(tx: Connection, cause: str, transfers: Sequence[Transfer], now_s: int) -> Batch:
    """Post all transfers, in order, or raise and post none.

    `cause` names why ("deposit:<id>:credit"), for ever: the same cause with the same transfers
    is answered with the batch it made before, with others it raises CauseConflict.
    Raises InsufficientFunds, HoldUnknown, HoldEnded, HoldExceeded, TransferExists, BadTransfer,
    UnknownOwner.
    """
    if not 0 < len(cause) <= CAUSE_MAX:
        raise BadTransfer(f"got a cause of {len(cause)} characters, expected 1 to {CAUSE_MAX}")
    numbered = number(cause, transfers)
    content = content_digest(numbered)
    earlier = _earlier(tx, cause, content)
    if earlier is not None:
        return earlier
    lines = _resolve(tx, numbered)
    expected = _apply(_open_accounts(tx, lines, now_s), lines)
    batch_id = counters.next_number(tx, SEQUENCE)
    tx.execute(_INSERT_TRANSFERS, [_row(batch_id, n, line) for n, line in enumerate(lines)])
    # The batch row comes last: it closes the batch, and the database counts and sums it then.
    closing = {"id": batch_id, "cause": cause, "transfers": len(lines), "content": content}
    tx.execute(_INSERT_BATCH, {**closing, "created_s": now_s})
    _confirm(tx, lines, expected)
    return Batch(id=batch_id, repeated=False)


def _earlier(tx: Connection, cause: str, content: bytes) -> Batch | None:
    row = tx.execute(_BY_CAUSE, {"named": cause}).first()
    if row is None:
        return None
    if bytes(row.content) != content:
        raise CauseConflict(
            f"cause {cause} was posted before as batch {row.id} with other transfers",
            {"cause": cause, "batch": row.id},
        )
    return Batch(id=row.id, repeated=True)


def _resolve(tx: Connection, transfers: Sequence[Transfer]) -> list[_Line]:
    """Find the accounts of each transfer; those of a post or void come from its hold."""
    _refuse_known_ids(tx, transfers)
    holds = _stored_holds(tx, [t.hold_id for t in transfers if t.hold_id is not None])
    ended = _ended(tx, list(holds))
    lines = []
    for transfer in transfers:
        if transfer.hold_id is None:
            line = _Line(
                transfer=transfer,
                debit=chart.account(transfer.debit, transfer.asset),
                credit=chart.account(transfer.credit, transfer.asset),
                held=0,
            )
            if transfer.kind is TransferKind.HOLD:
                holds[transfer.id] = line
        else:
            line = _ending(transfer, holds.get(transfer.hold_id), transfer.hold_id in ended)
            ended.add(transfer.hold_id)
        lines.append(line)
    return lines


def _ending(transfer: Transfer, hold: _Line | None, ended: bool) -> _Line:
    if hold is None:
        raise HoldUnknown(
            f"got hold {transfer.hold_id}, expected the id of a hold posted before",
            {"hold_id": transfer.hold_id},
        )
    if ended:
        raise HoldEnded(
            f"hold {transfer.hold_id} was posted or voided before", {"hold_id": transfer.hold_id}
        )
    held = hold.transfer.units
    if transfer.units > held:
        raise HoldExceeded(
            f"got a post of {transfer.units} units, expected at most the {held} held",
            {"hold_id": transfer.hold_id, "held_units": str(held)},
        )
    whole = replace(
        transfer,
        debit=hold.debit.owner,
        credit=hold.credit.owner,
        asset=hold.debit.asset,
        units=transfer.units or held,
    )
    return _Line(transfer=whole, debit=hold.debit, credit=hold.credit, held=held)


def _refuse_known_ids(tx: Connection, transfers: Sequence[Transfer]) -> None:
    ids = [transfer.id for transfer in transfers]
    for start in range(0, len(ids), CHUNK):
        row = tx.execute(_BY_IDS, {"these": ids[start : start + CHUNK]}).first()
        if row is not None:
            raise TransferExists(
                f"transfer {row.id} was posted before in batch {row.batch_id}",
                {"transfer": row.id, "batch": row.batch_id},
            )


def _stored_holds(tx: Connection, ids: Sequence[str]) -> dict[str, _Line]:
    """Hold id to the hold, for those in the database."""
    found = {}
    for start in range(0, len(ids), CHUNK):
        for row in tx.execute(_HOLDS, {"these": ids[start : start + CHUNK]}):
            hold = Transfer.hold(
                id=row.id, debit=row.owner, credit=row.payee, asset=row.asset, units=row.units
            )
            found[row.id] = _Line(
                transfer=hold,
                debit=chart.account(row.owner, row.asset),
                credit=chart.account(row.payee, row.asset),
                held=0,
            )
    return found


def _ended(tx: Connection, hold_ids: Sequence[str]) -> set[str]:
    """Those of the holds that a stored post or void ended."""
    ended: set[str] = set()
    for start in range(0, len(hold_ids), CHUNK):
        these = {"these": hold_ids[start : start + CHUNK]}
        ended.update(str(hold_id) for (hold_id,) in tx.execute(_ENDED, these))
    return ended


def _open_accounts(tx: Connection, lines: Sequence[_Line], now_s: int) -> dict[str, Balance]:
    """The balances of all accounts of the batch; those used for the first time are created.

    Safe against another first use: `Database.write` admits one writer at a time.
    """
    accounts = {a.id: a for line in lines for a in (line.debit, line.credit)}
    balances = balances_by_id(tx, accounts.values())
    fresh = [account for id, account in accounts.items() if id not in balances]
    if fresh:
        rows = [
            {
                "id": account.id,
                "owner": account.owner,
                "kind": account.kind.value,
                "asset": account.asset,
                "may_go_negative": int(account.may_go_negative),
                "created_s": now_s,
            }
            for account in fresh
        ]
        tx.execute(_INSERT_ACCOUNTS, rows)
        balances |= {account.id: Balance(kind=account.kind) for account in fresh}
    return balances


def _apply(balances: dict[str, Balance], lines: Sequence[_Line]) -> dict[str, Balance]:
    """The balances after the batch. Raises InsufficientFunds at the first line that overdraws."""
    after = dict(balances)
    for line in lines:
        moved = line.transfer.units if line.transfer.kind in _MOVES else 0
        held = line.transfer.units if line.transfer.kind is TransferKind.HOLD else -line.held
        debit, credit = after[line.debit.id], after[line.credit.id]
        after[line.debit.id] = replace(
            debit, debits=debit.debits + moved, debits_held=debit.debits_held + held
        )
        after[line.credit.id] = replace(
            credit, credits=credit.credits + moved, credits_held=credit.credits_held + held
        )
        if not line.debit.may_go_negative and after[line.debit.id].available < 0:
            raise InsufficientFunds(
                f"{line.debit.owner} has {debit.available} base units of {line.debit.asset} "
                f"available, expected at least {line.transfer.units}",
                {
                    "owner": line.debit.owner,
                    "asset": line.debit.asset,
                    "available_units": str(debit.available),
                    "needed_units": str(line.transfer.units),
                },
            )
    return after


_MOVES = (TransferKind.SINGLE, TransferKind.POST)


def _row(batch_id: int, number: int, line: _Line) -> dict[str, object]:
    return {
        "id": line.transfer.id,
        "batch_id": batch_id,
        "line": number,
        "kind": line.transfer.kind.value,
        "hold_id": line.transfer.hold_id,
        "debit_id": line.debit.id,
        "credit_id": line.credit.id,
        "asset": line.debit.asset,
        "units": line.transfer.units,
    }


def _confirm(tx: Connection, lines: Sequence[_Line], expected: dict[str, Balance]) -> None:
    """What the triggers stored is what was worked out here. Raises LedgerBroken."""
    accounts = [a for line in lines for a in (line.debit, line.credit)]
    if balances_by_id(tx, accounts) != expected:
        raise LedgerBroken("got balances in the database other than those the batch must lead to")
