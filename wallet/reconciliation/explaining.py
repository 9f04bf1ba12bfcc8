"""Why a block did what it did to our wallets: every movement gets a line with its reason, or none.

Pure: a block's movements and our records in, lines and findings out. What no record explains is a
line of kind `unexplained`, and a finding says what kind of break that is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from signer.protocol import Purpose
from wallet.deposits.recording import is_deposit
from wallet.reconciliation.moves import Account, BlockMoves, Moved
from wallet.reconciliation.records import PaymentRecord, Records
from wallet.reconciliation.states import BreakCode, unexplained_code

FEE = "fee"
"""The position of what a transaction cost its sender."""


NO_ASSETS: frozenset[str] = frozenset()


class LineKind(StrEnum):
    """What a movement was; each is a column of a statement."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FEE = "fee"
    MOVE = "move"  # between wallets of ours, or back to the same one
    KEPT = "kept"  # what a token took for itself, or gave
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One movement of a wallet; `subject` is the deposit or payment that explains it."""

    txid: str
    position: str
    wallet: str
    asset: str
    target: bytes
    units: int
    kind: LineKind
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong; `units` is what the chain has beyond our records."""

    code: BreakCode
    asset: str
    wallet: str
    txid: str
    position: str
    units: int
    subject: str = ""


@dataclass(slots=True)
class Explained:
    """A block's lines in the order of its movements, and what is wrong with it."""

    lines: list[Line] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def explain(
    block: BlockMoves,
    records: Records,
    known: Mapping[Account, int],
    odd_assets: frozenset[str] = NO_ASSETS,
) -> Explained:
    """Give every movement its reason.

    `known` is what accounts held before the block; `odd_assets` are tokens whose balances may
    differ from their logs.
    """
    found = Explained()
    by_txid: dict[str, list[Moved]] = defaultdict(list)
    for one in block.moved:
        by_txid[one.txid].append(one)
    for txid, moved in by_txid.items():
        payment = records.payments.get(txid)
        if payment is None:
            _foreign(found, records, txid, moved)
        elif payment.outputs_units is not None:
            _spent_coins(found, records, payment, moved)
        else:
            _account_moves(found, records, payment, moved, odd_assets)
    _hold_balances(found, block, records, known, odd_assets)
    _find_phantoms(found, block, records)
    return found


def _line(one: Moved, kind: LineKind, subject: str = "") -> Line:
    return Line(
        txid=one.txid,
        position=one.position,
        wallet=one.wallet,
        asset=one.asset,
        target=one.target,
        units=one.units,
        kind=kind,
        subject=subject,
    )


def _foreign(found: Explained, records: Records, txid: str, moved: Sequence[Moved]) -> None:
    """A transaction that is not ours: what came in is a deposit, what went out is a theft."""
    lost: dict[tuple[str, str], int] = defaultdict(int)
    for one in moved:
        if one.units > 0:
            _deposit(found, records, one)
        else:
            found.lines.append(_line(one, LineKind.UNEXPLAINED))
            lost[one.wallet, one.asset] += one.units
    for (wallet, asset), units in lost.items():
        found.findings.append(
            Finding(
                code=BreakCode.FOREIGN_SPEND,
                asset=asset,
                wallet=wallet,
                txid=txid,
                position="",
                units=units,
            )
        )


def _deposit(found: Explained, records: Records, one: Moved) -> None:
    row = records.deposits.get((one.txid, one.position))
    if row is None:
        _unexplained(found, one, BreakCode.LATE_DEPOSIT)
        return
    found.lines.append(_line(one, LineKind.DEPOSIT, row.id))
    if (row.asset, row.logged_units) != (one.asset, one.units):
        difference = one.units - row.logged_units
        found.findings.append(_finding(one, BreakCode.OTHER_AMOUNT, difference, row.id))


def _unexplained(found: Explained, one: Moved, code: BreakCode, subject: str = "") -> None:
    found.lines.append(_line(one, LineKind.UNEXPLAINED))
    found.findings.append(_finding(one, code, one.units, subject))


def _finding(one: Moved, code: BreakCode, units: int, subject: str) -> Finding:
    return Finding(
        code=code,
        asset=one.asset,
        wallet=one.wallet,
        txid=one.txid,
        position=one.position,
        units=units,
        subject=subject,
    )


def _spent_coins(
    found: Explained, records: Records, payment: PaymentRecord, moved: Sequence[Moved]
) -> None:
    """Our own UTXO payment: what its coins held is what it paid, what came back, and its fee."""
    spent = [one for one in moved if one.units < 0]
    came = [one for one in moved if one.units > 0]
    if len(spent) != payment.inputs:
        # It spends what no statement knows as ours: nothing of it adds up.
        for one in moved:
            code = BreakCode.UNKNOWN_INFLOW if one.units > 0 else BreakCode.UNKNOWN_OUTFLOW
            _unexplained(found, one, code, payment.id)
        return
    own = [one for one in came if not is_deposit(payment.purpose, one.purpose)]
    for one in came:
        if one in own:
            found.lines.append(_line(one, LineKind.MOVE, payment.id))
        else:
            _deposit(found, records, one)
    outputs_units = payment.outputs_units or 0
    kept_units = sum(one.units for one in own)
    spent_units = -sum(one.units for one in spent)
    paid, fee = outputs_units - kept_units, spent_units - outputs_units
    parts = ((LineKind.WITHDRAWAL, paid), (LineKind.FEE, fee), (LineKind.MOVE, kept_units))
    first = spent[0]
    for kind, units in parts:
        if units or kind is LineKind.FEE:
            found.lines.append(
                Line(
                    txid=first.txid,
                    position=FEE if kind is LineKind.FEE else str(kind),
                    wallet=first.wallet,
                    asset=first.asset,
                    target=b"",
                    units=-units,
                    kind=kind,
                    subject=payment.id,
                )
            )
    if paid and payment.purpose is not Purpose.WITHDRAWAL:
        found.findings.append(_finding(first, BreakCode.UNKNOWN_OUTFLOW, -paid, payment.id))


def _account_moves(
    found: Explained,
    records: Records,
    payment: PaymentRecord,
    moved: Sequence[Moved],
    odd_assets: frozenset[str],
) -> None:
    """Our own transaction on a chain of accounts."""
    for one in moved:
        is_ours = one.other_purpose is not None
        pays = payment.purpose is Purpose.WITHDRAWAL and one.other_purpose in (None, "deposit")
        if one.position == FEE:
            found.lines.append(_line(one, LineKind.FEE, payment.id))
        elif one.units > 0 and is_deposit(payment.purpose, one.purpose):
            _deposit(found, records, one)
        elif one.units < 0 and pays:
            found.lines.append(_line(one, LineKind.WITHDRAWAL, payment.id))
        elif is_ours:
            found.lines.append(_line(one, LineKind.MOVE, payment.id))
        elif one.asset in odd_assets:
            found.lines.append(_line(one, LineKind.KEPT, payment.id))
        else:
            code = BreakCode.UNKNOWN_INFLOW if one.units > 0 else BreakCode.UNKNOWN_OUTFLOW
            _unexplained(found, one, code, payment.id)


def _hold_balances(
    found: Explained,
    block: BlockMoves,
    records: Records,
    known: Mapping[Account, int],
    odd_assets: frozenset[str],
) -> None:
    """What the chain says an account holds, against what it held and all that moved."""
    expected: dict[Account, int] = dict(known)
    for line in found.lines:
        account = line.target, line.asset
        expected[account] = expected.get(account, 0) + line.units
    for account, held in block.balances.items():
        difference = held - expected.get(account, 0)
        if difference:
            _difference(found, block, records, account, difference, odd_assets)


def _difference(
    found: Explained,
    block: BlockMoves,
    records: Records,
    account: Account,
    units: int,
    odd_assets: frozenset[str],
) -> None:
    """A balance that is not what the block's movements make it."""
    target, asset = account
    one = Moved(
        txid="0x" + block.ref.hash,
        position=f"delta:{target.hex()}:{asset}",
        asset=asset,
        wallet=block.wallets[account],
        target=target,
        purpose="",
        units=units,
    )
    mine = [line for line in found.lines if (line.target, line.asset) == account]
    # Of the native currency the scan names it without the asset.
    native = replace(one, position=f"delta:{target.hex()}")
    shown = [m for m in (one, native) if (m.txid, m.position) in records.deposits]
    own = next((line for line in mine if line.subject and line.kind is not LineKind.DEPOSIT), None)
    kept = _kept(mine, records)
    meant = _meant(mine, records, one)
    if shown and records.deposits[shown[0].txid, shown[0].position].asset == asset:
        _deposit(found, records, shown[0])
    elif units == sum(kept.values()):
        found.lines += [
            _line(replace(one, txid=line.txid, units=part), LineKind.KEPT, line.subject)
            for line, part in kept.items()
        ]
    elif meant is not None:
        txid, record = meant
        kind = LineKind.MOVE
        if record.purpose is Purpose.WITHDRAWAL:
            kind = LineKind.WITHDRAWAL
        found.lines.append(_line(replace(one, txid=txid), kind, record.id))
    elif asset in odd_assets and own is not None:
        found.lines.append(_line(replace(one, txid=own.txid), LineKind.KEPT, own.subject))
    else:
        _unexplained(found, one, unexplained_code(units, is_odd=asset in odd_assets))


def _meant(mine: Sequence[Line], records: Records, one: Moved) -> tuple[str, PaymentRecord] | None:
    """The payment of ours that moved just what it meant to, though its logs say otherwise."""
    for txid, payment in records.payments.items():
        if payment.asset != one.asset:
            continue
        moved = one.units + sum(line.units for line in mine if line.subject == payment.id)
        if payment.purpose is Purpose.WITHDRAWAL:
            is_meant = (moved, payment.source) == (-payment.units, one.wallet)
        else:
            is_meant = abs(moved) == payment.units
        if is_meant:
            return txid, payment
    return None


def _kept(mine: Iterable[Line], records: Records) -> Mapping[Line, int]:
    """What of an account's deposits did not arrive, by their rows: negative units by line."""
    found = {}
    for line in mine:
        row = records.deposits.get((line.txid, line.position))
        if line.kind is LineKind.DEPOSIT and row is not None and row.units != row.logged_units:
            found[line] = row.units - row.logged_units
    return found


def _find_phantoms(found: Explained, block: BlockMoves, records: Records) -> None:
    """Deposits that claim this block and are not in it."""
    shown = {(line.txid, line.position) for line in found.lines}
    for (txid, position), row in records.deposits.items():
        kind, _, place = position.partition(":")
        target = place.partition(":")[0]
        asked = kind != "delta" or (bytes.fromhex(target), row.asset) in block.balances
        if (txid, position) not in shown and asked:
            found.findings.append(
                Finding(
                    code=BreakCode.PHANTOM_DEPOSIT,
                    asset=row.asset,
                    wallet="",
                    txid=txid,
                    position=position,
                    units=-row.logged_units,
                    subject=row.id,
                )
            )
