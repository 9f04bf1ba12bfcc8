"""The second look: what a line promised, its record has to keep.

A deposit's row is there with the block, but booked later; a payment is known from its bytes, but
settled later. When that has happened, record and chain are compared once more; what is wrong then
is a break, and what was wrong may be right by now.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from chains.types import BlockRef
from wallet.payments.states import DUTIES, PaymentStatus
from wallet.reconciliation.breaks import CAME, Break, open_break, open_breaks, resolve_break
from wallet.reconciliation.explaining import Finding, LineKind
from wallet.reconciliation.records import (
    DepositRecord,
    PaymentRecord,
    deposits_by_id,
    payments_by_txid,
    records_of,
)
from wallet.reconciliation.statements import (
    BOOKED_LINE,
    BROKEN,
    WAITING,
    explain_line_later,
)
from wallet.reconciliation.states import BreakCode
from wallet.store.schema import blocks, statement_lines

LATE_S = DUTIES[PaymentStatus.CONFIRMING].late_s
"""After so many seconds a mined payment should have been settled."""

_BY_RECORD = frozenset(
    {
        BreakCode.OTHER_AMOUNT,
        BreakCode.UNBOOKED_FEE,
        BreakCode.MISSING_SETTLEMENT,
        BreakCode.DENIED_PAYMENT,
    }
)
"""Breaks that a corrected record heals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The lines that one record explains in one transaction, and how it looks now."""

    subject: str
    lines: tuple[Any, ...]
    deposit: DepositRecord | None
    payment: PaymentRecord | None

    @property
    def is_booked(self) -> bool:
        """Whether the ledger has it."""
        if self.payment is not None:
            return self.payment.is_settled
        return self.deposit is not None and self.deposit.is_booked

    @property
    def units(self) -> Mapping[str, int]:
        """What it did to our wallets together, by asset."""
        sums: dict[str, int] = defaultdict(int)
        for line in self.lines:
            sums[line.asset] += line.units
        return sums


def promises(tx: Connection, network: str, *, state: str = WAITING) -> Sequence[Promise]:
    """Every record that lines of a state wait for."""
    c = statement_lines.c
    rows = tx.execute(
        select(statement_lines)
        .where(c.network == network, c.state == state)
        .order_by(c.height, c.number)
    ).all()
    return _promises(tx, network, rows)


def is_due(tx: Connection, network: str) -> bool:
    """Whether anything waits to be booked, or to be healed."""
    c = statement_lines.c
    waiting = select(c.number).where(c.network == network, c.state == WAITING).limit(1)
    return tx.execute(waiting).first() is not None or bool(open_breaks(tx, network))


def look_again(tx: Connection, network: str, odd_assets: frozenset[str], now_s: int) -> int:
    """Compare what was booked since the last look, and breaks that may have healed.

    Returns how many records it found booked.
    """
    done = 0
    for promise in promises(tx, network):
        findings = list(_wrong(promise, odd_assets, now_s))
        for finding in findings:
            height = promise.lines[0].height
            open_break(tx, network, height, _hash_at(tx, network, height), finding, now_s)
        if promise.is_booked:
            _mark(tx, network, promise, BOOKED_LINE)
            done += 1
        elif any(finding.code is BreakCode.LATE_DEPOSIT for finding in findings):
            _mark(tx, network, promise, BROKEN)
    for one in open_breaks(tx, network):
        _heal(tx, one, odd_assets, now_s)
    return done


def _promises(tx: Connection, network: str, rows: Iterable[Any]) -> Sequence[Promise]:
    grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.subject, row.txid].append(row)
    deposits = deposits_by_id(tx, [subject for subject, _ in grouped])
    payments = payments_by_txid(tx, network, [txid for _, txid in grouped])
    found = []
    for (subject, txid), lines in grouped.items():
        payment = payments.get(txid)
        if payment is not None and payment.id != subject:
            payment = None
        found.append(
            Promise(
                subject=subject,
                lines=tuple(lines),
                deposit=deposits.get(subject),
                payment=payment,
            )
        )
    return found


def _wrong(promise: Promise, odd_assets: frozenset[str], now_s: int) -> Iterable[Finding]:
    first = promise.lines[0]
    if promise.payment is not None:
        yield from _wrong_payment(promise, promise.payment, odd_assets, now_s)
    elif first.kind not in (LineKind.DEPOSIT, LineKind.KEPT):
        # The payment itself is gone: nothing of ours signed this any more.
        yield _finding(promise, BreakCode.FOREIGN_SPEND, first.asset, promise.units[first.asset])
    elif promise.deposit is None or promise.deposit.block_hash is None:
        yield _deposit_finding(promise, BreakCode.LATE_DEPOSIT, promise.units[first.asset])
    else:
        row = promise.deposit
        shown = sum(one.units for one in promise.lines if one.kind == LineKind.DEPOSIT)
        if promise.is_booked and shown != row.logged_units:
            yield _deposit_finding(promise, BreakCode.OTHER_AMOUNT, shown - row.logged_units)


def _wrong_payment(
    promise: Promise, payment: PaymentRecord, odd_assets: frozenset[str], now_s: int
) -> Iterable[Finding]:
    fee_line = next((o for o in promise.lines if o.kind == LineKind.FEE), promise.lines[0])
    if not payment.is_settled:
        if not payment.is_lost and now_s - fee_line.seen_s > LATE_S:
            fee = fee_line.units
            yield _finding(promise, BreakCode.MISSING_SETTLEMENT, fee_line.asset, fee)
        return
    paid = -sum(one.units for one in promise.lines if one.kind == LineKind.WITHDRAWAL)
    moved = paid or _moved(promise)
    is_completed = payment.status is PaymentStatus.COMPLETED and payment.is_counted
    if not is_completed and moved and not payment.is_decided:
        yield _finding(promise, BreakCode.DENIED_PAYMENT, payment.asset, -moved)
    elif is_completed and payment.asset not in odd_assets and paid not in (0, payment.units):
        yield _finding(promise, BreakCode.OTHER_AMOUNT, payment.asset, payment.units - paid)
    fee = -sum(one.units for one in promise.lines if one.kind == LineKind.FEE)
    if fee != (payment.fee_units or 0):
        booked = payment.fee_units or 0
        yield _finding(promise, BreakCode.UNBOOKED_FEE, fee_line.asset, booked - fee)


def _moved(promise: Promise) -> int:
    """What went out to another wallet of ours."""
    moves = [one for one in promise.lines if one.kind == LineKind.MOVE]
    return sum(-int(one.units) for one in moves if one.units < 0)


def _finding(promise: Promise, code: BreakCode, asset: str, units: int) -> Finding:
    first = promise.lines[0]
    return Finding(
        code=code,
        asset=asset,
        wallet=first.wallet,
        txid=first.txid,
        position="",
        units=units,
        subject=promise.subject,
    )


def _deposit_finding(promise: Promise, code: BreakCode, units: int) -> Finding:
    first = promise.lines[0]
    return Finding(
        code=code,
        asset=first.asset,
        wallet=first.wallet,
        txid=first.txid,
        position=first.position,
        units=units,
        subject=promise.subject,
    )


def _mark(tx: Connection, network: str, promise: Promise, state: str) -> None:
    c = statement_lines.c
    tx.execute(
        update(statement_lines)
        .where(
            c.network == network,
            c.subject == promise.subject,
            c.txid == promise.lines[0].txid,
            c.state != state,
        )
        .values(state=state)
    )


def _heal(tx: Connection, one: Break, odd_assets: frozenset[str], now_s: int) -> None:
    """Resolve a break whose record came or was corrected."""
    if one.code in _BY_RECORD:
        c = statement_lines.c
        rows = tx.execute(
            select(statement_lines)
            .where(c.network == one.network, c.subject == one.subject, c.txid == one.txid)
            .order_by(c.height, c.number)
        ).all()
        for promise in _promises(tx, one.network, rows):
            wrong = {finding.code for finding in _wrong(promise, odd_assets, now_s)}
            if promise.is_booked and one.code not in wrong:
                resolve_break(tx, one, CAME, now_s)
        return
    ref = BlockRef(height=one.height, hash=one.block_hash, parent="", time_s=0)
    row = records_of(tx, one.network, ref, ()).deposits.get((one.txid, one.position))
    if one.code is BreakCode.LATE_DEPOSIT and row is not None and row.logged_units == one.units:
        explain_line_later(tx, one.network, one.height, one.txid, one.position, row.id)
        resolve_break(tx, one, CAME, now_s)
    elif one.code is BreakCode.PHANTOM_DEPOSIT and row is None:
        resolve_break(tx, one, CAME, now_s)


def _hash_at(tx: Connection, network: str, height: int) -> str:
    return str(
        tx.execute(
            select(blocks.c.hash).where(blocks.c.network == network, blocks.c.height == height)
        ).scalar_one()
    )
