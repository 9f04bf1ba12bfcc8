"""Judging a batch: each transfer in order against the books in memory. Talks to no database.

A batch is judged at the height it will have. Refused transfers leave no trace; a chain of linked
ones is taken back as a whole. `wallet.ledger.writing` stores what was accepted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from wallet.ledger.books import Books, Hold, Position
from wallet.ledger.encoding import NO_HOLD, TransferColumns
from wallet.ledger.errors import UnknownOwner
from wallet.ledger.results import Result
from wallet.ledger.terms.rules import motion, refusal
from wallet.ledger.transfers import ASSET_MAX, SECONDS_MAX, UNITS_MAX, Transfer, TransferKind

_SINGLE, _POST = TransferKind.SINGLE, TransferKind.POST
_OK = Result.OK


@dataclass(slots=True)
class Judged:
    """What a batch becomes: a result for each transfer, and the rows of those accepted.

    `posted` are the accepted ones; `changed` has each position that changed, once.
    """

    height: int
    results: list[Result] = field(default_factory=list)
    posted: TransferColumns = field(default_factory=TransferColumns)
    changed: list[Position] = field(default_factory=list)
    opened: list[Position] = field(default_factory=list)
    made: list[Hold] = field(default_factory=list)
    ended: list[Hold] = field(default_factory=list)
    available: int = 0
    """What the account had that a transfer was refused for, `insufficient_funds`."""


class Judge:
    """Judges one batch. `known` has what is stored under the transfers' ids already.

    `load` brings into the books what the batch names and they lack, as far as it exists. It is
    called at the first such name, which a writer that has run for a day seldom meets; without it
    the books have all there is.
    """

    def __init__(
        self,
        books: Books,
        *,
        now_s: int,
        load: Callable[[], None] | None = None,
        known: Mapping[str, Transfer | None] | None = None,
    ) -> None:
        self._books = books
        self._now_s = now_s
        self._load = load
        self._known = dict(known or {})
        self._height = books.height + 1
        self._judged = Judged(self._height)
        self._undo: list[tuple[Position, tuple[int, int, int, int], int]] | None = None

    def each(self, transfers: Sequence[Transfer]) -> Judged:
        """Judge every transfer by itself, and chains of linked ones as one."""
        results, last = self._judged.results, len(transfers)
        start = 0
        while start < last:
            is_plain = not transfers[start].linked
            place = self._post_plain(transfers, start) if is_plain else start
            results += [_OK] * (place - start)
            self._judged.posted.complete()
            start = place
            while place < last and transfers[place].linked:
                place += 1
            if place == last:
                failed = [Result.LINKED_FAILED] * (last - start)
                results += [*failed[1:], Result.LINK_OPEN] if failed else []
            elif place == start:
                results.append(self._judge(transfers[start]))
            else:
                results += self._chain(transfers[start : place + 1])
            start = place + 1
        return self._judged

    def whole(self, transfers: Sequence[Transfer]) -> Judged:
        """Judge the batch as one chain: every transfer is posted or none."""
        self._judged.results += self._chain(transfers)
        return self._judged

    def _chain(self, transfers: Sequence[Transfer]) -> list[Result]:
        judged = self._judged
        parts: tuple[list[Any], ...] = (
            judged.changed,
            judged.opened,
            judged.made,
            judged.ended,
        )
        marks, posted = [len(part) for part in parts], len(judged.posted)
        self._undo, results = [], list[Result]()
        for transfer in transfers:
            results.append(self._judge(transfer))
            if not results[-1].is_posted:
                break
        else:
            self._undo = None
            return results
        pairs = zip(transfers, results, strict=False)
        self._take_back(marks, [transfer.id for transfer, result in pairs if result is _OK])
        for part, mark in zip(parts, marks, strict=True):
            del part[mark:]
        judged.posted.cut(posted)
        failed = Result.LINKED_FAILED
        rest = len(transfers) - len(results)
        return [failed] * (len(results) - 1) + results[-1:] + [failed] * rest

    def _take_back(self, marks: Sequence[int], posted: Sequence[str]) -> None:
        judged, books = self._judged, self._books
        for position, sums, height in reversed(self._undo or ()):
            position.take_back(sums, height)
        self._undo = None
        for position in reversed(judged.opened[marks[1] :]):
            books.close(position)
        for hold in judged.made[marks[2] :]:
            del books.holds[hold.id]
        for hold in judged.ended[marks[3] :]:
            hold.ended = None
        for id in posted:
            del self._known[id]

    def _judge(self, transfer: Transfer) -> Result:
        if self._load is not None and self._lacks(transfer):
            self._load()
            self._load = None
        if transfer.id in self._known:
            return self._compare(self._known[transfer.id], transfer)
        if transfer.expires_s != 0 and transfer.kind is not TransferKind.HOLD:
            return Result.EXPIRY_INVALID
        if transfer.hold_id is not None:
            return self._end(transfer, transfer.hold_id)
        return self._start(transfer)

    def _lacks(self, transfer: Transfer) -> bool:
        """Whether the books may lack what the transfer names."""
        if transfer.hold_id is not None:
            return transfer.hold_id not in self._books.holds
        owners = self._books.owners(transfer.asset)
        return transfer.debit not in owners or transfer.credit not in owners

    def _post_plain(self, transfers: Sequence[Transfer], start: int) -> int:
        """Post plain transfers from `start` on until one needs a closer look: the place of that.

        The same as `_start` in one piece, where nothing is new, restricted or refused: it is what
        a settlement is made of, and each call saved is a tenth of its time.
        """
        known, posted = self._known, self._judged.posted
        add_id, add_units = posted.ids.append, posted.units.append
        add_debit, add_credit = posted.debits.append, posted.credits.append
        add_changed = self._judged.changed.append
        height, place = self._height, start
        asset, owners = "", self._books.owners("")
        try:
            for place in range(start, len(transfers)):
                transfer = transfers[place]
                if transfer.asset != asset:
                    asset = transfer.asset
                    owners = self._books.owners(asset)
                debit, credit = owners[transfer.debit], owners[transfer.credit]
                units, id = transfer.units, transfer.id
                if (
                    debit is credit
                    or transfer.kind is not _SINGLE
                    or transfer.linked
                    or debit.restricted
                    or credit.restricted
                    or not 0 < units <= UNITS_MAX
                    or (debit.covered and debit.credits - debit.debits - debit.debits_held < units)
                    or transfer.expires_s
                    or id in known
                ):
                    return place
                if debit.height != height:
                    debit.height = height
                    add_changed(debit)
                if credit.height != height:
                    credit.height = height
                    add_changed(credit)
                debit.debits += units
                credit.credits += units
                debit.totals.debits += units
                credit.totals.credits += units
                add_id(id)
                add_debit(debit.number)
                add_credit(credit.number)
                add_units(units)
                known[id] = transfer
        except KeyError:
            return place  # an account that is not in the books
        return len(transfers)

    def _start(self, transfer: Transfer) -> Result:
        """A single transfer or a hold."""
        units, owners = transfer.units, self._books.owners(transfer.asset)
        if not 0 < units <= UNITS_MAX:
            return Result.AMOUNT_INVALID
        debit, credit = owners.get(transfer.debit), owners.get(transfer.credit)
        if debit is None or credit is None:
            return self._start_new(transfer)
        if debit is credit:
            return Result.SAME_ACCOUNT
        if debit.restricted or credit.restricted:
            refused = _terms(debit, credit, units)
            if refused is not None:
                return refused
        if debit.covered and debit.credits - debit.debits - debit.debits_held < units:
            self._judged.available = debit.credits - debit.debits - debit.debits_held
            return Result.INSUFFICIENT_FUNDS
        if transfer.kind is not _SINGLE:
            return self._hold(transfer, debit, credit)
        self._touch(debit, credit)
        _move(debit, credit, units)
        self._accept(transfer, debit, credit, units)
        return _OK

    def _hold(self, transfer: Transfer, debit: Position, credit: Position) -> Result:
        expires_s = transfer.expires_s
        if expires_s != 0 and not self._now_s < expires_s <= SECONDS_MAX:
            return Result.EXPIRY_INVALID
        self._touch(debit, credit)
        _hold(debit, credit, transfer.units)
        hold = Hold(
            id=transfer.id,
            debit=debit,
            credit=credit,
            units=transfer.units,
            expires_s=expires_s,
        )
        self._books.holds[transfer.id] = hold
        self._judged.made.append(hold)
        self._accept(transfer, debit, credit, transfer.units)
        return _OK

    def _end(self, transfer: Transfer, hold_id: str) -> Result:
        hold = self._books.holds.get(hold_id)
        if hold is None:
            return Result.HOLD_UNKNOWN
        if hold.ended is not None:
            return Result.HOLD_ENDED
        if transfer.asset and transfer.asset != hold.debit.account.asset:
            return Result.ASSET_MISMATCH
        debit, credit, moved = hold.debit, hold.credit, transfer.units or hold.units
        if moved > hold.units:
            return Result.HOLD_EXCEEDED
        if moved < 0 or (transfer.kind is not _POST and moved != hold.units):
            return Result.AMOUNT_INVALID
        if transfer.kind is _POST and 0 < hold.expires_s <= self._now_s:
            return Result.HOLD_EXPIRED
        self._touch(debit, credit)
        _hold(debit, credit, -hold.units)
        if transfer.kind is _POST:
            _move(debit, credit, moved)
        hold.ended = (self._height, len(self._judged.posted))
        self._judged.ended.append(hold)
        # A post of all that is held is kept with its units: what it is compared with later.
        asked = transfer if transfer.units else replace(transfer, units=moved)
        self._accept(asked, debit, credit, moved)
        return _OK

    def _start_new(self, transfer: Transfer) -> Result:
        """The same where an account is new; a refused transfer opens none, to leave no trace."""
        books, asset = self._books, transfer.asset
        if not 0 < len(asset) <= ASSET_MAX or not asset.isprintable():
            return Result.ASSET_INVALID
        if transfer.debit == transfer.credit:
            return Result.SAME_ACCOUNT
        opened: list[Position] = []
        try:
            for owner in (transfer.debit, transfer.credit):
                if owner not in books.owners(asset):
                    opened.append(books.open(owner, asset))  # noqa: PERF401 - the second may raise
            result = self._start(transfer)
        except UnknownOwner:
            result = Result.ACCOUNT_UNKNOWN
        if result is _OK:
            self._judged.opened += opened
        else:
            for position in reversed(opened):
                books.close(position)
        return result

    def _compare(self, stored: Transfer | None, asked: Transfer) -> Result:
        """Whether a transfer whose id was used before asks for the same."""
        if stored is None:
            return Result.EXISTS_IN_ARCHIVE
        units = asked.units
        if stored.kind is not asked.kind:
            return Result.EXISTS_WITH_DIFFERENT_KIND
        if stored.hold_id != asked.hold_id:
            return Result.EXISTS_WITH_DIFFERENT_HOLD
        if asked.hold_id is not None:
            units = units or self._books.holds[asked.hold_id].units
        elif (stored.debit, stored.credit, stored.asset) != (
            asked.debit,
            asked.credit,
            asked.asset,
        ):
            return Result.EXISTS_WITH_DIFFERENT_ACCOUNTS
        if units != stored.units:
            return Result.EXISTS_WITH_DIFFERENT_AMOUNT
        if stored.expires_s != asked.expires_s:
            return Result.EXISTS_WITH_DIFFERENT_EXPIRY
        return Result.EXISTS

    def _touch(self, debit: Position, credit: Position) -> None:
        """Remember that the batch changes both, and how they were before the chain."""
        height, changed = self._height, self._judged.changed
        if self._undo is not None:
            self._undo.append((debit, debit.sums(), debit.height))
            self._undo.append((credit, credit.sums(), credit.height))
        if debit.height != height:
            changed.append(debit)
            debit.height = height
        if credit.height != height:
            changed.append(credit)
            credit.height = height

    def _accept(self, transfer: Transfer, debit: Position, credit: Position, units: int) -> None:
        posted = self._judged.posted
        posted.ids.append(transfer.id)
        posted.kinds.append(str(transfer.kind))
        posted.hold_ids.append(transfer.hold_id or NO_HOLD)
        posted.debits.append(debit.number)
        posted.credits.append(credit.number)
        posted.units.append(units)
        posted.expiries.append(transfer.expires_s)
        self._known[transfer.id] = transfer


def _move(debit: Position, credit: Position, units: int) -> None:
    for paying in (debit, debit.totals):
        paying.debits += units
    for paid in (credit, credit.totals):
        paid.credits += units


def _hold(debit: Position, credit: Position, units: int) -> None:
    """Hold units; fewer than none ends a hold."""
    for paying in (debit, debit.totals):
        paying.debits_held += units
    for paid in (credit, credit.totals):
        paid.credits_held += units


def _terms(debit: Position, credit: Position, units: int) -> Result | None:
    """What the terms of the two accounts say against a new transfer."""
    for position, other, is_debit in ((debit, credit, True), (credit, debit, False)):
        account = position.account
        if account.grows_by_debits:
            net, coming = position.debits - position.credits, position.debits_held
        else:
            net, coming = position.credits - position.debits, position.credits_held
        how = motion(
            grows=account.grows_by_debits is is_debit, ends_hold=False, other=other.account.owner
        )
        refused = refusal(
            position.terms,
            how,
            units,
            net_units=net,
            incoming_units=coming,
            trust=position.trust,
        )
        if refused is not None:
            return refused
    return None
