"""What is owed, read from the ledger of both engines in one snapshot."""

from uuid import UUID, uuid5

import pytest

from wallet.ledger import balances, chart
from wallet.ledger.balances import Balance
from wallet.ledger.chart import Kind, SubAccount
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.reserves.errors import NegativeLiability
from wallet.reserves.owed.liabilities import LedgerLiabilities
from wallet.store.database import Database

SPACE = UUID("5a0b2f4e-2f6b-4a9c-8f2e-0c9e5a3a7d10")


def credit(database: Database, owner: str, asset: str, units: int) -> None:
    name = f"{owner}/{asset}/{units}"
    transfer = Transfer.single(
        id=str(uuid5(SPACE, name)), debit=chart.HOT, credit=owner, asset=asset, units=units
    )
    with database.write() as tx:
        post_batch(tx, f"test:{name}", [transfer], 1)


def test_every_liability_is_listed_and_adds_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balances, "CHUNK", 3)
    owners = [chart.user(f"{n:04}") for n in range(7)] + [chart.CLEARING, chart.UNALLOCATED]
    for number, owner in enumerate(owners):
        credit(database, owner, "BTC", 10**number)
    credit(database, chart.user("0003"), "ETH", 10**30)
    credit(database, chart.HOUSE, "BTC", 999)

    with database.read() as tx:
        seen = LedgerLiabilities(tx)
        btc, eth = dict(seen.owed("BTC")), dict(seen.owed("ETH"))
        totals, height = seen.totals(), seen.height()

    assert [*(f"{n:04}" for n in range(7)), "clearing:withdrawals", "liability:unallocated"] == (
        sorted(btc)
    )
    assert 111_111_111 == sum(btc.values()) == totals["BTC"]
    assert {"0003": 10**30} == eth
    assert 11 == height.height
    assert 64 == len(height.state_hash)


def test_the_parts_of_a_users_account_are_one_sum(database: Database) -> None:
    for number, part in enumerate(SubAccount):
        for user in ("0001", "0002"):
            credit(database, chart.user(user, part), "BTC", 10**number)

    with database.read() as tx:
        assert [("0001", 111), ("0002", 111)] == sorted(LedgerLiabilities(tx).owed("BTC"))
        assert 222 == LedgerLiabilities(tx).totals()["BTC"]


def test_a_height_of_an_empty_ledger_is_zero(database: Database) -> None:
    with database.read() as tx:
        assert 0 == LedgerLiabilities(tx).height().height
        assert {} == LedgerLiabilities(tx).totals()


def test_who_is_owed_nothing_has_no_leaf_and_less_than_nothing_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(units: int) -> None:
        row = Balance(kind=Kind.LIABILITY, credits=max(units, 0), debits=max(-units, 0))
        monkeypatch.setattr(balances, "balances_in", lambda *_: iter([("user:a", row)]))

    with database.read() as tx:
        listed(0)
        assert [] == list(LedgerLiabilities(tx).owed("BTC"))
        listed(-1)
        with pytest.raises(NegativeLiability):
            list(LedgerLiabilities(tx).owed("BTC"))
