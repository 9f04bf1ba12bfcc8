"""Which row of a height is the bad one, when the height does not make its hash.

A hash tells that a height was changed and not where. The other tables do: each column of a
transfer is repeated in ids, holds or balances, and what a batch was asked for in its content.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text

from wallet.ledger.encoding import NOTHING
from wallet.ledger.transfers import Transfer, TransferKind, content_digest
from wallet.ledger.versions.crosschecks import NO_HOLD, NO_ID, NOT_ENDED, first_row
from wallet.ledger.versions.findings import (
    ACCOUNTS,
    BATCHES,
    Finding,
    of_account,
    of_batch,
    of_line,
)
from wallet.ledger.versions.history import sums_from_latest
from wallet.ledger.versions.rows import AccountRow, BatchRow

_NAMES = "SELECT number, owner, asset FROM ledger_accounts WHERE number IN "


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A height that does not make its hash; `sums` are the accounts it changed, as replayed."""

    batch: BatchRow
    opened: Sequence[AccountRow]
    lines: Sequence[str]
    sums: Mapping[int, tuple[int, int, int, int]]


def changed_line(tx: Connection, height: int) -> Finding | None:
    """The first transfer of a height that ids or holds contradict."""
    for query, told in (
        (NO_ID, "its id stands for another transfer"),
        (NO_HOLD, "the hold it made is another"),
        (NOT_ENDED, "the hold it ended is another"),
    ):
        row = first_row(tx, query, first=height, last=height)
        if row is not None:
            return of_line("state_hash", height, row[2], told)
    return None


def suspect_row(tx: Connection, suspect: Suspect) -> Finding:
    """The bad row of a height, as far as the others can tell."""
    height = suspect.batch.height
    found = changed_line(tx, height) or _by_balances(tx, suspect)
    if found is not None:
        return found
    told = "its rows do not make its state hash"
    if _as_asked(tx, suspect):
        return of_batch("state_hash", height, told)
    return of_batch("state_hash", height, told, (ACCOUNTS,) if suspect.opened else ())


def suspect_of(tx: Connection, found: Finding, suspect: Suspect) -> Finding:
    """The bad row behind a finding of the replay in a height: evidence goes before the symptom."""
    height = suspect.batch.height
    if found.code == "ledger.verify.count":
        row = tx.execute(
            text("SELECT COUNT(*) FROM ledger_transfer_ids WHERE height = :h"), {"h": height}
        ).scalar_one()
        if row == len(suspect.lines):
            return found
        return of_line("line_missing", height, len(suspect.lines), found.text)
    if found.table in (ACCOUNTS, BATCHES):
        return found
    evidence = changed_line(tx, height)
    if evidence is not None:
        return evidence
    if found.code == "ledger.verify.account_unknown":
        return _of_unknown_account(tx, found)
    # An account that the height opens is proven by nothing but the height's hash.
    return replace(found, also=(ACCOUNTS,)) if suspect.opened else found


def _of_unknown_account(tx: Connection, found: Finding) -> Finding:
    """A transfer that names another account than it did, or an account that went or moved."""
    number = found.text.split(",")[0].removeprefix("got account ")
    if not number.isdigit():
        return found
    given = {"n": int(number)}
    if tx.execute(text("SELECT 1 FROM ledger_accounts WHERE number = :n"), given).first():
        return replace(found, also=(ACCOUNTS,))
    if tx.execute(text("SELECT 1 FROM ledger_balances WHERE account = :n"), given).first():
        return of_account(number, found.height, "it is missing: transfers and balances name it")
    return found


def _by_balances(tx: Connection, suspect: Suspect) -> Finding | None:
    """The first line with an account that later rows and the latest value say was another."""
    height = suspect.batch.height
    told = sums_from_latest(tx, height, sorted(suspect.sums))
    wrong = {
        str(number) for number, sums in suspect.sums.items() if told.get(number, (0,) * 4) != sums
    }
    for line, row in enumerate(suspect.lines):
        _, _, _, _, _, debit, credit, _, _ = row.split("\t")
        if debit in wrong and credit in wrong:
            text_ = f"accounts {debit} and {credit} make another sum than later rows say"
            return of_line("state_hash", height, line, text_)
    for line, row in enumerate(suspect.lines):
        _, _, _, _, _, debit, credit, _, _ = row.split("\t")
        if debit in wrong or credit in wrong:
            text_ = f"account {debit if debit in wrong else credit} makes another sum"
            return of_line("state_hash", height, line, text_)
    return None


def _as_asked(tx: Connection, suspect: Suspect) -> bool:
    """Whether the transfers are those whose content the batch names."""
    fields = [row[:-1].split("\t") for row in suspect.lines]
    numbers = {int(number) for row in fields for number in row[5:7]}
    query = text(f"{_NAMES}({', '.join(map(str, sorted(numbers)))})")
    names = {row[0]: (row[1], row[2]) for row in tx.execute(query)}
    transfers = [
        Transfer(
            id=id,
            kind=TransferKind(kind),
            debit=names[int(debit)][0] if hold == NOTHING else "",
            credit=names[int(credit)][0] if hold == NOTHING else "",
            asset=names[int(debit)][1] if hold == NOTHING else "",
            units=int(units) if hold == NOTHING else 0,
            hold_id=None if hold == NOTHING else hold,
            expires_s=int(expiry),
        )
        for _, _, id, kind, hold, debit, credit, units, expiry in fields
    ]
    return content_digest(transfers) == suspect.batch.content
