"""A loss shared out in the books: one batch, once, or nothing at all."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from wallet.addresses.accounts import account_id_of as id_of
from wallet.addresses.accounts import create_account
from wallet.apportionment import records
from wallet.apportionment.errors import (
    AccountUnknown,
    ApportionmentNotFound,
    ExternalIdTaken,
    LossExceedsGains,
    ReceiverAmongGains,
    ShareNotCovered,
)
from wallet.apportionment.posting import post, preview
from wallet.apportionment.records import Apportionment, Loss
from wallet.apportionment.shares import Gain
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.chart import SubAccount
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.milestones import Milestone, pass_by
from wallet.store.database import Database
from wallet.store.schema import apportionment_shares, apportionments

NOW_S = 1_800_000_000
CONTRACT = SubAccount.CONTRACT


def open_with(database: Database, **contract_units: int) -> None:
    """Accounts with so much in their contract part."""
    with database.write() as tx:
        for name, units in contract_units.items():
            account_id = create_account(tx, name, NOW_S)
            if units:
                owner = chart.user(account_id, CONTRACT)
                line = Transfer.single(debit=chart.HOT, credit=owner, asset="BTC", units=units)
                post_batch(tx, f"test:{name}", [line], NOW_S)


def loss(units: int, receiver: str | None = None, **gains: int) -> Loss:
    named = [Gain(account_id=id_of(name), units=amount) for name, amount in gains.items()]
    return Loss(
        asset="BTC",
        units=units,
        sub_account=CONTRACT,
        gains=tuple(sorted(named, key=lambda gain: gain.account_id)),
        receiver_id=None if receiver is None else id_of(receiver),
    )


def share_out(
    database: Database, asked: Loss, external_id: str = "loss-1", milestone: Milestone = pass_by
) -> Apportionment:
    with database.write() as tx:
        return post(
            tx,
            asked,
            external_id=external_id,
            requester="key",
            now_s=NOW_S,
            milestone=milestone,
        )


def has(database: Database, name: str, part: SubAccount = CONTRACT) -> int:
    with database.read() as tx:
        return balance(tx, chart.user(id_of(name), part), "BTC").available


def house(database: Database) -> int:
    with database.read() as tx:
        return balance(tx, chart.HOUSE, "BTC").net


def test_the_house_gets_the_loss_it_bore(database: Database) -> None:
    open_with(database, ann=1000, bob=1000, cid=1000)
    share_out(database, loss(100, ann=300, bob=250, cid=150))
    # 42 6/7, 35 5/7, 21 3/7: the two missing units are ann's and bob's.
    assert (has(database, "ann"), has(database, "bob"), has(database, "cid")) == (957, 964, 979)
    assert house(database) == 100
    with database.read() as tx:
        (told,) = read_events(tx, 0, 10)
    assert told.type == "apportionment.posted"


def test_another_account_may_be_the_receiver(database: Database) -> None:
    open_with(database, ann=10, bob=10, fund=0)
    share_out(database, loss(5, "fund", ann=4, bob=6))
    assert (has(database, "ann"), has(database, "bob")) == (8, 7)
    assert has(database, "fund", SubAccount.SPOT) == 5
    assert house(database) == 0


def test_a_share_of_nothing_takes_nothing(database: Database) -> None:
    open_with(database, ann=1, bob=1)
    made = share_out(database, loss(1, ann=1, bob=2))
    assert {s.account_id: s.units for s in made.shares} == {id_of("ann"): 0, id_of("bob"): 1}
    assert (has(database, "ann"), has(database, "bob")) == (1, 0)


def test_the_same_external_id_takes_once(database: Database) -> None:
    open_with(database, ann=10, bob=10)
    made = share_out(database, loss(5, ann=4, bob=6))
    assert share_out(database, loss(5, bob=6, ann=4)) == made
    assert (has(database, "ann"), has(database, "bob")) == (8, 7)
    with database.read() as tx:
        assert records.get(tx, "loss-1") == made
        with pytest.raises(ApportionmentNotFound):
            records.get(tx, "loss-2")


@pytest.mark.parametrize(
    "other",
    [loss(6, ann=4, bob=6), loss(5, ann=5, bob=6), loss(5, ann=4), loss(5, "cid", ann=4, bob=6)],
)
def test_an_external_id_is_never_used_for_another_loss(database: Database, other: Loss) -> None:
    open_with(database, ann=10, bob=10, cid=0)
    share_out(database, loss(5, ann=4, bob=6))
    with pytest.raises(ExternalIdTaken):
        share_out(database, other)
    assert house(database) == 5


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (loss(11, ann=4, bob=6), LossExceedsGains),
        (loss(5, ann=4, nobody=6), AccountUnknown),
        (loss(5, "nobody", ann=4, bob=6), AccountUnknown),
        (loss(5, "ann", ann=4, bob=6), ReceiverAmongGains),
        (loss(10, ann=4, bob=6), ShareNotCovered),
    ],
)
def test_a_refused_loss_changes_nothing(
    database: Database, asked: Loss, error: type[Exception]
) -> None:
    open_with(database, ann=10, bob=5)
    with pytest.raises(error):
        share_out(database, asked)
    assert (has(database, "ann"), has(database, "bob"), house(database)) == (10, 5, 0)
    assert kept(database) == (0, 0)


def test_who_cannot_pay_is_named_with_the_numbers(database: Database) -> None:
    open_with(database, ann=10, bob=4)
    with pytest.raises(ShareNotCovered) as refused:
        share_out(database, loss(9, ann=4, bob=6))  # 3 6/10 and 5 4/10
    named = {"share_units": "5", "available_units": "4"}
    assert refused.value.details == {"accounts": {id_of("bob"): named}}


def test_a_preview_shows_all_and_writes_nothing(database: Database) -> None:
    open_with(database, ann=10, bob=4)
    with database.read() as tx:
        lines = preview(tx, loss(9, ann=4, bob=6))
    shown = {line.share.account_id: (line.available_units, line.is_covered) for line in lines}
    assert shown == {id_of("ann"): (10, True), id_of("bob"): (4, False)}
    assert kept(database) == (0, 0)


def kept(database: Database) -> tuple[int, int]:
    with database.read() as tx:
        one, other = (
            tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (apportionments, apportionment_shares)
        )
    return one, other


class Killed(BaseException):
    """The process is gone."""


def kill_once(wanted: str) -> Callable[[str], None]:
    def milestone(name: str) -> None:
        if name == wanted:
            raise Killed

    return milestone


@pytest.mark.parametrize("step", ["apportionment.posted", "apportionment.kept"])
def test_killed_at_a_step_nothing_is_there_and_the_next_try_takes_once(
    database: Database, step: str
) -> None:
    open_with(database, ann=10, bob=10)
    with pytest.raises(Killed):
        share_out(database, loss(5, ann=4, bob=6), milestone=kill_once(step))
    assert (house(database), kept(database)) == (0, (0, 0))
    share_out(database, loss(5, ann=4, bob=6))
    share_out(database, loss(5, ann=4, bob=6))
    assert (house(database), kept(database)) == (5, (1, 2))
