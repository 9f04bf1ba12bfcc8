"""What `ledger verify` finds, and the error of a range that cannot be verified."""

from dataclasses import dataclass

from wallet.errors import Invalid

ACCOUNTS = "ledger_accounts"
BATCHES = "ledger_batches"
TRANSFERS = "ledger_transfers"
IDS = "ledger_transfer_ids"
HOLDS = "ledger_holds"
BALANCES = "ledger_balances"
TOTALS = "ledger_totals"
HEADS = "ledger_heads"
PARTITIONS = "ledger_partitions"
CHECKPOINTS = "ledger_checkpoints"


class BadRange(Invalid):
    """Heights that are not there to be verified, or a moment before the first one."""

    code = "ledger.bad_range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row that contradicts the others. `key` names it in `table`, `text` says what is wrong.

    `also` are the tables whose rows of the same height may be the bad ones instead, where the rows
    that are left cannot tell.
    """

    code: str
    table: str
    key: str
    text: str
    height: int = 0
    also: tuple[str, ...] = ()


def of_line(code: str, height: int, line: int, text: str) -> Finding:
    """A bad row of ledger_transfers."""
    return Finding(
        code=f"ledger.verify.{code}",
        table=TRANSFERS,
        key=f"height {height} line {line}",
        text=text,
        height=height,
    )


def of_batch(code: str, height: int, text: str, also: tuple[str, ...] = ()) -> Finding:
    """A bad row of ledger_batches."""
    return Finding(
        code=f"ledger.verify.{code}",
        table=BATCHES,
        key=f"height {height}",
        text=text,
        height=height,
        also=also,
    )


def of_account(number: object, height: int, text: str) -> Finding:
    """A bad row of ledger_accounts."""
    return Finding(
        code="ledger.verify.account",
        table=ACCOUNTS,
        key=f"number {number}",
        text=text,
        height=height,
    )


def unreadable_balance(height: int, text: str) -> Finding:
    """Sums that are no numbers."""
    return Finding(
        code="ledger.verify.unreadable",
        table=BALANCES,
        key="first",
        text=text,
        height=height,
        also=(TRANSFERS, HOLDS),
    )


class Bad(Exception):
    """Carries a finding out of a loop."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding
