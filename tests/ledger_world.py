"""A small ledger that has everything: many heights, two assets, holds in each of their states."""

from random import Random  # noqa: TID251 - the same ledger each time
from uuid import UUID

from sqlalchemy import Connection

from wallet.ledger import chart
from wallet.ledger.posting import Transfer, post_batch, post_each, single

ALICE, BOB, CAROL = map(chart.user, ("alice", "bob", "carol"))
NOW_S = 1_700_000_000


def uuid(number: int) -> str:
    """The UUID of a number."""
    return str(UUID(int=number))


def fill(tx: Connection) -> None:
    """Heights 1 to 14, a second apart: deposits, holds open, posted, partly posted and voided."""
    random = Random(4)
    post_batch(
        tx,
        "deposit:1",
        [single(chart.HOT, ALICE, "BTC", 1_000), single(chart.HOT, BOB, "BTC", 500)],
        NOW_S,
    )
    post_batch(
        tx,
        "deposit:2",
        [
            single(chart.DEPOSIT, ALICE, "ETH", 10**21),
            single(chart.DEPOSIT, BOB, "ETH", 7),
            single(chart.DEPOSIT, CAROL, "ETH", 9),
        ],
        NOW_S + 1,
    )
    for number in range(1, 7):
        held = Transfer.hold(
            id=uuid(number),
            debit=ALICE,
            credit=chart.CLEARING,
            asset="BTC",
            units=10 * number,
            expires_s=0 if number % 2 else NOW_S + 1_000,
        )
        moves = [single(ALICE, BOB, "BTC", random.randint(1, 5)) for _ in range(number % 3)]
        post_batch(tx, f"hold:{number}", [held, *moves], NOW_S + 1 + number)
    post_batch(tx, "post:1", [Transfer.post(hold_id=uuid(1))], NOW_S + 10)
    post_batch(tx, "post:2", [Transfer.post(hold_id=uuid(2), units=7)], NOW_S + 11)
    post_batch(
        tx,
        "ends",
        [Transfer.void(hold_id=uuid(3)), Transfer.post(hold_id=uuid(4), units=1)],
        NOW_S + 12,
    )
    post_each(
        tx,
        "settlement:1",
        [
            single(BOB, CAROL, "BTC", 3),
            single(CAROL, ALICE, "ETH", 10**30),
            single(CAROL, BOB, "BTC", 1),
            Transfer.single(debit=BOB, credit=ALICE, asset="ETH", units=1, linked=True),
            single(ALICE, BOB, "ETH", 2),
        ],
        NOW_S + 13,
    )
    for number in range(2):
        lines = [
            single(*pair, "BTC", random.randint(1, 9)) for pair in ((ALICE, BOB), (BOB, ALICE)) * 3
        ]
        post_batch(tx, f"settlement:{number + 2}", lines, NOW_S + 14 + number)


HEAD = 14
