"""Random acts on registered assets equal a small model; killed anywhere, nothing is half done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select

from tests.assets_world import GOLD, NOW_S, AssetsWorld
from wallet.addresses.accounts import create_account
from wallet.assets.freezing import Frozen, freeze, thaw
from wallet.assets.issuing import Order, issue, outstanding_units, redeem, sums
from wallet.assets.registration import get_asset
from wallet.assets.trust import state_trust
from wallet.errors import WalletError
from wallet.ledger import chart
from wallet.ledger.balances import asset_totals, balance, head, off_balance
from wallet.store.database import Database
from wallet.store.schema import account_terms, asset_issues, events

QUOTA = 100
ACTS = ("trust", "issue", "redeem", "freeze", "thaw")


@dataclass
class Model:
    """What should be so: 30 lines that know nothing of databases."""

    limits: dict[int, int | None] = field(default_factory=lambda: {0: None, 1: None, 2: None})
    held: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0, 2: 0})
    frozen: set[int] = field(default_factory=set)
    issued: int = 0

    def act(self, act: str, who: int, units: int) -> bool:
        """Do it; whether it may be done."""
        limit = self.limits[who]
        match act:
            case "trust":
                self.limits[who] = units
                return True
            case "issue":
                untrusted = limit is None or self.held[who] + units > limit
                over = self.issued + units > QUOTA
                if units == 0 or untrusted or over or who in self.frozen:
                    return False
                self.held[who] += units
                self.issued += units
                return True
            case "redeem":
                if not 0 < units <= self.held[who] or who in self.frozen:
                    return False
                self.held[who] -= units
                return True
            case _:
                wanted = act == "freeze"
                if (who in self.frozen) == wanted:
                    return False
                (self.frozen.add if wanted else self.frozen.discard)(who)
                return True


def do(world: AssetsWorld, act: str, account: str, units: int, name: str) -> Callable[..., object]:
    """The same act on the real thing."""
    context = world.context
    order = Order(asset=GOLD, account_id=account, units=units, external_id=name)
    asked = Frozen(account_id=account, asset=GOLD, reason="why")
    doings: dict[str, Callable[[Connection], object]] = {
        "trust": lambda tx: state_trust(tx, context, world.exchange, account, GOLD, units),
        "issue": lambda tx: issue(tx, context, world.gateway, order),
        "redeem": lambda tx: redeem(tx, context, world.exchange, order),
        "freeze": lambda tx: freeze(tx, context, world.operator, asked),
        "thaw": lambda tx: thaw(tx, context, world.operator, asked),
    }
    return doings[act]


@pytest.fixture
def world(database: Database) -> AssetsWorld:
    made = AssetsWorld(database)
    made.open()
    made.gold(QUOTA)
    return made


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(ACTS), st.integers(0, 2), st.integers(0, 60)),
        min_size=10,
        max_size=30,
    )
)
def test_any_sequence_equals_the_model(
    world: AssetsWorld, acts: list[tuple[str, int, int]]
) -> None:
    model = Model()
    with suppress(_Undone), world.database.write() as tx:
        accounts = [create_account(tx, f"user-{number}", NOW_S) for number in range(3)]
        before = sums(tx, GOLD)
        for number, (act, who, units) in enumerate(acts):
            allowed = True
            try:
                with tx.begin_nested():
                    do(world, act, accounts[who], units, f"{act}-{number}")(tx)
            except WalletError:
                allowed = False
            assert allowed == model.act(act, who, units), (act, who, units)
        for who, account in enumerate(accounts):
            assert balance(tx, chart.user(account), GOLD).net == model.held[who]
        done = sums(tx, GOLD)
        assert done.issued_units - before.issued_units == model.issued <= QUOTA
        outstanding = outstanding_units(tx, get_asset(tx, GOLD))
        assert outstanding == done.issued_units - done.redeemed_units == sum(model.held.values())
        assert off_balance(asset_totals(tx)) == []
        raise _Undone  # the next example starts anew


class _Undone(Exception):
    """Rolls an example back."""


class Killed(Exception):
    """The process is gone."""


@contextmanager
def killed_at(database: Database, statement: int) -> Iterator[list[str]]:
    """Let no statement pass from this one on; the statements that began."""
    seen: list[str] = []

    def watch(*arguments: Any) -> None:
        seen.append(arguments[2])
        if len(seen) > statement:
            raise Killed

    event.listen(database.engine, "before_cursor_execute", watch)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", watch)


def state(world: AssetsWorld, account: str) -> tuple[object, ...]:
    with world.database.read() as tx:
        tables = (account_terms, asset_issues, events)
        rows = tuple(len(tx.execute(select(table)).all()) for table in tables)
        held = balance(tx, chart.user(account), GOLD)
        return (*rows, held, outstanding_units(tx, get_asset(tx, GOLD)), head(tx).height)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_killed_at_any_statement_an_act_is_whole_or_not_at_all(
    world: AssetsWorld, act: str
) -> None:
    alice = world.account("alice")
    world.trust(alice, 100)
    world.issue(alice, 50)
    if act == "thaw":
        with world.database.write() as tx:
            do(world, "freeze", alice, 0, "")(tx)

    def attempt() -> None:
        with world.database.write() as tx:
            do(world, act, alice, 7, "once")(tx)

    before, statement = state(world, alice), 0
    while True:
        with killed_at(world.database, statement) as seen, suppress(Killed):
            attempt()
        if len(seen) <= statement:
            break
        assert state(world, alice) == before
        statement += 1
    assert statement > 5
    after = state(world, alice)
    assert after != before
    with suppress(WalletError):
        attempt()  # asked again, after an answer that got lost
    assert state(world, alice) == after
