"""The ledger replayed from its rows: what each height did, its balances, and its hash.

It repeats what `judging` and `sealing` do, in the fewest words and without their code: what both
must agree on is the encoding alone.
"""

from collections.abc import Iterable, Sequence

from wallet.ledger import encoding
from wallet.ledger.chart import account
from wallet.ledger.encoding import NOTHING
from wallet.ledger.errors import UnknownOwner
from wallet.ledger.transfers import UNITS_MAX
from wallet.ledger.versions.findings import Bad, of_account, of_batch, of_line
from wallet.ledger.versions.rows import AccountRow, BatchRow

Sums = tuple[int, int, int, int]


class Position:
    """The sums of an account as replayed; `height` is the last that changed it."""

    __slots__ = (
        "asset",
        "covered",
        "credits",
        "credits_held",
        "debits",
        "debits_held",
        "height",
        "kind",
        "number",
    )

    def __init__(self, row: AccountRow, sums: Sums = (0, 0, 0, 0), height: int = 0) -> None:
        self.number, self.asset, self.kind = row.number, row.asset, row.kind
        self.covered = row.may_go_negative == 0
        self.debits, self.credits, self.debits_held, self.credits_held = sums
        self.height = height

    @property
    def sums(self) -> Sums:
        """Debits, credits, and the same of open holds."""
        return self.debits, self.credits, self.debits_held, self.credits_held


OpenHold = tuple[str, str, int, int]
"""Debit and credit number, units, expiry."""


class Replay:
    """The books after a height, from rows alone. `take` raises Bad for what cannot be."""

    def __init__(self) -> None:
        self.height = 0
        self.state_hash = encoding.GENESIS
        self.positions: dict[str, Position] = {}
        self.holds: dict[str, OpenHold] = {}
        self.changed: Sequence[Position] = ()
        self.transfers = 0

    def take(self, batch: BatchRow, opened: Sequence[AccountRow], lines: Sequence[str]) -> bytes:
        """Replay a height; its recomputed state hash, which becomes the one built upon next."""
        height = batch.height
        for row in opened:
            self._open(row)
        changed = self._lines(batch, lines)
        for row in opened:
            if self.positions[str(row.number)].height != height:
                raise Bad(of_account(row.number, height, "no transfer of its height uses it"))
        self.changed = changed
        digest = encoding.kv_digest(
            encoding.batch_line(height, batch.cause, batch.content, batch.created_s),
            encoding.lines(
                [
                    encoding.account_line(r.number, r.owner, r.asset, r.kind, r.may_go_negative)
                    for r in opened
                ]
            ),
            encoding.lines(lines),
            encoding.balance_lines(changed),
        )
        self.state_hash = encoding.state_hash(self.state_hash, digest, height)
        self.height = height
        self.transfers += len(lines)
        return self.state_hash

    def _open(self, row: AccountRow) -> None:
        key = str(row.number)
        if key in self.positions:
            raise Bad(of_account(row.number, row.height, "it was opened before"))
        check_account(row)
        self.positions[key] = Position(row)

    def _lines(self, batch: BatchRow, lines: Sequence[str]) -> Sequence[Position]:
        height, created_s, positions = batch.height, batch.created_s, self.positions
        changed: list[Position] = []
        try:
            for place, text in enumerate(lines):
                _, line, id, kind, hold_id, debit, credit, units_text, expiry = text[:-1].split(
                    "\t"
                )
                if line != str(place):
                    raise _bad("line_missing", height, place, f"got line {line} in its place")
                paying, paid = positions[debit], positions[credit]
                units, expires_s = int(units_text), int(expiry)
                if paying.asset != paid.asset or paying is paid:
                    raise _bad("accounts", height, place, "got accounts of two assets, or one")
                if not 0 < units <= UNITS_MAX:
                    raise _bad("amount", height, place, f"got {units} units")
                if kind == "single" and hold_id == NOTHING and expires_s == 0:
                    paying.debits += units
                    paid.credits += units
                elif kind == "hold" and hold_id == NOTHING:
                    if 0 != expires_s <= created_s or id in self.holds:
                        raise _bad("expiry", height, place, f"got expiry {expires_s}, or one id")
                    self.holds[id] = (debit, credit, units, expires_s)
                    paying.debits_held += units
                    paid.credits_held += units
                elif kind in ("post", "void") and expires_s == 0:
                    held = self._end(batch, place, kind, hold_id, (debit, credit, units))
                    paying.debits_held -= held
                    paid.credits_held -= held
                    if kind == "post":
                        paying.debits += units
                        paid.credits += units
                else:
                    raise _bad("kind", height, place, f"got kind {kind} with other columns")
                if paying.covered and paying.debits + paying.debits_held > paying.credits:
                    raise _bad("below_zero", height, place, f"account {debit} goes below zero")
                if paying.height != height:
                    paying.height = height
                    changed.append(paying)
                if paid.height != height:
                    paid.height = height
                    changed.append(paid)
        except KeyError as error:
            text = f"got account {error.args[0]}, which no height opened so far"
            raise _bad("account_unknown", height, place, text) from error
        except ValueError as error:
            raise _bad("unreadable", height, place, "got text in place of a number") from error
        return changed

    def _end(
        self, batch: BatchRow, place: int, kind: str, hold_id: str, asked: tuple[str, str, int]
    ) -> int:
        """The units that a hold had; it is closed."""
        hold = self.holds.pop(hold_id, None)
        if hold is None:
            raise _bad("hold_unknown", batch.height, place, f"got no open hold {hold_id}")
        debit, credit, units, expires_s = hold
        if asked[:2] != (debit, credit):
            raise _bad("hold_mismatch", batch.height, place, "got other accounts than the hold's")
        if asked[2] > units or (kind == "void" and asked[2] != units):
            raise _bad(
                "hold_exceeded", batch.height, place, f"got {asked[2]} units of {units} held"
            )
        if kind == "post" and 0 < expires_s <= batch.created_s:
            raise _bad("hold_expired", batch.height, place, f"got a post after {expires_s}")
        return units


def check_account(row: AccountRow) -> None:
    """Raise Bad unless the row is as the chart of accounts has it."""
    try:
        known = account(row.owner, row.asset)
    except (UnknownOwner, AttributeError) as error:
        raise Bad(of_account(row.number, row.height, f"got owner {row.owner!r}")) from error
    if (row.kind, row.may_go_negative) != (str(known.kind), int(known.may_go_negative)):
        raise Bad(of_account(row.number, row.height, f"got kind {row.kind} of {row.owner}"))


def check_order(rows: Sequence[AccountRow], head: int) -> None:
    """Raise Bad unless accounts are numbered 1, 2, 3, ... in the order of their heights."""
    height, names = 1, set[tuple[str, str]]()
    for number, row in enumerate(rows, start=1):
        if row.number != number:
            raise Bad(of_account(number, row.height, f"it is missing: got {row.number} next"))
        if not isinstance(row.height, int) or not height <= row.height <= head:
            raise Bad(of_account(number, height, f"got height {row.height} after {height}"))
        check_account(row)
        if (row.owner, row.asset) in names:
            raise Bad(of_account(number, row.height, "got an owner and asset twice"))
        names.add((row.owner, row.asset))
        height = row.height


def totals(positions: Iterable[Position]) -> dict[tuple[str, str], tuple[int, ...]]:
    """Asset and kind to the sums of its accounts, and the last height that changed one."""
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for position in positions:
        key = (position.asset, position.kind)
        *sums, height = found.get(key, (0, 0, 0, 0, 0))
        added = [a + b for a, b in zip(sums, position.sums, strict=True)]
        found[key] = (*added, max(height, position.height))
    return found


def _bad(code: str, height: int, line: int, text: str) -> Bad:
    return Bad(of_line(code, height, line, text))


def check_size(batch: BatchRow, lines: Sequence[str]) -> None:
    """Raise Bad unless a batch closes as many lines as there are."""
    if len(lines) != batch.transfers:
        raise Bad(
            of_batch("count", batch.height, f"got {len(lines)} lines, it says {batch.transfers}")
        )
