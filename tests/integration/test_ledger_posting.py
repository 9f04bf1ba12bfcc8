"""Posting batches: what the ledger accepts, what it refuses, and that both engines agree."""

import pytest

from wallet.ledger import chart
from wallet.ledger.errors import InsufficientFunds
from wallet.ledger.posting import Batch, Transfer, balance, post_batch
from wallet.store.database import Database

ALICE = chart.user("alice")
NOW_S = 1_700_000_000


def credit(units: int, asset: str = "BTC") -> Transfer:
    return Transfer.single(debit=chart.DEPOSIT, credit=ALICE, asset=asset, units=units)


def test_a_deposit_credits_the_user(database: Database) -> None:
    with database.write() as tx:
        batch = post_batch(tx, "deposit:1:credit", [credit(5)], NOW_S)
    assert batch == Batch(id=1, repeated=False)
    with database.read() as tx:
        assert balance(tx, ALICE, "BTC").available == 5
        assert balance(tx, chart.DEPOSIT, "BTC").net == 5


def test_a_user_cannot_spend_what_is_held(database: Database) -> None:
    with database.write() as tx:
        post_batch(tx, "deposit:1:credit", [credit(5)], NOW_S)
        hold = Transfer.hold(id="h", debit=ALICE, credit=chart.CLEARING, asset="BTC", units=4)
        post_batch(tx, "withdrawal:1:hold", [hold], NOW_S)
    with pytest.raises(InsufficientFunds), database.write() as tx:
        again = Transfer.hold(id="g", debit=ALICE, credit=chart.CLEARING, asset="BTC", units=2)
        post_batch(tx, "withdrawal:2:hold", [again], NOW_S)
    with database.read() as tx:
        assert balance(tx, ALICE, "BTC").available == 1
