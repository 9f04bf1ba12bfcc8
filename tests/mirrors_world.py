"""A ledger to take images of, of as many rounds as asked for, and the keys that sign them."""

from uuid import UUID

from sqlalchemy import select

from wallet.ledger import chart
from wallet.ledger.posting import Result, Transfer, post_batch, post_each, single
from wallet.mirrors.making import Made, make_image
from wallet.signing.coordinator import Coordinator
from wallet.store.database import Database
from wallet.store.tables.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_batches,
    ledger_holds,
    ledger_totals,
    ledger_transfer_ids,
    ledger_transfers,
)

COORDINATOR = Coordinator(b"\x07" * 32)
STRANGER = Coordinator(b"\x08" * 32)
KEY = COORDINATOR.public_key

NOW_S = 1_700_000_000
ALICE, BOB = chart.user("alice"), chart.user(r"bob\N \\")
"""One with backslashes, which COPY writes in its own way."""

HEIGHTS = 4
"""Of a round."""

STATE = (ledger_accounts, ledger_balances, ledger_totals)
HISTORY = (ledger_batches, ledger_transfer_ids)


def uuid(number: int) -> str:
    """The UUID of a number."""
    return str(UUID(int=number))


def fill(database: Database, rounds: int = 2, first: int = 0) -> None:
    """Each round: a deposit, two holds of which one ends, and a settlement that refuses a line."""
    for number in range(first, first + rounds):
        now_s = NOW_S + number
        open_hold, ended = uuid(1000 + 2 * number), uuid(1001 + 2 * number)
        with database.write() as tx:
            deposits = [
                single(chart.HOT, ALICE, "BTC", 1_000),
                single(chart.HOT, BOB, "BTC", 500),
                single(chart.DEPOSIT, BOB, "ETH", 10**21),
            ]
            post_batch(tx, f"settlement:deposit:{number}", deposits, now_s)
            held = [
                Transfer.hold(
                    id=id,
                    debit=ALICE,
                    credit=chart.CLEARING,
                    asset="BTC",
                    units=units,
                    expires_s=now_s + 60 if units == 20 else 0,
                )
                for id, units in ((open_hold, 20), (ended, 30))
            ]
            post_batch(tx, f"hold:{number}", held, now_s)
            post_batch(
                tx, f"settlement:post:{number}", [Transfer.post(hold_id=ended, units=7)], now_s
            )
            posted = post_each(tx, f"settlement:{number}", settlement(number), now_s)
        assert [result is Result.OK for result in posted.results] == [True, False, True]


def settlement(number: int) -> list[Transfer]:
    """Three lines, of which the second is refused."""
    return [
        Transfer.single(
            id=uuid(10_000 + 3 * number + line),
            debit=debit,
            credit=credit,
            asset="BTC",
            units=units,
        )
        for line, (debit, credit, units) in enumerate(
            ((ALICE, BOB, 3), (BOB, ALICE, 10**9), (BOB, chart.user(f"new-{number}"), 1))
        )
    ]


def image_of(database: Database, path: object, tag: str = "t1", *, with_ids: bool = True) -> Made:
    """An image of the ledger as it is."""
    return make_image(
        database,
        path,  # type: ignore[arg-type]
        tag=tag,
        attest=COORDINATOR.attest,
        now_s=NOW_S,
        with_ids=with_ids,
    )


def rows_of(database: Database, *tables: object) -> dict[str, list[tuple[object, ...]]]:
    """Everything in some tables, to compare ledgers by."""
    with database.read() as tx:
        return {
            str(table): sorted(tuple(row) for row in tx.execute(select(table)))  # type: ignore[call-overload]
            for table in tables or (*STATE, *HISTORY, ledger_transfers)
        }


def open_holds(database: Database) -> list[tuple[object, ...]]:
    """The holds that have not ended."""
    c = ledger_holds.c
    with database.read() as tx:
        query = select(c.id, c.debit, c.credit, c.units, c.expires_s).where(
            c.ended_height.is_(None)
        )
        return sorted(tuple(row) for row in tx.execute(query))
