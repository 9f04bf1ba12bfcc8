"""Any sequence of batches leads to the same books as a reference model, on both engines."""

from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from wallet.ledger import chart
from wallet.ledger.balances import Balance, balances_of, off_balance
from wallet.ledger.errors import LedgerError
from wallet.ledger.posting import Transfer, asset_totals, post_batch, single
from wallet.store.database import Database

OWNERS = (
    chart.user("alice"),
    chart.user("bob"),
    chart.CLEARING,
    chart.HOT,
)
ASSETS = ("BTC", "ETH")
WEI_MANY = 10**30


@dataclass
class Books:
    """The ledger in its shortest form: posted and held units of each owner and asset."""

    posted: dict[tuple[str, str], int] = field(default_factory=dict)
    held: dict[tuple[str, str], int] = field(default_factory=dict)
    holds: dict[str, Transfer] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    causes: dict[str, list[Transfer]] = field(default_factory=dict)

    def copy(self) -> "Books":
        return Books(*(type(v)(v) for v in vars(self).values()))

    def apply(self, t: Transfer) -> bool:
        """Post one transfer; False when it must be refused."""
        whole, moved, held = t, t.units, 0
        if t.hold_id is not None:
            hold = self.holds.get(t.hold_id)
            if hold is None or t.hold_id in self.ended or t.units > hold.units:
                return False
            self.ended.add(t.hold_id)
            whole, held = hold, -hold.units
            moved = (t.units or hold.units) if t.kind == "post" else 0
        elif t.kind == "hold":
            self.holds[t.id], held, moved = t, t.units, 0
        if t.id in self.used or whole.debit == whole.credit or whole.units < 1:
            return False
        if t.id:
            self.used.add(t.id)
        debit, credit = (whole.debit, whole.asset), (whole.credit, whole.asset)
        self.posted[debit] = self.posted.get(debit, 0) - moved
        self.posted[credit] = self.posted.get(credit, 0) + moved
        self.held[debit] = self.held.get(debit, 0) + held
        return (
            moved + held <= 0
            or not whole.debit.startswith(("user:", "clearing:"))
            or (self.posted[debit] >= self.held[debit])
        )


def expect(books: Books, cause: str, transfers: list[Transfer]) -> Books | None:
    """The books after the batch, None when it must be refused."""
    if cause in books.causes:
        return books if books.causes[cause] == transfers else None
    after = books.copy()
    if not transfers or not all(after.apply(t) for t in transfers):
        return None
    after.causes[cause] = transfers
    return after


owners = st.sampled_from(OWNERS)
assets = st.sampled_from(ASSETS)
amounts = st.one_of(st.integers(0, 5), st.just(WEI_MANY))
singles = st.builds(Transfer.single, debit=owners, credit=owners, asset=assets, units=amounts)


class Ledger(RuleBasedStateMachine):
    """Batches against the database and the model, in one transaction that is rolled back."""

    database: Database
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.connection = self.database.engine.connect()
        self.tx = self.connection.execution_options(glaytos_mode="write")
        self.whole = self.tx.begin()
        self.count = 0
        for owner in OWNERS[:2]:
            self.post([single(chart.HOT, owner, "BTC", 6)])

    def post(self, transfers: list[Transfer], cause: str = "") -> None:
        self.count += 1
        cause = cause or f"cause:{self.count}"
        after = expect(self.books, cause, transfers)
        try:
            with self.tx.begin_nested():
                post_batch(self.tx, cause, transfers, 1_700_000_000)
            accepted = True
        except LedgerError:
            accepted = False
        assert accepted == (after is not None)
        self.books = after or self.books

    @rule(target=holds, debit=owners, credit=owners, asset=assets, units=st.integers(1, 5))
    def hold(self, debit: str, credit: str, asset: str, units: int) -> str:
        id = str(UUID(int=self.count))
        self.post([Transfer.hold(id=id, debit=debit, credit=credit, asset=asset, units=units)])
        return id

    @rule(hold=holds, units=st.none() | st.integers(1, 6))
    def end_by_post(self, hold: str, units: int | None) -> None:
        self.post([Transfer.post(hold_id=hold, units=units)])

    @rule(hold=holds)
    def end_by_void(self, hold: str) -> None:
        self.post([Transfer.void(hold_id=hold)])

    @rule(hold=holds, others=st.lists(singles, max_size=2))
    def end_among_others(self, hold: str, others: list[Transfer]) -> None:
        self.post([*others, Transfer.post(hold_id=hold)])

    @rule(hold=holds)
    def end_twice_at_once(self, hold: str) -> None:
        self.post([Transfer.post(hold_id=hold), Transfer.void(hold_id=hold)])

    @rule(hold=holds, asset=assets)
    def use_an_id_again(self, hold: str, asset: str) -> None:
        self.post([Transfer.hold(id=hold, debit=chart.HOT, credit=OWNERS[0], asset=asset, units=1)])

    @rule(transfers=st.lists(singles, max_size=3))
    def move(self, transfers: list[Transfer]) -> None:
        self.post(transfers)

    @rule(number=st.integers(1, 9), transfers=st.lists(singles, max_size=1))
    def repeat_a_cause(self, number: int, transfers: list[Transfer]) -> None:
        cause = f"cause:{number}"
        self.post(transfers or self.books.causes.get(cause, []), cause)

    @invariant()
    def balances_agree(self) -> None:
        found = {
            (owner, asset): sums
            for owner in OWNERS
            for asset, sums in balances_of(self.tx, owner).items()
        }
        nothing = Balance(kind=chart.Kind.LIABILITY)
        for key in found.keys() | self.books.posted.keys() | self.books.held.keys():
            sums = found.get(key, nothing)
            assert sums.credits - sums.debits == self.books.posted.get(key, 0)
            assert sums.debits_held == self.books.held.get(key, 0)
        assert off_balance(asset_totals(self.tx)) == []

    def teardown(self) -> None:
        self.whole.rollback()
        self.connection.close()


def test_the_ledger_equals_the_model(database: Database) -> None:
    machine = type("LedgerHere", (Ledger,), {"database": database})
    examples = 40 if database.dialect == "sqlite" else 15
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=20, deadline=None),
    )
