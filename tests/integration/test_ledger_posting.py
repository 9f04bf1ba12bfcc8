"""Posting batches: what the ledger accepts and what it refuses, the same on both engines."""

from uuid import UUID

import pytest
from sqlalchemy import func, select

from wallet.ledger import chart
from wallet.ledger.balances import off_balance
from wallet.ledger.chart import Kind
from wallet.ledger.errors import (
    BadTransfer,
    CauseConflict,
    HoldEnded,
    HoldExceeded,
    HoldExpired,
    HoldUnknown,
    InsufficientFunds,
    LedgerError,
    TransferExists,
    UnknownOwner,
)
from wallet.ledger.holds import ending_of, expired, void_expired
from wallet.ledger.posting import (
    Balance,
    Batch,
    Posted,
    Result,
    Transfer,
    TransferKind,
    asset_totals,
    balance,
    balances_of,
    liabilities_units,
    post_batch,
    post_each,
    single,
)
from wallet.ledger.transfers import UNITS_MAX
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_batches, ledger_transfers

ALICE = chart.user("alice")
NOW_S = 1_700_000_000
WEI = 10**18
H, G, F, X, ENDED, PLAIN = (str(UUID(int=number)) for number in range(1, 7))


def credit(units: int, asset: str = "BTC") -> Transfer:
    return single(chart.DEPOSIT, ALICE, asset, units)


def hold(id: str, units: int) -> Transfer:
    return Transfer.hold(id=id, debit=ALICE, credit=chart.CLEARING, asset="BTC", units=units)


def post(database: Database, cause: str, *transfers: Transfer) -> Batch:
    with database.write() as tx:
        return post_batch(tx, cause, transfers, NOW_S)


def alice(database: Database, asset: str = "BTC") -> Balance:
    with database.read() as tx:
        return balance(tx, ALICE, asset)


def rows(database: Database) -> tuple[int, int]:
    with database.read() as tx:
        batches = tx.execute(select(func.count()).select_from(ledger_batches)).scalar_one()
        transfers = tx.execute(select(func.count()).select_from(ledger_transfers)).scalar_one()
    return batches, transfers


def test_a_deposit_credits_the_user(database: Database) -> None:
    assert post(database, "deposit:1:credit", credit(5)) == Batch(height=1, repeated=False)
    assert alice(database).available == 5
    with database.read() as tx:
        assert balance(tx, chart.DEPOSIT, "BTC").net == 5


def test_amounts_beyond_64_bits_stay_exact(database: Database) -> None:
    amount = 123_456_789_012_345_678_901_234_567_890
    post(database, "c1", credit(amount, "ETH"))
    post(database, "c2", credit(1, "ETH"))
    assert alice(database, "ETH").net == amount + 1


def test_a_withdrawal_from_hold_to_chain(database: Database) -> None:
    post(database, "credit", credit(100))
    post(database, "hold", hold(H, 60))
    held = alice(database)
    assert (held.net, held.held, held.available) == (100, 60, 40)
    post(
        database,
        "settle",
        Transfer.post(hold_id=H),
        single(chart.CLEARING, chart.HOT, "BTC", 57),
        single(chart.CLEARING, chart.FEE_INCOME, "BTC", 3),
        single(chart.NETWORK_FEES, chart.HOT, "BTC", 1),
    )
    after = alice(database)
    assert (after.net, after.held, after.available) == (40, 0, 40)
    with database.read() as tx:
        assert balance(tx, chart.HOT, "BTC").net == -58
        assert balance(tx, chart.CLEARING, "BTC").net == 0
        totals = asset_totals(tx)
        assert totals["BTC"][Kind.REVENUE].net == 3
        assert totals["BTC"][Kind.EXPENSE].net == 1
        assert totals["BTC"][Kind.LIABILITY].net == liabilities_units(tx, "BTC") == 40
        assert off_balance(totals) == []


def test_a_void_gives_back_what_was_held(database: Database) -> None:
    post(database, "credit", credit(100))
    post(database, "hold", hold(H, 60))
    post(database, "void", Transfer.void(hold_id=H))
    assert (alice(database).available, alice(database).held) == (100, 0)


def test_a_partial_post_gives_back_the_rest(database: Database) -> None:
    post(database, "credit", credit(100))
    post(database, "hold", hold(H, 60))
    post(database, "post", Transfer.post(hold_id=H, units=10))
    assert (alice(database).net, alice(database).available) == (90, 90)


def test_a_hold_may_end_in_its_own_batch(database: Database) -> None:
    post(database, "all", credit(5), hold(H, 5), Transfer.post(hold_id=H))
    assert alice(database) == Balance(kind=Kind.LIABILITY, debits=5, credits=5)


def test_the_order_within_a_batch_counts(database: Database) -> None:
    with pytest.raises(InsufficientFunds):
        post(database, "early", single(ALICE, chart.CLEARING, "BTC", 1), credit(1))
    post(database, "late", credit(1), single(ALICE, chart.CLEARING, "BTC", 1))


def test_a_cause_is_posted_once(database: Database) -> None:
    first = post(database, "deposit:1:credit", credit(5))
    again = post(database, "deposit:1:credit", credit(5))
    assert again == Batch(height=first.height, repeated=True)
    assert alice(database).net == 5
    assert rows(database) == (1, 1)


def test_a_cause_with_other_content_is_a_conflict(database: Database) -> None:
    post(database, "deposit:1:credit", credit(5))
    with pytest.raises(CauseConflict):
        post(database, "deposit:1:credit", credit(6))
    assert alice(database).net == 5


REFUSED: list[tuple[str, tuple[Transfer, ...], type[LedgerError]]] = [
    ("overdraft", (single(ALICE, chart.HOT, "BTC", 41),), InsufficientFunds),
    ("overdraft by hold", (hold(G, 41),), InsufficientFunds),
    ("overdraft in steps", (hold(G, 40), hold(F, 1)), InsufficientFunds),
    ("other asset", (single(ALICE, chart.HOT, "LTC", 1),), InsufficientFunds),
    ("clearing overdrawn", (single(chart.CLEARING, chart.HOT, "BTC", 11),), InsufficientFunds),
    ("post twice", (Transfer.post(hold_id=ENDED),), HoldEnded),
    ("void after post", (Transfer.void(hold_id=ENDED),), HoldEnded),
    ("post and void", (Transfer.post(hold_id=H), Transfer.void(hold_id=H)), HoldEnded),
    ("no such hold", (Transfer.post(hold_id=X),), HoldUnknown),
    ("a single is no hold", (Transfer.post(hold_id=PLAIN),), HoldUnknown),
    ("hold exceeded", (Transfer.post(hold_id=H, units=51),), HoldExceeded),
    ("id used before", (hold(H, 1),), TransferExists),
    ("id twice", (hold(G, 1), hold(G, 1)), BadTransfer),
    ("nothing", (), BadTransfer),
    ("zero", (single(chart.HOUSE, ALICE, "BTC", 0),), BadTransfer),
    ("negative", (single(chart.HOUSE, ALICE, "BTC", -1),), BadTransfer),
    ("too much", (single(chart.HOUSE, ALICE, "BTC", UNITS_MAX + 1),), BadTransfer),
    ("one account", (single(ALICE, ALICE, "BTC", 1),), BadTransfer),
    ("no asset", (single(chart.HOUSE, ALICE, "", 1),), BadTransfer),
    ("no UUID", (hold("g" * 37, 1),), BadTransfer),
    ("unknown owner", (single("pocket:mine", ALICE, "BTC", 1),), UnknownOwner),
    ("nameless owner", (single("user:", ALICE, "BTC", 1),), UnknownOwner),
]


@pytest.mark.parametrize(
    ("transfers", "error"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_refused_batch_changes_nothing(
    database: Database, transfers: tuple[Transfer, ...], error: type[LedgerError]
) -> None:
    plain = Transfer.single(id=PLAIN, debit=chart.DEPOSIT, credit=ALICE, asset="BTC", units=100)
    post(database, "start", plain, hold(H, 50), hold(ENDED, 10), Transfer.post(hold_id=ENDED))
    before = (alice(database), rows(database))
    with pytest.raises(error):
        post(database, "bad", *transfers)
    assert (alice(database), rows(database)) == before


def post_two(database: Database) -> None:
    with database.write() as tx:
        post_batch(tx, "good", [credit(5)], NOW_S)
        post_batch(tx, "bad", [hold(H, 6)], NOW_S)


def test_a_refused_batch_undoes_those_before_it_in_the_transaction(database: Database) -> None:
    with pytest.raises(InsufficientFunds):
        post_two(database)
    assert rows(database) == (0, 0)
    assert post(database, "next", credit(1)).height == 1


def test_a_post_of_zero_is_refused_where_it_is_made() -> None:
    with pytest.raises(BadTransfer):
        Transfer.post(hold_id=H, units=0)


def test_balances_of_an_owner_name_every_asset(database: Database) -> None:
    post(database, "c", credit(1, "BTC"), credit(2 * WEI, "ETH"))
    with database.read() as tx:
        found = {asset: sums.net for asset, sums in balances_of(tx, ALICE).items()}
    assert found == {"BTC": 1, "ETH": 2 * WEI}


def test_an_error_tells_what_is_available(database: Database) -> None:
    post(database, "credit", credit(5))
    with pytest.raises(InsufficientFunds) as caught:
        post(database, "bad", hold(H, 6))
    assert caught.value.code == "ledger.insufficient_funds"
    assert caught.value.details["available_units"] == "5"
    assert caught.value.details["needed_units"] == "6"


def each(database: Database, cause: str, *transfers: Transfer) -> Posted:
    with database.write() as tx:
        return post_each(tx, cause, transfers, NOW_S)


def test_each_transfer_that_can_be_is_posted_and_the_others_are_told(database: Database) -> None:
    """40 of 100 go, then 61 are more than the 60 left, then 60 go."""
    post(database, "credit", credit(100))
    spend = [single(ALICE, chart.HOT, "BTC", units) for units in (40, 61, 60)]
    posted = each(database, "spend", *spend)
    assert posted.results == [Result.OK, Result.INSUFFICIENT_FUNDS, Result.OK]
    assert (posted.height, alice(database).net, rows(database)) == (2, 0, (2, 3))


def test_a_repeated_cause_tells_what_it_did_and_posts_nothing(database: Database) -> None:
    """What was refused stays refused, also when it could be posted by now."""
    transfers = [credit(5), single(ALICE, chart.HOT, "BTC", 6)]
    first = each(database, "spend", *transfers)
    post(database, "more", credit(100))
    again = each(database, "spend", *transfers)
    assert again.results == [Result.EXISTS, Result.REFUSED_BEFORE]
    assert (again.height, again.repeated, again.state_hash) == (1, True, first.state_hash)
    assert rows(database) == (2, 2)


def test_a_cause_of_which_nothing_was_posted_makes_no_height(database: Database) -> None:
    refused = each(database, "spend", single(ALICE, chart.HOT, "BTC", 6))
    assert (refused.height, refused.results) == (0, [Result.INSUFFICIENT_FUNDS])
    assert rows(database) == (0, 0)


def test_a_transfer_of_another_batch_is_not_posted_again(database: Database) -> None:
    plain = Transfer.single(id=PLAIN, debit=chart.DEPOSIT, credit=ALICE, asset="BTC", units=100)
    post(database, "start", plain)
    assert each(database, "again", plain, credit(1)).results == [Result.EXISTS, Result.OK]
    assert alice(database).net == 101


def test_a_hold_whose_time_is_over_can_only_be_given_back(database: Database) -> None:
    """Alice has 100. 60 are held until NOW_S + 10, 30 more without an end."""
    post(database, "credit", credit(100))
    timed = Transfer.hold(
        id=H, debit=ALICE, credit=chart.CLEARING, asset="BTC", units=60, expires_s=NOW_S + 10
    )
    post(database, "holds", timed, hold(G, 30))
    with database.read() as tx:
        assert [] == expired(tx, NOW_S + 9)
        assert [H] == expired(tx, NOW_S + 10)
    with pytest.raises(HoldExpired), database.write() as tx:
        post_batch(tx, "late", [Transfer.post(hold_id=H)], NOW_S + 10)
    with database.write() as tx:
        assert [H] == void_expired(tx, NOW_S + 10)
        assert [] == void_expired(tx, NOW_S + 10)
    assert (100, 30, 70) == (alice(database).net, alice(database).held, alice(database).available)
    with database.read() as tx:
        ending = ending_of(tx, H)
    assert ending is not None
    assert (TransferKind.VOID, f"hold:{H}:expired") == (ending.kind, ending.cause)
