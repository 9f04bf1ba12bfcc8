"""Any sequence of batches leads to the same books as a reference model, on both engines."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wallet.ledger import chart
from wallet.ledger.balances import balance, off_balance
from wallet.ledger.errors import LedgerError
from wallet.ledger.posting import Transfer, asset_totals, post_batch
from wallet.store.database import Database

OWNERS = (
    chart.user("alice"),
    chart.user("bob"),
    chart.CLEARING,
    chart.HOT,
    chart.FEE_INCOME,
    chart.NETWORK_FEES,
)
ASSETS = ("BTC", "ETH")
IDS = tuple("abcdef")
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


amounts = st.one_of(st.integers(0, 5), st.just(WEI_MANY))
plain = st.builds(
    Transfer.single,
    debit=st.sampled_from(OWNERS),
    credit=st.sampled_from(OWNERS),
    asset=st.sampled_from(ASSETS),
    units=amounts,
)
holds = st.builds(
    Transfer.hold,
    id=st.sampled_from(IDS),
    debit=st.sampled_from(OWNERS),
    credit=st.sampled_from(OWNERS),
    asset=st.sampled_from(ASSETS),
    units=amounts,
)
posts = st.builds(Transfer.post, hold_id=st.sampled_from(IDS), units=st.none() | st.integers(1, 5))
voids = st.builds(Transfer.void, hold_id=st.sampled_from(IDS))
batches = st.tuples(
    st.sampled_from([f"cause:{n}" for n in range(12)]),
    st.lists(plain | plain | holds | posts | voids, max_size=5),
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


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(batches, max_size=12))
def test_the_ledger_equals_the_model(
    database: Database, steps: list[tuple[str, list[Transfer]]]
) -> None:
    """Each example runs in one transaction that is rolled back: it starts with empty books."""
    with database.engine.connect() as plain_connection:
        tx = plain_connection.execution_options(glaytos_mode="write")
        with tx.begin() as whole:
            books = Books()
            for cause, transfers in steps:
                after = expect(books, cause, transfers)
                try:
                    with tx.begin_nested():
                        post_batch(tx, cause, transfers, 1_700_000_000)
                    accepted = True
                except LedgerError:
                    accepted = False
                assert accepted == (after is not None)
                books = after or books
                for owner in OWNERS:
                    for asset in ASSETS:
                        found = balance(tx, owner, asset)
                        key = (owner, asset)
                        assert found.credits - found.debits == books.posted.get(key, 0)
                        assert found.debits_held == books.held.get(key, 0)
                assert off_balance(asset_totals(tx)) == []
            whole.rollback()
