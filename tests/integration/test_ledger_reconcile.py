"""Books against chain: what is under way is explained, what is left over shows."""

from collections.abc import Mapping

from sqlalchemy import insert

from wallet.ledger import chart
from wallet.ledger.posting import post_batch, single
from wallet.ledger.reconcile import Item, open_items, reconcile
from wallet.store.database import Database
from wallet.store.schema import accounts, addresses, deposits, payments

NOW_S = 1_700_000_000
ALICE = chart.user("alice")


def fill(database: Database) -> None:
    """The books: 70 BTC hot, 20 cold, 10 on deposit addresses; 5 DUSD hot."""
    with database.write() as tx:
        lines = [
            single(chart.HOT, ALICE, "BTC", 70),
            single(chart.COLD, chart.HOUSE, "BTC", 20),
            single(chart.DEPOSIT, ALICE, "BTC", 10),
            single(chart.HOT, ALICE, "DUSD", 5),
        ]
        post_batch(tx, "start", lines, NOW_S)
        tx.execute(insert(accounts).values(id="alice", external_id="a", created_s=NOW_S))
        tx.execute(
            insert(addresses).values(
                id="address",
                account_id="alice",
                network="net",
                source="hot",
                branch=0,
                position=0,
                purpose="deposit",
                address="text",
                target=b"target",
                created_s=NOW_S,
            )
        )


def add_deposit(database: Database, id: str, status: str, **changes: object) -> None:
    row: dict[str, object] = {
        "id": id,
        "account_id": "alice",
        "address_id": "address",
        "network": "net",
        "asset": "BTC",
        "txid": id,
        "position": "out:0",
        "units": 3,
        "evidence": "output",
        "status": status,
        "sub_status": "",
        "height": 10,
        "confirmations_required": 2,
        "seen_s": NOW_S,
        "since_s": NOW_S,
    }
    with database.write() as tx:
        tx.execute(insert(deposits).values(row | changes))


def add_payment(database: Database, id: str, status: str, **changes: object) -> None:
    row: dict[str, object] = {
        "id": id,
        "network": "net",
        "asset": "DUSD",
        "purpose": "withdrawal",
        "source": "hot",
        "status": status,
        "request": b"",
        "request_id": id,
        "version": 1,
        "payload_digest": b"",
        "units": 2,
        "fee_units_max": 9,
        "fee_units": 1,
        "height": 10,
        "created_s": NOW_S,
        "updated_s": NOW_S,
        "since_s": NOW_S,
    }
    with database.write() as tx:
        tx.execute(insert(payments).values(row | changes))


def differences(database: Database, chain: Mapping[str, int]) -> dict[str, int]:
    with database.read() as tx:
        items = open_items(tx, "net", "BTC", 10)
        return {row.asset: row.difference for row in reconcile(tx, chain, items)}


def test_equal_books_have_no_difference(database: Database) -> None:
    fill(database)
    assert differences(database, {"BTC": 100, "DUSD": 5, "LTC": 0}) == {
        "BTC": 0,
        "DUSD": 0,
        "LTC": 0,
    }


def test_what_nothing_explains_is_the_difference(database: Database) -> None:
    fill(database)
    found = differences(database, {"BTC": 101, "DUSD": 3, "LTC": 7})
    assert found == {"BTC": 1, "DUSD": -2, "LTC": 7}


def test_a_deposit_on_its_way_is_explained_until_it_is_booked(database: Database) -> None:
    fill(database)
    for status in ("seen", "confirming", "held", "below_minimum"):
        add_deposit(database, status, status)
    add_deposit(database, "done", "credited")
    add_deposit(database, "small", "below_minimum", sub_status="booked")
    add_deposit(database, "gone", "orphaned", height=None)
    add_deposit(database, "later", "seen", height=11)
    add_deposit(database, "elsewhere", "seen", network="other")
    assert differences(database, {"BTC": 100 + 4 * 3}) == {"BTC": 0}


def test_a_payment_on_its_way_is_explained_until_it_is_settled(database: Database) -> None:
    fill(database)
    add_payment(database, "mined", "confirming")
    add_payment(database, "moved", "confirming", purpose="sweep", asset="BTC")
    add_payment(database, "done", "completed")
    add_payment(database, "waiting", "broadcast", height=None)
    add_payment(database, "later", "confirming", height=11)
    assert differences(database, {"BTC": 100 - 2 * 1, "DUSD": 5 - 2}) == {"BTC": 0, "DUSD": 0}


def test_every_item_is_named(database: Database) -> None:
    fill(database)
    add_payment(database, "p", "confirming")
    with database.read() as tx:
        items = open_items(tx, "net", "BTC", 10)
        rows = {row.asset: row for row in reconcile(tx, {"BTC": 99, "DUSD": 3}, items)}
    assert rows["DUSD"].items == (Item(asset="DUSD", what="payment", subject="p", units=-2),)
    assert rows["BTC"].items == (Item(asset="BTC", what="fee", subject="p", units=-1),)
    assert (rows["BTC"].ledger, rows["BTC"].under_way, rows["BTC"].difference) == (100, -1, 0)
