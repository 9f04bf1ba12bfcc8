"""Any sequence of batches leads to the same books as a reference model, with the same state hashes
on both engines, and `ledger verify` finds nothing in them."""

import copy
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from tests.integration.conftest import Server
from wallet.ledger import chart
from wallet.ledger.balances import balances_of, off_balance
from wallet.ledger.errors import LedgerError
from wallet.ledger.posting import Result, Transfer, asset_totals, post_batch, post_each
from wallet.ledger.transfers import number
from wallet.ledger.versions.verifying import verify
from wallet.store.database import Database

OWNERS = (chart.user("alice"), chart.user("bob"), chart.CLEARING, chart.HOT, chart.HOUSE)
STRANGER = "pocket:alice"
ASSETS = ("BTC", "ETH")
IDS = tuple(str(UUID(int=number)) for number in range(1, 5))
UNITS_MAX = 10**60


@dataclass
class Model:
    """The ledger in its shortest form: what owners have posted and held, and what was asked."""

    posted: dict[tuple[str, str], int] = field(default_factory=dict)
    held: dict[tuple[str, str], int] = field(default_factory=dict)
    known: dict[str, Transfer] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    causes: dict[str, Sequence[Transfer]] = field(default_factory=dict)

    def one(self, t: Transfer, now_s: int) -> Result:
        """Post one transfer, or say why not."""
        if t.id in self.known:
            return self.again(self.known[t.id], t)
        whole, moved, held = (
            t,
            t.units if t.kind == "single" else 0,
            t.units if t.kind == "hold" else 0,
        )
        if t.hold_id is not None:
            hold = self.known.get(t.hold_id)
            if hold is None or hold.kind != "hold":
                return Result.HOLD_UNKNOWN
            if t.hold_id in self.ended:
                return Result.HOLD_ENDED
            if t.units > hold.units:
                return Result.HOLD_EXCEEDED
            if t.kind == "post" and 0 < hold.expires_s <= now_s:
                return Result.HOLD_EXPIRED
            whole, held = hold, -hold.units
            moved = (t.units or hold.units) if t.kind == "post" else 0
            self.ended[t.hold_id] = moved
        elif not 0 < t.units <= UNITS_MAX:
            return Result.AMOUNT_INVALID
        elif t.debit == t.credit:
            return Result.SAME_ACCOUNT
        elif STRANGER in (t.debit, t.credit):
            return Result.ACCOUNT_UNKNOWN
        debit, credit = (whole.debit, whole.asset), (whole.credit, whole.asset)
        free = self.posted.get(debit, 0) - self.held.get(debit, 0)
        if t.hold_id is None and debit[0].startswith(("user:", "clearing:")) and free < t.units:
            return Result.INSUFFICIENT_FUNDS
        if t.kind == "hold" and 0 != t.expires_s <= now_s:
            return Result.EXPIRY_INVALID
        self.known[t.id] = t
        self.posted[debit] = self.posted.get(debit, 0) - moved
        self.posted[credit] = self.posted.get(credit, 0) + moved
        self.held[debit] = self.held.get(debit, 0) + held
        return Result.OK

    def again(self, old: Transfer, t: Transfer) -> Result:
        """An id that was used before: for the same, or for what else."""
        hold = self.known.get(t.hold_id or "", t)
        for differs, result in (
            (old.kind != t.kind, Result.EXISTS_WITH_DIFFERENT_KIND),
            (old.hold_id != t.hold_id, Result.EXISTS_WITH_DIFFERENT_HOLD),
            (_accounts(old) != _accounts(t), Result.EXISTS_WITH_DIFFERENT_ACCOUNTS),
            (
                (old.units or hold.units) != (t.units or hold.units),
                Result.EXISTS_WITH_DIFFERENT_AMOUNT,
            ),
            (old.expires_s != t.expires_s, Result.EXISTS_WITH_DIFFERENT_EXPIRY),
        ):
            if differs:
                return result
        return Result.EXISTS

    def chain(self, chained: Sequence[Transfer], now_s: int) -> list[Result]:
        """All of them, or the books as they were."""
        before, results = copy.deepcopy(vars(self)), list[Result]()
        for t in chained:
            results.append(self.one(t, now_s))
            if results[-1] not in (Result.OK, Result.EXISTS):
                vars(self).update(before)
                failed = [Result.LINKED_FAILED] * len(chained)
                failed[len(results) - 1] = results[-1]
                return failed
        return results

    def each(self, transfers: Sequence[Transfer], now_s: int) -> list[Result]:
        """Every chain by itself; a single transfer is a chain of one."""
        results, start = list[Result](), 0
        for place, t in enumerate(transfers, start=1):
            if not t.linked:
                results += self.chain(transfers[start:place], now_s)
                start = place
        rest = len(transfers) - start
        return results + [Result.LINKED_FAILED] * (rest - 1) + [Result.LINK_OPEN] * (rest > 0)


def _accounts(t: Transfer) -> tuple[str, ...]:
    return () if t.hold_id else (t.debit, t.credit, t.asset)


@dataclass(frozen=True)
class Asked:
    """One batch of a sequence; `repeats` takes the cause of an earlier one."""

    whole: bool
    later_s: int
    repeats: int | None
    transfers: tuple[Transfer, ...]


owners = st.sampled_from((*OWNERS * 3, STRANGER))
ids = st.sampled_from(("",) * 9 + IDS)
amounts = st.sampled_from((*range(1, 7), *range(1, 7), *range(1, 7), 0, 10**30, UNITS_MAX + 1))
linked = st.sampled_from((False, False, False, True))
lines = st.fixed_dictionaries(
    {"debit": owners, "credit": owners, "asset": st.sampled_from(ASSETS), "units": amounts}
)
START_S = 1_700_000_000
transfers = st.one_of(
    st.builds(
        lambda line, **rest: Transfer.single(**line, **rest),
        lines,
        id=ids,
        linked=linked,
    ),
    st.builds(
        lambda line, **rest: Transfer.hold(**line, **rest),
        lines,
        id=st.sampled_from(IDS),
        expires_s=st.sampled_from([0, START_S + 5, START_S + 60]),
        linked=linked,
    ),
    st.builds(
        Transfer.post,
        hold_id=st.sampled_from(IDS),
        units=st.none() | st.integers(1, 6),
        id=ids,
        linked=linked,
    ),
    st.builds(Transfer.void, hold_id=st.sampled_from(IDS), id=ids, linked=linked),
)
batches = st.builds(
    Asked,
    whole=st.booleans(),
    later_s=st.sampled_from([0, 1, 20]),
    repeats=st.none() | st.none() | st.integers(0, 5),
    transfers=st.lists(transfers, min_size=1, max_size=6).map(tuple),
)
DEPOSITS = Asked(
    whole=True,
    later_s=0,
    repeats=None,
    transfers=tuple(
        Transfer.single(debit=chart.HOT, credit=owner, asset=asset, units=99)
        for owner in OWNERS[:2]
        for asset in ASSETS
    ),
)


def expect(model: Model, asked: Asked, cause: str, now_s: int) -> object:
    """What the ledger must answer; the model has it posted."""
    given = number(cause, asked.transfers)
    earlier = model.causes.get(cause)
    if earlier is not None:
        if list(earlier) != list(given):
            return "refused"
        known = [Result.EXISTS if t.id in model.known else Result.REFUSED_BEFORE for t in given]
        return "repeated" if asked.whole else known
    named = [t.id for t in given]
    if asked.whole:
        if len(set(named)) < len(named) or set(named) & model.known.keys():
            return "refused"
        results = model.chain(given, now_s)
    else:
        results = model.each(given, now_s)
    if Result.OK in results:
        model.causes[cause] = given
    return results if not asked.whole else "posted" if Result.OK in results else "refused"


def answer(tx: Connection, asked: Asked, cause: str, now_s: int) -> object:
    """What the ledger does answer."""
    try:
        with tx.begin_nested():
            if not asked.whole:
                return list(post_each(tx, cause, asked.transfers, now_s).results)
            done = post_batch(tx, cause, asked.transfers, now_s)
            return "repeated" if done.repeated else "posted"
    except LedgerError:
        return "refused"


def agree(tx: Connection, model: Model) -> None:
    """The same money with the same owners, nothing made or lost."""
    for owner in OWNERS:
        found = balances_of(tx, owner)
        for asset in ASSETS:
            sums = found.get(asset)
            posted, held = (sums.credits - sums.debits, sums.debits_held) if sums else (0, 0)
            assert posted == model.posted.get((owner, asset), 0)
            assert held == model.held.get((owner, asset), 0)
    assert off_balance(asset_totals(tx)) == []


def head(tx: Connection) -> Sequence[Any]:
    """Every height with its hash."""
    rows = tx.execute(text("SELECT height, state_hash FROM ledger_batches ORDER BY height"))
    return [(row[0], bytes(row[1])) for row in rows]


@pytest.fixture
def engines(
    tmp_path: Path, sqlite_model: Path, postgres: Server
) -> Iterator[tuple[Database, Database]]:
    shutil.copy(sqlite_model, tmp_path / "wallet.sqlite")
    lite = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    grown = Database.open(postgres.named("shared"))
    yield lite, grown
    lite.close()
    grown.close()


def test_any_sequence_equals_the_model_and_has_one_hash_on_both_engines(
    engines: tuple[Database, Database],
) -> None:
    seen: set[object] = set()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(batches, min_size=3, max_size=9))
    def sequence(asked: list[Asked]) -> None:
        heads = []
        for database in engines:
            model, now_s = Model(), START_S
            with suppress(Done), database.write() as tx:
                for place, one in zip(count(), [DEPOSITS, *asked]):
                    now_s += one.later_s
                    cause = f"cause:{place if one.repeats is None else min(one.repeats, place)}"
                    expected = expect(model, one, cause, now_s)
                    assert answer(tx, one, cause, now_s) == expected
                    seen.update(expected if isinstance(expected, list) else [expected])
                    agree(tx, model)
                assert verify(tx).finding is None
                heads.append(head(tx))
                raise Done
        assert heads[0] == heads[1]

    sequence()

    assert {"posted", "refused", Result.OK, Result.LINKED_FAILED} <= seen


class Done(Exception):
    """Rolls the sequence back."""
